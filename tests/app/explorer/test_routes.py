"""What the page asks is answered, whatever is asked, and whatever has become of the files meanwhile."""

import json

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from affectspace.app.explorer.explored import explore_spaces
from affectspace.app.explorer.judgements import STATES
from affectspace.app.explorer.routes import make_explorer
from affectspace.corpora.corrections import CorrectedMeanwhile, Correction, append_correction, read_corrections
from affectspace.errors import InputError
from affectspace.space import Space
from affectspace.space.label_errors import suspects
from affectspace.space.subclasses import find_subclasses


def test_the_page_is_told_what_there_is(client):
    told = client.get("/api/about").json()
    assert (told["items"], told["by"], told["classes"]) == (24, "ann", ["happy", "sad"])
    assert told["media"] == ["audio", "image", "text"]
    columns = {each["name"]: each for each in told["columns"]}
    assert columns["label"]["values"] == ["happy", "sad"]
    assert columns["label"]["counts"] == [10, 13]
    assert columns["label"]["missing"] == 1
    assert columns["age"] == {"name": "age", "kind": "number", "of_space": False, "low": 20.5, "high": 43.5,
                              "missing": 0}  # fmt: skip
    assert columns["take"]["values"] == ["0", "1", "2", "3"]
    assert columns["disagreement"]["high"] == 1.0
    assert not {"id", "text", "audio", "image", "target", "probabilities"} & columns.keys()


def test_a_label_that_is_no_class_is_shown_and_corrected_from(space, tmp_path):
    """A corpus's fear in the space of a model that knows happy and sad alone; what is overwritten is told."""
    items = space.items.assign(other_label=["fear" if row == 5 else None for row in range(24)])
    explored = explore_spaces(
        [Space(items, space.vectors, space.classes)], ["mine"], tmp_path / "own.jsonl", "ann", tmp_path
    )
    label = explored.columns["label"]
    assert (label.values, label.counts, label.of(0)[5]) == (("happy", "sad", "fear"), (10, 13, 1), 2)
    assert "other_label" not in explored.columns
    assert explored.item(5, 0)["label"] == "fear"
    with pytest.raises(CorrectedMeanwhile, match="the label of mine/05 is 'fear', and not ''"):
        explored.judgements.add(5, "", "sad")
    entry, _ = explored.judgements.add(5, "fear", "sad")
    assert (entry.old, entry.new, explored.column("label", 0)[1][5]) == ("fear", "sad", 1)
    explored.judgements.add(5, "sad", "fear", undo=True)
    assert (explored.item(5, 0)["label"], explored.column("label", 0)[1][5]) == ("fear", 2)


def test_an_item_without_a_label_is_left_out_by_an_empty_one(explored):
    """Raters who are torn give it none, and their votes would be trained on."""
    explored.judgements.add(5, "", "")
    assert STATES[explored.judgements.states()[5]] == "left out"


def test_names_with_markup_are_sent_as_data_and_never_as_a_page(client):
    answer = client.get("/api/about")
    assert "<img src=x onerror=alert(0)>" in answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self';" in answer.headers["content-security-policy"].replace(" 'unsafe-eval'", "")


def test_points_come_when_they_are_drawn(client, explored):
    assert client.get("/api/points").status_code in (200, 202)
    explored.maps.wait()
    points = np.frombuffer(client.get("/api/points").content, "<f4").reshape(-1, 2)
    assert points.shape == (24, 2)
    assert np.abs(points).max() == 1
    assert np.abs(points).max(0).min() > 0


def test_columns_come_as_numbers(client, space):
    answer = client.get("/api/column", params={"name": "label"})
    assert answer.headers["x-kind"] == "category"
    assert np.frombuffer(answer.content, "<i4").tolist() == space.labels.tolist()
    answer = client.get("/api/column", params={"name": "age"})
    assert answer.headers["x-kind"] == "number"
    assert np.frombuffer(answer.content, "<f4").tolist() == space.items["age"].tolist()


def test_an_item_is_told_whole(client, space, explored):
    told = client.get("/api/item", params={"row": 3}).json()
    assert (told["id"], told["label"], told["label_was"], told["text"]) == ("mine/03", "sad", None, "words of 3")
    assert told["votes"] == [["happy", 0], ["sad", 1]]
    assert told["prediction"] == [["happy", 0.75], ["sad", 0.25]]
    away = np.linalg.norm(space.vectors - space.vectors[3], axis=1)
    nearest = [row for row in np.argsort(away, kind="stable") if row != 3][:12]
    assert [each["row"] for each in told["nearest"]] == nearest
    assert [each["media"] for each in told["nearest"]] == [explored.media.kinds(row) for row in nearest]
    assert told["history"] == []
    assert dict(told["fields"])["age"] == "23.5"


