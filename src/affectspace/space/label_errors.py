"""Labels that the rest of a space speaks against: suspected errors, the likeliest first."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from affectspace.errors import InputError
from affectspace.metrics._inputs import TIE
from affectspace.neighbours.nearest import Neighbours
from affectspace.space.posterior import out_of_fold, twins
from affectspace.space.space import Space

__all__ = ["Consensus", "consensus", "suspects"]

PRIOR = 2.0  # neighbours that vote as all items do, so that a few cannot rule a class out
COLUMNS = ["id", "label", "suggested", "score", "reasons", "neighbours"]


def suspects(
    space: Space,
    k: int = 20,
    probabilities: np.ndarray | None = None,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    seed: int = 0,
) -> pd.DataFrame:
    r"""Items whose label the others contradict, the most surely wrong first.

    What an item's label should be is said by two who never see it: its neighbours, and a posterior.

    - **Neighbours.** The shares of the classes among the k nearest, weighted by
      :math:`\exp(-d^2 / d_k^2)`, with two more votes for the shares of all items. Items with one vector, such as one
      picture under several names, are one neighbour with the mean of their targets, and none of each other's: a copy
      of an error is no witness for it.
    - **Posterior.** ``probabilities`` where they are given. Else the space's own for items whose split is ``test`` or
      ``unseen``, from which its model has not learned, and by which it was not chosen; for all others, softmax
      regression on the vectors of other items, in five folds.

    The consensus c is the mixture of both under which the targets of all items are likeliest. In what was measured, a
    posterior that is linear said nearly all in the space of a trained net, and elsewhere neighbours had two fifths of
    the say. The score of a target t, at least 0, is

    .. math:: 1 - \exp\left(-\mathrm{KL}(t \,\|\, c)\right) / \max_j c_j

    For a hard label that is 1 minus the ratio of its own probability to that of the class suggested. An item is not
    suspect for being ambiguous, only for a label or for votes unlike those that its likes get: where raters were
    divided much as c is, the score is 0, though another class leads in c. Such items are listed last, and their
    reasons say so.

    A model that has learned an item's wrong label also puts the item among that class: for the training items,
    embed them by models of other folds, or expect to find only what it has not learned by heart.

    Args:
        space: with labels or targets; items without are left out, as suspects and as neighbours.
        k: how many neighbours are asked.
        probabilities: ``(items, classes)`` of models that have not seen the item; rows of NaN are filled in.
        metric: which items are near.
        seed: of the folds.

    Returns:
        One row for every item for which another class than its own (any of them, where raters are tied) has the
        highest consensus: ``id``, ``label``, ``suggested`` (that class), ``score`` in [0, 1], ``reasons`` (a
        sentence), ``neighbours`` (list of ids, nearest first; of items with one vector the first).

    Raises:
        InputError: fewer than two items with a label, k below 1, or probabilities that are none.

    Source: the posterior's part is the self-confidence of Northcutt, Jiang & Chuang, "Confident Learning", 2021; the
    mixture is the stacking of Wolpert, "Stacked Generalization", 1992. That both together find more, and the ratio
    too, was measured: ``benchmarks/label_errors.py``.

    Example:
        >>> rows = np.arange(20)
        >>> items = pd.DataFrame({"id": rows.astype(str), "label": np.where(rows < 10, "happy", "sad")})
        >>> items.loc[3, "label"] = "sad"
        >>> vectors = np.stack([rows // 10 * 5 + rows % 5 / 5, rows % 3], 1)
        >>> found = suspects(Space(items, vectors, ("happy", "sad")), k=5)
        >>> found[["id", "label", "suggested"]].values.tolist()
        [['3', 'sad', 'happy']]
        >>> found["reasons"][0]
        'all of its 5 nearest are happy; a classifier that never saw it: sad 0.05, happy 0.95'
    """
    targets = space.targets
    known = np.zeros(len(space), bool) if targets is None else np.isfinite(targets).all(1) & (targets.sum(1) > 0)
    if targets is None or known.sum() < 2:
        raise InputError(f"{known.sum()} items of the space have a label; two or more can contradict each other")
    rows = np.flatnonzero(known)
    target = targets[rows].astype(np.float64)
    target /= target.sum(1, keepdims=True)
    told = _told(space, probabilities)[rows]
    said = consensus(space.vectors[rows], target, k, told, metric, seed)
    agreed, near, posterior = said.agreed, said.near, said.posterior
    score = np.maximum(1 - np.exp(-_divergence(target, agreed)) / agreed.max(1), 0)
    suggested = agreed.argmax(1)
    own = target >= target.max(1, keepdims=True) - TIE
    wrong = np.flatnonzero(~own[np.arange(len(rows)), suggested])
    wrong = wrong[np.argsort(-score[wrong], kind="stable")]
    ids, names = space.items["id"].to_numpy(object)[rows], np.array(space.classes, dtype=object)
    found = []
    for item in wrong:
        neighbours = near[item][near[item] >= 0]
        label = "|".join(names[own[item]])
        reasons = _reasons(own[item], suggested[item], target[neighbours], posterior[item], names)
        if not score[item] > 0:
            reasons += f"; yet its votes fit that no worse than votes for {names[suggested[item]]} alone would"
        found.append((ids[item], label, names[suggested[item]], score[item], reasons, ids[neighbours].tolist()))
    return pd.DataFrame(found, columns=COLUMNS)


@dataclass(frozen=True)
class Consensus:
    """What items' labels should be, by others that never see them.

    Args:
        votes: ``(items, classes)`` of the neighbours.
        posterior: ``(items, classes)``.
        weight: of the votes, in [0, 1]; the posterior has the rest.
        near: ``(items, k)`` rows of the neighbours, nearest first, -1 where there are fewer; of items with one vector
            the first.
    """

    votes: np.ndarray
    posterior: np.ndarray
    weight: float
    near: np.ndarray

    @property
    def agreed(self) -> np.ndarray:
        """``(items, classes)``."""
        return self.weight * self.votes + (1 - self.weight) * self.posterior


def consensus(
    vectors: np.ndarray,
    targets: np.ndarray,
    k: int = 20,
    probabilities: np.ndarray | None = None,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    seed: int = 0,
) -> Consensus:
    """What an item's label should be by its neighbours and by a posterior.

    Its own label has no part in either, and only that of one among all items in the weight of one against the other.

    Args:
        vectors: ``(items, dimensions)``.
        targets: ``(items, classes)`` distributions.
        probabilities: ``(items, classes)``, NaN where the posterior is to be made here.
        k, metric, seed: as for :func:`suspects`.

    Raises:
        InputError: k is below 1.
    """
    if k < 1:
        raise InputError(f"k is {k}; ask at least 1 neighbour")
    first, group = twins(vectors)
    alone = len(first) == len(vectors)
    distances, near = Neighbours(vectors if alone else vectors[first], metric).of_items(k)
    held = targets if alone else np.stack([np.bincount(group, column) for column in targets.T], 1)
    held = held / np.bincount(group)[:, None]
    distances, near = distances[group], near[group]
    there = near >= 0
    distances = np.where(there, distances, 0.0).astype(np.float64)
    farthest = distances.max(1, keepdims=True)
    weights = np.exp(-((distances / np.where(farthest > 0, farthest, 1.0)) ** 2)) * there
    votes = np.zeros(targets.shape)
    for place in range(k):  # one neighbour at a time, as all of a million items' at once would not fit
        votes += weights[:, place, None] * held[near[:, place]]
    # Weighted votes count as many as there are neighbours, beside the shares of all others.
    shares = votes / np.maximum(weights.sum(1, keepdims=True), np.finfo(np.float64).tiny)
    others = (targets.sum(0) - targets) / (len(targets) - 1)
    asked = there.sum(1, keepdims=True)
    neighbours = (asked * shares + PRIOR * others) / (asked + PRIOR)
    posterior = np.full(targets.shape, np.nan) if probabilities is None else np.array(probabilities, np.float64)
    missing = np.isnan(posterior).any(1)
    if missing.any():
        posterior[missing] = out_of_fold(vectors, targets, seed=seed)[missing]
    return Consensus(neighbours, posterior, _weight(targets, neighbours, posterior), np.where(there, first[near], -1))


def _weight(targets: np.ndarray, votes: np.ndarray, posterior: np.ndarray) -> float:
    """The share of the votes in the mixture under which the targets are likeliest; concave, so there is one."""

    def cost(weight: float) -> float:
        mixed = weight * votes + (1 - weight) * posterior
        return -float((targets * np.log(np.maximum(mixed, np.finfo(np.float64).tiny))).sum())

    found = minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-3})
    return float(found["x"])  # pyright: ignore[reportIndexIssue]


def _told(space: Space, given: np.ndarray | None) -> np.ndarray:
    """Probabilities of models that have not learned from the item, NaN where there are none."""
    shape = (len(space), len(space.classes))
    if given is not None:
        found = np.array(given, np.float64)
        if found.shape != shape:
            raise InputError(f"probabilities have shape {found.shape}; expected (items, classes), {shape}")
        known = found[~np.isnan(found).any(1)]
        if (known < 0).any() or (np.abs(known.sum(1) - 1) > 1e-3).any():
            raise InputError("probabilities hold a row that is no distribution; rows are 0 or more and sum to 1")
        return found
    own = space.probabilities
    if own is None:
        return np.full(shape, np.nan)
    unseen = space.items["split"].isin(["test", "unseen"]).to_numpy(bool)
    return np.where(unseen[:, None], own, np.nan)


def _divergence(target: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of each row, 0 or more."""
    floor = np.finfo(np.float64).tiny
    terms = target * (np.log(np.maximum(target, floor)) - np.log(np.maximum(agreed, floor)))
    return np.maximum(terms.sum(1), 0)


def _reasons(own: np.ndarray, suggested: int, votes: np.ndarray, posterior: np.ndarray, names: np.ndarray) -> str:
    label, other = "|".join(names[own]), names[suggested]
    like = int((votes.argmax(1) == suggested).sum())
    count = "all" if like == len(votes) else str(like)
    near = f"{count} of its {len(votes)} nearest are {other}" if len(votes) else "all items have one vector"
    said = f"{label} {posterior[own].sum():.2f}, {other} {posterior[suggested]:.2f}"
    return f"{near}; a classifier that never saw it: {said}"
