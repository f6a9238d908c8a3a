"""What people say is known at once, whoever writes it, and files may come, grow and be cut."""

import os

import pytest

from affectspace.app.explorer.judgements import STATES, Judgements
from affectspace.corpora import corrections
from affectspace.corpora.corrections import (
    FILE,
    CorrectedMeanwhile,
    Correction,
    NotWritten,
    append_correction,
    read_corrections,
)
from affectspace.errors import InputError

IDS = ["a/1", "a/2", "b/1", "b/2"]
LABELS = ["sad", "happy", "", "sad"]


def judgements(tmp_path):
    files = {name: tmp_path / name / FILE for name in "ab"}
    for file in files.values():
        file.parent.mkdir(exist_ok=True)
    return Judgements(IDS, LABELS, ["sad", "happy"], files, "ann"), files


def say(path, item, old, new, by="bo", undo=False):
    append_correction(path, Correction("2026-11-23T00:00:00Z", by, item, old, new, undo=undo))


def states(held):
    return [STATES[state] if state >= 0 else None for state in held.states()]


def test_what_others_write_is_known_after_the_next_look(tmp_path):
    held, files = judgements(tmp_path)
    assert held.version == 0
    say(files["b"], "b/1", "", "happy")
    say(files["a"], "a/2", "happy", "")
    say(files["a"], "a/9", "happy", "sad")  # an item that is not shown
    held.refresh()
    assert held.version == 2
    assert [held.label(row) for row in range(4)] == ["sad", "", "happy", "sad"]
    assert states(held) == [None, "left out", "corrected", None]
    assert {each["row"] for each in held.since(0)} == {1, 2}
    say(files["b"], "b/2", "sad", "sad")
    held.refresh()
    assert [each["item"] for each in held.since(2)] == ["b/2"]
    assert states(held)[3] == "confirmed"


def test_what_is_taken_back_is_in_the_log_and_in_no_state(tmp_path):
    held, _ = judgements(tmp_path)
    held.add(0, "sad", "happy")
    held.add(0, "happy", "sad", undo=True)
    assert held.version == 2
    assert held.label(0) == "sad"
    assert states(held)[0] is None
    assert [each["undo"] for each in held.since(0)] == [False, True]


@pytest.mark.parametrize(
    ("row", "old", "new"), [(0, "sad", "sad"), (0, "sad", "happy"), (0, "sad", ""), (2, "", "sad")]
)
def test_what_the_same_person_says_again_is_not_written_again(tmp_path, row, old, new):
    """As it was sent before, as it looks from the label that has been given since, and after others have agreed."""
    held, files = judgements(tmp_path)
    first, before = held.add(row, old, new)
    assert not before
    assert held.add(row, old, new) == (first, True)
    if new:
        assert held.add(row, new, new) == (first, True)
        say(files[IDS[row][0]], IDS[row], new, new)
        assert held.add(row, new, new) == (first, True)
        assert held.version == 2
        assert held.add(row, new, new, why="heard twice") != (first, True)  # which is more than was said
    assert held.version == (3 if new else 1)


def test_what_was_taken_back_or_spoken_against_is_said_anew(tmp_path):
    held, files = judgements(tmp_path)
    held.add(0, "sad", "sad")
    held.add(0, "sad", "sad", undo=True)
    assert not held.add(0, "sad", "sad")[1]
    say(files["a"], "a/1", "sad", "happy")
    with pytest.raises(CorrectedMeanwhile, match="bo has corrected a/1 to 'happy' meanwhile"):
        held.add(0, "sad", "sad")
    say(files["a"], "a/1", "happy", "sad")
    assert not held.add(0, "sad", "sad")[1]
    assert held.version == 6


def test_an_item_without_a_label_that_is_given_one_and_left_out_is_left_out(tmp_path):
    held, _ = judgements(tmp_path)
    held.add(2, "", "sad")
    held.add(2, "sad", "")
    assert (held.label(2), states(held)[2]) == ("", "left out")
    held.add(2, "", "sad", undo=True)
    held.add(2, "sad", "", undo=True)
    assert (held.label(2), states(held)[2]) == ("", None)


