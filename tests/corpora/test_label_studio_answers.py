"""Answers come in once, in order, and where people disagree nothing is written."""

import json
from pathlib import Path

import pandas as pd
import pytest

from affectspace.corpora import label_studio_answers
from affectspace.corpora.corpus import Card, Corpus, make_items, make_ratings
from affectspace.corpora.corrections import FILE, Correction, append_correction, read_corrections
from affectspace.corpora.label_studio_answers import import_answers, read_answers
from affectspace.errors import InputError

CARD = Card("toy", label_map={"Wut": "angry"})
ROWS = pd.DataFrame({"id": list("abcd"), "label": ["Wut", "sad", "sad", None]})
TOY = Corpus(Path(), make_items(ROWS, CARD), make_ratings(None), CARD)


def annotation(chosen, by=7, at="2026-11-23T01:02:03.456789Z", **more):
    """As Label Studio exports it."""
    value = {"choices": [chosen] if isinstance(chosen, str) else chosen}
    result = [{"id": "x", "from_name": "answer", "to_name": "text", "type": "choices", "value": value}]
    told = {"id": 1, "completed_by": by, "result": result if chosen else [], "was_cancelled": False, "created_at": at}
    return {**told, **more}


def task(item, *annotations, label="sad", **data):
    return {"id": 1, "data": {"item": item, "label": label, "text": "t", **data}, "annotations": list(annotations)}


@pytest.fixture
def imported(tmp_path):
    def call(*tasks):
        (tmp_path / "export.json").write_text(json.dumps(tasks))
        return import_answers(read_answers(tmp_path / "export.json"), TOY, tmp_path / FILE)

    call.entries = lambda: read_corrections(tmp_path / FILE).entries
    call.path = tmp_path / FILE
    return call


def test_answers_become_corrections_and_confirmations(imported):
    imported(
        task("toy/a", annotation("sad"), label="angry"),
        task("toy/b", annotation("sad", by={"id": 3, "email": "bo@x.org"}, at="2026-11-23T03:02:03+02:00")),
        task("toy/c", annotation("none of these")),
        task("toy/d", annotation("angry"), label=""),
    )
    at = "2026-11-23T01:02:03Z"
    assert set(imported.entries()) == {
        Correction(at, "user 7", "toy/a", "angry", "sad", "label-studio"),
        Correction(at, "bo@x.org", "toy/b", "sad", "sad", "label-studio"),
        Correction(at, "user 7", "toy/c", "sad", "", "label-studio"),
        Correction(at, "user 7", "toy/d", "", "angry", "label-studio"),
    }


def test_an_answer_that_was_changed_is_told_with_the_time_of_the_change(imported):
    imported(task("toy/b", annotation("sad", updated_at="2026-11-24T01:02:03Z")))
    assert [each.at for each in imported.entries()] == ["2026-11-24T01:02:03Z"]


def test_twice_adds_nothing_and_more_adds_what_is_new(imported):
    first = [task("toy/a", annotation("sad"), label="angry"), task("toy/b", annotation("sad"))]
    assert len(imported(*first).appended) == 2
    before = imported.path.read_bytes()
    again = imported(*first)
    assert (again.appended, again.already, again.conflicts) == ((), 2, ())
    assert imported.path.read_bytes() == before
    more = imported(*first, task("toy/c", annotation("angry")))
    assert ([each.item for each in more.appended], more.already) == (["toy/c"], 2)


def test_a_changed_mind_is_a_correction_of_ones_own(imported):
    imported(task("toy/b", annotation("angry")))
    done = imported(task("toy/b", annotation("sad", at="2026-11-24T01:00:00Z")))
    assert [(each.old, each.new) for each in done.appended] == [("angry", "sad")]
    both = imported(task("toy/c", annotation("angry"), annotation("sad", at="2026-11-24T01:00:00Z")))
    assert [(each.old, each.new) for each in both.appended] == [("sad", "sad")]  # the last of one annotator


