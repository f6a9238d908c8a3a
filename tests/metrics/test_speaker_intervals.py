"""Intervals over speakers against a slow loop, truths in closed form, and simulated worlds."""

import numpy as np
import pytest
from scipy import stats

from affectspace.metrics import confusion_matrix, macro_f1, uar
from affectspace.metrics.speaker_intervals import (
    SpeakerInterval,
    Tally,
    _freedom,
    figure_interval,
    mean_figure_interval,
    mean_speaker_interval,
    no_figure_interval,
    no_speakers,
    speaker_interval,
    tally,
)
from affectspace.studies.speakers import lead_interval
from affectspace.training.evaluated import Evaluated


def evaluated(right: np.ndarray, speakers: list[str]) -> Evaluated:
    """Two classes in turn; ``right`` says which items are answered rightly."""
    truth = np.arange(len(right)) % 2
    targets = np.eye(2)[truth]
    probabilities = np.eye(2)[np.where(right, truth, 1 - truth)]
    items = np.array([f"c/{i}" for i in range(len(right))], dtype=object)
    zeros = np.zeros(len(right))
    return Evaluated(items, np.array(speakers, dtype=object), targets, probabilities, zeros[:, None], zeros)


def test_a_lead_that_every_speaker_shares_to_the_item_tells_nothing_of_others():
    """As of a figure that no speaker moves: how a lead varies cannot be told from speakers who do not differ in it."""
    speakers = [f"s{i // 10}" for i in range(100)]
    better, worse = evaluated(np.ones(100, bool), speakers), evaluated(np.arange(100) % 10 < 8, speakers)
    assert lead_interval([better], [worse]) is None
    but_for_one = evaluated((np.arange(100) % 10 < 8) | (np.arange(100) == 8), speakers)
    found = lead_interval([better], [but_for_one])
    assert 0.1 < found.low < 0.19 < found.high < 0.25


def test_a_lead_that_one_speaker_makes_is_not():
    speakers = [f"s{i // 10}" for i in range(100)]
    better, worse = evaluated(np.ones(100, bool), speakers), evaluated(np.arange(100) >= 10, speakers)
    interval = lead_interval([better], [worse])
    assert interval is not None
    assert interval.low < 0
    assert 0.2 < interval.high <= 0.4


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


def test_equals_a_slow_loop_over_speakers():
    """Equal speakers: the figures without each of them, and Student's t with one degree less than speakers."""
    generator = np.random.default_rng(1)
    right = generator.random((4, 140)) < [[0.7], [0.75], [0.6], [0.65]]
    speakers = np.array(WHO)
    truth = np.arange(140) % 2

    def lead(rows) -> float:
        figures = [uar(truth[rows], np.where(r, truth, 1 - truth)[rows], 2) for r in right]
        return float(np.mean(figures[:2]) - np.mean(figures[2:]))

    without = np.array([lead(np.flatnonzero(speakers != f"s{who}")) for who in range(7)])
    error = np.sqrt(6 / 7 * np.sum((without - without.mean()) ** 2))
    half = stats.t.ppf(0.975, 6) * error
    one, other = ([tallied(r, WHO) for r in rows] for rows in (right[:2], right[2:]))
    found = speaker_interval(one, other)
    assert (found.speakers, found.low, found.high) == (
        7,
        pytest.approx(lead(slice(None)) - half),
        pytest.approx(lead(slice(None)) + half),
    )


@pytest.mark.parametrize("shape", [(5, 2), (9, 4), (25, 3)])
def test_degrees_of_freedom_of_their_own_definition(shape):
    """Against the covariance matrix written out from what each speaker adds, class by class."""
    items = np.random.default_rng(shape[0]).integers(0, 9, shape).astype(float)
    n = shape[0]
    total = np.zeros((n, n))
    for share in (items / items.sum(0)).T:
        adds = np.diag(share) @ (np.eye(n) - np.outer(np.ones(n), share))
        nature = np.diag([0.0 if not w else (1 + 1 / (n * w)) / 2 for w in share])
        total += adds @ nature @ adds.T
    assert _freedom(items) == pytest.approx(np.trace(total) ** 2 / np.trace(total @ total))


