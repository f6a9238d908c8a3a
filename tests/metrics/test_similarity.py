"""SciPy's Spearman over pairs gathered by a loop."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from affectspace.metrics import mean_similarity_error, similarity_preservation
from affectspace.metrics.similarity import MAX_ITEMS


def cast(seed, n):
    """Similarities in [0, 2]; the labels' take few values, as raters' votes do."""
    rng = np.random.default_rng(seed)
    labels, embeddings = rng.integers(0, 9, (n, n)) / 4, rng.random((n, n)) * 2
    return [(m + m.T) / 2 for m in (labels, embeddings)]


def pairs(matrix):
    return [matrix[i, j] for i in range(len(matrix)) for j in range(i + 1, len(matrix))]


@given(st.integers(0, 10_000), st.integers(4, 30))
def test_equals_scipy(seed, n):
    labels, embeddings = cast(seed, n)
    expected = spearmanr(pairs(labels), pairs(embeddings)).statistic
    assert similarity_preservation(labels, embeddings) == pytest.approx(expected, nan_ok=True)
    expected = np.mean(np.abs(np.subtract(pairs(labels), pairs(embeddings))))
    assert mean_similarity_error(labels, embeddings) == pytest.approx(expected)


@given(st.integers(0, 10_000))
def test_only_the_order_matters_to_rho(seed):
    labels, embeddings = cast(seed, 12)
    rho = similarity_preservation(labels, embeddings)
    assert similarity_preservation(labels, np.exp(embeddings) / 4) == pytest.approx(rho)
    assert similarity_preservation(labels, 2 - embeddings) == pytest.approx(-rho)
    assert similarity_preservation(labels, labels) == pytest.approx(1)


def test_the_diagonal_and_the_order_of_items_do_not_matter():
    labels, embeddings = cast(1, 15)
    shuffle = np.random.default_rng(0).permutation(15)
    for figure in (similarity_preservation, mean_similarity_error):
        expected = figure(labels, embeddings)
        assert figure(labels + 9 * np.eye(15), embeddings) == pytest.approx(expected)
        assert figure(labels[shuffle][:, shuffle], embeddings[shuffle][:, shuffle]) == pytest.approx(expected)


def test_nothing_to_order_is_nan():
    labels, embeddings = cast(0, 6)
    assert np.isnan(similarity_preservation(np.full((6, 6), 2.0), embeddings))
    assert np.isnan(similarity_preservation(labels, np.ones((6, 6))))
    for n in (1, 2):
        assert np.isnan(similarity_preservation(labels[:n, :n], embeddings[:n, :n]))
    assert np.isnan(mean_similarity_error(labels[:1, :1], embeddings[:1, :1]))


def test_beyond_the_bound_a_seeded_draw_is_near_the_whole(monkeypatch):
    labels, embeddings = cast(3, 400)
    embeddings = embeddings + labels
    whole = similarity_preservation(labels, embeddings)
    monkeypatch.setattr("affectspace.metrics.similarity.MAX_ITEMS", 200)
    drawn = similarity_preservation(labels, embeddings)
    assert drawn == similarity_preservation(labels, embeddings)
    assert drawn != similarity_preservation(labels, embeddings, seed=1)
    assert drawn == pytest.approx(whole, abs=0.02)


def test_two_thousand_items_fit_into_half_a_gigabyte():
    rng = np.random.default_rng(0)
    labels, embeddings = rng.random((2, MAX_ITEMS, MAX_ITEMS))
    tracemalloc.start()
    similarity_preservation(labels, embeddings)
    mean_similarity_error(labels, embeddings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6


@pytest.mark.parametrize("figure", [similarity_preservation, mean_similarity_error])
def test_faults(figure):
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2, 3\); give two square matrices"):
        figure(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shapes \(2, 2\) and \(3, 3\)"):
        figure(np.ones((2, 2)), np.ones((3, 3)))
    with pytest.raises(ValueError, match="embedding_similarity is nan for items 0 and 1"):
        figure(np.ones((2, 2)), np.array([[2, np.nan], [np.nan, 2]]))
