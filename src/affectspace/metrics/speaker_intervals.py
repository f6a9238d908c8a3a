"""How sure a figure or a difference is, given that other speakers could have been recorded, and other seeds drawn.

Tests over seeds (:mod:`affectspace.studies.statistics`) take the test items as given. Here the speakers
are the sample, because items of one speaker are right or wrong together, and a conclusion is meant for
speakers that nobody recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from affectspace.metrics.classification import confusion_matrix

__all__ = [
    "FEWEST_SPEAKERS",
    "SpeakerInterval",
    "Tally",
    "figure_interval",
    "mean_figure_interval",
    "mean_speaker_interval",
    "no_figure_interval",
    "no_speakers",
    "speaker_interval",
    "tally",
]

FEWEST_SPEAKERS = 5  # with fewer an interval is so wide, and its coverage so unsure, that it tells nothing
SAME = 1e-12  # by which figures differ that are rounded alone


@dataclass(frozen=True)
class Tally:
    """What a model answered, counted for each speaker.

    Args:
        speakers: names, "corpus/speaker", sorted; one that ends in "/" is not known by name.
        counts: confusion matrices (truth in rows), shape ``(speakers, classes, classes)``.
    """

    speakers: tuple[str, ...]
    counts: np.ndarray

    @property
    def speakers_known(self) -> bool:
        """Whether every item names its speaker."""
        return not any(name.endswith("/") for name in self.speakers)


@dataclass(frozen=True)
class SpeakerInterval:
    """Where a figure or a difference lies with 95 % confidence, and of how many speakers that is told.

    ``seeds`` is how many runs of a model it covers too; 0 where it is of speakers alone.
    """

    speakers: int
    low: float
    high: float
    seeds: int = 0


def tally(items: np.ndarray, speakers: np.ndarray, targets: np.ndarray, probabilities: np.ndarray) -> Tally:
    """Answers counted for each speaker; speakers are told apart over corpora, whose names for them may coincide.

    Args:
        items: ``(n,)`` corpus/id.
        speakers: ``(n,)`` names within the corpus, empty where unknown.
        targets, probabilities: ``(n, classes)``.

    Example:
        >>> t = tally(np.array(["a/1", "b/1"]), np.array(["x", "x"]), np.eye(2), np.eye(2))
        >>> t.speakers, t.counts.tolist()
        (('a/x', 'b/x'), [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    """
    whose = [f"{str(item).split('/')[0]}/{speaker}" for item, speaker in zip(items, speakers)]
    names, place = np.unique(np.array(whose, dtype=str), return_inverse=True)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    classes = targets.shape[1]
    return Tally(
        tuple(names.tolist()), np.stack([confusion_matrix(targets[r], probabilities[r], classes) for r in rows])
    )


def speaker_interval(
    one: Sequence[Tally], other: Sequence[Tally], *, seeds: bool = False, confidence: float = 0.95
) -> SpeakerInterval | None:
    r"""Where the difference in mean UAR lies for all speakers of whom those of the test set are a sample.

    .. math:: d \pm t_{1-\alpha/2;\,\nu}\,\sqrt{V} \qquad
        V = \frac{n-1}{n} \sum_{i=1}^{n} \left(d_{(i)} - \bar d_{(\cdot)}\right)^2

    with :math:`d_{(i)}` the difference without speaker *i*. The degrees of freedom :math:`\nu` are *n* - 1
    where all speakers say equally much of every class, and fewer where a few speak for most of a class
    (Satterthwaite's, under a working model in which half of the variance of an average speaker is their
    own nature and half the luck of single items).

    With ``seeds`` it covers other seeds too: another laboratory, its own speakers, its own seeds. The
    variance of each model's mean over seeds is added, without what luck of speaker and seed together has
    put into both; such an interval is never narrower than the other.

    **Coverage**, of 95 %, in simulated worlds with 5 to 25 speakers, equal or of very unequal size, with
    rare classes, and classes that some speakers lack (``benchmarks/speaker_intervals.py``,
    1,000 studies a cell): 94 to 98 %, on average 95.7 %, and with ``seeds``
    94 to 97 %; percentiles of resampled speakers: 81 to 93 %. Speakers are taken as independent: where the
    two of a dialogue share half of their variance, five dialogues give about 91 %.

    Args:
        one, other: answers of the runs (seeds) of each model on the same items.
        seeds: whether the interval is to hold for other seeds too.
        confidence: of the interval.

    Returns:
        None with fewer than five speakers, where a speaker is unknown or the models were not judged on
        the same ones, where the difference is the same without any of them, and with ``seeds`` where a model has but
        one. Only of models that answer alike, speaker by speaker, is it 0 to 0.

    Source: the jackknife: Tukey, Annals of Mathematical Statistics 29, 1958, and Efron & Stein, Annals of
    Statistics 9, 1981; degrees of freedom from unequal clusters: Bell & McCaffrey, Survey Methodology 28,
    2002; two crossed factors: Cameron, Gelbach & Miller, Journal of Business & Economic Statistics 29, 2011.

    Example:
        Eight speakers of ten items; the better model is right about one item more of every other speaker:

        >>> def told(right):
        ...     counts = [[[r, 5 - r], [0, 5]] for r in right]
        ...     return Tally(tuple("abcdefgh"), np.array(counts, dtype=float))
        >>> found = speaker_interval([told([4, 3] * 4)], [told([3] * 8)])
        >>> round(found.low, 3), round(found.high, 3)
        (0.005, 0.095)
    """
    return mean_speaker_interval([one], [other], seeds=seeds, confidence=confidence)


def figure_interval(
    tallies: Sequence[Tally],
    metric: Literal["uar", "macro_f1"] = "uar",
    *,
    seeds: bool = False,
    confidence: float = 0.95,
) -> SpeakerInterval | None:
    r"""Where the mean UAR or macro F1 of one model lies for all speakers of whom those of the test set are a sample.

    The jackknife of :func:`speaker_interval`, of the figure itself: speakers that are hard for every model
    weigh here, which a difference between models cancels out, so it is the wider of the two as a rule.

    **Coverage**, of 95 %, in the simulated worlds of :func:`speaker_interval` (400 studies a cell): 92 to 99 %,
    on average 95 %, with ``seeds`` 93 to 97 %. Near 1 it is too sure: of a model that is right nine times in
    ten, 88 to 96 %.

    Args:
        tallies: answers of the runs (seeds) of the model on the same items.
        metric: of the items of all speakers together, as :func:`affectspace.metrics.uar` and
            :func:`affectspace.metrics.macro_f1` have it.
        seeds: whether the interval is to hold for other seeds too.
        confidence: of the interval.

    Returns:
        None with fewer than five speakers, where a speaker is unknown or the runs were not judged on the same
        ones, where the figure is the same without any of them, as that of a model which is always right, and with
        ``seeds`` where there is but one run; :func:`no_figure_interval` says which of all but the last.

    Source: as :func:`speaker_interval`.

    Example:
        >>> counts = np.array([[[r, 5 - r], [0, 5]] for r in [4, 3] * 4], dtype=float)
        >>> found = figure_interval([Tally(tuple("abcdefgh"), counts)])
        >>> round(found.low, 3), round(found.high, 3)
        (0.805, 0.895)
    """
    return mean_figure_interval([tallies], metric, seeds=seeds, confidence=confidence)


def mean_speaker_interval(
    ones: Sequence[Sequence[Tally]],
    others: Sequence[Sequence[Tally]],
    *,
    seeds: bool = False,
    confidence: float = 0.95,
) -> SpeakerInterval | None:
    r"""Where the mean difference of several tests lies, each of speakers of its own, such as those of several corpora.

    .. math:: \bar d \pm t_{1-\alpha/2;\,\nu}\,\frac{1}{k} \sqrt{\sum_{j=1}^{k} V_j}

    with the variances :math:`V_j` of :func:`speaker_interval` over speakers and Welch's degrees of freedom. It is told
    for other speakers of these very corpora, not for other corpora.

    With ``seeds`` the variance over seeds stands beside the :math:`V_j`: for each model that of the sum over tests,
    seed by seed, without what luck of speaker and seed together has put into it, with one degree of freedom less than
    seeds. A seed may be good at all tests alike, so run *i* of a model has to be of one seed in every test.

    **Coverage**, of 95 %, of the mean of a figure over four tests of 24 speakers with five seeds (2,000 simulated
    studies a cell): 92 to 96 %, whether seeds are equally good at all tests or are drawn anew for each; it is lowest
    where seeds, speakers and the luck of items weigh about alike.

    Args:
        ones, others: answers of the runs of each model, for each test; with ``seeds`` aligned by seed over the tests.
        seeds: whether the interval is to hold for other seeds too.
        confidence: of the interval.

    Returns:
        None where :func:`speaker_interval` of one of the tests is, where two tests share a speaker, or where the models
        answer alike on some of the tests only: their difference there is 0, and nothing tells by how much it varies.

    Raises:
        ValueError: with ``seeds``, where a model has more runs on one test than on another.

    Source: Welch, Biometrika 34, 1947.

    Example:
        Two tests alike lie about the same mean, and closer:

        >>> def told(right, names):
        ...     return Tally(tuple(names), np.array([[[r, 5 - r], [0, 5]] for r in right], dtype=float))
        >>> better, worse = [4, 3] * 4, [3] * 8
        >>> ones, others = ([[told(right, "abcdefgh")], [told(right, "ijklmnop")]] for right in (better, worse))
        >>> found = mean_speaker_interval(ones, others)
        >>> found.speakers, round(found.low, 3), round(found.high, 3)
        (16, 0.021, 0.079)
    """
    return _interval([*zip(ones, others, strict=True)], _uar, seeds, confidence, lowest=-1.0)


def mean_figure_interval(
    tests: Sequence[Sequence[Tally]],
    metric: Literal["uar", "macro_f1"] = "uar",
    *,
    seeds: bool = False,
    confidence: float = 0.95,
) -> SpeakerInterval | None:
    """Where the mean of a figure over several tests lies, as :func:`mean_speaker_interval` has it of a difference.

    Args:
        tests: answers of the runs of the model, for each test; with ``seeds`` aligned by seed over the tests: run *i*
            of each is of one seed.
        metric: as :func:`figure_interval` takes it.
        seeds: whether the interval is to hold for other seeds too.
        confidence: of the interval.

    Returns:
        None where :func:`figure_interval` of one of the tests is, or where two tests share a speaker.

    Raises:
        ValueError: with ``seeds``, where one test has more runs than another.

    Example:
        >>> counts = np.array([[[r, 5 - r], [0, 5]] for r in [4, 3] * 4], dtype=float)
        >>> found = mean_figure_interval([[Tally(tuple("abcdefgh"), counts)], [Tally(tuple("ijklmnop"), counts)]])
        >>> found.speakers, round(found.low, 3), round(found.high, 3)
        (16, 0.821, 0.879)
    """
    return _interval([[tallies] for tallies in tests], COUNTED[metric], seeds, confidence, lowest=0.0)


def no_figure_interval(tallies: Sequence[Tally], metric: Literal["uar", "macro_f1"] = "uar") -> str:
    """Why a figure of these runs has no interval over speakers, in words; empty where it has one.

    Beside the reasons of :func:`no_speakers`: it is the same whichever speaker is left out. So it is of a model that
    is right about every item, or names one class alone, and its variance over others cannot be told.

    Example:
        >>> counts = np.array([[[5, 0], [0, 5]]] * 8, dtype=float)
        >>> no_figure_interval([Tally(tuple("abcdefgh"), counts)])
        'the figure is the same without any one of the 8 test speakers, which tells nothing of others'
    """
    if why := no_speakers(tallies):
        return why
    without = _without_each(np.stack([each.counts for each in tallies]), COUNTED[metric]).mean(0)
    if _moved(without):
        return ""
    return f"the figure is the same without any one of the {without.size} test speakers, which tells nothing of others"


def no_speakers(tallies: Sequence[Tally]) -> str:
    """Why there is no interval over the speakers of these runs, in words; empty where there is one.

    Example:
        >>> no_speakers([Tally(("a/x", "a/y"), np.ones((2, 2, 2)))])
        '2 test speakers: too few to speak for others, which takes 5'
    """
    if not all(each.speakers_known for each in tallies):
        return "some test items do not name their speaker"
    count = len(tallies[0].speakers)
    if count < FEWEST_SPEAKERS:
        who = "one test speaker" if count == 1 else f"{count} test speakers"
        return f"{who}: too few to speak for others, which takes {FEWEST_SPEAKERS}"
    if any(each.speakers != tallies[0].speakers for each in tallies):
        return "the runs were not judged on the same speakers"
    return ""


def _interval(
    tests: Sequence[Sequence[Sequence[Tally]]],
    figure: Callable[[np.ndarray], np.ndarray],
    seeds: bool,
    confidence: float,
    lowest: float,
) -> SpeakerInterval | None:
    """Of the mean over tests, each of the figure of one model, or of the first of two less that of the other."""
    if any(no_speakers([each for side in sides for each in side]) for sides in tests):
        return None
    if seeds and min(len(side) for sides in tests for side in sides) < 2:
        return None
    if seeds and any(len({len(side) for side in model}) > 1 for model in zip(*tests)):
        raise ValueError("with seeds every test needs as many runs of a model, of the same seeds in the same order")
    people = [name for sides in tests for name in sides[0][0].speakers]
    if len(set(people)) < len(people):
        return None
    told = [_spread(sides, figure, seeds) for sides in tests]
    if not all(each.moved for each in told) and not all(map(_alike, tests)):
        return None
    value = float(np.mean([each.value for each in told]))
    by_speaker = [each.by_speaker for each in told]
    half = _half_width(by_speaker, confidence)
    if seeds:
        by_seed = [_between_seeds(side) for side in zip(*(each.seeds for each in told))]
        half = max(half, _half_width([*by_speaker, *by_seed], confidence))
    half /= len(told)
    runs = min(len(side) for sides in tests for side in sides) if seeds else 0
    return SpeakerInterval(len(people), max(lowest, value - half), min(1.0, value + half), runs)


@dataclass(frozen=True)
class _Spread:
    """A figure of one test, and what it varies by.

    Args:
        value: mean over runs, or the difference of two such.
        moved: whether it is another without some speaker; else nothing tells how it varies over others.
        by_speaker: variance of that over speakers, with its degrees of freedom.
        seeds: for each side the figures of its runs, ``(runs,)``, and how much of the variance of their mean speakers
            and seeds bring about together; none where other seeds are not asked for.
    """

    value: float
    moved: bool
    by_speaker: tuple[float, float]
    seeds: tuple[tuple[np.ndarray, float], ...] = ()


def _spread(sides: Sequence[Sequence[Tally]], figure: Callable[[np.ndarray], np.ndarray], seeds: bool) -> _Spread:
    signs = (1, -1)[: len(sides)]
    counts = [np.stack([each.counts for each in side]) for side in sides]
    value = float(sum(sign * figure(side.sum(1)).mean() for sign, side in zip(signs, counts)))
    without = [_without_each(side, figure) for side in counts]
    mean = np.sum([sign * side.mean(0) for sign, side in zip(signs, without)], axis=0)
    found = _Spread(value, _moved(mean), (_jackknife(mean), _freedom(np.concatenate(counts).mean(0).sum(-1))))
    if not seeds:
        return found
    both = [float(sum(map(_jackknife, each - each.mean(0)))) / (len(each) - 1) / len(each) for each in without]
    return replace(found, seeds=tuple((figure(side.sum(1)), its) for side, its in zip(counts, both)))


def _moved(without: np.ndarray) -> bool:
    """Whether figures without each of ``(n,)`` speakers differ by more than rounding."""
    return bool(np.ptp(without) > SAME)


def _alike(sides: Sequence[Sequence[Tally]]) -> bool:
    """Whether two models answer alike, speaker by speaker, on the mean over their runs; never of one model alone."""
    mean = [np.mean([each.counts for each in side], axis=0) for side in sides]
    return len(mean) == 2 and bool(np.abs(mean[0] - mean[1]).max() < SAME)


def _between_seeds(tests: Sequence[tuple[np.ndarray, float]]) -> tuple[float, float]:
    """The variance over seeds of the sum over tests of one side, seed by seed, with its degrees of freedom.

    A seed that is good at one test may be so at all: were the variances of tests added, that would go unseen.
    """
    runs = sum(figures for figures, _ in tests)
    between = float(np.var(runs, ddof=1)) / len(tests[0][0])
    # What speakers and seeds together bring about is in the variance over speakers already.
    return max(0.0, between - sum(both for _, both in tests)), float(len(tests[0][0]) - 1)


def _without_each(counts: np.ndarray, figure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``(runs, speakers)`` a figure without each speaker, of counts ``(runs, speakers, classes, classes)``."""
    return figure(counts.sum(1, keepdims=True) - counts)


def _uar(counts: np.ndarray) -> np.ndarray:
    """UAR of confusion matrices ``(..., classes, classes)``; classes without items do not count."""
    rows = counts.sum(-1)
    right = np.einsum("...cc->...c", counts)
    there = rows > 1e-9  # the rest of a difference of sums may be rounding
    recalls = np.divide(right, rows, out=np.zeros(rows.shape), where=there)
    return recalls.sum(-1) / there.sum(-1)


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    """Macro F1 of confusion matrices ``(..., classes, classes)``; classes without items do not count."""
    rows = counts.sum(-1)
    there = rows > 1e-9
    right, both = np.einsum("...cc->...c", counts), rows + counts.sum(-2)
    f1 = np.divide(2 * right, both, out=np.zeros(rows.shape), where=there)
    return f1.sum(-1) / there.sum(-1)


COUNTED = {"uar": _uar, "macro_f1": _macro_f1}


def _jackknife(without: np.ndarray) -> float:
    """The variance of a figure from its values without each of ``(n,)`` speakers."""
    return float((len(without) - 1) * without.var())


def _half_width(parts: Sequence[tuple[float, float]], confidence: float) -> float:
    """Of the interval round a sum of independent parts of a variance, each with its degrees of freedom: Welch's."""
    total = sum(part for part, _ in parts)
    if total <= 0:
        return 0.0
    freedom = total**2 / sum(part**2 / each for part, each in parts)
    return float(stdtrit(freedom, (1 + confidence) / 2)) * total**0.5


def _freedom(items: np.ndarray) -> float:
    r"""Degrees of freedom of a jackknife variance over speakers with ``(n, classes)`` items.

    :math:`(\mathrm{tr}\,G)^2 / \mathrm{tr}\,G^2` with *G* the covariance of what each speaker adds to the
    classes' recalls once the recalls themselves are taken from it: :math:`w_{ic}\,(b_{ic} - \sum_j w_{jc}
    b_{jc})`, where :math:`w_{ic}` is the share of speaker *i* in the items of class *c* and :math:`b_{ic}`
    has the variance :math:`(1 + 1 / (n w_{ic})) / 2`.
    """
    totals = items.sum(0)
    share = items[:, totals > 0] / totals[totals > 0]
    own = (share**2 + share / len(share)) / 2
    # G is a diagonal and outer products, left @ right.T, so that it is never written out.
    diagonal = own.sum(1)
    left = np.hstack([-share, -own, share * own.sum(0)])
    right = np.hstack([own, share, share])
    trace = diagonal.sum() + (left * right).sum()
    square = (diagonal**2).sum() + 2 * diagonal @ (left * right).sum(1) + ((left.T @ left) * (right.T @ right)).sum()
    return max(1.0, float(trace**2 / square))
