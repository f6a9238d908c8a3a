"""A slow loop and closed forms: what tells classes keeps its weight, what tells groups loses it."""

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.features import Normaliser, steadiness
from affectspace.features.steadiness import CUT, FLOOR


def planted(seed=0, items=600, groups=4, classes=3, features=6):
    """Every class in every group equally often; feature 0 tells classes alone, feature 1 groups alone."""
    random = np.random.default_rng(seed)
    labels, places = np.arange(items) % classes, np.arange(items) // classes % groups
    values = random.normal(size=(items, features))
    values[:, 0] += 2 * labels
    values[:, 1] += 3 * places
    values[:, 2] += labels + 3 * places
    return values, np.eye(classes)[labels], np.array(["de", "ur", "en", "am"])[places]


def slow(values, targets, groups):
    """Means of means, one feature at a time: where every class is in every group, least squares gives these."""
    weights = []
    for column in values.T:
        z = [min(max(value, -CUT), CUT) for value in (column - column.mean()) / column.std()]
        names, classes = sorted(set(groups)), targets.shape[1]
        mean = [
            [np.average(z, weights=targets[:, c] * (groups == name)) for c in range(classes)] for name in names
        ]  # fmt: skip
        signal = np.var([np.mean([row[c] for row in mean]) for c in range(classes)])
        shift = np.var([np.mean(row) for row in mean])
        weights.append(signal / (signal + shift + FLOOR))
    return np.array(weights) / np.sqrt(np.mean(np.square(weights)))


def test_equals_the_loop():
    values, targets, groups = planted()
    np.testing.assert_allclose(
        steadiness(values, targets, groups), np.maximum(slow(values, targets, groups), 1e-3), rtol=1e-5
    )


def test_soft_votes_equal_the_loop():
    values, _, groups = planted(1)
    targets = np.random.default_rng(2).dirichlet(np.ones(3), len(values))
    np.testing.assert_allclose(
        steadiness(values, targets, groups), np.maximum(slow(values, targets, groups), 1e-3), rtol=1e-5
    )


def test_classes_outweigh_groups():
    weights = steadiness(*planted())
    assert weights[0] > 4 * weights[1:].max()
    assert np.mean(weights.astype(float) ** 2) == pytest.approx(1)


def test_order_and_units_of_items_do_not_matter():
    values, targets, groups = planted()
    order = np.random.default_rng(1).permutation(len(values))
    expected = steadiness(values, targets, groups)
    np.testing.assert_allclose(steadiness(values[order], targets[order], groups[order]), expected, rtol=1e-5)
    np.testing.assert_allclose(steadiness(100 * values - 7, targets, groups), expected, rtol=1e-5)


def test_other_shares_of_classes_are_no_other_place():
    """A group that lacks a class, and one that is mostly of another, still lie where the others do."""
    values, targets, groups = planted(items=6000)
    labels = targets.argmax(1)
    kept = ~((groups == "de") & (labels == 2)) & ~((groups == "ur") & (labels == 0) & (np.arange(len(labels)) % 10 > 0))
    assert steadiness(values[kept], targets[kept], groups[kept])[0] == pytest.approx(
        steadiness(values, targets, groups)[0], rel=0.02
    )


def test_nothing_that_tells_classes_weighs_all_alike():
    assert (steadiness(np.ones((6, 2)), np.eye(2)[[0, 1] * 3], np.array(["a", "b", "a"] * 2)) == 1).all()


def test_a_constant_feature_stays_finite():
    values, targets, groups = planted()
    values[:, 5] = 3.0
    weights = steadiness(values, targets, groups)
    assert 0 < weights[5] <= 1e-3 * 1.01


def test_a_single_group_is_refused():
    with pytest.raises(InputError) as told:
        steadiness(np.ones((2, 1)), np.eye(2), np.array(["de", "de"]))
    assert str(told.value) == (
        "features cannot be weighed by how steady they are: all training items are of one group, 'de'; add a corpus of "
        "another, or leave normalise.steady_across out"
    )


def test_a_weighed_normaliser_multiplies_and_is_saved_with_it():
    clips = list(np.random.default_rng(0).normal(size=(8, 1, 3)).astype(np.float32))
    plain = Normaliser.fit(clips, "corpus", range(6), [*"aaabbbcc"])
    weights = np.array([2.0, 1.0, 0.25], np.float32)
    weighed = Normaliser.from_dict(plain.weighed(weights).to_dict())
    for group in ("a", "b", "never seen"):
        np.testing.assert_allclose(
            weighed.apply_new(clips[0], group), plain.apply_new(clips[0], group) * weights, rtol=1e-5
        )
