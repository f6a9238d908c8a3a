"""Files are whole or absent, and paths stay below their root."""

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from affectspace import files
from affectspace.errors import InputError
from affectspace.files import (
    Below,
    atomic_directory,
    atomic_path,
    held,
    in_use,
    inside,
    json_text,
    packed,
    sha256,
    sweep,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(OSError, match="full"), atomic_path(tmp_path / "a.txt") as path:  # noqa: PT012
        path.write_text("half")
        raise OSError("full")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_failed_folder_leaves_none(tmp_path):
    with pytest.raises(OSError, match="full"), atomic_directory(tmp_path / "folder") as path:  # noqa: PT012
        (path / "a").write_text("half")
        raise OSError("full")
    assert not list(tmp_path.iterdir())


def test_of_two_writers_of_one_folder_the_first_stays(tmp_path):
    with atomic_directory(tmp_path / "folder") as ours:
        (ours / "a").write_text("ours")
        with atomic_directory(tmp_path / "folder") as theirs:
            (theirs / "a").write_text("theirs")
    assert (tmp_path / "folder/a").read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(tmp_path):
    (tmp_path / "deep/.model.x.partial").mkdir(parents=True)
    (tmp_path / "deep/.model.x.partial/file").write_text("half")
    (tmp_path / ".a.txt.y.partial").write_text("half")
    (tmp_path / "kept.partial").write_text("not hidden, so not ours")
    sweep(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["deep", "kept.partial"]


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "b/../../a", "link/a"])
def test_paths_that_leave_their_root_are_refused(tmp_path, path):
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="paths in a table must stay below the root"):
        inside(root, path)
    assert inside(root, "b/../c") == root / "b/../c"


def test_links_are_followed_as_the_system_does_whatever_was_asked_before(tmp_path):
    for folder in ("root/a/b", "root/c", "out"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "f").write_text("")
    for link, to in {"a/in": "../c", "a/away": "../../out", "a/file": "b/f", "loop": "loop", "c/up": ".."}.items():
        (tmp_path / "root" / link).symlink_to(to)
    (tmp_path / "link").symlink_to("root")
    for root in (tmp_path / "root", tmp_path / "link"):
        below, top = Below(root), str(tmp_path / "root")
        for path in ("a/b/f", "a/in/f", "a/away/f", "a/file", "a/in/up/c/f", "a/b/../../c/f", "loop", "a/b/..", "", "x",
                     "x/y", "a/away", "a/in", "../out/f", "c/up/../out/f", "a/b/f/", "../root/c/f"):  # fmt: skip
            real = os.path.realpath(root / path)
            if os.path.commonpath([top, real]) == top:
                assert below.real(path) == real
                assert below.path(path) == inside(root, path) == root / path
            else:
                with pytest.raises(InputError, match="leaves its root"):
                    below.path(path)


def test_json_holds_no_nan():
    assert json_text({"a": [float("nan"), 1.5], "b": (float("inf"),)}) == '{"a": [null, 1.5], "b": [null]}'


def test_a_reference_into_a_table_stays_below_the_root_with_its_table(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "out.parquet").touch()
    (root / "own.parquet").touch()
    (root / "link.parquet").symlink_to(tmp_path / "out.parquet")
    (root / "own.parquet#3").symlink_to(tmp_path / "out.parquet")
    assert inside(root, "own.parquet#2") == root / "own.parquet#2"
    for reference in ("link.parquet#2", "own.parquet#3", "../out.parquet#2"):
        with pytest.raises(InputError, match="paths in a table must stay below the root"):
            inside(root, reference)


@pytest.mark.parametrize(
    ("path", "table", "row"),
    [
        ("a/b.parquet#0", "a/b.parquet", 0),
        ("a.parquet#1/b.csv#12", "a.parquet#1/b.csv", 12),
        ("a.parquet", "a.parquet", None),
        ("a.parquet#", "a.parquet#", None),
        ("a.parquet#-1", "a.parquet#-1", None),
        ("a.parquet#" + "9" * 5000, "a.parquet#" + "9" * 5000, None),
        ("a#1.png", "a#1.png", None),
        (".csv#1", ".csv#1", None),
    ],
)
def test_what_is_a_reference_into_a_table(path, table, row):
    assert packed(path) == (Path(table), row)


@pytest.fixture
def hashed(monkeypatch):
    """How often the bytes of a file have been hashed."""
    calls, whole = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *given: calls.append(1) or whole(*given))
    return calls


def test_a_file_that_stays_as_it_is_is_hashed_once_by_whatever_path(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(files, "SETTLED", 0)
    (tmp_path / "a.bin").write_bytes(b"as it is")
    (tmp_path / "link.bin").symlink_to("a.bin")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "a.bin", "a.bin", tmp_path / "link.bin"):
        assert sha256(path) == hashlib.sha256(b"as it is").hexdigest()
    assert len(hashed) == 1


@pytest.mark.parametrize(("after", "later"), [(b"as it was", 1), (b"as it was before", 0)])
def test_one_that_was_written_again_is_hashed_again(tmp_path, monkeypatch, after, later):
    monkeypatch.setattr(files, "SETTLED", 0)
    path = tmp_path / "a.bin"
    path.write_bytes(b"as it is.")
    sha256(path)
    then = path.stat().st_mtime_ns + later
    path.write_bytes(after)
    os.utime(path, ns=(then, then))
    assert sha256(path) == hashlib.sha256(after).hexdigest()


def test_one_that_was_written_just_now_may_be_written_again_within_a_tick_of_the_clock(tmp_path, hashed):
    path = tmp_path / "a.bin"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        assert [sha256(path), sha256(path)] == [hashlib.sha256(content).hexdigest()] * 2
    assert len(hashed) == 4


def test_a_file_that_is_gone_is_not_known_by_its_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SETTLED", 0)
    (tmp_path / "a.bin").write_bytes(b"here")
    sha256(tmp_path / "a.bin")
    (tmp_path / "a.bin").unlink()
    with pytest.raises(FileNotFoundError):
        sha256(tmp_path / "a.bin")


def test_who_looks_whether_a_folder_is_in_use_keeps_nobody_out_of_it(tmp_path, monkeypatch):
    """The look holds the lock for a moment; whoever comes then asks again."""
    with held(tmp_path, "busy"):
        pass
    with open(tmp_path / ".lock") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        monkeypatch.setattr(files.time, "sleep", lambda seconds: fcntl.flock(look, fcntl.LOCK_UN))
        with held(tmp_path, "busy"):
            assert in_use(tmp_path)
            with pytest.raises(InputError, match="busy"), held(tmp_path, "busy"):
                pass