def test_doubts_and_subclasses_are_those_of_the_space(client, explored, space):
    explored.doubts[0].wait()
    told = client.get("/api/doubts").json()
    assert told["state"] == "ready"
    assert [each["id"] for each in told["rows"]] == suspects(space)["id"].tolist()
    assert (told["rows"][0]["row"], told["rows"][0]["suggested"]) == (3, "happy")
    explored.subclasses[0].wait()
    told = client.get("/api/subclasses").json()
    found = find_subclasses(space, "bic")
    assert [each["name"] for each in told["groups"]] == list(found.names)
    cells = np.frombuffer(client.get("/api/column", params={"name": "subclass"}).content, "<i4")
    assert cells.tolist() == found.assignment.tolist()


def test_a_label_is_corrected_and_found_again(client, corpus, explored):
    said = {"item": "mine/03", "old": "sad", "new": "happy", "why": "she laughs"}
    answer = client.post("/api/corrections", json=said)
    assert answer.status_code == 200
    again = client.post("/api/corrections", json=said)
    assert (answer.json()["before"], again.json()["before"]) == (False, True)
    assert again.json()["entry"] == answer.json()["entry"]
    (entry,) = read_corrections(corpus / "corrections.jsonl").entries
    assert (entry.by, entry.item, entry.old, entry.new, entry.why) == ("ann", "mine/03", "sad", "happy", "she laughs")
    told = client.get("/api/item", params={"row": 3}).json()
    assert (told["label"], told["label_was"]) == ("happy", "sad")
    assert np.frombuffer(client.get("/api/column", params={"name": "label"}).content, "<i4")[3] == 0
    assert np.frombuffer(client.get("/api/column", params={"name": "corrected"}).content, "<i4")[3] == 0
    assert client.get("/api/corrections", params={"since": 0}).json()["entries"][0]["row"] == 3
    assert client.get("/api/corrections", params={"since": 1}).json() == {"version": 1, "entries": []}
    back = client.post("/api/corrections", json={"item": "mine/03", "old": "happy", "new": "sad", "undo": True})
    assert back.status_code == 200
    assert client.get("/api/item", params={"row": 3}).json()["label"] == "sad"
    assert np.frombuffer(client.get("/api/column", params={"name": "corrected"}).content, "<i4")[3] == -1