def test_degrees_of_freedom_are_one_less_than_equal_speakers_and_fewer_where_few_speak_for_most():
    assert _freedom(np.full((8, 3), 5.0)) == pytest.approx(7)
    items = np.full((8, 3), 5.0)
    items[0] *= 10
    assert 1 <= _freedom(items) < 3


def test_a_class_of_one_speaker_is_a_doubt():
    """Without that speaker the figure is of the other class alone: the interval must be wide."""
    counts = np.zeros((6, 2, 2))
    counts[:, 0, 0] = 10
    worse, better = counts.copy(), counts.copy()
    better[0, 1], worse[0, 1] = (0, 10), (10, 0)
    names = tuple("abcdef")
    found = speaker_interval([Tally(names, better)], [Tally(names, worse)])
    assert (found.low, found.high) == (pytest.approx(-0.78, abs=0.3), 1.0)


def test_both_models_meet_the_same_speakers():
    generator = np.random.default_rng(2)
    one = tallied(generator.random(140) < np.repeat([0.9, 0.4], 70), WHO)
    same = speaker_interval([one, one], [one])
    assert (same.low, same.high) == (0, 0)


def always(right: bool, names: str) -> Tally:
    """Right about every item, or naming the first class always; no speaker moves either figure."""
    return Tally(tuple(names), np.array([[[5, 0], [0, 5] if right else [5, 0]]] * len(names), dtype=float))


@pytest.mark.parametrize("runs", [1, 3])
def test_a_difference_that_no_speaker_moves_has_no_interval_alone_or_in_a_mean(runs):
    right, one_class = ([always(which, "abcdefgh")] * runs for which in (True, False))
    assert speaker_interval(right, one_class, seeds=runs > 1) is None
    better, worse = ([Tally(tuple("ijklmnop"), as_counts(r))] * runs for r in ([4, 3] * 4, [3] * 8))
    assert speaker_interval(better, worse) is not None
    assert mean_speaker_interval([right, better], [one_class, worse], seeds=runs > 1) is None


def test_models_that_answer_alike_differ_by_nothing_but_not_where_they_do_so_on_one_test_of_two():
    one, names = always(True, "abcdefgh"), tuple("ijklmnop")
    better, worse = (Tally(names, as_counts(r)) for r in ([4, 3] * 4, [3] * 8))
    none = speaker_interval([one, one], [one, one], seeds=True)
    assert (none.low, none.high, none.seeds) == (0, 0, 2)
    none = mean_speaker_interval([[one], [better]], [[one], [better]])
    assert (none.speakers, none.low, none.high) == (16, 0, 0)
    assert mean_speaker_interval([[one], [better]], [[one], [worse]]) is None
    # Right about as many items of every speaker, and wrong in other ways: nothing differs, and they are not alike.
    wrong = np.array([[[4, 1, 0], [0, 5, 0], [0, 0, 5]]] * 8, dtype=float)
    assert speaker_interval([Tally(names, wrong)], [Tally(names, wrong[:, :, [0, 2, 1]][:, [0, 2, 1]])]) is None


def as_counts(right: list[int]) -> np.ndarray:
    """Two classes of five items a speaker, of which so many of the first are right, and all of the second."""
    return np.array([[[r, 5 - r], [0, 5]] for r in right], dtype=float)


def test_seeds_too_are_wider_where_seeds_differ():
    generator = np.random.default_rng(3)
    share = np.array([0.5, 0.6, 0.7, 0.8])[:, None]
    one, other = ([tallied(generator.random(140) < share[i], WHO) for i in range(4)] for _ in range(2))
    few, all_ = speaker_interval(one, other), speaker_interval(one, other, seeds=True)
    assert all_.high - all_.low > 1.3 * (few.high - few.low)


def test_seeds_too_are_never_narrower():
    generator = np.random.default_rng(6)
    for _ in range(30):
        one, other = ([tallied(generator.random(140) < 0.7, WHO) for _ in range(3)] for _ in range(2))
        few, all_ = speaker_interval(one, other), speaker_interval(one, other, seeds=True)
        assert all_.low <= few.low + 1e-12
        assert all_.high >= few.high - 1e-12


