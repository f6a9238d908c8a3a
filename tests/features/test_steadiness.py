"""A slow loop and closed forms: what tells classes keeps its weight, what tells groups loses it."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

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
    """One feature at a time, by scikit-learn's weighted regression; noise by drawing effects of luck alone."""
    weights, names = [], sorted(set(groups))
    cells = [(g, c) for g in range(len(names)) for c in range(targets.shape[1])]
    shares = [targets[:, c] * (groups == names[g]) for g, c in cells]
    counts = np.array([share.sum() ** 2 / (share**2).sum() for share in shares])
    # the last class and group are told by the others, whose effects sum to none
    coded = np.array([[*_contrast(g, len(names)), *_contrast(c, targets.shape[1])] for g, c in cells])
    for column in values.T:
        z = np.array([min(max(value, -CUT), CUT) for value in (column - column.mean()) / column.std()])
        mean = np.array([np.average(z, weights=share) for share in shares])
        within = sum((share * (z - m) ** 2).sum() for share, m in zip(shares, mean)) / targets.sum()
        within *= counts.sum() / (counts.sum() - len(cells))
        alike = np.array(
            [count / sum(n for n, (h, _) in zip(counts, cells) if h == g) for count, (g, _) in zip(counts, cells)]
        )
        found = np.ravel(_variances(coded, mean[None], alike, len(names)))
        luck = np.random.default_rng(0).normal(0, np.sqrt(within / counts), (4000, len(cells)))
        noise = np.mean(_variances(coded, luck, alike, len(names)), axis=1)
        signal, shift, own = np.maximum(np.subtract(found, noise), 0)
        weights.append(signal / (signal + shift + own + FLOOR))
    return np.array(weights) / np.sqrt(np.mean(np.square(weights)))


def _contrast(place, count):
    return [1 if place == other else -1 if place == count - 1 else 0 for other in range(count - 1)]


def _variances(coded, mean, alike, groups):
    """Of classes, of groups, and of what is left."""
    fit = LinearRegression().fit(coded, mean.T, sample_weight=alike)  # of each row of means by itself
    group, label = fit.coef_[:, : groups - 1], fit.coef_[:, groups - 1 :]
    left = np.average((mean - fit.predict(coded).T) ** 2, weights=alike, axis=1)
    return [*(np.var(np.c_[effects, -effects.sum(1)], axis=1) for effects in (label, group)), left]


def test_equals_the_loop():
    values, targets, groups = planted()
    np.testing.assert_allclose(
        steadiness(values, targets, groups), np.maximum(slow(values, targets, groups), 1e-3), rtol=0.02, atol=0.01
    )


def test_soft_votes_equal_the_loop():
    values, targets, groups = planted(1)
    targets = 0.6 * targets + 0.4 * np.random.default_rng(2).dirichlet(np.ones(3), len(values))
    np.testing.assert_allclose(
        steadiness(values, targets, groups), np.maximum(slow(values, targets, groups), 1e-3), rtol=0.02, atol=0.01
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
        "features cannot be weighed by how steady they are: all labelled training items are of one group, 'de'; add a "
        "corpus of another, or leave normalise.steady_across out"
    )
    with pytest.raises(InputError, match="no item has a label"):
        steadiness(np.ones((2, 1)), np.zeros((2, 2)), np.array(["de", "ur"]))


def test_a_weighed_normaliser_multiplies_and_is_saved_with_it():
    clips = list(np.random.default_rng(0).normal(size=(8, 1, 3)).astype(np.float32))
    plain = Normaliser.fit(clips, "corpus", range(6), [*"aaabbbcc"])
    weights = np.array([2.0, 1.0, 0.25], np.float32)
    weighed = Normaliser.from_dict(plain.weighed(weights).to_dict())
    for group in ("a", "b", "never seen"):
        np.testing.assert_allclose(
            weighed.apply_new(clips[0], group), plain.apply_new(clips[0], group) * weights, rtol=1e-5
        )


def test_a_single_item_of_a_class_moves_little():
    """A cell of one item says little of where its class lies in its group."""
    values, targets, groups = planted(items=2400)
    lone = (groups == "de") & (targets[:, 2] > 0)
    kept = ~lone | (np.cumsum(lone) == 1)
    whole = steadiness(values, targets, groups)
    np.testing.assert_allclose(steadiness(values[kept], targets[kept], groups[kept])[3:], whole[3:], atol=0.15)


def test_noise_weighs_next_to_nothing_where_cells_are_small():
    values, targets, groups = planted(items=120, features=40)
    weights = steadiness(values, targets, groups)
    assert weights[0] > 4 * weights[3:].mean()


def test_languages_that_share_no_class_are_refused():
    with pytest.raises(InputError) as told:
        steadiness(np.ones((4, 1)), np.eye(4), np.array(["de", "de", "ur", "ur"]))
    assert str(told.value) == (
        "features cannot be weighed by how steady they are: the training items of 'ur' are of no class that those of "
        "'de' have, so that nobody can tell what a class does from what a language or corpus does; add items of a "
        "class that both have, or leave normalise.steady_across out"
    )


def test_what_is_not_finite_is_named():
    values, targets, groups = planted()
    values[7, 2] = np.nan
    with pytest.raises(InputError, match="feature 2 of item 7 is nan; leave the item out"):
        steadiness(values, targets, groups)


def world(sizes, seed=0):
    """Four classes, told alike in all groups; in the first alone; the other way round in the others; nowhere."""
    random = np.random.default_rng(seed)
    groups = np.repeat([*sizes], [*sizes.values()])
    labels = random.integers(0, 4, len(groups))
    told = np.array([1.5, 0.5, -0.5, -1.5])[labels]
    first = groups == next(iter(sizes))
    values = random.normal(size=(len(groups), 4))
    values[:, :3] += np.stack([told, np.where(first, told, 0), np.where(first, told, -told)], 1)
    return values, np.eye(4)[labels], groups


@pytest.mark.parametrize("sizes", [{"a": 800, "b": 800, "c": 800}, {"a": 2000, "b": 300, "c": 300}])
def test_what_tells_classes_in_one_group_alone_is_not_steady(sizes):
    """However large that group is."""
    alike, alone, contrary, nothing = steadiness(*world(sizes))
    assert alone < 0.45 * alike
    assert contrary < 0.2 * alike
    assert nothing < 0.2 * alike


def test_the_size_of_a_group_is_not_its_voice():
    """Repeating every item of one group changes nothing but how sure its means are."""
    values, targets, groups = world({"a": 4000, "b": 4000, "c": 4000})
    often = np.repeat(np.arange(len(groups)), np.where(groups == "a", 4, 1))
    found, expected = steadiness(values[often], targets[often], groups[often]), steadiness(values, targets, groups)
    np.testing.assert_allclose(found / found[0], expected / expected[0], atol=0.06)


def test_groups_without_labels_tell_nothing():
    values, targets, groups = planted()
    more = np.random.default_rng(5).normal(size=(50, values.shape[1])) + 9
    found = steadiness(
        np.vstack([values, more]), np.vstack([targets, np.zeros((50, 3))]), np.append(groups, ["aa"] * 50)
    )
    np.testing.assert_array_equal(found, steadiness(values, targets, groups))