def test_annotators_who_agree_are_both_kept(imported):
    done = imported(task("toy/b", annotation("angry", by=7), annotation("angry", by=8, at="2026-11-23T02:00:00Z")))
    assert [(each.by, each.old, each.new) for each in done.appended] == [
        ("user 7", "sad", "angry"),
        ("user 8", "angry", "angry"),
    ]


def test_annotators_who_disagree_are_told_and_nothing_is_written(imported):
    done = imported(task("toy/b", annotation("angry", by=7), annotation("none of these", by=8)))
    assert done.conflicts == (
        "toy/b: the annotators disagree: user 7 'angry', user 8 no class; let one of them look again",
    )
    assert imported.entries() == ()


@pytest.mark.parametrize("ids", [(5, 6), (None, None)])
def test_annotators_without_a_name_are_kept_apart(imported, ids):
    one, other = [annotation(chosen, by=None, id=id) for chosen, id in zip(("angry", "sad"), ids)]
    for tasks in ([task("toy/b", one, other)], [task("toy/b", one), task("toy/b", other)]):
        assert imported(*tasks).conflicts == (
            "toy/b: the annotators disagree: somebody 'angry', somebody 'sad'; let one of them look again",
        )
    assert imported.entries() == ()


def test_an_annotation_without_a_name_that_was_changed_is_one(imported):
    first = annotation("angry", by=None, id=5)
    changed = annotation("sad", by=None, id=5, at="2026-11-24T01:00:00Z")
    assert [(each.by, each.new) for each in imported(task("toy/b", first)).appended] == [("", "angry")]
    done = imported(task("toy/b", first), task("toy/b", changed))
    assert [(each.by, each.old, each.new) for each in done.appended] == [("", "angry", "sad")]
    assert imported(task("toy/b", changed)).already == 1


def test_what_somebody_has_corrected_otherwise_meanwhile_is_told(imported):
    append_correction(imported.path, Correction("2026-11-23T00:00:00Z", "ann", "toy/b", "sad", ""))
    done = imported(task("toy/b", annotation("angry")))
    assert done.conflicts == (
        "toy/b: user 7 answered 'angry' to 'sad', and ann has corrected it to no class (2026-11-23T00:00:00Z); look "
        "at it again",
    )
    assert len(imported.entries()) == 1


def test_what_is_corrected_while_answers_come_in_is_told(imported, monkeypatch):
    """Somebody writes between the look at the file and the writing."""
    write = label_studio_answers.append_corrections

    def late(path, *rest):
        append_correction(path, Correction("2026-11-23T00:00:00Z", "ann", "toy/b", "sad", "calm"))
        return write(path, *rest)

    monkeypatch.setattr(label_studio_answers, "append_corrections", late)
    done = imported(task("toy/b", annotation("angry")), task("toy/c", annotation("angry")))
    assert [each.item for each in done.appended] == ["toy/c"]
    assert done.conflicts == (
        "ann has corrected toy/b to 'calm' meanwhile (2026-11-23T00:00:00Z), and not from 'sad'; look at it again",
    )
    assert [each.item for each in imported.entries()] == ["toy/b", "toy/c"]


def test_who_says_what_was_corrected_meanwhile_confirms_it(imported):
    append_correction(imported.path, Correction("", "ann", "toy/b", "sad", "angry"))
    done = imported(task("toy/b", annotation("angry")))
    assert [(each.old, each.new) for each in done.appended] == [("angry", "angry")]


def test_what_is_taken_back_by_hand_does_not_come_in_again(imported):
    export = task("toy/b", annotation("angry"))
    imported(export)
    append_correction(imported.path, Correction("", "ann", "toy/b", "angry", "sad"))
    done = imported(export)
    assert (done.appended, done.already, done.conflicts) == ((), 1, ())


