"""SciPy for the divergence, a loop over bins for calibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from affectspace.metrics import expected_calibration_error, jensen_shannon

seeds = st.integers(0, 10_000)


def cast(seed, n=20):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 6))
    p, q = rng.dirichlet(np.full(classes, 0.3), size=(2, n))
    p[0], q[0] = np.eye(classes)[:2]  # no common ground
    return p, q


@given(seeds)
def test_equals_the_square_of_scipys_distance(seed):
    p, q = cast(seed)
    assert jensen_shannon(p, q) == pytest.approx(np.mean([jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q)]))


@given(seeds)
def test_symmetric_bounded_and_zero_only_for_equals(seed):
    p, q = cast(seed)
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p))
    assert 0 < jensen_shannon(p, q) <= 1
    assert jensen_shannon(p, p) == 0


def test_closed_forms():
    assert jensen_shannon([0, 1], [[0, 1], [1, 0]]) == 1
    # (log2 4/3) / 2 + (log2 2/3 + log2 2) / 4, with 3/4 and 1/4 in the middle
    assert jensen_shannon([[1.0, 0.0]], [[0.5, 0.5]]) == pytest.approx(np.log2(4 / 3) / 2 + (np.log2(2 / 3) + 1) / 4)


def by_bins(probabilities, right, bins):
    confidence, total = probabilities.max(1), 0.0
    for b in range(bins):
        inside = [k for k in range(len(right)) if b / bins < confidence[k] <= (b + 1) / bins]
        if inside:
            total += len(inside) / len(right) * abs(np.mean([right[k] for k in inside]) - confidence[inside].mean())
    return total


@given(seeds, st.integers(1, 20))
def test_calibration_equals_a_loop_over_bins(seed, bins):
    p, q = cast(seed)
    right = q.argmax(1) == p.argmax(1)
    assert expected_calibration_error(p, q, bins) == pytest.approx(by_bins(p, right, bins))


@pytest.mark.parametrize("bins", [10, 15])
def test_an_edge_belongs_to_the_bin_below(bins):
    confidence = np.arange(bins // 2 + 1, bins + 1) / bins
    p = np.stack([confidence, 1 - confidence], 1)
    truth = np.arange(len(p)) % 2
    assert expected_calibration_error(p, truth, bins) == pytest.approx(by_bins(p, truth == 0, bins))


def test_truths_of_calibration():
    assert expected_calibration_error([[1.0, 0.0], [0.0, 1.0]], [0, 1]) == 0
    assert expected_calibration_error([[1.0, 0.0], [0.0, 1.0]], [1, 0]) == 1
    assert expected_calibration_error([[0.75, 0.25]], [[0.5, 0.5]]) == 0.25  # a tie is right


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jensen_shannon([[0.5, 0.5]], [[1 / 3] * 3]), r"q has shape \(1, 3\); expected .* \(items, 2\)"),
        (lambda: jensen_shannon([[0.5, 0.5]], [[0.5, 0.5]] * 2), "same items"),
        (lambda: jensen_shannon([[np.nan, 1.0]], [[0.5, 0.5]]), "p holds NaN in row 0"),
        (lambda: jensen_shannon([[0.5, 0.6]], [[0.5, 0.5]]), r"p sums to 1\.1000"),
        (lambda: expected_calibration_error([0, 1], [0, 1]), r"probabilities has shape \(2,\); expected"),
        (lambda: expected_calibration_error([[0.5, 0.5]], [0, 1]), "1 items and truth 2"),
        (lambda: expected_calibration_error([[0.5, 0.5]], [0], bins=0), "bins is 0; at least 1"),
        (lambda: expected_calibration_error([[2.0, -1.0]], [0]), "softmax first"),
        (lambda: expected_calibration_error([[0.5, 0.5]], [3]), r"class 3, outside 0\.\.1"),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call()
