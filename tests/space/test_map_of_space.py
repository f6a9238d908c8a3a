"""New items find their own kind on a map that stays as it is, each by itself; a kept map is the same map."""

import json

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.space.map_of_space import MapOfSpace


def groups(count: int = 4, each: int = 25, dimensions: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    member = np.repeat(np.arange(count), each)
    return 4 * np.eye(count, dimensions)[member] + 0.3 * generator.random((len(member), dimensions)), member


@pytest.fixture(scope="module")
def kept() -> tuple[MapOfSpace, np.ndarray]:
    vectors, member = groups()
    return MapOfSpace.fit(vectors, perplexity=10), member


def test_new_items_lie_among_their_own_kind_and_the_map_does_not_move(kept):
    whole, member = kept
    before = whole.positions.copy()
    new, kinds = groups(each=7, seed=5)
    placed = whole.place(new)
    nearest = np.linalg.norm(placed[:, None] - whole.positions, axis=-1).argmin(1)
    assert (member[nearest] == kinds).all()
    assert np.array_equal(whole.positions, before)


def test_a_copy_of_an_old_item_lies_near_it(kept):
    whole, _ = kept
    apart = np.linalg.norm(whole.place(whole.vectors) - whole.positions, axis=1)
    width = np.ptp(whole.positions, axis=0).max()
    assert np.median(apart) < 0.05 * width


def test_each_item_is_placed_by_itself_whoever_comes_with_it(kept):
    whole, _ = kept
    new, _ = groups(each=5, seed=9)
    together = whole.place(new)
    assert np.allclose(together[3], whole.place(new[3:4])[0], atol=1e-9)
    assert np.allclose(together[::-1], whole.place(new[::-1]), atol=1e-9)


def test_length_does_not_matter_and_the_same_input_gives_the_same_bytes(kept):
    whole, _ = kept
    new, _ = groups(each=3, seed=2)
    assert whole.place(new).tobytes() == whole.place(new.copy()).tobytes()
    assert np.allclose(whole.place(new), whole.place(1000 * new), atol=1e-3)


def test_a_kept_map_is_the_same_map(kept, tmp_path):
    whole, _ = kept
    again = MapOfSpace.open(whole.save(tmp_path / "map.npz"))
    new, _ = groups(each=3, seed=2)
    assert again.positions.tobytes() == whole.positions.tobytes()
    assert again.perplexity == 10
    assert again.place(new).tobytes() == whole.place(new).tobytes()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_few_items_and_none(count):
    whole = MapOfSpace.fit(np.random.default_rng(0).random((count, 6)))
    placed = whole.place(np.random.default_rng(1).random((3, 6)))
    assert placed.shape == (3, 2)
    assert np.isfinite(placed).all()
    assert whole.place(np.zeros((0, 6))).shape == (0, 2)


def test_a_collapsed_map_places_everything_on_its_point():
    whole = MapOfSpace.fit(np.ones((20, 3)))
    assert not whole.place(np.eye(3)).any()


def test_errors_say_what_is_wrong(kept, tmp_path):
    whole, _ = kept
    with pytest.raises(ValueError, match="the vectors have 3 dimensions; those of the map have 16"):
        whole.place(np.ones((2, 3)))
    with pytest.raises(ValueError, match="not finite in row 1"):
        whole.place(np.array([[1.0] * 16, [np.nan] * 16]))
    with pytest.raises(ValueError, match="3 positions for 4 vectors"):
        MapOfSpace(np.zeros((3, 2)), np.ones((4, 2)))
    with pytest.raises(InputError, match=r"there is no map .*gone\.npz"):
        MapOfSpace.open(tmp_path / "gone.npz")
    (tmp_path / "words.npz").write_text("no map")
    with pytest.raises(InputError, match="cannot be read as a map"):
        MapOfSpace.open(tmp_path / "words.npz")
    np.savez(tmp_path / "newer.npz", about=np.array(json.dumps({"format": 9})))
    with pytest.raises(InputError, match="is a map of format 9, and this affectspace reads 1"):
        MapOfSpace.open(tmp_path / "newer.npz")


def test_a_map_that_holds_code_is_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, about=np.array({"format": 1}, dtype=object), positions=np.zeros((1, 2)), vectors=np.ones((1, 2)))
    with pytest.raises(InputError, match="cannot be read as a map"):
        MapOfSpace.open(path)
