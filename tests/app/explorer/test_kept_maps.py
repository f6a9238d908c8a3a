"""A map is drawn once, and whatever becomes of its file it can be drawn again."""

import numpy as np
import pandas as pd
import pytest

from affectspace.app.explorer import kept_maps as module
from affectspace.app.explorer.kept_maps import kept_maps
from affectspace.space import Space


@pytest.fixture
def spaces():
    items = pd.DataFrame({"id": [str(row) for row in range(30)]})
    draw = np.random.default_rng(0)
    return [Space(items, draw.normal(size=(30, size)), ()) for size in (4, 3)]


def test_a_kept_map_is_the_drawn_one(spaces, tmp_path, monkeypatch):
    drawn = kept_maps(spaces, tmp_path / "maps")
    assert [np.abs(each).max() for each in drawn] == [1, 1]
    monkeypatch.setattr(module, "tsne_maps", None)  # so that drawing again would fail
    for one, other in zip(drawn, kept_maps(spaces, tmp_path / "maps")):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_file_is_drawn_anew(spaces, tmp_path, damage):
    drawn = kept_maps(spaces, tmp_path)
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-7] if damage is None else damage)
    assert kept_maps(spaces, tmp_path)[0].tobytes() == drawn[0].tobytes()


def test_other_vectors_have_another_map(spaces, tmp_path):
    kept_maps(spaces, tmp_path)
    kept_maps(spaces[:1], tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_folder_that_cannot_be_written_is_no_reason_for_no_map(spaces, tmp_path):
    (tmp_path / "file").write_text("")
    assert kept_maps(spaces, tmp_path / "file" / "maps")[0].shape == (30, 2)