def test_no_interval_from_one_seed_or_other_speakers():
    one = tallied(np.ones(140, bool), WHO)
    assert speaker_interval([one], [one, one], seeds=True) is None
    assert speaker_interval([one], [one]) is not None
    other = tallied(np.ones(140, bool), [f"t{i % 7}" for i in range(140)])
    assert speaker_interval([one], [other]) is None


def world(generator, speakers: int, sizes: float, seeds: int = 1, seed_sd: float = 0.0):
    """Tallies of two models whose true UARs differ by 0.1; speakers differ in size, and in skill by model and class."""
    totals = np.maximum(2, 20 * np.exp(generator.normal(0, sizes, speakers)))[:, None].repeat(2, 1).astype(int)
    rates = np.reshape([0.65, 0.55], (2, 1, 1, 1)) + generator.normal(0, 0.1, (2, 1, speakers, 2))
    right = generator.binomial(totals, np.clip(rates + generator.normal(0, seed_sd, (2, seeds, 1, 1)), 0, 1))
    counts = np.zeros((2, seeds, speakers, 2, 2))
    counts[..., [0, 1], [0, 1]], counts[..., [0, 1], [1, 0]] = right, totals - right
    names = tuple(f"c/{i:02d}" for i in range(speakers))
    return [[Tally(names, each) for each in model] for model in counts]


@pytest.mark.parametrize("sizes", [0.0, 0.8])
@pytest.mark.parametrize("speakers", [5, 8, 20])
def test_the_interval_holds_what_all_speakers_would_show_as_often_as_it_says(speakers, sizes):
    generator = np.random.default_rng([speakers, int(10 * sizes)])
    found = [speaker_interval(*world(generator, speakers, sizes)) for _ in range(400)]
    assert 0.925 < np.mean([each.low < 0.1 < each.high for each in found]) < 0.98


@pytest.mark.parametrize("seeds", [2, 5])
def test_and_with_seeds_what_all_seeds_would_show(seeds):
    generator = np.random.default_rng(seeds)
    found = [speaker_interval(*world(generator, 10, 0.4, seeds, 0.06), seeds=True) for _ in range(300)]
    assert 0.92 < np.mean([each.low < 0.1 < each.high for each in found]) < 0.99


@pytest.mark.parametrize(("metric", "figure"), [("uar", uar), ("macro_f1", macro_f1)])
def test_a_figure_s_interval_equals_a_slow_loop_over_speakers(metric, figure):
    """Two runs on equal speakers: their mean figure without each of them, and Student's t."""
    generator = np.random.default_rng(1)
    right = generator.random((2, 140)) < [[0.7], [0.6]]
    speakers, truth = np.array(WHO), np.arange(140) % 2

    def mean(rows) -> float:
        return float(np.mean([figure(truth[rows], np.where(r, truth, 1 - truth)[rows], 2) for r in right]))

    without = np.array([mean(np.flatnonzero(speakers != f"s{who}")) for who in range(7)])
    half = stats.t.ppf(0.975, 6) * np.sqrt(6 / 7 * np.sum((without - without.mean()) ** 2))
    found = figure_interval([tallied(r, WHO) for r in right], metric)
    whole = mean(slice(None))
    assert found == SpeakerInterval(7, pytest.approx(whole - half), pytest.approx(whole + half))


def test_seeds_of_a_figure_add_their_own_variance_where_speakers_and_seeds_do_not_meet():
    """Speakers better and worse alike in every seed: both variances, with Welch's degrees of freedom."""
    names, better = tuple("abcdef"), np.array([1, -1] * 3)
    counts = [np.stack([[[r + e, 10 - r - e], [10 - r - e, r + e]] for e in better]).astype(float) for r in (5, 6, 7)]
    found = figure_interval([Tally(names, each) for each in counts], seeds=True)
    speakers, seeds = (better / 10).var(ddof=1) / 6, np.var([0.5, 0.6, 0.7], ddof=1) / 3
    freedom = (speakers + seeds) ** 2 / (speakers**2 / 5 + seeds**2 / 2)
    half = stats.t.ppf(0.975, freedom) * (speakers + seeds) ** 0.5
    assert found == SpeakerInterval(6, pytest.approx(0.6 - half), pytest.approx(0.6 + half), 3)
    assert figure_interval([Tally(names, each) for each in counts]).seeds == 0


