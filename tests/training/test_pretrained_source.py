"""What a borrowed net is told of the pictures of this corpus."""

from types import SimpleNamespace

import numpy as np
import pytest

from affectspace.features import Normaliser
from affectspace.training import pretrained_source
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