def test_a_file_that_was_cut_is_read_anew(tmp_path):
    held, files = judgements(tmp_path)
    held.add(0, "sad", "happy")
    held.add(1, "happy", "sad")
    files["a"].write_text("")
    held.refresh()
    assert held.label(0) == "sad"
    assert held.version > 2  # so that whoever asks by the last one learns that something has changed
    assert held.since(2) == []
    assert states(held) == [None] * 4
    held.add(0, "sad", "sad")
    assert [each["new"] for each in held.since(2)] == ["sad"]


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("more", [b"", b'{"at":"","by":"bo","item":"a/2","old":"happy","new":"sad"}\n'])
def test_a_file_that_was_edited_is_read_anew(tmp_path, replaced, more):
    """At its size or grown, in its place or by another file in its place."""
    held, files = judgements(tmp_path)
    held.add(0, "sad", "happy")
    version, edited = held.version, files["a"].read_bytes().replace(b'"happy"', b'"bored"') + more
    status = files["a"].stat()
    if replaced:
        files["a"].rename(tmp_path / "old")
    files["a"].write_bytes(edited)
    os.utime(files["a"], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    held.refresh()
    assert held.label(0) == "bored"
    assert held.version > version
    assert [each["new"] for each in held.since(version)] == ["bored", "sad"][: 1 + bool(more)]


def test_only_what_is_new_is_read(tmp_path, monkeypatch):
    held, files = judgements(tmp_path)
    for place in range(5):
        say(files["a"], f"a/{place}", "happy" if place == 2 else "sad", "sad")
    held.refresh()
    read = []
    monkeypatch.setattr(corrections, "_entry", lambda line, entry=corrections._entry: read.append(line) or entry(line))
    held.add(0, "sad", "happy")
    assert len(read) == 1
    assert held.label(0) == "happy"


def test_who_asks_while_files_are_read_gets_all_of_the_old(tmp_path):
    """Readers take no lock, so a refresh changes nothing that they see before its end."""
    held, files = judgements(tmp_path)
    held.add(0, "sad", "happy")
    told = []

    class Asking(dict):
        def get(self, *item):
            told.append((held.version, held.label(0), held.label(1), len(held.since(0)), states(held)))
            return super().get(*item)

    held._rows = Asking(held._rows)
    say(files["a"], "a/1", "happy", "sad")
    say(files["a"], "a/2", "happy", "sad")
    held.refresh()
    assert len(told) == 3
    assert all(each == (1, "happy", "happy", 1, ["corrected", None, None, None]) for each in told)
    assert (held.version, held.label(0), held.label(1)) == (3, "sad", "sad")


def test_more_than_was_ever_said_asks_for_all(tmp_path):
    held, _ = judgements(tmp_path)
    held.add(0, "sad", "happy")
    assert len(held.since(7)) == 1


def test_a_corpus_that_was_moved_away_is_not_begun_anew_where_it_was(tmp_path):
    held, files = judgements(tmp_path)
    files["a"].parent.rmdir()
    with pytest.raises(NotWritten, match=r"a/corrections\.jsonl cannot be written \(No such file or directory\)"):
        held.add(0, "sad", "happy")
    assert not files["a"].parent.exists()


def test_a_file_of_ones_own_may_lie_in_a_new_folder(tmp_path):
    held = Judgements(IDS, LABELS, ["sad", "happy"], tmp_path / "new" / "mine.jsonl", "ann")
    held.add(0, "sad", "happy")
    assert len(read_corrections(tmp_path / "new" / "mine.jsonl").entries) == 1


def test_items_are_found_by_name(tmp_path):
    held, _ = judgements(tmp_path)
    assert [held.row(item) for item in IDS] == [0, 1, 2, 3]
    with pytest.raises(InputError, match="'c/1' is none of the items that are shown here; open the space that holds"):
        held.row("c/1")
