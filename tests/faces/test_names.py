"""Names of files for ids."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.faces.names import file_folders, file_stem, file_stems


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=100), min_size=2, max_size=30, unique=True))
def test_every_id_has_a_place_of_its_own_below_the_folder(items):
    stems = file_stems(items)
    files, own = {f"{stem}.png".casefold() for stem in stems}, {folder.casefold() for folder in file_folders(items)}
    assert len(files) == len(own) == len(items)
    folders = {str(folder) for path in files | own for folder in Path(path).parents}
    assert not files & folders
    assert not own & (files | folders)
    for stem in stems:
        parts = stem.split("/")
        assert all(part and len(part.encode()) < 190 and not part.startswith(".") for part in parts)
        assert not any(ord(letter) < 32 for letter in stem)


def test_ids_that_a_system_takes_for_one_bear_a_hash():
    items = ["A/x", "a/x", "caf\u00e9", "cafe\u0301", "b/x", "B/y"]
    stems = file_stems(items)
    assert stems[4:] == ["b/x", "B/y"]
    for item, stem in zip(items[:4], stems):
        assert stem.startswith(f"{item}-")
    assert file_folders(items) == [f"{stem}.faces" for stem in stems]


def test_a_hash_that_is_anothers_name_is_told_apart_too():
    (hashed, _) = file_stems(["A", "a"])
    stems = file_stems(["A", "a", hashed.upper()])
    assert len({stem.casefold() for stem in stems}) == 3


@pytest.mark.parametrize("item", ["a", "happy/1", "clip.mp4/0001", "日本/ü x", "faces#3", "a-b_c.d"])
def test_what_can_be_a_name_stays(item):
    assert file_stem(item) == item


@pytest.mark.parametrize(
    "item",
    ["../a", "/etc/a", "a//b", ".", "..", "", "a\0b", "a\\b", "a.png/b", "x" * 161, "顔" * 60, "a.faces/b", " a", "a "],
)
def test_what_cannot_is_put_right(item):
    stem = file_stem(item)
    assert stem != item
    assert not Path(stem).is_absolute()
    assert ".." not in stem.split("/")
