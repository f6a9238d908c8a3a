"""The oracle is the similarity dictionary of the paper, written out plainly."""

import json
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from affectspace.errors import InputError
from affectspace.labels.geometry import GEOMETRIES, geometry
from affectspace.samplers import BalancedTriplets, TripletIndices
from affectspace.samplers import balanced as module


def similarity(targets: np.ndarray, name: str = "chord") -> np.ndarray:
    rows = torch.from_numpy(targets)
    return geometry(name).label_similarity_matrix(rows, rows).numpy()


def dictionary(c: np.ndarray, anchor: int) -> dict[int, list[int]]:
    """Similarity in hundredths -> items other than the anchor, where 2 - key is a key too."""
    keys: dict[int, list[int]] = {}
    for item, value in enumerate(c[anchor].tolist()):
        if item != anchor:
            keys.setdefault(round(round(100 * value, 6)), []).append(item)
    return {key: items for key, items in keys.items() if 200 - key in keys}


def chances(c: np.ndarray, anchor: int) -> dict[tuple[int, int], Fraction]:
    """The chance of every (similar, dissimilar) when key, then both items are drawn alike likely."""
    keys = dictionary(c, anchor)
    out: Counter = Counter()
    for key in keys:
        similar, dissimilar = keys[max(key, 200 - key)], keys[min(key, 200 - key)]
        for s in similar:
            for d in dissimilar:
                out[s, d] += Fraction(1, len(keys) * len(similar) * len(dissimilar))
    return dict(out)


def epoch(sampler: BalancedTriplets) -> TripletIndices:
    return TripletIndices(*map(np.concatenate, zip(*sampler)))


votes = st.tuples(st.integers(1, 25), st.integers(2, 4), st.integers(1, 5), st.integers(0, 1000)).map(
    lambda t: np.random.default_rng(t[3]).multinomial(t[2], np.ones(t[1]) / t[1], t[0]) / t[2]
)
continuous = st.tuples(st.integers(1, 30), st.integers(2, 4), st.integers(0, 1000)).map(
    lambda t: np.random.default_rng(t[2]).dirichlet(np.ones(t[1]), t[0])
)


@settings(deadline=None, max_examples=150)
@given(targets=st.one_of(votes, continuous), name=st.sampled_from(list(GEOMETRIES)), seed=st.integers(0, 9))
def test_every_triplet_is_legal_and_balances(targets, name, seed):
    sampler = BalancedTriplets(targets, 4, name, seed)
    without = set(sampler.without_triplet.tolist())
    c = similarity(targets, name)
    anchors, similar, dissimilar = epoch(sampler)
    assert np.array_equal(np.sort(anchors), np.arange(len(targets)))
    for a, s, d in zip(anchors.tolist(), similar.tolist(), dissimilar.tolist()):
        legal = dictionary(c, a)
        assert (s < 0) == (d < 0) == (not legal) == (a in without)
        if legal:
            key = round(round(100 * c[a, s], 6))
            assert s in legal[key]
            assert d in legal[200 - key]
            assert key >= 100
            assert abs(c[a, s] + c[a, d] - 2) <= 0.01 + 1e-9


@pytest.mark.parametrize("name", ["chord", "fisher_rao"])
def test_chances_are_those_of_the_plain_dictionary(name):
    # levels 0, 1/4 .. 1 of two classes: some alone, some shared, keys of different sizes, 1 among them
    level = np.array([0, 0, 0, 1, 2, 2, 3, 4, 4]) / 4
    targets = np.stack([1 - level, level], 1)
    c = similarity(targets, name)
    sampler = BalancedTriplets(targets, 9, name, seed=1)
    epochs = 3000
    seen: dict[int, Counter] = {a: Counter() for a in range(9)}
    for _ in range(epochs):
        for a, s, d in zip(*(column.tolist() for column in epoch(sampler))):
            seen[a][s, d] += 1
    for anchor in range(9):
        expected = chances(c, anchor)
        if not expected:
            assert seen[anchor] == {(-1, -1): epochs}
            continue
        assert set(seen[anchor]) == set(expected)  # every legal triplet occurs, and no other
        if len(expected) > 1:
            counts = [seen[anchor][pair] for pair in expected]
            assert chisquare(counts, [float(p) * epochs for p in expected.values()]).pvalue > 1e-3


def test_groups_of_different_items_draw_independently():
    # two anchors of one group must not share their luck
    targets = np.eye(2)[[0] * 6 + [1] * 6]
    sampler = BalancedTriplets(targets, 12)
    together = Counter()
    for _ in range(1500):
        anchors, _, dissimilar = epoch(sampler)
        partner = dict(zip(anchors.tolist(), dissimilar.tolist()))
        together[partner[0], partner[1]] += 1
    assert len(together) == 36
    assert chisquare(list(together.values())).pvalue > 1e-3


def test_an_anchor_is_never_its_own_similar_item():
    targets = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    sampler = BalancedTriplets(targets, 3)
    for _ in range(50):
        anchors, similar, dissimilar = epoch(sampler)
        found = dict(zip(anchors.tolist(), zip(similar.tolist(), dissimilar.tolist())))
        assert found == {0: (1, 2), 1: (0, 2), 2: (-1, -1)}  # item 2 has no equal, and 2 - 0 needs one
    assert sampler.without_triplet.tolist() == [2]


