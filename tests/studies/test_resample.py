"""Resampled differences against a slow loop over the same draws, truths in closed form, and a simulated world."""

import numpy as np
import pytest

from affectspace.metrics import confusion_matrix, uar
from affectspace.studies.resample import Tally, lead_interval, resampled_difference, tally
from affectspace.training.run import Evaluated


def evaluated(right: np.ndarray, speakers: list[str]) -> Evaluated:
    """Two classes in turn; ``right`` says which items are answered rightly."""
    truth = np.arange(len(right)) % 2
    targets = np.eye(2)[truth]
    probabilities = np.eye(2)[np.where(right, truth, 1 - truth)]
    items = np.array([f"c/{i}" for i in range(len(right))], dtype=object)
    zeros = np.zeros(len(right))
    return Evaluated(items, np.array(speakers, dtype=object), targets, probabilities, zeros[:, None], zeros)


def test_a_lead_that_every_speaker_shares_is_sure():
    speakers = [f"s{i // 10}" for i in range(100)]
    better, worse = evaluated(np.ones(100, bool), speakers), evaluated(np.arange(100) % 10 < 8, speakers)
    assert lead_interval([better], [worse]) == (10, pytest.approx(0.2), pytest.approx(0.2))


def test_a_lead_that_one_speaker_makes_is_not():
    speakers = [f"s{i // 10}" for i in range(100)]
    better, worse = evaluated(np.ones(100, bool), speakers), evaluated(np.arange(100) >= 10, speakers)
    interval = lead_interval([better], [worse])
    assert interval is not None
    assert interval[1] == pytest.approx(0)
    assert 0.2 < interval[2] <= 0.4


def test_no_interval_from_few_or_unknown_speakers():
    one = evaluated(np.ones(8, bool), ["a", "b", "c", "d"] * 2)
    assert lead_interval([one], [one]) is None
    unknown = evaluated(np.ones(8, bool), ["a", "b", "c", "d", "e", "f", "g", ""])
    assert lead_interval([unknown], [unknown]) is None


def tallied(right: np.ndarray, speakers: list[str]) -> Tally:
    e = evaluated(right, speakers)
    return tally(e.items, e.speakers, e.targets, e.probabilities)


WHO = [f"s{i % 7}" for i in range(140)]


def test_tallies_add_up_to_the_whole():
    generator = np.random.default_rng(0)
    targets, said = generator.dirichlet([0.3] * 3, 50), generator.dirichlet([1] * 3, 50)
    items = np.array([f"{'ab'[i % 2]}/{i}" for i in range(50)])
    counted = tally(items, np.array(["x"] * 50), targets, said)
    assert counted.speakers == ("a/x", "b/x")
    assert np.allclose(counted.counts.sum(0), confusion_matrix(targets, said, 3))
    shuffle = generator.permutation(50)
    again = tally(items[shuffle], np.array(["x"] * 50), targets[shuffle], said[shuffle])
    assert np.array_equal(again.counts, counted.counts)


def test_equals_a_slow_loop_over_the_same_draws():
    generator = np.random.default_rng(1)
    right = generator.random((4, 140)) < [[0.7], [0.75], [0.6], [0.65]]
    speakers = np.array(WHO)
    one, other = ([tallied(r, WHO) for r in rows] for rows in (right[:2], right[2:]))
    found = resampled_difference(one, other, draws=200, seed=5)
    truth = np.arange(140) % 2
    leads = []
    for drawn in np.random.default_rng(5).multinomial(7, np.full(7, 1 / 7), 200):
        whose = [who for who, times in enumerate(drawn) for _ in range(times)]
        rows = np.concatenate([np.flatnonzero(speakers == f"s{who}") for who in whose])
        figures = [uar(truth[rows], np.where(r, truth, 1 - truth)[rows], 2) for r in right]
        leads.append(np.mean(figures[:2]) - np.mean(figures[2:]))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(leads, [2.5, 97.5])))
    assert found.speakers == 7


def test_both_models_meet_the_same_speakers():
    generator = np.random.default_rng(2)
    one = tallied(generator.random(140) < np.repeat([0.9, 0.4], 70), WHO)
    same = resampled_difference([one, one], [one])
    assert (same.low, same.high) == (0, 0)


def test_drawing_seeds_too_is_wider_where_seeds_differ():
    generator = np.random.default_rng(3)
    share = np.array([0.5, 0.6, 0.7, 0.8])[:, None]
    one, other = ([tallied(generator.random(140) < share[i], WHO) for i in range(4)] for _ in range(2))
    few, all_ = resampled_difference(one, other), resampled_difference(one, other, seeds=True)
    assert all_.high - all_.low > 1.3 * (few.high - few.low)


def test_no_interval_from_one_seed_or_other_speakers():
    one = tallied(np.ones(140, bool), WHO)
    assert resampled_difference([one], [one, one], seeds=True) is None
    assert resampled_difference([one], [one]) is not None
    other = tallied(np.ones(140, bool), [f"t{i % 7}" for i in range(140)])
    assert resampled_difference([one], [other]) is None


def test_the_interval_holds_the_difference_that_all_speakers_would_show():
    """Speakers differ in how much they gain; the mean gain of their world is 0.1."""
    generator = np.random.default_rng(4)
    inside = []
    for _ in range(80):
        gain = generator.normal(0.1, 0.1, 20)
        counts = np.zeros((2, 20, 2, 2))
        for model, shift in enumerate((gain, 0 * gain)):
            right = generator.binomial(40, np.clip(0.6 + shift, 0, 1), (2, 20)).T
            counts[model, :, [0, 1], [0, 1]] = right.T
            counts[model, :, [0, 1], [1, 0]] = 40 - right.T
        names = tuple(f"c/{i:02d}" for i in range(20))
        found = resampled_difference([Tally(names, counts[0])], [Tally(names, counts[1])], draws=400)
        inside.append(found.low < 0.1 < found.high)
    assert 0.85 < np.mean(inside) <= 1
