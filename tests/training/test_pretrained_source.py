"""Where a borrowed net is looked for, and what it is told of the pictures of this corpus."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.training import pretrained_source
from affectspace.training.pretrained_source import source_of
from affectspace.training.recipe_encoder import PretrainedImageEntry


@pytest.fixture
def told(monkeypatch, tmp_path):
    """``told(normaliser)``: the mean and the scale that the net undoes."""
    monkeypatch.setattr(pretrained_source, "PretrainedImages", lambda *words, **settings: words[6:8])
    entry = PretrainedImageEntry(kind="pretrained_image", source="some/net")
    recipe = SimpleNamespace(data=str(tmp_path))
    return lambda normaliser: pretrained_source.make_pretrained(recipe, entry, 1, 2, normaliser, None, None)


def test_the_net_undoes_the_normalisation_by_its_names(told):
    pooled = SimpleNamespace(scale=np.array([4.0]), mean=np.array([3.0]))  # whichever of them comes first
    assert told(Normaliser("train", False, pooled)) == ([3.0], [4.0])


@pytest.mark.parametrize("normaliser", [None, Normaliser("none", False)])
def test_where_nothing_was_normalised_nothing_is_undone(told, normaliser):
    assert told(normaliser) == (0.0, 1.0)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe whose data lie elsewhere than where the command is run."""
    for name in ("data/nets/own", "beside", "here"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return SimpleNamespace(data=str(tmp_path / "data"))


def test_a_source_is_a_folder_below_the_data_or_an_absolute_one_or_else_a_name_on_the_hub(recipe, tmp_path):
    assert source_of(recipe, "nets/own") == tmp_path / "data/nets/own"
    assert source_of(recipe, str(tmp_path / "beside")) == tmp_path / "beside"
    assert source_of(recipe, "nobody/own") == "nobody/own"
    assert source_of(SimpleNamespace(data=".."), "beside") == Path("../beside")


@pytest.mark.parametrize("source", ["../beside", "nets/../../beside", "../nowhere", "linked"])
def test_one_that_leaves_the_data_is_refused(recipe, tmp_path, source):
    (tmp_path / "data/linked").symlink_to("../beside")
    with pytest.raises(InputError, match=rf"source '{source}' leaves the recipe's data, .*data; name a path below it"):
        source_of(recipe, source)


def test_no_folder_where_the_command_is_run_answers_for_a_name_on_the_hub(recipe, tmp_path):
    (tmp_path / "here/tiny-bert").mkdir()
    with pytest.raises(InputError, match=r"'tiny-bert' is no folder below .*data, and one in the .*here, would be"):
        source_of(recipe, "tiny-bert")
    (tmp_path / "data/tiny-bert").mkdir()
    assert source_of(recipe, "tiny-bert") == tmp_path / "data/tiny-bert"
