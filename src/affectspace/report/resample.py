"""How sure a lead is, given that other speakers could have been recorded."""

from collections.abc import Sequence

import numpy as np

from affectspace.metrics.classification import confusion_matrix
from affectspace.training.run import Evaluated

__all__ = ["lead_interval"]

FEWEST_SPEAKERS = 5


def lead_interval(
    ahead: Sequence[Evaluated], behind: Sequence[Evaluated], draws: int = 2000, seed: int = 0
) -> tuple[int, float, float] | None:
    """Where the lead in UAR lies in 95 % of resamplings of the test speakers.

    Whole speakers are drawn with replacement, as many as there are, the same ones for both models,
    because items of one speaker are right or wrong together. It covers the choice of speakers, not
    that of seeds: a model trained again moves in ways that no resampling of its answers shows.

    Args:
        ahead, behind: answers of the runs (seeds) of each model on the same items.
        draws: how often speakers are drawn.
        seed: of the draws.

    Returns:
        Number of speakers, lower and upper end as differences of UAR in [-1, 1]; None with fewer than
        five speakers or where some speaker is unknown.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval, clusters).
    """
    speakers = _speakers(ahead[0])
    names = np.unique(speakers)
    if len(names) < FEWEST_SPEAKERS or "" in set(ahead[0].speakers):
        return None
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    lead = np.mean([_uars(e, names, weights) for e in ahead], 0) - np.mean(
        [_uars(e, names, weights) for e in behind], 0
    )
    low, high = np.nanpercentile(lead, [2.5, 97.5])
    return len(names), float(low), float(high)


def _uars(items: Evaluated, names: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """UAR of each draw of speakers: their confusion matrices add up."""
    speakers, classes = _speakers(items), items.targets.shape[1]
    each = np.stack(
        [confusion_matrix(items.targets[speakers == n], items.probabilities[speakers == n], classes) for n in names]
    )
    total = np.tensordot(weights, each, 1)
    rows = total.sum(2)
    with np.errstate(invalid="ignore"):
        recalls = np.einsum("dcc->dc", total) / rows
    return np.nanmean(np.where(rows > 0, recalls, np.nan), axis=1)


def _speakers(items: Evaluated) -> np.ndarray:
    """Speakers told apart over corpora, whose names for them may coincide."""
    return np.array([f"{item.split('/')[0]}/{speaker}" for item, speaker in zip(items.items, items.speakers)])
