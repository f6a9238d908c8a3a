"""Pages of tiles hold what they promise, load nothing, let no label act, and are of bounded size."""

import base64
import datetime
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.report.gallery import Section, Shown, Strip, write_gallery
from affectspace.report.space_pages import search_page, subclasses_page, summary_page, suspects_page
from affectspace.report.tiles import SIDE, class_swatches, make_tile
from affectspace.space import Space
from affectspace.space.subclasses import SubClasses
from affectspace.space.summary import Summary

DATE = datetime.date(2026, 11, 21)
EVIL = "<script>alert('x')</script>"
CLASSES = ("happy", EVIL, "sad")
VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Tags with their attributes, the words, and whether every tag is closed in order."""

    def __init__(self, path: Path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.pieces: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self.open
        self.words = " ".join(" ".join(self.pieces).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.pieces.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def tiles(self) -> int:
        return sum("tile" in (attributes.get("class") or "").split() for attributes in self.all("li"))


def refuse_strangers(page: Page) -> None:
    """Nothing is loaded, nothing can act, every identifier occurs once and every reference leads somewhere."""
    assert "<script" not in page.source
    assert not page.all("script")
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert (attributes.get("src") or "data:").startswith("data:image/jpeg;base64,"[:5])
        assert (attributes.get("href") or "#").startswith("#")
    assert not {"link", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    identifiers = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(identifiers) == len(set(identifiers))
    referred = {(a.get("aria-labelledby") or "") for _, a in page.tags} | {
        (a.get("href") or "")[1:] for _, a in page.tags
    }
    assert referred - {""} <= set(identifiers)
    assert all(picture.get("alt") for picture in page.all("img"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(30):
        colour = tuple(int(c) for c in np.random.default_rng(number).integers(0, 255, 3))
        Image.new("RGB", (200, 120) if number % 2 else (48, 48), colour).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"no picture")
    (folder / "5.png").unlink()
    return folder


@pytest.fixture(scope="module")
def space(pictures) -> Space:
    generator = np.random.default_rng(0)
    targets = generator.multinomial(10, [0.5, 0.2, 0.3], 30) / 10
    targets[9] = [0.4, 0.4, 0.2]
    labels = [CLASSES[row] for row in targets.argmax(1)]
    items = pd.DataFrame(
        {
            "id": [f"toy/{number} {EVIL if number == 7 else ''}".strip() for number in range(30)],
            "label": [None if number == 9 else label for number, label in enumerate(labels)],
            "target": list(targets),
            "prediction": [CLASSES[number % 3] for number in range(30)],
            "image": [str(pictures / f"{number}.png") for number in range(30)],
        }
    )
    return Space(items, generator.random((30, 4)), CLASSES)


def test_a_picture_is_shrunk_and_kept_in_the_page(pictures):
    tile = make_tile({"id": "a", "image": str(pictures / "1.png")}, CLASSES)
    kind, content = tile.picture.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (SIDE, round(SIDE * 120 / 200))
        wanted = np.random.default_rng(1).integers(0, 255, 3)
        assert np.abs(np.asarray(image).mean((0, 1)) - wanted).max() < 4
    small = make_tile({"id": "a", "image": str(pictures / "2.png")}, CLASSES).picture.split(",", 1)[1]
    with Image.open(io.BytesIO(base64.b64decode(small))) as image:
        assert image.size == (48, 48)


def test_an_item_that_is_a_part_of_a_picture_is_shown_alone(pictures):
    tile = make_tile({"id": "a", "image": str(pictures / "1.png"), "box": "10 5 30 40"}, CLASSES)
    with Image.open(io.BytesIO(base64.b64decode(tile.picture.split(",", 1)[1]))) as image:
        assert image.size == (30, 40)
    outside = make_tile({"id": "a", "image": str(pictures / "1.png"), "box": "900 5 30 40"}, CLASSES)
    assert outside.reason.startswith("no picture: box '900 5 30 40' lies outside")


@pytest.mark.parametrize(("number", "words"), [(3, "3.png is not an image"), (5, "there is no file 5.png")])
def test_a_picture_that_cannot_be_read_leaves_its_reason_without_the_folders_of_the_machine(pictures, number, words):
    tile = make_tile({"id": "a", "image": str(pictures / f"{number}.png")}, CLASSES)
    assert tile.picture == ""
    assert words in tile.reason
    assert str(pictures) not in tile.reason


def test_speech_and_text_are_cards():
    assert make_tile({"id": "a/1", "audio": "/x/1.wav", "image": None, "text": pd.NA}, CLASSES).kind == "recording"
    long = make_tile({"id": "a/1", "text": "word " * 100}, CLASSES)
    assert (long.kind, long.words[-1]) == ("text", "…")
    assert len(long.words) <= 220


def test_votes_are_largest_first_and_in_the_classes_colours():
    tile = make_tile({"id": "a", "target": np.array([0.3, 0.0, 0.7])}, CLASSES)
    assert [(vote.name, vote.percent) for vote in tile.votes] == [("sad", 70.0), ("happy", 30.0)]
    assert tile.told_votes == "sad 70 % and happy 30 %"
    assert tile.votes[1].colour == class_swatches(CLASSES)["happy"]
    assert not make_tile({"id": "a", "target": np.full(3, np.nan)}, CLASSES).votes
    assert make_tile({"id": "a", "target": [0.4, 0.2, 0.4]}, CLASSES).tied
    assert not tile.tied
    many = class_swatches([str(number) for number in range(14)])
    assert len(set(many.values())) == 11
    assert many["10"] == many["13"]


def test_search_shows_the_query_then_what_was_found_nearest_first(space, tmp_path):
    query = space.items.iloc[0].to_dict()
    rows, distances = np.array([4, 2, 9]), np.array([0.1, 0.25, 0.5])
    page = Page(search_page(space, query, rows, distances, tmp_path / "found.html", "split=test", len(space)))
    refuse_strangers(page)
    assert page.tiles == 4
    assert len(page.all("img")) == 4
    words = page.words
    places = [words.index(f"{space.items['id'][row]} ") for row in (0, 4, 2, 9)]
    assert [words.index(f"distance {d}") for d in ("0.100", "0.250", "0.500")] == sorted(
        words.index(f"distance {d}") for d in ("0.100", "0.250", "0.500")
    )
    assert places == sorted(places)
    assert "The 3 items nearest to the query, of the 30 that have split=test." in words
    assert "votes are tied" in words


def test_subclasses_begin_with_their_medoid_and_tell_their_share(space, tmp_path):
    assignment = np.where(np.arange(30) % 3 == 0, 0, np.where(np.arange(30) < 20, 1, 2))
    means = np.stack([space.vectors[assignment == part].mean(0) for part in range(3)])
    found = SubClasses(space, assignment, np.array([0, 0, 1]), means, np.array([6, 4, 28]))
    page = Page(subclasses_page(found, tmp_path / "s.html", "subclasses.csv"))
    refuse_strangers(page)
    assert [tag["id"] for tag in page.all("h2")] == ["how", "s1", "s2"]
    marks = [attributes for attributes in page.all("p") if attributes.get("class") == "mark"]
    assert len(marks) == 3
    assert "happy 2 13 items, 57 % of happy" in page.words
    assert f"{EVIL} 7 items, all of {EVIL}" in page.words
    inside = np.flatnonzero(assignment == 2)
    order = inside[np.argsort(np.linalg.norm(space.vectors[inside] - space.vectors[28], axis=1))]
    tail = page.words[page.words.index("all of") :]
    assert order[0] == 28
    assert [tail.index(f"toy/{row} ") for row in order] == sorted(tail.index(f"toy/{row} ") for row in order)


def test_suspects_stand_beside_their_neighbours(space, tmp_path):
    ids = space.items["id"].tolist()
    table = pd.DataFrame(
        {
            "id": [ids[1], ids[7]],
            "label": ["happy", "happy|sad"],
            "suggested": ["sad", EVIL],
            "score": [0.98, 0.7],
            "reasons": ["all of its 8 nearest are sad", "2 of its 3 nearest are"],
            "neighbours": [ids[10:18], ids[20:23]],
        }
    )
    page = Page(suspects_page(space, table, tmp_path / "x.html"))
    refuse_strangers(page)
    assert page.tiles == (1 + 7) + (1 + 3)
    assert "1. Labelled happy, perhaps sad score 0.98 · all of its 8 nearest are sad" in page.words
    assert f"suggested: {EVIL}" in page.words
    assert "2. Labelled happy or sad, perhaps" in page.words
    assert page.words.index(ids[1]) < page.words.index(ids[10]) < page.words.index(ids[7])
    few = Page(suspects_page(space, table, tmp_path / "y.html", rest="suspects.csv", most=8))
    assert few.tiles == 8
    assert "The 1 most doubtful of 2 are shown; suspects.csv has all." in few.words
    none = Page(suspects_page(space, table.head(0), tmp_path / "z.html"))
    assert "None of 30 items is at odds with its neighbours." in none.words


def summary(space: Space, groups: list[tuple[list[int], list[int]]]) -> Summary:
    """Of each group the rows that are shown, and all of its rows."""
    assignment = np.zeros(len(space), dtype=np.int64)
    rows = []
    for group, (shown, everyone) in enumerate(groups):
        assignment[everyone] = group
        rows += [(group, n, space.items["id"][row], row, n == 0, len(everyone)) for n, row in enumerate(shown)]
    table = pd.DataFrame(rows, columns=["group", "rank", "id", "row", "medoid", "size"])
    return Summary(table, assignment, 0.5)


def test_a_summary_shows_every_group_with_its_labels(space, tmp_path):
    groups = [([8, 9, 10], list(range(5, 30))), ([1, 2], list(range(5)))]
    page = Page(summary_page(space, summary(space, groups), tmp_path / "x.html"))
    refuse_strangers(page)
    assert page.tiles == 5
    assert "Group 1 25 items, 83.3 % · labels: " in page.words
    assert "30 items in 2 groups" in page.words
    assert "The framed items alone keep 50 % of how the items differ" in page.words
    nearly = replace(summary(space, groups), coverage=0.9992)
    told = "The framed items alone keep over 99 % of how the items differ"
    assert told in Page(summary_page(space, nearly, tmp_path / "y.html")).words
    assert page.words.index("toy/8 ") < page.words.index("toy/9 ") < page.words.index("toy/1 ")


def test_a_page_of_many_tiles_is_cut_where_it_is_longest_and_says_so(space, tmp_path):
    rows = [{"id": f"i{number}"} for number in range(40)]
    strips = [Strip([Shown(row) for row in rows], "long"), Strip([Shown(row) for row in rows[:3]], "short")]
    told = {"kicker": "k", "title": "t", "answer": "a", "date": DATE}
    page = Page(write_gallery([Section("s", strips)], (), tmp_path / "x.html", rest="all.csv", most=10, **told))
    assert page.tiles == 10
    assert page.words.count("i2 ") == 2
    assert "This page shows 10 of 43 tiles, as more would make it slow to open; all.csv has them all." in page.words
    many = [Section(f"s{n}", [Strip([Shown(rows[0])], "one")]) for n in range(30)]
    page = Page(write_gallery(many, (), tmp_path / "y.html", most=10, **told))
    assert page.tiles == 10
    assert len(page.all("section")) == 11
    assert "shows 10 of 30 tiles" in page.words


def test_what_is_not_there_is_not_explained(tmp_path):
    items = pd.DataFrame({"id": ["a", "b"], "text": ["one", "two"]})
    bare = Space(items, np.eye(2), ())
    page = Page(summary_page(bare, summary(bare, [([0, 1], [0, 1])]), tmp_path / "x.html"))
    refuse_strangers(page)
    assert "one" in page.words
    assert "votes" not in page.words
    assert "model" not in page.words.split("How to read")[1]


def test_the_same_items_give_the_same_bytes(space, tmp_path):
    strips = [Strip([Shown(space.items.iloc[row].to_dict()) for row in range(4)])]
    told = {"kicker": "k", "title": "t", "answer": "a", "date": DATE}
    one, two = (write_gallery([Section("s", strips)], CLASSES, tmp_path / f"{n}.html", **told) for n in range(2))
    assert one.read_bytes() == two.read_bytes()
    assert re.search(r"2026-11-21", one.read_text())