def test_halves_are_torn_apart_by_no_noise():
    # four raters on a scale of five steps: similarities in eighths, of which 1.125 and 0.875 lie between keys
    p = np.array([0, 7, 9]) / 16
    targets = np.stack([1 - p, p], 1)
    for noise in (0, 1e-16, -1e-16, 2e-13):
        noisy = targets + np.array([-noise, noise]) * np.array([[0], [1], [1]])
        assert 0 not in BalancedTriplets(noisy, 3).without_triplet


def test_rows_equal_to_nine_digits_are_one_group():
    rows = np.repeat([[0.3, 0.7], [0.1, 0.9]], 50, axis=0) + np.random.default_rng(0).uniform(-1e-12, 1e-12, (100, 1))
    assert len(module._Groups(rows).starts) <= 2


@pytest.mark.parametrize("targets", [np.ones((1, 1)), np.eye(3), np.tile([[0.2, 0.8]], (5, 1))])
def test_items_without_a_complement_are_counted_and_still_anchors(targets):
    sampler = BalancedTriplets(targets, 2)
    anchors, similar, dissimilar = epoch(sampler)
    assert np.array_equal(np.sort(anchors), np.arange(len(targets)))
    assert sampler.without_triplet.tolist() == list(range(len(targets)))
    assert (similar == -1).all()
    assert (dissimilar == -1).all()
    assert anchors.dtype == similar.dtype == dissimilar.dtype == np.int64


def test_triplets_do_not_depend_on_batches_blocks_or_ranks(monkeypatch):
    targets = np.random.default_rng(0).multinomial(4, [0.4, 0.3, 0.3], 200) / 4

    def as_set(*samplers: BalancedTriplets) -> set[tuple[int, int, int]]:
        return {t for s in samplers for t in zip(*(column.tolist() for column in epoch(s)))}

    whole = as_set(BalancedTriplets(targets, 200))
    ranks = [BalancedTriplets(targets, 7, rank=r, world_size=4) for r in range(4)]
    shared = as_set(*ranks)
    monkeypatch.setattr(module, "BLOCK", 1)
    assert as_set(BalancedTriplets(targets, 33)) == whole == shared
    assert len(whole) == 200


def test_ranks_share_out_the_anchors():
    targets = np.eye(2)[np.arange(23) % 2]
    ranks = [BalancedTriplets(targets, 5, rank=r, world_size=4) for r in range(4)]
    left_out = ranks[0].left_out
    assert len(left_out) == 3
    seen = np.concatenate([epoch(r).anchor for r in ranks] + [left_out])
    assert np.array_equal(np.sort(seen), np.arange(23))


@pytest.mark.parametrize("stop", [0, 1, 6, 7, 10])
def test_resumes_to_the_bit(stop):
    targets = np.random.default_rng(0).multinomial(5, [0.5, 0.5], 50) / 5
    whole, cut, resumed = (BalancedTriplets(targets, 8, seed=3) for _ in range(3))
    expected = [t for _ in range(3) for t in whole]
    got: list[TripletIndices] = []
    while len(got) < stop:
        for triplets in cut:
            got.append(triplets)
            if len(got) == stop:
                break
    resumed.load_state_dict(json.loads(json.dumps(cut.state_dict())))
    while len(got) < len(expected):
        got.extend(resumed)
    assert len(got) == len(expected) == 21
    assert all(np.array_equal(a, b) for mine, theirs in zip(got, expected) for a, b in zip(mine, theirs))


def test_a_new_epoch_draws_anew():
    sampler = BalancedTriplets(np.eye(2)[np.arange(40) % 2], 40)
    first, second = (np.stack(epoch(sampler), 1) for _ in range(2))
    assert not np.array_equal(first[first[:, 0].argsort()], second[second[:, 0].argsort()])


def test_class_indices_are_one_hot_rows():
    classes = np.array([0, 1, 2, 0, 1, 2])
    a, b = epoch(BalancedTriplets(classes, 6)), epoch(BalancedTriplets(np.eye(3)[classes], 6))
    assert all(np.array_equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([[0.5, 0.5], [np.nan, np.nan]]), r"target 1 is \[nan, nan\]; a row holds probabilities"),
        (np.array([[0.5, 0.4]]), r"target 0 is \[0.5, 0.4\]"),
        (np.array([[1.5, -0.5]]), r"target 0 is"),
        (np.array([0.1, 0.9]), r"shape \(2,\); expected \(items, classes\) or \(items,\) class indices"),
        (np.array([0, -1]), r"class -1 is below 0"),
        (np.zeros((0, 2)), r"0 items cannot be shared out"),
    ],
)
def test_errors_say_value_and_remedy(targets, message):
    with pytest.raises(InputError, match=message):
        BalancedTriplets(targets, 2)


def test_other_settings_and_targets_are_refused():
    targets = np.eye(2)[[0, 0, 1, 1]]
    with pytest.raises(InputError, match="'sphere' is unknown; choose one of chord"):
        BalancedTriplets(targets, 2, "sphere")
    state = BalancedTriplets(targets, 2).state_dict()
    for other, name in (
        (BalancedTriplets(targets[::-1], 2), "targets"),
        (BalancedTriplets(targets, 2, "angle"), "geometry"),
        (BalancedTriplets(targets, 3), "batch_size"),
    ):
        with pytest.raises(InputError, match=f"saved sampler has {name}"):
            other.load_state_dict(state)
