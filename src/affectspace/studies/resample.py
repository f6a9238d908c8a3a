"""How sure a difference is, given that other speakers could have been recorded, and other seeds drawn.

Tests over seeds (:mod:`affectspace.studies.statistics`) take the test items as given. Here whole test
speakers are drawn anew, because items of one speaker are right or wrong together, and a conclusion is
meant for speakers that nobody recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affectspace.metrics import confusion_matrix
from affectspace.training.run import Evaluated

__all__ = ["FEWEST_SPEAKERS", "Resampled", "Tally", "lead_interval", "resampled_difference", "tally"]

FEWEST_SPEAKERS = 5  # the draws of fewer take too few different values for their 2.5 % ends to mean anything


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
class Resampled:
    """The middle 95 % of resampled differences of UAR, in [-1, 1], and of how many speakers they are."""

    speakers: int
    low: float
    high: float


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


def resampled_difference(
    one: Sequence[Tally], other: Sequence[Tally], *, seeds: bool = False, draws: int = 2000, seed: int = 0
) -> Resampled | None:
    """Where the difference in mean UAR lies in 95 % of resamplings of the test speakers.

    Whole speakers are drawn with replacement, as many as there are, the same ones for both models. It
    covers the choice of speakers; with ``seeds`` also that of seeds, drawn with replacement for each
    model by itself and crossed with the speakers, which is the wider statement: another laboratory,
    its own speakers, its own seeds. Crossed draws err on the wide side; draws from two or three seeds
    still show too little of how seeds spread.

    Args:
        one, other: answers of the runs (seeds) of each model on the same items.
        seeds: whether seeds are drawn too.
        draws: how often.
        seed: of the draws.

    Returns:
        None with fewer than five speakers, where a speaker is unknown or the models were not judged on
        the same ones, and where ``seeds`` are to be drawn from one.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval, clusters);
    for two crossed factors: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007.
    """
    first, count = one[0], len(one[0].speakers)
    same = all(each.speakers == first.speakers for each in (*one, *other))
    if count < FEWEST_SPEAKERS or not first.speakers_known or not same:
        return None
    if seeds and min(len(one), len(other)) < 2:
        return None
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(count, np.full(count, 1 / count), draws)
    means = []
    for runs in (one, other):
        figures = np.stack([_uars(each.counts, weights) for each in runs])
        if seeds:
            figures = np.take_along_axis(figures, generator.integers(len(runs), size=figures.shape), 0)
        means.append(figures.mean(0))
    low, high = np.nanpercentile(means[0] - means[1], [2.5, 97.5])
    return Resampled(count, float(low), float(high))


def lead_interval(
    ahead: Sequence[Evaluated], behind: Sequence[Evaluated], draws: int = 2000, seed: int = 0
) -> tuple[int, float, float] | None:
    """Speakers, lower and upper end of :func:`resampled_difference`, from answers rather than tallies."""
    one, other = ([tally(e.items, e.speakers, e.targets, e.probabilities) for e in side] for side in (ahead, behind))
    found = resampled_difference(one, other, draws=draws, seed=seed)
    return (found.speakers, found.low, found.high) if found else None


def _uars(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """UAR of each draw of speakers: their confusion matrices add up."""
    speakers, classes, _ = counts.shape
    total = (weights @ counts.reshape(speakers, -1)).reshape(-1, classes, classes)
    rows = total.sum(2)
    recalls = np.divide(np.einsum("dcc->dc", total), rows, out=np.full(rows.shape, np.nan), where=rows > 0)
    return np.nanmean(recalls, axis=1)
