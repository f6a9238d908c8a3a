"""What is told as normalised by its own statistics: that something measured had a part in them, and nothing else."""

import numpy as np
import pandas as pd
import pytest
import torch

from affectspace.errors import InputError
from affectspace.features import steadiness
from affectspace.protocols import Split
from affectspace.training.normalised import (
    normalised_groups,
    steady_names,
    steady_weights,
    uses_own,
    without_put_aside,
)
from affectspace.training.recipe_features import Normalise

GROUPS = ["a", "a", "b", "b", "c", None]


@pytest.mark.parametrize(
    ("train", "validate", "test", "unseen", "own"),
    [
        ([0, 2], [1], [3], [], False),
        ([0, 2], [1], [], [], False),  # c is of unlabelled items alone
        ([0, 1], [], [2, 3], [], True),
        ([0, 1], [2, 3], [], [], True),  # the epoch is selected by these
        ([0, 2], [1], [3], [4], True),
        ([0, 2], [1], [5], [], False),  # of no group, so by all that train
    ],
)
def test_a_group_of_what_is_measured_without_training_items_is_its_own(train, validate, test, unseen, own):
    split = Split("by hand", train, validate, test, unseen=unseen)
    assert uses_own(GROUPS, split, np.ones(6, bool)) is own


def test_who_lacks_the_features_shapes_no_group():
    split = Split("by hand", [0, 2], [1], [3])
    has = np.ones(6, bool)
    has[2] = False  # the only training item of b
    assert uses_own(GROUPS, split, has)
    has[3] = False
    assert not uses_own(GROUPS, split, has)


def test_those_put_aside_are_of_no_group():
    items = pd.DataFrame({"corpus": list("aabbc"), "speaker": ["1", None, "1", "2", "1"]})
    assert normalised_groups(items, "speaker") == ["a/1", "a/", "b/1", "b/2", "c/1"]
    assert normalised_groups(items, "corpus") == list("aabbc")
    assert normalised_groups(items, "train") is None
    kept = without_put_aside(list("aabbc"), Split("by hand", [0], [], [2]), np.array([4]))
    assert kept == ["a", None, "b", None, "c"]


TRAINED = pd.DataFrame({"key": list("abcdef"), "language": ["de", "ur"] * 3})
TARGETS = torch.eye(2)[[0, 0, 1, 1, 0, 1]]
CLIPS = [np.random.default_rng(row).normal(size=(row + 1, 3)) for row in range(6)]


def test_steady_weights_are_of_the_training_items_means_over_time():
    train = np.array([0, 1, 2, 3])
    means = np.stack([CLIPS[row].mean(0) for row in train])
    expected = steadiness(means, TARGETS[:4].numpy(), np.array(["de", "ur"] * 2))
    np.testing.assert_allclose(steady_weights(CLIPS, TRAINED, TARGETS, train, "language"), expected, rtol=1e-6)


def test_an_item_of_no_language_is_named():
    items = TRAINED.assign(language=["de", "ur", None, "ur", "de", "ur"])
    with pytest.raises(InputError) as told:
        steady_names(items, np.array([0, 1, 2]), Normalise(steady_across="language"), "features")
    assert str(told.value) == (
        "1 training items have no language, across which features are to be steady, such as c; give their corpus one "
        "in corpus.toml"
    )


@pytest.mark.parametrize(
    ("normalise", "section", "typed"),
    [
        ({"scope": "corpus"}, "features", """'features.normalise={ scope = "corpus" }'"""),
        (
            {"scope": "speaker", "transductive": True},
            "modalities.voice.features",
            """'modalities.voice.features.normalise={ scope = "speaker", transductive = true }'""",
        ),
    ],
)
def test_one_language_alone_is_refused_with_what_to_type(normalise, section, typed):
    given = Normalise(**normalise, steady_across="language")
    assert steady_names(TRAINED, np.arange(6), given, section) == ["de", "ur"]
    with pytest.raises(InputError) as told:
        steady_names(TRAINED, np.array([0, 2]), given, section)
    assert str(told.value) == (
        f"{section}.normalise.steady_across weighs features by how steady they are from language to language, and all "
        f"training items are of one, 'de'; add a corpus of another, or leave it out, on the command line by {typed}"
    )
