"""The explorer's page in a browser, on the real server: what is seen, what keys do, and what reaches the file."""

import json

import numpy as np
import pytest

from affectspace.corpora.corrections import Correction, append_correction, now, read_corrections

ALL = 24


def shown(page):
    """How many items the line above the map tells of."""
    return page.locator(".shown-count").inner_text()


def correct_file(corpus):
    return corpus / "corrections.jsonl"


def in_polygon(points, polygon):
    """The even-odd rule, point by point and edge by edge."""
    found = []
    for x, y in points:
        odd = False
        for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1]):
            if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
                odd = not odd
        found.append(odd)
    return np.array(found)


def test_the_map_is_drawn_told_in_words_and_coloured_by_any_column(open_page):
    page, faults = open_page()
    assert page.title() == "mine · affectspace"
    assert shown(page) == "24 items"
    told = page.locator("#map-0-summary").inner_text()
    assert "24 items shown. Coloured by label: sad 13, happy 10, none 1." in told
    assert page.locator(".legend, #legend .key").all_inner_texts() == ["happy\n10", "sad\n13", "none\n1"]
    assert page.locator(".stage").get_attribute("aria-label") == "Map of mine"
    canvas = page.locator(".points canvas")
    colours = canvas.evaluate(
        "each => new Set(new Uint32Array("
        "each.getContext('2d').getImageData(0, 0, each.width, each.height).data.buffer)).size"
    )
    assert colours > 3  # the ground, two classes, and edges between them
    page.locator("#colour").select_option("age")
    page.locator(".ramp").wait_for()
    assert page.locator(".ramp .ends").inner_text().split() == ["20.5", "32", "43.5"]
    assert page.evaluate("location.hash") == "#c=age"
    page.locator("#colour").select_option("label")
    page.locator("#legend .key").first.wait_for()
    assert page.evaluate("location.hash") == ""
    assert not faults


def test_nothing_is_asked_of_anybody_else_and_no_media_of_items_that_have_none(open_page, home):
    asked = []
    page, faults = open_page("#i=21", before=lambda page: page.on("request", lambda each: asked.append(each.url)))
    page.locator(".tiles.near .tile").first.wait_for()
    page.get_by_role("tab", name="Sub-classes").click()
    page.locator(".group").first.wait_for()
    tiles = page.locator(".tile").evaluate_all(
        "tiles => tiles.map(each => [Number(each.dataset.row), ...['img', '.play', '.tile-words']"
        ".map(kind => each.querySelector(kind) !== null)])"
    )
    assert {row < 20 for row, *_ in tiles} == {True, False}
    assert all(told == [row >= 20, row < 20, row < 20 and row % 2 == 1] for row, *told in tiles)
    assert not faults
    assert asked
    assert all(each.startswith((home.address, "data:", "blob:")) for each in asked)


@pytest.mark.parametrize("classes", [("happy", "sad", "calm")])
def test_a_class_that_no_item_has_is_told_of_once_one_has_it(open_page, corpus):
    page, faults = open_page("#i=3")
    page.locator("summary", has_text="label").click()
    ticks = page.locator(".filter[open] .ticks label")
    ticks.first.wait_for()
    assert ticks.all_inner_texts() == ["happy\n10", "sad\n13", "none\n1"]
    assert page.locator("#legend .key").all_inner_texts() == ["happy\n10", "sad\n13", "none\n1"]
    page.locator(".choices-of-class").get_by_role("button", name="calm").click()
    page.locator("#legend .key", has_text="calm").wait_for()
    assert page.locator("#legend .key").all_inner_texts() == ["happy\n10", "sad\n12", "calm\n1", "none\n1"]
    ticks.filter(has_text="calm").wait_for()
    assert not faults


def test_filters_act_together_on_map_lists_and_counts_and_can_be_taken_away(open_page):
    page, _ = open_page()
    page.locator("#legend .key", has_text="sad").click()
    page.locator(".chip").wait_for()
    assert shown(page) == "13 of 24 items"
    assert page.locator("#panel-items [role=option]").first.get_attribute("aria-setsize") == "13"
    assert "13 items shown" in page.locator("#map-0-summary").inner_text()
    assert page.locator("#legend .key", has_text="happy").inner_text() == "happy\n10"  # what could be chosen instead
    page.go_back()
    page.locator(".chip").wait_for(state="detached")
    assert shown(page) == "24 items"
    page.locator("summary", has_text="take").click()
    page.get_by_role("checkbox", name="0").uncheck()
    page.locator(".chip", has_text="take").wait_for()
    assert shown(page) == "18 of 24 items"
    page.locator("summary", has_text="age").click()
    page.get_by_label("age at least").fill("30")
    page.keyboard.press("Enter")
    page.locator(".chip", has_text="age").wait_for()
    expected = {row for row in range(ALL) if row % 4 and 20.5 + row >= 30}
    assert shown(page) == f"{len(expected)} of 24 items"
    page.locator("#words").fill("words of 1")
    page.keyboard.press("Enter")  # which waits for no pause in the typing
    page.locator("#said", has_text=" items found, the first is chosen").wait_for()
    expected &= {row for row in range(ALL) if row % 2 and f"words of {row}".startswith("words of 1")}
    assert page.locator("#said").inner_text().startswith(f"{len(expected)} items")
    assert shown(page) == f"{len(expected)} of 24 items"
    names = page.locator("#panel-items .line-id").all_inner_texts()
    assert [name.replace("\n", "") for name in names] == [f"mine/{row:02}" for row in sorted(expected)]
    page.locator(".item-id", has_text=f"mine/{min(expected)}").wait_for()
    page.keyboard.press("j")
    page.locator(".item-id", has_text=f"mine/{sorted(expected)[1]}").wait_for()
    page.get_by_role("button", name="Show all", exact=True).click()
    page.locator(".chip").first.wait_for(state="detached")
    assert shown(page) == "24 items"
    for words, told in (("mine/07", "1 item found and chosen."), ("nobody says this", "No item that is shown holds")):
        page.locator("#words").fill(words)
        page.keyboard.press("Enter")
        page.locator("#said", has_text=told).wait_for()
        page.locator(".item-id", has_text="mine/07").wait_for()  # and stays, where nothing is found


def test_an_address_shows_the_same_to_somebody_else(open_page, home):
    page, _ = open_page("#c=speaker&f.label=sad&i=3&t=doubts&v0=0.1,-0.2,1.5")
    page.locator(".chip").wait_for()
    page.locator(".item-label").wait_for()
    assert page.locator("#colour").input_value() == "speaker"
    assert shown(page) == "13 of 24 items"
    assert page.locator(".item-id").inner_text() == "mine/03"
    assert page.get_by_role("tab", name="Labels in doubt").get_attribute("aria-selected") == "true"
    assert page.evaluate("location.hash") == "#c=speaker&f.label=sad&i=3&t=doubts&v0=0.1,-0.2,1.5"