def test_what_cannot_be_used_is_counted_by_reason(imported, tmp_path):
    tasks = [
        task("toy/a"),
        task("toy/a", annotation("")),
        task("toy/b", annotation("sad", was_cancelled=True)),
        task("toy/b", annotation(["sad", "angry"])),
        {"id": 1, "data": {"text": "t"}, "annotations": [annotation("sad")]},
        task("other/a", annotation("sad")),
        task("toy/z", annotation("sad")),
        task("toy/c", annotation("bored")),
        task("toy/d", annotation("Happiness")),
    ]
    done = imported(*tasks)
    assert read_answers(tmp_path / "export.json").skipped == {
        "not annotated yet": 1,
        "has no answer": 1,
        "passed over by the annotator": 1,
        "several classes were chosen (sad and angry), and an item has one": 1,
        "names no item, as its data has no column 'item': these are not tasks of affectspace": 1,
    }
    assert done.skipped == {
        "of an item of another corpus than toy": 1,
        "of an item that the corpus does not have, such as toy/z": 1,
        "'bored' is no class of this corpus": 1,
        "'Happiness' is no class of this corpus": 1,
    }
    assert imported.entries() == ()


def test_classes_that_the_tasks_have_shown_are_legal(imported):
    done = imported(task("toy/c", annotation("bored")), task("toy/b", annotation("sad"), suggested="bored"))
    assert [each.new for each in done.appended] == ["bored", "sad"]
    assert [each.new for each in imported(task("toy/a", annotation("anger"), label="angry")).appended] == ["anger"]


def test_json_min_says_the_same(tmp_path):
    """A row as the converter of Label Studio's SDK writes it."""
    rows = [
        {"item": "toy/b", "label": "sad", "text": "t", "id": 1, "answer": "angry", "annotator": 7},
        {"item": "toy/c", "label": "sad", "answer": {"choices": ["sad", "angry"]}, "annotator": "bo@x.org"},
        {"item": "toy/a", "label": "angry", "annotator": 7},
    ]
    (tmp_path / "min.json").write_text(json.dumps([{**row, "created_at": "2026-11-23T01:02:03Z"} for row in rows]))
    found = read_answers(tmp_path / "min.json")
    assert [(each.item, each.by, each.seen, each.chosen) for each in found.answers] == [
        ("toy/b", "user 7", "sad", "angry")
    ]
    assert sum(found.skipped.values()) == 2


def test_rows_of_json_min_without_a_name_are_kept_apart(tmp_path):
    """Both are of one task, whose id they bear."""
    rows = [{"item": "toy/b", "id": 1, "answer": answer, "annotation_id": 8} for answer in ("angry", "sad", "sad")]
    rows[2]["annotation_id"] = 9
    (tmp_path / "min.json").write_text(json.dumps([{**row, "created_at": "2026-11-23T01:02:03Z"} for row in rows]))
    found = read_answers(tmp_path / "min.json").answers
    assert [(each.chosen, each.annotation) for each in found] == [("sad", "8"), ("sad", "9")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("id,answer\n1,sad\n", "is no JSON; in Label Studio export as JSON or JSON-MIN, not as CSV or TSV"),
        ('{"tasks": []}', "holds no list of tasks; in Label Studio export as JSON or JSON-MIN"),
        ("[1, 2]", "holds no list of tasks"),
    ],
)
def test_other_files_are_refused(tmp_path, content, told):
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(InputError, match=told):
        read_answers(tmp_path / "export.json")


@pytest.mark.parametrize(
    "strange",
    [{"data": 3}, {"data": {"item": "toy/a"}, "annotations": [3, {"result": 4}, {"result": [{"type": "choices"}]}]}],
)
def test_strange_tasks_are_skipped_and_counted(tmp_path, strange):
    (tmp_path / "export.json").write_text(json.dumps([strange]))
    found = read_answers(tmp_path / "export.json")
    assert found.answers == ()
    assert sum(found.skipped.values()) == 1
