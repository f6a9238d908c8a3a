import numpy as np
import pytest
import torch

from affectspace.losses import level_logits
from affectspace.metrics import FIGURES, scores, value_scores
from affectspace.metrics.scores import LEVEL_FIGURES, VALUE_FIGURES


def test_every_declared_figure_in_its_range():
    rng = np.random.default_rng(0)
    truth, probabilities = rng.dirichlet(np.ones(3), size=(2, 50))
    labels, embeddings = 2 * rng.random((2, 50, 50))
    found = scores(truth, probabilities, labels, embeddings)
    assert list(found) == list(FIGURES)
    for name, value in found.items():
        assert type(value) is float
        assert FIGURES[name].low <= value <= FIGURES[name].high


def test_perfect_predictions_reach_the_better_end():
    truth = np.eye(3).repeat(4, axis=0)
    similarity = 2 * truth @ truth.T
    found = scores(truth, truth, similarity, similarity)
    for name, figure in FIGURES.items():
        if figure.better:
            assert found[name] == pytest.approx(figure.high if figure.better == "higher" else figure.low)


def test_without_similarities_their_figures_are_left_out():
    assert set(FIGURES) - set(scores([0, 1], np.eye(2))) == {"similarity_rho", "similarity_error"}


def test_predicted_numbers_are_judged_in_their_unit():
    truth = np.random.default_rng(0).normal(30, 10, 50)
    guess = truth + np.random.default_rng(1).normal(0, 5, 50)
    found = value_scores(truth, guess)
    assert list(found) == list(VALUE_FIGURES)
    assert found["value_mean_absolute_error"] == pytest.approx(np.mean([abs(a - b) for a, b in zip(truth, guess)]))
    in_months = value_scores(12 * truth, 12 * guess)
    assert in_months["value_mean_absolute_error"] == pytest.approx(12 * found["value_mean_absolute_error"])
    for name in ("value_spearman", "value_r2"):
        assert in_months[name] == pytest.approx(found[name])
    for name, figure in VALUE_FIGURES.items():
        assert value_scores(truth, truth)[name] == pytest.approx(1 if figure.better == "higher" else 0)


@pytest.mark.parametrize("levels", [[0, 5], [0, 0, 1, 2, 3, 4, 5, 5]])
def test_a_perfect_regression_is_perfect_by_every_figure_of_order(levels):
    regressed = level_logits(torch.tensor(levels, dtype=torch.float32), classes=6).softmax(-1).numpy()
    found = scores(levels, regressed, ordered=True)
    for name, figure in LEVEL_FIGURES.items():
        assert found[name] == pytest.approx(1 if figure.better == "higher" else 0), name


def test_levels_are_missed_by_as_many_as_lie_between():
    found = scores([0, 1, 3], [[0.6, 0.0, 0.0, 0.4], [0.0, 0.0, 0.0, 1.0], [0.0, 0.1, 0.0, 0.9]], ordered=True)
    assert (found["mean_absolute_error"], found["within_one"]) == pytest.approx((2 / 3, 2 / 3))


def test_faults():
    with pytest.raises(ValueError, match="give both or neither"):
        scores([0, 1], np.eye(2), label_similarity=np.eye(2))
    with pytest.raises(ValueError, match="of 3 items and truth of 2"):
        scores([0, 1], np.eye(2), np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match=r"probabilities sums to 3\.0000 in row 0"):
        scores([0, 1], [[1.0, 2.0], [0.0, 1.0]])
