"""Corrections are appended and never changed, whoever writes at once, is killed, or has looked at an old label."""

import errno
import fcntl
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from affectspace.corpora.corrections import (
    FILE,
    CorrectedMeanwhile,
    Correction,
    NotWritten,
    append_correction,
    append_corrections,
    now,
    read_corrections,
)
from affectspace.errors import InputError


def correction(item="a/1", old="sad", new="angry", by="ann", why="", undo=False):
    return Correction("2026-11-22T21:40:03Z", by, item, old, new, why, undo)


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE


def test_what_is_written_is_read(path):
    said = [correction(why='<b>"loud"\u2028\n</b>'), correction("a/ü 2", "", "sad"), correction(old="angry", new="")]
    for each in said:
        append_correction(path, each)
    assert read_corrections(path).entries == tuple(said)
    assert path.read_bytes().count(b"\n") == 3


def test_earlier_lines_stay_as_they_are(path):
    append_correction(path, correction())
    before = path.read_bytes()
    append_correction(path, correction(old="angry", new="happy", by="bo"))
    assert path.read_bytes().startswith(before)


def test_the_last_word_holds_and_tells_the_first_label(path):
    for old, new in (("sad", "angry"), ("angry", "happy")):
        append_correction(path, correction(old=old, new=new))
    (held,) = read_corrections(path).latest.values()
    assert (held.old, held.new) == ("sad", "happy")
    append_correction(path, correction(old="happy", new="sad"))
    assert not read_corrections(path).latest


def test_what_is_taken_back_never_was_but_stays_written(path):
    append_correction(path, correction())
    append_correction(path, correction(old="angry", new="angry"))  # confirmed
    append_correction(path, correction(old="angry", new="angry", undo=True))
    assert read_corrections(path).latest["a/1"].new == "angry"
    append_correction(path, correction(old="angry", new="sad", undo=True))
    held = read_corrections(path)
    assert not held.latest
    assert not held.confirmed
    assert not held.standing
    assert len(held.entries) == 4
    with pytest.raises(CorrectedMeanwhile, match="a/1 has no correction of ann's to take back; there is none"):
        append_correction(path, correction(old="sad", new="angry", undo=True))


def test_nobody_takes_back_what_another_has_said(path):
    append_correction(path, correction())
    append_correction(path, correction(old="angry", new="angry", by="bo"))
    with pytest.raises(CorrectedMeanwhile, match="the last is bo's, of 2026-11-22T21:40:03Z"):
        append_correction(path, correction(old="angry", new="sad", undo=True))
    with pytest.raises(InputError, match="brings 'angry' back, and not 'sad'"):
        append_correction(path, correction(old="angry", new="sad", by="bo", undo=True))


def test_only_a_label_that_it_came_with_counts_as_confirmed(path):
    append_correction(path, correction(new="sad"))
    append_correction(path, correction("a/2"))
    append_correction(path, correction("a/2", "angry", "angry", by="bo"))
    held = read_corrections(path)
    assert set(held.confirmed) == {"a/1"}
    assert set(held.latest) == {"a/2"}


def test_an_item_without_a_label_is_left_out_and_never_confirmed(path):
    """Given a class and then left out, or found to be of none at once; taken back, it is as nobody had seen it."""
    append_correction(path, correction("a/1", "", "sad"))
    append_correction(path, correction("a/1", "sad", "", by="bo"))
    append_correction(path, correction("a/2", "", ""))
    append_correction(path, correction("a/3", "", "sad"))
    append_correction(path, correction("a/3", "sad", "", undo=True))
    held = read_corrections(path)
    assert {item: (entry.old, entry.new) for item, entry in held.latest.items()} == {"a/1": ("", ""), "a/2": ("", "")}
    assert not held.confirmed


def test_many_at_once_are_as_many_one_by_one(path, tmp_path):
    """Drawn so that many are outdated, take back what is not theirs, or bring back what never was."""
    draw, other = random.Random(0), tmp_path / "other.jsonl"
    refused = 0
    for _ in range(30):
        many = [
            correction(f"a/{draw.randrange(3)}", *draw.choices(["", "sad", "angry"], k=2), draw.choice(["ann", "bo"]),
                       undo=draw.random() < 0.4)
            for _ in range(draw.randrange(9))
        ]  # fmt: skip
        told = [(type(each), str(each)) for each in append_corrections(path, many)]
        expected = []
        for each in many:
            try:
                append_correction(other, each)
                expected.append((type(None), "None"))
            except InputError as error:
                expected.append((type(error), str(error)))
        assert told == expected
        refused += sum(kind is not type(None) for kind, _ in told)
    assert path.read_bytes() == other.read_bytes()
    assert 10 < len(read_corrections(path).entries) < 130
    assert refused > 10


def test_many_are_flushed_once_and_none_leave_the_file_alone(path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    assert append_corrections(path, [correction(f"a/{number}") for number in range(50)]) == [None] * 50
    assert len(flushed) == 1
    assert append_corrections(path.with_name("none"), []) == []
    assert not path.with_name("none").exists()
    append_corrections(path, [correction("a/3")])  # refused: nothing to flush
    assert len(flushed) == 1


def test_where_the_disk_is_full_none_of_many_is_written(path, monkeypatch):
    append_correction(path, correction())
    path.write_bytes(path.read_bytes()[:-1])  # a line that is not closed
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NotWritten, match=r"cannot be written \(No space left on device\)"):
            append_corrections(path, [correction("a/2"), correction("a/3")])
    assert path.read_bytes() == before