def test_of_two_people_at_once_the_second_is_told(client, corpus):
    append_correction(corpus / "corrections.jsonl", Correction("2026-11-23T00:00:00Z", "bo", "mine/03", "sad", "happy"))
    answer = client.post("/api/corrections", json={"item": "mine/03", "old": "sad", "new": ""})
    assert answer.status_code == 409
    assert answer.json()["error"] == (
        "bo has corrected mine/03 to 'happy' meanwhile (2026-11-23T00:00:00Z), and not from 'sad'; look at it again"
    )
    assert [each["by"] for each in answer.json()["history"]] == ["bo"]
    assert answer.json()["label"] == "happy"
    assert client.get("/api/corrections").json()["entries"][0]["by"] == "bo"


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ({"item": "mine/03", "old": "sad", "new": "angry"}, 422,
         "'angry' is no class; legal: happy, sad, or nothing to leave the item out"),
        ({"item": "mine/03", "old": "happy", "new": "sad"}, 409,
         "the label of mine/03 is 'sad', and not 'happy'; look at it again"),
        ({"item": "mine/99", "old": "sad", "new": "happy"}, 422,
         "'mine/99' is none of the items that are shown here; open the space that holds it"),
        ({"item": 3, "old": "sad", "new": "happy"}, 422, "item of a correction is '3'; legal: str"),
        ({"item": "mine/03", "old": "sad"}, 422,
         "a correction has item, old and new, and may have why and undo; legal: ['item', 'old', 'new', 'why', 'undo']"),
        ({"item": "mine/03", "old": "sad", "new": "happy", "by": "bo"}, 422,
         "a correction has item, old and new, and may have why and undo; legal: ['item', 'old', 'new', 'why', 'undo']"),
        ({"item": "mine/03", "old": "sad", "new": "happy", "why": "x" * 2001}, 422,
         "why of a correction has 2001 characters; legal: 2,000 at most"),
        ({"item": "mine/03", "old": "sad", "new": "happy", "why": "x" * 20_000}, 413,
         "a correction has more than 16,384 bytes; legal: fewer"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_down_is_told(client, corpus, said, status, why):
    answer = client.post("/api/corrections", json=said)
    assert (answer.status_code, answer.json()["error"]) == (status, why)
    assert not (corpus / "corrections.jsonl").exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 9000, b"\xff", b"[]", b"3", b'{"item":"mine/03","old":"sad","new":"\\ud800"}']
)
def test_what_is_no_correction_is_told(client, corpus, body):
    answer = client.post("/api/corrections", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not (corpus / "corrections.jsonl").exists()


def test_a_file_that_cannot_be_written_loses_nothing(client, corpus):
    (corpus / "corrections.jsonl").mkdir()
    answer = client.post("/api/corrections", json={"item": "mine/03", "old": "sad", "new": "happy"})
    assert answer.status_code in (422, 507)
    assert "corrections.jsonl" in answer.json()["error"]


def test_sound_is_served_by_range(client, corpus):
    whole = (corpus / "3.wav").read_bytes()
    answer = client.get("/api/audio/3", headers={"range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, whole[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert answer.headers["content-type"] == "audio/wav"
    assert client.get("/api/audio/3", headers={"range": f"bytes={len(whole)}-"}).status_code == 416
    assert client.get("/api/audio/3").content == whole


def test_a_fault_is_answered_as_carefully_as_anything(explored, tmp_path, monkeypatch):
    monkeypatch.setattr(explored, "find", lambda *words: 1 / 0)
    app = make_explorer(explored, "t", 8765, tmp_path)
    client = TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)
    client.get("/", params={"token": "t"})
    answer = client.get("/api/find", params={"q": "x"})
    assert (answer.status_code, answer.json()) == (500, {"error": "a fault of the explorer: ZeroDivisionError"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


def test_a_class_that_no_item_has_yet_can_be_given_and_seen(space, tmp_path):
    more = Space(space.items.drop(columns=["target", "probabilities"]), space.vectors, ("happy", "sad", "torn"))
    explored = explore_spaces([more], ["more"], tmp_path / "said.jsonl", "ann", tmp_path / "maps")
    assert explored.columns["label"].values == ("happy", "sad", "torn")
    explored.judgements.add(3, "sad", "torn")
    assert explored.column("label", 0)[1][3] == 2


def test_media_that_vanish_or_change_while_the_page_is_open_are_told(client, corpus):
    (corpus / "3.wav").unlink()
    answer = client.get("/api/audio/3")
    assert answer.status_code == 404
    assert answer.json()["error"] == (
        f"{corpus}/3.wav is gone; put the corpus back where it was, or embed it anew where it is now"
    )
    assert client.get("/api/waveform/3").status_code == 404
    (corpus / "4.wav").write_bytes(b"<script>alert(1)</script>")
    answer = client.get("/api/audio/4")
    assert answer.status_code == 415
    assert "is not audio that can be read" in answer.json()["error"]
    (corpus / "20.png").write_bytes(b"<svg onload=alert(1)>")
    assert client.get("/api/image/20").status_code == 415
    (corpus / "5.wav").unlink()
    (corpus / "5.wav").mkdir()
    assert client.get("/api/audio/5").json()["error"] == f"{corpus}/5.wav is no file; a recording is one"
    assert client.get("/api/item", params={"row": 3}).status_code == 200


def test_what_is_no_media_is_never_shown(space, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("private")
    items = space.items.assign(audio=str(secret), image=str(secret))
    explored = explore_spaces([Space(items, space.vectors, space.classes)], ["x"], None, "ann", tmp_path / "maps")
    client = TestClient(make_explorer(explored, "t", 8765, secret), base_url="http://127.0.0.1:8765")
    client.get("/", params={"token": "t"})
    for path in ("/api/audio/0", "/api/image/0", "/api/waveform/0"):
        answer = client.get(path)
        assert answer.status_code == 415
        assert "private" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/page/../explorer.py", "/page/%2e%2e/explorer.py", "/page/..%2fexplorer.py", "/page/%2e%2e%2fexplorer.py",
        "/page/%2fetc%2fpasswd", "/lib/../explorer.py", "/lib/%2e%2e%2fexplorer.py", "/api/audio/..%2f3",
        "/api/audio/%2fetc%2fpasswd", "/page/.hidden", "/page/__init__.py", "//etc/passwd", "/page/index.html%00.js",
    ],
)  # fmt: skip
def test_a_path_that_climbs_gets_nowhere(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert "import" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("query", ["row=x", "row=", "row=-1", "row=24", "row=1&s=1", "row=1&s=x", "row=1e3", "row=²"])
def test_rows_and_spaces_that_are_none_are_told(client, query):
    answer = client.get(f"/api/item?{query}")
    assert answer.status_code in (404, 422)
    assert "legal" in answer.json()["error"]


def test_a_column_that_is_none_is_told(client):
    answer = client.get("/api/column", params={"name": "<b>"})
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("'<b>' is no column; there are label, prediction, corpus")


def test_words_are_found_in_any_case(client):
    assert client.get("/api/find", params={"q": "WORDS of 1"}).json()["rows"] == [1, 11, 13, 15, 17, 19]
    assert client.get("/api/find", params={"q": "mine/2"}).json() == {"rows": [20, 21, 22, 23], "total": 4}
    assert client.get("/api/find", params={"q": "(.*"}).json() == {"rows": [], "total": 0}


def test_of_many_items_the_first_are_told_unless_all_are_asked_for(tmp_path):
    many = Space(pd.DataFrame({"id": [f"many/{row}" for row in range(500)]}), np.zeros((500, 2)), ())
    explored = explore_spaces([many], ["many"], None, "ann", tmp_path / "maps")
    assert explored.find("MANY/") == {"rows": list(range(200)), "total": 500}
    assert explored.find("MANY/", whole=True)["rows"] == list(range(500))


def test_of_many_items_sub_classes_are_two_a_class_and_that_is_said(space, tmp_path, monkeypatch):
    monkeypatch.setattr("affectspace.app.explorer.explored.MANY", 10)
    asked = []
    monkeypatch.setattr("affectspace.app.explorer.explored.find_subclasses", lambda _, how: asked.append(how))
    explored = explore_spaces([space], ["one"], None, "ann", tmp_path / "maps")
    explored.subclasses[0].wait()
    assert asked == [2]
    assert explored.notes == [
        "sub-classes are two a class, as there are more than 10 items; affectspace discover finds as many as explain "
        "them best"
    ]
    bare = Space(space.items.drop(columns=["label", "target"]), space.vectors, space.classes)
    assert explore_spaces([bare], ["bare"], None, "ann", tmp_path / "maps").notes == []


def test_two_spaces_show_the_items_of_both(space, tmp_path):
    other = Space(space.items.iloc[::-1].iloc[:20], space.vectors[::-1][:20] * 2, space.classes)
    explored = explore_spaces([space, other], ["one", "two"], None, "ann", tmp_path / "maps")
    assert explored.notes == ["4 items of one are not in all of these spaces, and are not shown"]
    assert explored.spaces[0].items["id"].tolist() == explored.spaces[1].items["id"].tolist()
    one, two = explored.maps.wait()
    assert one.shape == two.shape == (20, 2)
    assert explored.item(0, 1)["nearest"][0]["distance"] == pytest.approx(
        2 * explored.item(0, 0)["nearest"][0]["distance"], rel=1e-5
    )


def test_a_corpus_that_moved_is_told_and_the_space_is_shown_all_the_same(space, corpus, tmp_path):
    corpus.rename(tmp_path / "elsewhere")
    explored = explore_spaces([space], ["mine"], None, "ann", tmp_path / "maps")
    assert explored.notes == [f"{corpus}, where mine lay, is gone: its media cannot be shown"]
    assert explored.about()["corrections"]["why_not"].startswith("none of the items is of a corpus that is there")
    with pytest.raises(InputError, match="mine/03 is of no corpus that is there"):
        explored.judgements.add(3, "sad", "happy")


def test_corrections_may_lie_in_a_file_of_their_own(space, corpus, tmp_path):
    path = tmp_path / "elsewhere" / "said.jsonl"
    explored = explore_spaces([space], ["mine"], path, "ann", tmp_path / "maps")
    explored.judgements.add(3, "sad", "happy")
    assert json.loads(path.read_text())["item"] == "mine/03"
    assert not (corpus / "corrections.jsonl").exists()


def test_a_space_without_labels_has_nothing_to_correct(tmp_path):
    bare = Space(pd.DataFrame({"id": list("abcdef")}), np.random.default_rng(0).normal(size=(6, 3)), ())
    explored = explore_spaces([bare], ["bare"], None, "ann", tmp_path / "maps")
    client = TestClient(make_explorer(explored, "t", 8765, tmp_path), base_url="http://127.0.0.1:8765")
    client.get("/", params={"token": "t"})
    about = client.get("/api/about").json()
    assert about["corrections"]["why_not"] == "the space knows no classes, so there is no label to give"
    assert client.get("/api/doubts").json() == {"state": "ready", "rows": []}
    assert client.get("/api/subclasses").json() == {"state": "ready", "groups": []}
