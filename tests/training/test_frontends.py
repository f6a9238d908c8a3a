"""Where a recipe's vectors may lie: below its data, or where it says in full."""

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.training import make_recipe
from affectspace.training.frontends import make_frontend


def recipe(data, path):
    return make_recipe(
        {
            "name": "vectors", "data": str(data), "corpora": [{"path": "mine"}],
            "labels": {"kind": "classes", "names": ["sad", "happy"]}, "encoder": {"kind": "mlp"},
            "features": {"kind": "vectors", "path": path, "id_column": "id"},
            "protocol": {"kind": "leave_one_out", "by": "speaker"},
        }
    )  # fmt: skip


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data" / "own").mkdir(parents=True)
    for place in (tmp_path / "v.npz", tmp_path / "data" / "own" / "v.npz"):
        np.savez(place, id=np.array(["a"]), v=np.ones((1, 2), np.float32))
    return tmp_path / "data"


@pytest.mark.parametrize("path", ["own/v.npz", ["own/*.npz"], "{root}/v.npz"])
def test_vectors_lie_below_the_data_or_where_an_absolute_path_says(data, path):
    path = path.format(root=data.parent) if isinstance(path, str) else path
    assert make_frontend(recipe(data, path)).read(["a"]).values.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("path", ["../v.npz", ["own/v.npz", "own/../../v.npz"]])
def test_vectors_do_not_leave_the_data_by_a_relative_path(data, path):
    with pytest.raises(InputError, match=r"features\.path '.*\.\./v\.npz' leaves the recipe's data, .*; name"):
        make_frontend(recipe(data, path))


@pytest.mark.parametrize(
    ("link", "target", "path", "told"),
    [
        ("v.npz", "../v.npz", "v.npz", "v.npz"),
        ("other", "..", "other/*.npz", r"other/\*\.npz"),
        ("other", "..", "*/v.npz", "other/v.npz"),  # which only some of the files do
    ],
)
def test_nor_by_a_link(data, link, target, path, told):
    (data / link).symlink_to(target)
    with pytest.raises(
        InputError, match=rf"features\.path '{told}' leaves the recipe's data, .*data; name a path below"
    ):
        make_frontend(recipe(data, path))


def test_a_link_that_stays_below_the_data_is_followed(data):
    (data / "v.npz").symlink_to("own/v.npz")
    assert make_frontend(recipe(data, "v.npz")).read(["a"]).values.tolist() == [[1.0, 1.0]]