def test_many_that_outgrow_what_a_file_may_hold_are_not_begun(path):
    append_correction(path, correction())
    before = path.read_bytes()
    code = (
        "import resource, sys; from affectspace.corpora.corrections import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "many = [Correction('', 'ann', f'b/{number}', 'sad', 'angry') for number in range(500)]\n"
        "try: append_corrections(sys.argv[1], many)\n"
        "except NotWritten: sys.exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 3
    assert path.read_bytes() == before


def test_what_is_read_on_is_what_is_read_anew(path):
    """A file that grows, is left unfinished, cut, edited within, at its size too, and replaced."""
    append_correction(path, correction())
    whole = path.read_bytes()
    line = whole.replace(b"a/1", b"a/2")
    states = [
        whole, whole + line, whole + line + b"{", whole + line + b"{}\n" + line, whole + b"\n" + line, whole[:-1],
        whole[:-1] + line, whole + line, whole.replace(b"ann", b"bob") + line, whole.replace(b"ann", b"bob") + line * 2,
        b"", line, whole + b"3\n" + line, whole + b"3\n" + line + b"4\n" + line,
    ]  # fmt: skip
    known = None
    for content in states:
        path.write_bytes(content)
        known = read_corrections(path, known)
        anew = read_corrections(path)
        assert known == anew
        assert (known.size, known.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    path.unlink()
    assert read_corrections(path, known).entries == ()


def test_lines_that_are_known_are_not_read_again(path):
    append_corrections(path, [correction(f"a/{number}") for number in range(5)])
    known = read_corrections(path)
    append_correction(path, correction("a/7"), known)
    more = read_corrections(path, known)
    assert all(one is other for one, other in zip(known.entries, more.entries))
    assert [entry.item for entry in more.entries[5:]] == ["a/7"]


def test_who_looked_at_an_old_label_is_told_who_changed_it(path):
    append_correction(path, correction())
    with pytest.raises(CorrectedMeanwhile) as told:
        append_correction(path, correction(new="happy", by="bo"))
    assert str(told.value) == (
        "ann has corrected a/1 to 'angry' meanwhile (2026-11-22T21:40:03Z), and not from 'sad'; look at it again"
    )
    assert len(read_corrections(path).entries) == 1


def test_a_line_that_a_killed_writer_left_is_closed_and_told(path):
    append_correction(path, correction())
    whole = path.read_bytes()
    for end in range(1, len(whole) - 1):
        path.write_bytes(whole + whole[:end])
        append_correction(path, correction("a/2"))
        found = read_corrections(path)
        assert [entry.item for entry in found.entries] == ["a/1", "a/2"]
        assert found.unread == (2,)


def test_threads_lose_nothing(path):
    def write(name):
        for number in range(25):
            append_correction(path, correction(f"{name}/{number}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = read_corrections(path)
    assert {entry.item for entry in found.entries} == {f"{name}/{number}" for name in "abcd" for number in range(25)}
    assert len(found.entries) == 100
    assert not found.unread


def test_of_two_processes_that_correct_one_label_one_is_told(path):
    code = (
        "import sys; from affectspace.corpora.corrections import *\n"
        "try: append_correction(sys.argv[1], Correction('', sys.argv[2], 'a/1', 'sad', sys.argv[2]))\n"
        "except CorrectedMeanwhile: sys.exit(3)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("ann", "bo")]
    assert sorted(each.wait() for each in both) == [0, 3]
    assert len(read_corrections(path).entries) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/corrections\.jsonl cannot be written \(No such file or directory\)"):
        append_correction(tmp_path / "nowhere" / FILE, correction())


def test_another_file_is_refused(path):
    path.write_text("id,label\na,sad\nb,angry\n")
    with pytest.raises(InputError, match="is no file of corrections: line 1 is none; a line is JSON with at, by, item"):
        read_corrections(path)


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"at":"","by":"\\ud800","item":"a/1","old":"sad","new":"angry"}', b"\xff", b"3"]
)
def test_a_line_that_is_none_takes_no_other_with_it(path, line):
    append_correction(path, correction())
    path.write_bytes(path.read_bytes() + line)
    found = read_corrections(path)
    assert (len(found.entries), found.unread) == (1, (2,))


def test_the_hash_is_that_of_what_was_read(path):
    assert read_corrections(path).sha256 == ""
    append_correction(path, correction())
    found, content = read_corrections(path), path.read_bytes()
    append_correction(path, correction("a/2"))
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"item": ""}, "a correction names no item; give corpus/id"),
        ({"why": "x" * 2001}, "why of a correction has 2001 characters; legal: 2,000 at most"),
        ({"new": None}, "new of a correction is None; give text"),
        ({"by": "\ud800"}, "by of a correction holds half a character, which no file can; write it anew"),
    ],
)
def test_what_is_no_correction_is_refused(change, told):
    with pytest.raises(InputError) as error:
        correction(**change)
    assert str(error.value) == told


def test_a_file_that_was_replaced_while_its_turn_was_waited_for_is_not_written_to(path, monkeypatch):
    """As editors and git do it: a new file of the same name."""
    append_correction(path, correction())
    lock, turns = fcntl.flock, []

    def replaced(file, how):
        lock(file, how)
        turns.append(how)
        if len(turns) == 1:
            other = path.with_suffix(".new")
            other.write_bytes(path.read_bytes())
            os.replace(other, path)

    monkeypatch.setattr(fcntl, "flock", replaced)
    append_correction(path, correction("a/2"))
    assert [entry.item for entry in read_corrections(path).entries] == ["a/1", "a/2"]
    assert len(turns) == 2


def test_a_line_is_json_with_the_time_in_utc(path):
    append_correction(path, Correction(now(), "ann", "a/1", "sad", "angry"))
    told = json.loads(Path(path).read_text())
    assert list(told) == ["at", "by", "item", "old", "new", "why"]
    assert told["at"].endswith("Z")