def test_one_model_against_one_that_is_always_wrong_is_the_model_alone():
    """The difference to a figure that no speaker moves is the figure."""
    generator = np.random.default_rng(5)
    one, nothing = tallied(generator.random(140) < 0.6, WHO), tallied(np.zeros(140, bool), WHO)
    alone, lead = figure_interval([one]), speaker_interval([one], [nothing])
    assert (alone.low, alone.high) == (pytest.approx(lead.low), pytest.approx(lead.high))


def test_no_interval_of_a_figure_and_why():
    few, unknown = ["a", "b", "c", "d"] * 2, [*"abcdefg", ""]
    told = {
        "4 test speakers: too few to speak for others, which takes 5": [tallied(np.ones(8, bool), few)],
        "one test speaker: too few to speak for others, which takes 5": [tallied(np.ones(8, bool), ["a"] * 8)],
        "some test items do not name their speaker": [tallied(np.ones(8, bool), unknown)],
        "the runs were not judged on the same speakers": [
            tallied(np.ones(8, bool), [*"abcdefgh"]), tallied(np.ones(8, bool), [*"abcdefgi"]),
        ],
    }  # fmt: skip
    for why, tallies in told.items():
        assert no_speakers(tallies) == why
        assert figure_interval(tallies) is None
    assert no_speakers([tallied(np.ones(140, bool), WHO)]) == ""
    assert figure_interval([tallied(np.ones(140, bool), WHO)], seeds=True) is None


@pytest.mark.parametrize("runs", [1, 3])
def test_a_figure_that_no_speaker_moves_tells_nothing_of_others(runs):
    right = [tallied(np.ones(140, bool), WHO)] * runs
    why = "the figure is the same without any one of the 7 test speakers, which tells nothing of others"
    for metric in ("uar", "macro_f1"):
        assert figure_interval(right, metric, seeds=runs > 1) is None
        assert no_figure_interval(right, metric) == why
    others = tallied(np.arange(140) % 9 > 0, [f"t{i % 7}" for i in range(140)])
    assert mean_figure_interval([right, [others] * runs], seeds=runs > 1) is None  # nor does a mean in which it is
    one_error = tallied(np.arange(140) > 0, WHO)
    assert no_figure_interval([one_error]) == ""
    assert figure_interval([one_error]).high == 1


def test_a_model_that_names_one_class_alone_has_an_interval_of_its_f1():
    counts = np.zeros((6, 2, 2))
    counts[:, 0, 0], counts[:, 1, 0] = [9, 8, 9, 7, 9, 9], [3, 4, 5, 3, 4, 3]
    one = [Tally(tuple("abcdef"), counts)]
    assert "tells nothing of others" in no_figure_interval(one, "uar")
    assert no_figure_interval(one, "macro_f1") == ""
    assert figure_interval(one, "macro_f1").low > 0.3


def test_classes_that_nobody_says_do_not_count_in_either_figure():
    counts = np.zeros((6, 3, 3))
    counts[:, 0, 0], counts[:, 1, 1], counts[:, 1, 2] = 20, [16, 14] * 3, [4, 6] * 3
    for metric, value in (("uar", (1 + 0.75) / 2), ("macro_f1", (1 + 6 / 7) / 2)):
        found = figure_interval([Tally(tuple("abcdef"), counts)], metric)
        assert (found.low + found.high) / 2 == pytest.approx(value)


@pytest.mark.parametrize("metric", ["uar", "macro_f1"])
@pytest.mark.parametrize("sizes", [0.0, 0.8])
def test_the_interval_of_a_figure_holds_what_all_speakers_would_show_as_often_as_it_says(metric, sizes):
    generator = np.random.default_rng([len(metric), int(10 * sizes)])
    found = [figure_interval(world(generator, 10, sizes)[0], metric) for _ in range(400)]
    assert 0.92 < np.mean([each.low < 0.65 < each.high for each in found]) < 0.985