def test_an_address_that_was_cut_or_is_of_other_spaces_shows_what_can_be_shown(open_page, home):
    page, faults = open_page("#i=3")
    page.locator(".item-label").wait_for()
    page.evaluate("location.hash = 's=7&i=999999&p=near,9,999999,5'")
    page.get_by_text("No item is chosen.").wait_for()
    assert shown(page) == "24 items"
    for hash in ("#i=99&s=7&b=3", "#f.label", "#%%%", "#f.nothing=x&v0=a,b&p=lasso,0,1&t=x", "#i=-1"):
        page.goto("about:blank")
        page.goto(f"{home.address}/{hash}")
        page.locator(".shown-count").wait_for()
        assert "items" in shown(page)
    assert not faults


def test_a_lasso_picks_what_lies_within_it_and_the_map_is_used_without_a_mouse(open_page, home):
    start = int(home.points[:, 1].argmin())
    page, _ = open_page(f"#i={start}")
    page.locator(".item-label").wait_for()
    box = page.locator(".stage").bounding_box()
    left, top = box["x"], box["y"]
    corners = [(0.02, 0.02), (0.55, 0.05), (0.5, 0.5), (0.6, 0.97), (0.03, 0.97)]
    page.keyboard.down("Shift")
    page.mouse.move(left + corners[0][0] * box["width"], top + corners[0][1] * box["height"])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(left + x * box["width"], top + y * box["height"], steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator(".chip", has_text="lasso").wait_for()
    told = page.evaluate("location.hash").split("p=lasso,0,")[1].split("&")[0]
    numbers = [float(each) for each in told.split(",")]
    within = in_polygon(home.points, list(zip(numbers[::2], numbers[1::2])))
    assert 0 < within.sum() < ALL
    assert f"{within.sum()} items picked" in page.locator(".chip").inner_text()
    assert page.locator("#panel-items [role=option]").first.get_attribute("aria-setsize") == str(within.sum())
    page.locator("body").press("Escape")
    page.locator(".chip").wait_for(state="detached")
    page.locator(".stage").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/#*v0=*")
    page.keyboard.press("Shift+ArrowUp")
    page.locator(".item-id", has_text=f"mine/{start:02}").wait_for(state="detached")
    row = int(page.locator("#item").get_attribute("data-row"))
    step = home.points[row] - home.points[start]
    assert step[1] >= abs(step[0])  # upwards, and more so than sidewards
    page.keyboard.press("s")
    page.locator(".chip", has_text="24 items picked by nearest 50").wait_for()


def test_two_spaces_begin_side_by_side_and_either_may_stand_alone(open_page, home):
    page, faults = open_page(spaces=2)
    page.locator("[data-painter]").nth(1).wait_for()
    menus = [page.get_by_label(name, exact=True) for name in ("Space", "Beside it")]
    assert [each.input_value() for each in menus] == ["0", "1"]
    assert page.locator("#spaces").get_by_text("Beside it").is_visible()
    assert page.evaluate("location.hash") == ""
    assert [each.get_attribute("aria-label") for each in page.locator(".stage").all()] == [
        "Map of mine",
        "Map of theirs",
    ]
    page.locator("#legend .key", has_text="sad").click()
    page.locator(".chip").wait_for()
    assert all("13 items shown" in each.inner_text() for each in page.locator(".map > .unseen").all())
    page.go_back()
    page.locator(".chip").wait_for(state="detached")
    menus[1].select_option("alone")
    page.locator(".map").nth(1).wait_for(state="detached")
    assert page.evaluate("location.hash") == "#b=alone"
    page.goto("about:blank")
    page.goto(f"{home.address}/#s=1&b=alone")
    page.get_by_label("Map of theirs").first.wait_for()
    assert page.locator(".map").count() == 1
    assert [each.input_value() for each in menus] == ["1", ""]
    assert not faults


def test_a_map_that_is_taken_away_listens_no_more(scripts):
    listening = scripts.evaluate(
        """async () => {
          const { makeMap } = await import('/page/map.js');
          const { makeStore, FIRST } = await import('/page/state.js');
          const { makeShared } = await import('/page/shared.js');
          let listening = 0;
          const counted = (each) => ({ ...each, listen: (listener) => {
            const end = each.listen(listener);
            listening++;
            return () => (listening -= end());
          } });
          const items = { about: { spaces: [{ name: "one" }] }, points: () => new Promise(() => {}) };
          const shared = () => counted(makeShared(null));
          const app = { items, store: counted(makeStore(FIRST)), views: shared(), hover: shared(), near: shared() };
          const map = makeMap(app, 0, false);
          const before = listening;
          map.remove();
          return [before, listening];
        }"""
    )
    assert listening == [4, 0]


def test_an_item_tells_what_is_said_of_it_and_what_it_lies_beside_and_markup_is_text(open_page):
    dialogs = []
    page, faults = open_page("#c=speaker&i=3", before=lambda page: page.on("dialog", lambda each: dialogs.append(each)))
    page.locator(".item-label").wait_for()
    assert page.locator(".item-label").inner_text() == "sad"
    assert page.locator(".spoken").inner_text() == "words of 3"
    rows = page.locator(".opinions tbody tr").all_inner_texts()
    assert [each.replace("\n", "").replace("\t", " ").split() for each in rows] == [
        ["happy", "0", "%", "75", "%"],
        ["sad", "100", "%", "25", "%"],
    ]
    assert page.locator(".tiles.near .tile").count() == 12
    assert "<img src=x onerror=alert(0)>" in page.locator("#legend").inner_text()
    assert "<img src=x onerror=alert(0)>" in page.locator(".fields").inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(".opinions thead").inner_text().split() == ["Class", "Label", "Model"]
    page.locator(".tiles.near .tile-open").first.click()
    page.locator(".item-id", has_text="mine/03").wait_for(state="detached")
    page.evaluate("location.hash = 'i=5'")  # whose raters are torn
    page.locator(".opinions thead", has_text="Votes").wait_for()
    assert not dialogs
    assert not faults


def test_a_sound_is_played_from_parts_that_the_browser_asks_for(open_page):
    page, _ = open_page()
    with page.expect_response(lambda each: "/api/audio/3" in each.url) as heard:
        page.evaluate("location.hash = 'i=3'")
    answer = heard.value
    assert answer.request.headers["range"].startswith("bytes=0-")
    assert answer.status == 206
    page.locator(".waveform").wait_for()
    page.locator("body").press("Space")
    audio = page.locator(".side audio")
    while not audio.evaluate("each => each.played.length"):  # stays so when the sound has ended before this is asked
        page.evaluate("new Promise(requestAnimationFrame)")
    assert audio.evaluate("each => each.duration") == pytest.approx(1.0)
    page.locator(".waveform").click(position={"x": 100, "y": 20})
    width = page.locator(".waveform").bounding_box()["width"]
    assert audio.evaluate("each => each.currentTime") >= 100 / width - 0.01


def test_media_that_have_vanished_are_told_in_the_servers_words(open_page, corpus):
    (corpus / "3.wav").unlink()
    (corpus / "21.png").unlink()
    page, _ = open_page("#i=3", own=True)
    page.locator(".media .fault", has_text="3.wav is gone; put the corpus back where it was").wait_for()
    page.evaluate("location.hash = 'i=21'")
    page.locator(".media .fault", has_text="21.png is gone; put the corpus back where it was").wait_for()


def test_labels_in_doubt_are_corrected_by_keys_and_found_again(open_page, corpus):
    page, faults = open_page()
    page.get_by_role("tab", name="Labels in doubt").click()
    line = page.locator("#panel-doubts [role=option]").first
    line.wait_for()
    heading = " ".join(page.locator(".line-heading").inner_text().split())
    assert heading == "Score Item, and why Label → and what suggested Decided"
    told = page.locator("#panel-doubts [role=listbox]").get_attribute("aria-describedby")
    assert page.locator(f"[id={told}]").is_visible()
    total = int(page.locator("#progress").inner_text().split()[2])
    page.keyboard.press("j")  # goes on from the tab that was struck
    page.locator(".item-id", has_text="mine/03").wait_for()  # the planted error is the surest
    assert page.locator(".outlook p").first.inner_text() == "The space suggests happy"
    assert page.locator(".line-reasons").first.inner_text() in page.locator(".outlook .reasons").inner_text()
    with page.expect_response("**/api/corrections") as written:
        page.keyboard.press("Enter")
    assert written.value.ok
    (entry,) = read_corrections(correct_file(corpus)).entries
    assert (entry.item, entry.old, entry.new, entry.by) == ("mine/03", "sad", "happy", "ann")
    page.locator("#progress", has_text=f"1 of {total} looked at").wait_for()
    while page.evaluate("localStorage.length"):  # until the page knows that it is written
        page.evaluate("new Promise(requestAnimationFrame)")
    page.reload()
    page.locator("#progress", has_text=f"1 of {total} looked at").wait_for()
    assert line.locator(".decided").inner_text().split() == ["decided:", "happy"]
    line.click()
    page.locator(".item-label", has_text="happy").wait_for()
    assert page.locator(".was").inner_text() == "was sad"
    assert "sad → happy" in page.locator(".history").inner_text()
    assert page.locator(".outlook p").first.inner_text() == "The space suggested happy"
    page.keyboard.press("Enter")
    page.locator("#said", has_text="is happy already, as the space suggests").wait_for()
    for key, decided in (("2", "stays sad"), ("0", "left out")):
        line.click()
        page.locator(".item-id", has_text="mine/03").wait_for()
        with page.expect_response("**/api/corrections"):
            page.keyboard.press(key)
        line.locator(".decided", has_text=decided).wait_for()
        assert line.locator(".change s").inner_text() == "happy"  # the suggestion, struck out
    assert not faults


def test_a_stroke_is_never_for_an_item_that_is_no_longer_chosen(open_page, corpus):
    page, _ = open_page("#t=doubts&i=7")
    page.locator(".item-id", has_text="mine/07").wait_for()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    held = []
    page.route("**/api/item?*", lambda route: held.append(route))  # the panel goes on showing the first
    page.evaluate("location.hash = 't=doubts&i=8'")
    page.wait_for_url("**/#*i=8*")
    page.locator("#item[aria-busy]").wait_for()
    for key in ("0", "1"):  # of which the list of doubts knows nothing
        page.keyboard.press(key)
        page.locator("#said", has_text="The item has not come yet; say it again.").wait_for()
    assert not correct_file(corpus).exists()
    page.keyboard.press("j")  # to the one that it knows
    with page.expect_response(lambda each: each.url.endswith("/api/corrections")):
        page.keyboard.press("Enter")
    assert [each.item for each in read_corrections(correct_file(corpus)).entries] == ["mine/03"]


def test_sub_classes_are_gone_through_by_keys_and_a_digit_is_for_the_tile_that_is_marked(open_page, corpus):
    page, faults = open_page("#t=groups&f.take=1,2,3")
    page.locator(".group").first.wait_for()
    rows = page.locator(".group:not([hidden]) .tile:not([hidden])").evaluate_all(
        "tiles => tiles.map(each => Number(each.dataset.row))"
    )
    assert len(rows) > 12
    assert all(row % 4 for row in rows)  # tiles that are not shown are passed over
    current = page.locator(".group .tile.current")

    def at(place):
        page.locator(".item-id", has_text=f"mine/{rows[place]:02}").wait_for()
        page.locator("#item:not([aria-busy])").wait_for()
        assert current.evaluate_all("tiles => tiles.map(each => Number(each.dataset.row))") == [rows[place]]

    page.keyboard.press("j")
    at(0)
    for _ in rows:
        page.keyboard.press("ArrowDown")
    at(-1)
    page.locator("#said", has_text="This is the last one.").wait_for()
    tile, panel = (each.bounding_box() for each in (current, page.locator("#panel-groups")))
    assert panel["y"] <= tile["y"] <= tile["y"] + tile["height"] <= panel["y"] + panel["height"]
    page.keyboard.press("k")
    at(-2)
    page.locator(".group .tile:not([hidden]) .tile-open").first.click()
    at(0)
    page.keyboard.press("j")  # goes on from the tile that was struck, which Enter does not open again
    at(1)
    assert page.evaluate("document.activeElement.id") == "panel-groups"
    label = page.locator(".item-label").inner_text()
    with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
        page.keyboard.press("1")
    (entry,) = read_corrections(correct_file(corpus)).entries
    assert (entry.item, entry.old, entry.new) == (f"mine/{rows[1]:02}", label, "happy")
    assert not faults


def test_an_item_without_a_label_can_be_left_out(open_page, corpus):
    page, faults = open_page("#i=5")  # whose raters are torn
    page.locator(".item-label", has_text="no label").wait_for()
    page.keyboard.press("c")
    page.locator("#said", has_text="This item has no label that could be confirmed.").wait_for()
    assert page.locator(".acts").get_by_role("button", name="Leave out").is_visible()
    row = page.locator("#panel-items [role=option][aria-selected=true]")
    for key, label, marks in (("0", "left out", ["left out"]), ("u", "no label", []), ("0", "left out", ["left out"])):
        with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
            page.keyboard.press(key)
        page.locator(".item-label", has_text=label).wait_for()
        row.locator(".mark").wait_for(state="visible" if marks else "detached")
        assert [each.get_attribute("title") for each in row.locator(".mark").all()] == marks
    page.locator(".acts").get_by_role("button", name="Leave out").wait_for(state="detached")
    while page.evaluate("localStorage.length"):  # until the page has heard of it; a stroke before is the same once more
        page.evaluate("new Promise(requestAnimationFrame)")
    page.keyboard.press("0")
    page.locator("#said", has_text="This item is left out already.").wait_for()
    entries = read_corrections(correct_file(corpus)).entries
    assert [(each.old, each.new, each.undo) for each in entries] == [
        ("", "", False), ("", "", True), ("", "", False),
    ]  # fmt: skip
    assert not faults


def hold_items(page):
    """Let no item come any more."""
    page.evaluate(
        """() => {
          const ask = window.fetch;
          window.fetch = (path, ...more) =>
            path.startsWith("/api/item?") ? new Promise(() => {}) : ask(path, ...more);
        }"""
    )


def test_each_stroke_is_written_at_once_on_any_tab_and_can_be_undone(open_page, corpus):
    page, _ = open_page("#i=7")
    page.locator(".item-label", has_text="happy").wait_for()

    def press(key, act="press"):
        with page.expect_response("**/api/corrections"):
            getattr(page.keyboard, act)(key)
        while page.evaluate("localStorage.length"):  # until the page has heard of it
            page.evaluate("new Promise(requestAnimationFrame)")

    page.keyboard.press("Enter")
    page.locator("#said", has_text="Nothing is suggested for this item.").wait_for()
    page.evaluate("location.hash = 'i=3'")
    page.locator(".outlook", has_text="The space suggests happy").wait_for()  # though nobody has opened their list
    for key in "1c0":
        press(key)
        press("u")
    told = read_corrections(correct_file(corpus))
    assert [(each.old, each.new, each.undo) for each in told.entries] == [
        ("sad", "happy", False), ("happy", "sad", True), ("sad", "sad", False), ("sad", "sad", True),
        ("sad", "", False), ("", "sad", True),
    ]  # fmt: skip
    assert not told.standing
    assert {each.item for each in told.entries} == {"mine/03"}  # which stays chosen
    while page.evaluate("localStorage.length"):
        page.evaluate("new Promise(requestAnimationFrame)")
    page.locator(".item-label .class-name", has_text="sad").wait_for()
    page.locator("#item:not([aria-busy])").wait_for()
    hold_items(page)
    press("1")
    press("2")  # a second word follows the first
    press("u", "down")
    page.keyboard.down("u")  # a key that is held says one thing
    page.keyboard.up("u")
    press("0")
    told = read_corrections(correct_file(corpus)).entries[6:]
    assert [(each.old, each.new) for each in told] == [
        ("sad", "happy"),
        ("happy", "sad"),
        ("sad", "happy"),
        ("happy", ""),
    ]


def test_what_one_has_said_before_the_page_was_opened_is_marked_and_can_be_taken_back(open_page, corpus):
    said = [("bo", "08", "happy", "sad"), ("bo", "07", "happy", "sad"), ("ann", "07", "sad", "happy"),
            ("ann", "03", "sad", "sad")]  # fmt: skip
    for by, item, old, new in said:
        append_correction(correct_file(corpus), Correction(now(), by, f"mine/{item}", old, new))
    page, faults = open_page("#i=8")
    page.locator(".item-label", has_text="sad").wait_for()
    page.locator("#panel-items .mark").first.wait_for()
    marks = page.locator("#panel-items [role=option]:has(.mark)")
    assert [each.split() for each in marks.all_inner_texts()] == [
        ["mine/", "03", "sad", "confirmed"],
        ["mine/", "07", "happy", "confirmed"],
        ["mine/", "08", "sad", "corrected"],
    ]
    assert page.locator(".judge").get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("u")
    page.locator("#said", has_text="bo has judged this item last; you can undo what you have said yourself.").wait_for()
    for row in (3, 7):
        page.evaluate(f"location.hash = 'i={row}'")
        page.locator(".item-id", has_text=f"mine/{row:02}").wait_for()
        page.locator(".item-label .was", has_text="confirmed").wait_for()
        with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
            page.keyboard.press("u")
        page.locator(".item-label .was", has_text="confirmed").wait_for(state="detached")
    page.locator(".item-label .was", has_text="was happy").wait_for()
    page.locator("#panel-items [role=option]", has_text="03").locator(".mark").wait_for(state="detached")
    told = read_corrections(correct_file(corpus))
    assert [(each.item, each.old, each.new, each.undo) for each in told.entries[4:]] == [
        ("mine/03", "sad", "sad", True),
        ("mine/07", "happy", "sad", True),
    ]
    assert not faults


@pytest.mark.parametrize("other_labels", [{5: "fear"}])
def test_a_label_that_is_no_class_is_shown_as_it_is_and_corrected_from(open_page, corpus):
    page, faults = open_page("#i=5")
    page.locator(".item-label", has_text="fear").wait_for()
    assert page.locator(".item-label .was").inner_text() == "no class of this model"
    assert page.locator(".choice[aria-pressed=true]").count() == 0
    assert page.locator(".opinions thead").inner_text().split() == ["Class", "Model"]
    assert page.locator("#legend .key").all_inner_texts() == ["happy\n10", "sad\n13", "fear\n1"]
    colours = page.locator("#legend .dot").evaluate_all("dots => dots.map(each => getComputedStyle(each).background)")
    assert len(set(colours)) == 3
    dot = page.locator(".item-label .dot").evaluate("each => getComputedStyle(each).background")
    assert dot == colours[2]
    assert page.locator("#panel-items [role=option][aria-selected=true] .line-value").inner_text() == "fear"
    page.keyboard.press("c")
    page.locator("#said", has_text="fear is no class of this model, and cannot be confirmed here.").wait_for()
    for key in "1u":
        with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
            page.keyboard.press(key)
    page.locator(".history li").nth(1).wait_for()
    page.locator(".item-label", has_text="fear").wait_for()
    entries = read_corrections(correct_file(corpus)).entries
    assert [(each.old, each.new, each.undo) for each in entries] == [("fear", "happy", False), ("happy", "fear", True)]
    assert not faults


LONG = ("h" * 200, "sad " * 50 + "dog", "calm")


@pytest.mark.parametrize("classes", [LONG])
@pytest.mark.parametrize("labels", [[LONG[row == 3 or row > 11] if row != 5 else None for row in range(ALL)]])
def test_long_labels_are_cut_off_where_there_is_no_room_and_told_whole_to_whoever_points_at_them(open_page):
    page, _ = open_page("#t=doubts&i=3")
    page.locator("#panel-doubts [role=option]").first.wait_for()
    page.locator(".outlook").wait_for()
    sizes = page.evaluate(
        """() => ["#legend .key", "#panel-doubts .change", ".choice", ".outlook .button"].map((name) => {
          const each = document.querySelector(name);
          return [name, each.getBoundingClientRect().right <= each.parentElement.getBoundingClientRect().right + 1,
            each.scrollWidth <= each.clientWidth + 1];
        })"""
    )
    assert all(within and fits for _, within, fits in sizes), sizes
    heading = page.locator(".item-label").evaluate(
        "each => each.clientHeight / parseFloat(getComputedStyle(each).lineHeight)"
    )
    assert heading <= 3.5
    for place in (".item-label .class-name", "#legend .key-name >> nth=1", "#panel-doubts .change .clipped >> nth=0"):
        assert page.locator(place).get_attribute("title") == LONG[1]


@pytest.mark.parametrize("labels", [[None] * ALL])
def test_a_space_without_labels_is_labelled_by_keys(open_page, corpus):
    page, faults = open_page("#i=3")
    page.locator(".item-label", has_text="no label").wait_for()
    assert page.get_by_role("tab").all_inner_texts() == ["Items"]
    with page.expect_response("**/api/corrections"):
        page.keyboard.press("2")
    page.locator(".item-label", has_text="sad").wait_for()
    assert [(each.old, each.new) for each in read_corrections(correct_file(corpus)).entries] == [("", "sad")]
    assert not faults


def test_what_others_correct_comes_in(open_page, corpus):
    page, _ = open_page("#i=7")
    page.locator(".item-label", has_text="happy").wait_for()
    append_correction(correct_file(corpus), Correction(now(), "bo <b>", "mine/07", "happy", "sad"))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # which asks at once
    page.locator(".item-label", has_text="sad").wait_for()
    assert page.locator("#said").inner_text() == "bo <b>: happy → sad, mine/07"
    page.locator("#legend .key", has_text="sad").get_by_text("14").wait_for()


def test_who_corrects_what_another_has_changed_is_told_who_and_to_what(open_page, corpus):
    struck = []  # until then the page hears nothing of what others say

    def before(page):
        page.route("**/api/corrections?since=*", lambda route: route.continue_() if struck else route.abort())
        page.on("request", lambda each: struck.append(each) if each.method == "POST" else None)

    page, _ = open_page("#i=3", before=before)
    page.locator(".item-label", has_text="sad").wait_for()
    others = [("bo", "sad", "happy"), ("cy", "happy", "happy")]
    for by, old, new in others:
        append_correction(correct_file(corpus), Correction(now(), by, "mine/03", old, new))
    unsaved = page.locator("#unsaved")
    page.keyboard.press("c")
    unsaved.get_by_role("heading", name="Others have decided otherwise meanwhile").wait_for()
    told = unsaved.locator(".since li").all_inner_texts()
    assert [each.rsplit(" ", 1)[0] for each in told] == ["bo sad → happy", "cy confirmed happy"]
    assert "You confirmed sad" in unsaved.inner_text()
    assert "cy: confirmed happy, mine/03. t keeps that" in page.locator("#said").inner_text()
    page.locator("#legend .key", has_text="happy").get_by_text("11").wait_for()  # what the file holds, everywhere
    page.locator("#panel-items [role=option][aria-selected=true] .line-value", has_text="happy").wait_for()
    page.locator(".item-label .class-name", has_text="happy").wait_for()
    page.set_viewport_size({"width": 768, "height": 1024})
    said, box = (page.locator(each).bounding_box() for each in ("#said p", "#unsaved"))
    assert said["y"] + said["height"] <= box["y"]
    page.set_viewport_size({"width": 1280, "height": 800})
    struck.clear()
    page.keyboard.press("t")
    unsaved.wait_for(state="hidden")
    page.locator(".item-label", has_text="happy").wait_for()
    append_correction(correct_file(corpus), Correction(now(), "bo", "mine/03", "happy", "sad"))
    page.keyboard.press("0")
    unsaved.get_by_role("button", name="Write left out").wait_for()
    assert unsaved.get_by_role("button", name="Keep sad").is_visible()
    with page.expect_response("**/api/corrections"):
        page.keyboard.press("y")
    unsaved.wait_for(state="hidden")
    page.locator(".item-label", has_text="left out").wait_for()
    append_correction(correct_file(corpus), Correction(now(), "bo", "mine/03", "", "happy"))
    with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
        page.keyboard.press("1")  # bo says so, too: no conflict, and both have said it
    page.locator("#said", has_text="bo: no label → happy, mine/03, as you said").wait_for()
    assert unsaved.is_hidden()
    entries = read_corrections(correct_file(corpus)).entries
    assert [(each.by, each.old, each.new) for each in entries] == [
        *others, ("bo", "happy", "sad"), ("ann", "sad", ""), ("bo", "", "happy"), ("ann", "happy", "happy"),
    ]  # fmt: skip


def test_keys_answer_the_conflict_that_was_told_of_last_and_then_the_one_before(open_page, corpus):
    silent = "**/api/corrections?since=*"
    page, _ = open_page("#i=3", before=lambda page: page.route(silent, lambda route: None))
    for row, by, old, new in ((3, "bo", "sad", "happy"), (7, "cy", "happy", "sad")):
        page.evaluate(f"location.hash = 'i={row}'")
        page.locator(".item-id", has_text=f"mine/{row:02}").wait_for()
        page.locator(".item-label .class-name", has_text=old).wait_for()
        append_correction(correct_file(corpus), Correction(now(), by, f"mine/{row:02}", old, new))
        page.keyboard.press("0")
        page.locator("#said", has_text=f"{by}: {old} → {new}, mine/{row:02}. t keeps that, y writes yours.").wait_for()
    conflicts = page.locator("#unsaved > ul > li")

    def marked():
        return [
            (each.locator("p").first.inner_text(), each.locator("kbd").all_inner_texts()) for each in conflicts.all()
        ]

    assert marked() == [("mine/07", ["t", "y"]), ("mine/03", [])]
    page.locator("body").press("Escape")  # which answers nothing
    assert conflicts.count() == 2
    with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
        page.keyboard.press("y")
    page.locator("#said", has_text="bo: sad → happy, mine/03. t keeps that").wait_for()
    assert marked() == [("mine/03", ["t", "y"])]
    page.keyboard.press("t")
    page.locator("#unsaved").wait_for(state="hidden")
    entries = read_corrections(correct_file(corpus)).entries
    assert [(each.by, each.item, each.new) for each in entries[2:]] == [("ann", "mine/07", "")]


def test_who_insists_after_the_file_was_cut_corrects_what_holds_then(scripts):
    sent = scripts.evaluate(
        """async () => {
          const { makeCorrections } = await import('/page/corrections.js');
          const [sent, told] = [[], { error: "the label is 'sad'", history: [], label: "sad" }];
          const post = async (entry) => {
            sent.push([entry.old, entry.new]);
            if (entry.old !== told.label) throw Object.assign(new Error(told.error), { status: 409, told });
            return {};
          };
          const queue = makeCorrections({ post, storage: localStorage, key: "cut", by: "ann", saved() {} });
          await queue.add({ row: 3, name: "mine/03", old: "happy", new: "" });
          await queue.insist(queue.waiting()[0]);
          return [...sent, queue.waiting().length];
        }"""
    )
    assert sent == [["happy", ""], ["sad", ""], 0]


def test_what_holds_already_is_taken_back_or_left_out_without_a_conflict(scripts):
    """And what the server has had before can be taken back once, from the label before it."""
    told = scripts.evaluate(
        """async () => {
          const { makeCorrections } = await import('/page/corrections.js');
          const [sent, agreed] = [[], []];
          let answer = () => ({});
          const post = async (entry) => (sent.push([entry.old, entry.new, entry.undo]), answer());
          const agree = (entry, other) => agreed.push([entry.new, other.by]);
          const kept = { storage: localStorage, key: "agreed", by: "ann" };
          const queue = makeCorrections({ post, ...kept, saved() {}, agreed: agree });
          const say = (old, now) => queue.add({ row: 3, name: "mine/03", old, new: now });
          const label = (holds, by) => () => {
            const told = { label: holds, history: [{ by, old: "sad", new: holds }] };
            throw Object.assign(new Error("changed"), { status: 409, told });
          };
          answer = label("", "bo");
          await say("sad", "");
          const left = [queue.waiting().length, queue.newest() ?? null];
          answer = () => ({});
          await say("sad", "happy");
          answer = () => ({ before: true, entry: { old: "sad", new: "happy" } });
          await say("happy", "happy");
          answer = label("sad", "ann");
          await queue.undo(queue.newest());
          return { left, sent, agreed, after: [queue.waiting().length, queue.newest() ?? null] };
        }"""
    )
    assert told["left"] == told["after"] == [0, None]
    assert told["agreed"] == [["", "bo"]]
    assert told["sent"] == [
        ["sad", "", False], ["sad", "happy", False], ["happy", "happy", False], ["happy", "sad", True],
    ]  # fmt: skip


def test_nothing_is_lost_while_the_server_is_gone_and_what_is_undone_is_never_sent(open_page, corpus):
    page, _ = open_page("#t=doubts&i=3")
    page.locator(".item-label", has_text="sad").wait_for()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    page.context.set_offline(True)
    page.keyboard.press("1")
    page.locator("#unsaved", has_text="1 correction will be sent").wait_for()
    page.keyboard.press("u")
    page.locator("#unsaved").wait_for(state="hidden")
    assert page.evaluate("localStorage.length") == 0
    page.locator(".item-id", has_text="mine/03").wait_for()
    page.keyboard.press("Enter")
    page.locator("#banner", has_text="does not answer").wait_for()
    page.locator("#unsaved", has_text="1 correction will be sent").wait_for()
    assert not correct_file(corpus).exists()
    page.context.set_offline(False)
    with page.expect_response("**/api/corrections"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#banner").wait_for(state="hidden")
    page.locator("#unsaved").wait_for(state="hidden")
    assert [each.new for each in read_corrections(correct_file(corpus)).entries] == ["happy"]


def test_what_was_not_sent_outlives_the_page_and_is_never_said_of_another_item(open_page, corpus):
    page, _ = open_page("#t=doubts&i=3", before=lambda page: page.route("**/api/corrections", lambda r: r.abort()))
    page.locator(".item-label", has_text="sad").wait_for()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    page.keyboard.press("1")
    page.locator("#unsaved", has_text="1 correction will be sent").wait_for()
    page.evaluate(
        """() => localStorage.setItem("affectspace corrections mine 1-1",
          JSON.stringify({ id: "1-1", row: 3, name: "yours/03", old: "sad", new: "happy", why: "", undo: false }))"""
    )
    with page.expect_response(lambda each: each.url.endswith("/api/corrections") and each.ok):
        page.unroute("**/api/corrections")
        page.reload()
    page.locator("#unsaved", has_text="'yours/03' is none of the items that are shown here").wait_for()
    assert [each.new for each in read_corrections(correct_file(corpus)).entries] == ["happy"]


def test_what_was_written_though_nobody_heard_of_it_is_not_written_again(open_page, corpus):
    """As its answer broke off, as it was struck once more since, and as the page was closed before the answer came."""
    unanswered = "**/api/corrections?since=*"  # whose answers would have it sent again before it is struck again
    page, _ = open_page("#i=3", before=lambda page: page.route(unanswered, lambda route: None))
    page.locator(".item-label", has_text="sad").wait_for()

    def cut(route):
        answer = route.fetch()
        route.fulfill(status=answer.status, content_type="application/json", body=answer.text()[:9])

    for key in ("c", "1"):
        page.route("**/api/corrections", cut, times=1)
        page.keyboard.press(key)
        page.locator("#unsaved", has_text="1 correction will be sent").wait_for()
        with page.expect_response(lambda each: each.url.endswith("/api/corrections")) as again:
            page.keyboard.press(key)
        assert again.value.json()["before"]
        page.locator("#unsaved").wait_for(state="hidden")
        assert page.evaluate("localStorage.length") == 0
    for key in ("1", "u"):  # what was heard of is no more written twice than undone twice
        with page.expect_response(lambda each: each.url.endswith("/api/corrections")) as again:
            page.keyboard.press(key)
        assert again.value.ok
    while page.evaluate("localStorage.length"):  # until the page has heard of it
        page.evaluate("new Promise(requestAnimationFrame)")
    page.locator(".item-label .class-name", has_text="sad").wait_for()
    page.evaluate("Storage.prototype.removeItem = () => {}")  # as if it had been closed before the answer came
    with page.expect_response("**/api/corrections"):
        page.keyboard.press("1")
    assert page.evaluate("localStorage.length") == 1
    with page.expect_response("**/api/corrections") as again:
        page.reload()
    assert again.value.json()["before"]
    while page.evaluate("localStorage.length"):
        page.evaluate("new Promise(requestAnimationFrame)")
    assert page.locator("#unsaved").is_hidden()
    entries = read_corrections(correct_file(corpus)).entries
    assert [(each.old, each.new, each.undo) for each in entries] == [
        ("sad", "sad", False), ("sad", "happy", False), ("happy", "sad", True), ("sad", "happy", False),
    ]  # fmt: skip


def test_the_focus_stays_where_one_judges(open_page, corpus):
    page, _ = open_page("#i=3")
    page.locator(".item-label", has_text="sad").wait_for()
    # What is left out cannot be left out again: the focus stays in the panel.
    for name, after in (("Right", "Rightc"), ("1 happy", "1happy"), ("Leave out", None)):
        before = page.locator(".judge").element_handle()
        with page.expect_response(lambda each: each.url.endswith("/api/corrections")):
            page.locator(".judge").get_by_role("button", name=name).press("Enter")
        while page.evaluate("localStorage.length") or before.evaluate("each => each.isConnected"):
            page.evaluate("new Promise(requestAnimationFrame)")
        page.locator("#item:not([aria-busy])").wait_for()
        focused = page.evaluate("[document.activeElement.id, document.activeElement.textContent]")
        assert focused[1] == after if after else focused[0] == "item"
    assert [each.new for each in read_corrections(correct_file(corpus)).entries] == ["sad", "happy", ""]


def test_what_two_pages_could_not_send_is_kept_for_both(scripts):
    kept = scripts.evaluate(
        """async () => {
          const { makeCorrections } = await import('/page/corrections.js');
          const queue = (post) => makeCorrections({ post, storage: localStorage, key: "two", by: "ann", saved() {} });
          const silent = async () => { throw new Error("nobody answers"); };
          const [one, other] = [queue(silent), queue(async () => ({}))];
          await one.add({ row: 1, name: "mine/01", old: "sad", new: "happy" });
          await one.add({ row: 2, name: "mine/02", old: "sad", new: "happy" });
          await other.add({ row: 3, name: "mine/03", old: "sad", new: "happy" });
          return queue(silent).waiting().map((each) => each.name);
        }"""
    )
    assert kept == ["mine/01", "mine/02"]


def test_a_refusal_is_told_and_kept(open_page, corpus):
    page, _ = open_page("#t=doubts&i=3")
    page.locator(".item-label", has_text="sad").wait_for()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    correct_file(corpus).mkdir()  # which cannot be written to
    page.keyboard.press("1")
    page.locator("#unsaved .fault, #unsaved li").first.wait_for()
    assert "corrections.jsonl" in page.locator("#unsaved").inner_text()
    correct_file(corpus).rmdir()
    with page.expect_response("**/api/corrections"):
        page.locator("#unsaved").get_by_role("button", name="Try again").click()
    page.locator("#unsaved").wait_for(state="hidden")
    assert [each.new for each in read_corrections(correct_file(corpus)).entries] == ["happy"]


def test_characters_that_nobody_sees_are_made_visible(scripts):
    made = scripts.evaluate(
        "async texts => { const { visible, oneLine } = await import('/page/text.js');"
        " return texts.map(each => [visible(each), oneLine(each)]); }",
        ["a\u202eb", "\x00", "one\ntwo", "خوش\u200cی", "\u2066x\u2069"],
    )
    assert made == [
        ["a⟨U+202E⟩b", "a⟨U+202E⟩b"],
        ["⟨U+0000⟩", "⟨U+0000⟩"],
        ["one\ntwo", "one two"],
        ["خوش\u200cی", "خوش\u200cی"],  # the joiner belongs to the word
        ["⟨U+2066⟩x⟨U+2069⟩", "⟨U+2066⟩x⟨U+2069⟩"],
    ]


def test_states_come_back_from_their_addresses(scripts):
    first = {"space": 0, "beside": None, "colour": None, "filters": {}, "words": "", "item": None, "tab": "items",
             "pick": None, "cameras": {}}  # fmt: skip
    odd = "a,b!none&c=1#x..y%2E(ü)\u202e"
    states = [
        first,
        {**first, "space": 1, "beside": 0, "item": 0, "tab": "groups", "words": odd, "colour": odd},
        {**first, "filters": {odd: {"values": [odd, "!others"], "missing": True, "others": False}}},
        {**first, "filters": {"age": {"low": -1.5, "high": None}, "b": {"low": None, "high": 2e-7}}},
        {**first, "filters": {"none": {"values": [], "missing": False, "others": False}}},
        {**first, "pick": {"kind": "near", "space": 0, "row": 17, "n": 50}},
        {**first, "pick": {"kind": "lasso", "space": 1, "points": [0, 0.5, -1, 1, 0.25, 0]}},
        {**first, "cameras": {"0": {"x": 0.5, "y": -0.25, "zoom": 3}, "1": {"x": 0, "y": 0, "zoom": -1}}},
    ]
    back = scripts.evaluate(
        "async states => { const { fromHash, toHash } = await import('/page/state.js');"
        " return states.map(each => fromHash('#' + toHash(each))); }",
        states,
    )
    assert back == states


def test_columns_may_be_named_like_parts_of_an_object(scripts):
    told = scripts.evaluate(
        """async () => {
          const { FIRST, fromHash, toHash, withFilter } = await import('/page/state.js');
          const names = ["constructor", "__proto__", "toString"];
          const other = withFilter(FIRST.filters, "a", { low: 1, high: null });
          const untouched = [FIRST.filters, fromHash("").filters, other];
          let { filters } = FIRST;
          for (const name of names) filters = withFilter(filters, name, { low: 1, high: 2 });
          const back = fromHash(toHash({ ...FIRST, filters })).filters;
          return [
            untouched.some((each) => names.some((name) => each[name])),
            Object.keys(back).sort(),
            Object.keys(withFilter(back, "__proto__", null)).sort(),
          ];
        }"""
    )
    assert told == [False, ["__proto__", "constructor", "toString"], ["constructor", "toString"]]


def test_filters_and_counts_are_those_of_a_loop(scripts):
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 4, 200)  # of three values: -1 is missing, 3 are others
    numbers = np.where(rng.random(200) < 0.1, np.nan, rng.normal(size=200))
    points = rng.uniform(-1, 1, (200, 2)).astype(np.float32)
    polygon = [(-0.5, -0.5), (0.9, -0.2), (0.1, 0.1), (0.3, 0.8)]
    told = scripts.evaluate(
        """async ({ codes, numbers, points, polygon }) => {
          const { all, countValues, howMany, passes } = await import('/page/filters.js');
          const { inside } = await import('/page/lasso.js');
          const { makeGrid, nearestOf, nearestRow } = await import('/page/nearest.js');
          const category = { kind: "category", values: ["a", "b", "c"], codes: Int32Array.from(codes) };
          const number = { kind: "number", numbers: Float32Array.from(numbers.map((each) => each ?? NaN)) };
          const named = passes(category, { values: ["a", "c"], missing: true, others: false });
          const range = passes(number, { low: -0.5, high: null });
          const both = all([named, range], codes.length);
          const xy = Float32Array.from(points);
          const everywhere = new Uint8Array(codes.length).fill(1);
          return {
            named: [...named], range: [...range], both: howMany(both), counts: [...countValues(category, range)],
            inside: [...inside(xy, polygon)], nearest: nearestRow(makeGrid(xy), 0.3, 0.2, 0.5, both),
            none: nearestRow(makeGrid(xy), 9, 9, 0.5, everywhere), near: [...nearestOf(xy, 5, 7, everywhere)],
          };
        }""",
        {
            "codes": codes.tolist(),
            "numbers": [None if np.isnan(each) else float(each) for each in numbers],
            "points": points.ravel().tolist(),
            "polygon": [each for corner in polygon for each in corner],
        },
    )
    named = np.isin(codes, [0, 2, -1])
    range_ = numbers.astype(np.float32) >= -0.5
    assert told["named"] == named.astype(int).tolist()
    assert told["range"] == range_.astype(int).tolist()
    assert told["both"] == (named & range_).sum()
    assert told["counts"] == [int((codes[range_] == code).sum()) for code in (0, 1, 2, 3, -1)]
    assert told["inside"] == in_polygon(points, polygon).astype(int).tolist()
    far = np.where(named & range_, np.hypot(*(points - [0.3, 0.2]).T), np.inf)
    assert told["nearest"] == far.argmin()
    assert told["none"] == -1
    assert set(np.flatnonzero(told["near"])) == set(np.hypot(*(points - points[5]).T).argsort()[:7])


def test_classes_have_the_colours_of_the_reports_and_words_can_be_read(scripts):
    from affectspace.report.style import CLASS_COLOURS

    light = scripts.evaluate("import('/page/colours.js').then(each => each.CLASS_COLOURS.light)")
    assert light == [each.lower() for each in CLASS_COLOURS]
    for theme in ("light", "dark"):
        ratios, none = scripts.evaluate(
            """async theme => {
              document.documentElement.dataset.theme = theme;
              const { contrast, MISSING, rgb } = await import('/page/colours.js');
              const style = getComputedStyle(document.documentElement);
              const of = (name) => rgb(style.getPropertyValue(name).trim());
              const pairs = [];
              for (const words of ["--ink", "--soft", "--accent", "--warm"])
                for (const ground of ["--ground", "--card", "--raised", "--tint"])
                  pairs.push(contrast(of(words), of(ground)));
              pairs.push(contrast(of("--on-accent"), of("--accent")), contrast(of("--warm"), of("--warm-tint")));
              const grounds = ["--ground", "--card", "--raised", "--tint"];
              return [pairs, grounds.map((ground) => contrast(rgb(MISSING[theme]), of(ground)))];
            }""",
            theme,
        )
        assert min(ratios) >= 4.5
        assert min(none) >= 3  # points and dots


def test_a_machine_with_a_graphics_card_draws_with_the_library(open_page):
    card = """const asked = WebGL2RenderingContext.prototype.getParameter;
    WebGL2RenderingContext.prototype.getParameter = function (name) {
      return name === 0x9246 ? "a graphics card" : asked.call(this, name); };"""
    page, faults = open_page(before=lambda page: page.add_init_script(card))
    if page.locator("[data-painter]").get_attribute("data-painter") != "webgl":
        pytest.skip("this Chromium has no WebGL 2 at all")
    assert page.evaluate("typeof createDeck") == "function"
    canvas = page.locator(".points canvas")
    drawn = canvas.evaluate(
        """each => new Promise((done) => {
          const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const look = () => {
            [copy.canvas.width, copy.canvas.height] = [each.width, each.height];
            copy.drawImage(each, 0, 0);
            const pixels = copy.getImageData(0, 0, each.width, each.height).data.buffer;
            const seen = new Uint32Array(pixels).filter(Boolean).length;
            if (seen) done(seen); else requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        })"""
    )
    assert drawn > ALL * 20  # pixels, of discs nine wide
    assert not faults


@pytest.mark.parametrize(("scheme", "asked"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_no_serious_fault_for_those_who_see_or_move_otherwise(open_page, home, scheme, asked):
    """In the dark only colours are others."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, _ = open_page("#i=3", color_scheme=scheme)
    there = {
        "#i=3": "#panel-items [role=option]",
        "#t=doubts&i=3": "#panel-doubts [role=option]",
        "#t=groups&i=21&c=age&f.label=sad": ".group:not([hidden])",
    }
    for hash, shown in there.items():
        page.goto(f"{home.address}/{hash}")
        page.locator(shown).first.wait_for()
        page.locator(".item-id", has_text="mine/21" if "i=21" in hash else "mine/03").wait_for()
        found = axe.Axe().run(page, options={"resultTypes": ["violations"], **asked}).response
        assert "color-contrast" in {each["id"] for each in found["passes"]}
        assert asked or len(found["passes"]) > 20
        grave = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        assert not grave, json.dumps(grave, indent=1)[:2000]


# A busy machine takes a moment. Playwright's own waiting asks by eval, which the page forbids.
LAID_OUT = """([width, height]) => new Promise((laid, failed) => {
  let frames = 0;
  const look = () => {
    const {scrollWidth, scrollHeight} = document.documentElement;
    if (scrollWidth === width && scrollHeight === height) laid();
    else if (++frames > 3000) failed(new Error(`${scrollWidth} x ${scrollHeight} in a window of ${width} x ${height}`));
    else requestAnimationFrame(look);
  };
  look();
})"""


def test_nothing_runs_out_of_the_window(open_page):
    page, _ = open_page("#i=3&t=doubts")
    page.locator(".item-label").wait_for()
    for width, height in ((1280, 800), (1024, 768), (768, 1024)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(LAID_OUT, [width, height])
        for place in (".stage", "#tray", "#item"):
            box = page.locator(place).bounding_box()
            assert min(box["width"], box["height"]) > 200


def test_keys_do_nothing_in_fields_and_can_be_switched_off(open_page, corpus):
    page, _ = open_page("#t=doubts&i=3")
    page.locator(".item-label").wait_for()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog", name="Keys").is_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the map"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "stage"
    page.keyboard.press("/")
    page.keyboard.type("c01u")
    assert page.locator("#words").input_value() == "c01u"
    page.locator(".chip").wait_for()
    assert not correct_file(corpus).exists()
    page.locator("#words").fill("")
    page.locator(".chip").wait_for(state="detached")
    page.get_by_role("button", name="Keys (?)").click()
    page.get_by_role("checkbox", name="Single keys").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.locator("#panel-doubts [role=option]").first.wait_for()
    page.locator(".item-label").wait_for()
    assert page.locator(".keys-hint").is_hidden()
    for key in ("1", "c", "0", "u", "Enter", "?", "/"):
        page.locator("body").press(key)
    assert not correct_file(corpus).exists()
    assert page.get_by_role("dialog", name="Keys").is_hidden()
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.evaluate("location.hash = 't=doubts'")
    page.get_by_text("No item is chosen.").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.locator(".item-id", has_text="mine/03").wait_for()  # the first, as one key has stepped
