"""Groups by EM: planted ones are found, and nothing that items do makes it fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from affectspace.space.mixture import grouped, number_by_bic


def planted(seed, items, groups, dimensions, apart):
    """Gaussians of unit variance, `apart` standard deviations between any two means."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(dimensions, groups)))[0].T
    truth = np.arange(items) % groups
    return rng.normal(size=(items, dimensions)) + apart / np.sqrt(2) * directions[truth], truth


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("items", "groups", "dimensions", "apart"), [(50, 2, 64, 9), (90, 3, 16, 9), (600, 3, 64, 8), (400, 5, 8, 8)]
)
def test_planted_groups_are_found_though_dimensions_outnumber_items(seed, items, groups, dimensions, apart):
    vectors, truth = planted(seed, items, groups, dimensions, apart)
    assert adjusted_rand_score(truth, grouped(vectors, groups, seed)) > 0.9


def test_full_covariances_tell_a_cross_from_two_circles():
    rng = np.random.default_rng(0)
    truth = np.arange(600) % 2
    vectors = rng.normal(size=(600, 2)) * np.where(truth[:, None] == [0, 0], [8, 0.3], [0.3, 8])
    # Items in the middle of the cross belong to both arms.
    far = np.abs(vectors).max(1) > 2
    assert adjusted_rand_score(truth[far], grouped(vectors, 2)[far]) > 0.9
    assert adjusted_rand_score(truth[far], grouped(vectors, 2, covariance="spherical")[far]) < 0.9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_bic_finds_how_many_were_planted(seed, groups):
    assert number_by_bic(planted(seed, 400, groups, 32, 9)[0], seed=seed) == groups


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(1, 60),
    dimensions=st.integers(1, 8),
    distinct=st.integers(1, 60),
    groups=st.integers(1, 12),
    scale=st.sampled_from([1e-30, 1.0, 1e18]),
    covariance=st.sampled_from(["full", "tied", "diag", "spherical"]),
    seed=st.integers(0, 1000),
)
def test_no_items_make_it_fail(items, dimensions, distinct, groups, scale, covariance, seed):
    rng = np.random.default_rng(seed)
    vectors = (scale * rng.normal(size=(distinct, dimensions)))[rng.integers(distinct, size=items)].astype(np.float32)
    found = grouped(vectors, groups, seed, covariance)
    assert found.shape == (items,)
    sizes = np.bincount(found)
    assert 1 <= len(sizes) <= min(groups, items)
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    for row in np.unique(vectors, axis=0):
        assert len(set(found[(vectors == row).all(1)])) == 1  # equal items are never parted
    assert 1 <= number_by_bic(vectors, seed=seed) <= max(1, items // 10)


def test_the_size_and_place_of_a_space_change_nothing():
    vectors, _ = planted(0, 120, 3, 6, 4)
    assert np.array_equal(grouped(vectors, 3, 1), grouped(1024 * vectors + 512, 3, 1))
    assert np.array_equal(grouped(vectors, 3, 1), grouped(vectors, 3, 1))


def test_many_items_are_grouped_by_what_a_sample_teaches(monkeypatch):
    monkeypatch.setattr("affectspace.space.mixture.FITTED", 200)
    monkeypatch.setattr("affectspace.space.mixture.ROWS", 100)
    vectors, truth = planted(0, 1000, 3, 8, 9)
    assert adjusted_rand_score(truth, grouped(vectors, 3)) > 0.9
    assert number_by_bic(vectors) == 3
