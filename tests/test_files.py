"""Files are whole or absent, and paths stay below their root."""

from pathlib import Path

import pytest

from affectspace.errors import InputError
from affectspace.files import atomic_directory, atomic_path, inside, json_text, packed, sweep, write_text


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
