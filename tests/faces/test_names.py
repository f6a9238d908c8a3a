"""Names of files for ids."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.faces.names import file_folder, file_stem


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=100), min_size=2, max_size=30, unique=True))
def test_every_id_has_a_place_of_its_own_below_the_folder(items):
    stems = [file_stem(item) for item in items]
    assert len(set(stems)) == len(stems)
    files, own = {f"{stem}.png" for stem in stems}, {file_folder(item) for item in items}
    assert len(own) == len(items)
    folders = {str(folder) for path in files | own for folder in Path(path).parents}
    assert not files & folders
    assert not own & (files | folders)
    for stem in stems:
        parts = stem.split("/")
        assert all(part and len(part.encode()) < 190 and not part.startswith(".") for part in parts)
        assert not any(ord(letter) < 32 for letter in stem)


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
