"""Intervals of means over several tests against slow loops that share nothing with them, and simulated studies."""

import numpy as np
import pytest
from scipy import stats

from affectspace.metrics.speaker_intervals import (
    Tally,
    _freedom,
    figure_interval,
    mean_figure_interval,
    mean_speaker_interval,
    speaker_interval,
)

SPEAKERS = (8, 15, 30)


def model(generator, seeds: int, skill: float, good: np.ndarray) -> list[list[Tally]]:
    """Runs on three tests of three classes each; ``good`` is by how much each seed is better at every test."""
    tests = []
    for tag, speakers in enumerate(SPEAKERS):
        totals = generator.integers(5, 15, (speakers, 3))
        totals[: speakers // 2, 0] += 20  # a few speak for most of a class: fewer degrees of freedom
        nature = generator.normal(0, 0.08, speakers)
        runs = []
        for seed in range(seeds):
            counts = np.zeros((speakers, 3, 3))
            for who in range(speakers):
                for one in range(3):
                    right = generator.binomial(totals[who, one], np.clip(skill + nature[who] + good[seed], 0, 1))
                    counts[who, one, one], counts[who, one, (one + 1) % 3] = right, totals[who, one] - right
            runs.append(Tally(tuple(f"{tag}/{who:02d}" for who in range(speakers)), counts))
        tests.append(runs)
    return tests


def recall(counts: np.ndarray) -> float:
    return float(np.mean([counts[one, one] / counts[one].sum() for one in range(3)]))


def f1(counts: np.ndarray) -> float:
    return float(np.mean([2 * counts[one, one] / (counts[one].sum() + counts[:, one].sum()) for one in range(3)]))


FIGURES = {"uar": recall, "macro_f1": f1}


def jackknife(without: list[float]) -> float:
    n = len(without)
    return (n - 1) / n * sum((each - sum(without) / n) ** 2 for each in without)


def slowly(sides, figure, seeds: bool) -> tuple[float, float]:
    """Ends of the interval of the mean over tests; ``sides`` are of one model, or of one and of the one taken off."""
    tests = range(len(SPEAKERS))
    value, parts = 0.0, []
    for j in tests:
        lead = [0.0] * SPEAKERS[j]
        for sign, side in zip((1, -1), sides):
            value += sign * np.mean([figure(run.counts.sum(0)) for run in side[j]]) / len(tests)
            for who in range(SPEAKERS[j]):
                lead[who] += sign * np.mean([figure(np.delete(run.counts, who, 0).sum(0)) for run in side[j]])
        every_run = [run.counts for side in sides for run in side[j]]
        parts.append((jackknife(lead) / 9, _freedom(np.mean(every_run, axis=0).sum(-1))))
    alone = half_width(parts)
    if not seeds:
        return value - alone, value + alone
    for side in sides:
        n = len(side[0])
        by_seed = [sum(figure(side[j][seed].counts.sum(0)) for j in tests) / 3 for seed in range(n)]
        variance = sum((each - np.mean(by_seed)) ** 2 for each in by_seed) / (n - 1) / n
        for j in tests:  # what luck of speaker and seed together has put into it
            table = [[figure(np.delete(run.counts, who, 0).sum(0)) for who in range(SPEAKERS[j])] for run in side[j]]
            own = [[run[who] - np.mean([r[who] for r in table]) for who in range(SPEAKERS[j])] for run in table]
            variance -= sum(map(jackknife, own)) / (n - 1) / n / 9
        parts.append((max(0.0, variance), n - 1))
    half = max(alone, half_width(parts))
    return value - half, value + half


def half_width(parts: list[tuple[float, float]]) -> float:
    total = sum(variance for variance, _ in parts)
    freedom = total**2 / sum(variance**2 / each for variance, each in parts)
    return stats.t.ppf(0.975, freedom) * total**0.5


@pytest.fixture(scope="module")
def models():
    generator = np.random.default_rng(4)
    better = model(generator, 4, 0.7, np.array([-0.08, 0.0, 0.03, 0.06]))
    return better, model(generator, 3, 0.6, np.array([0.05, -0.02, 0.0]))


@pytest.mark.parametrize("seeds", [False, True])
@pytest.mark.parametrize("metric", ["uar", "macro_f1"])
def test_the_mean_of_a_figure_equals_a_slow_loop(models, metric, seeds):
    found = mean_figure_interval(models[0], metric, seeds=seeds)
    assert (found.low, found.high) == pytest.approx(slowly([models[0]], FIGURES[metric], seeds))
    assert (found.speakers, found.seeds) == (53, 4 if seeds else 0)


@pytest.mark.parametrize("seeds", [False, True])
def test_the_mean_difference_equals_a_slow_loop(models, seeds):
    found = mean_speaker_interval(*models, seeds=seeds)
    assert (found.low, found.high) == pytest.approx(slowly(models, recall, seeds))
    assert (found.speakers, found.seeds) == (53, 3 if seeds else 0)


def test_seeds_and_their_few_degrees_of_freedom_are_seen(models):
    """The loop above would agree with an interval in which either has no part, were they nothing here."""
    low, high = slowly([models[0]], recall, True)
    alone = slowly([models[0]], recall, False)
    assert high - low > 1.5 * (alone[1] - alone[0])


def test_one_test_is_the_figure_or_difference_itself_to_the_bit(models):
    better, worse = models
    for seeds in (False, True):
        assert mean_figure_interval(better[:1], seeds=seeds) == figure_interval(better[0], seeds=seeds)
        alone = speaker_interval(better[0], worse[0], seeds=seeds)
        assert mean_speaker_interval(better[:1], worse[:1], seeds=seeds) == alone


def test_the_order_of_seeds_matters_to_nothing_while_it_is_that_of_every_test(models):
    better, _ = models
    turned = mean_figure_interval([test[::-1] for test in better], seeds=True)
    whole = mean_figure_interval(better, seeds=True)
    assert (turned.low, turned.high) == pytest.approx((whole.low, whole.high))
    torn = mean_figure_interval([better[0], better[1][::-1], better[2][::-1]], seeds=True)
    assert torn.high - torn.low < 0.8 * (whole.high - whole.low)  # a good seed of one test is set beside bad ones


def test_tests_with_more_runs_than_others_are_of_no_common_seeds(models):
    better, worse = models
    with pytest.raises(ValueError, match="as many runs of a model, of the same seeds in the same order"):
        mean_figure_interval([better[0], better[1][:3], better[2]], seeds=True)
    assert mean_figure_interval([better[0], better[1][:3], better[2]]) is not None
    assert mean_speaker_interval(better, worse, seeds=True).seeds == 3  # the models may differ in it


@pytest.mark.parametrize("shared", [False, True])
def test_it_holds_what_all_speakers_and_seeds_would_show_as_often_as_it_says(shared):
    """Four tests of 12 speakers, five seeds that are good at all tests alike, or each test with seeds of its own."""
    generator, hits = np.random.default_rng(7 + shared), []
    for _ in range(300):
        common, tests = generator.normal(0, 0.05, 5), []
        for test in range(4):
            good = common if shared else generator.normal(0, 0.05, 5)
            rate = np.clip(0.6 + good[:, None, None] + generator.normal(0, 0.04, (12, 1)), 0, 1)
            right = generator.binomial(40, np.broadcast_to(rate, (5, 12, 2)))
            counts = np.zeros((5, 12, 2, 2))
            counts[..., [0, 1], [0, 1]], counts[..., [0, 1], [1, 0]] = right, 40 - right
            tests.append([Tally(tuple(f"{test}/{who:02d}" for who in range(12)), each) for each in counts])
        found = mean_figure_interval(tests, seeds=True)
        hits.append(found.low < 0.6 < found.high)
    assert 0.91 < np.mean(hits) < 0.985
