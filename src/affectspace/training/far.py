"""When an item lies far from all that a net was trained on: a rule of distances, learned from items like those."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Far"]

SHARE = 0.01  # of items like those of training that may be called far
ITEMS = {"validate": "validation items", "train": "training items, each left out in turn"}


@dataclass(frozen=True)
class Far:
    r"""Beyond which distances to its k-th nearest training item an item lies far from all of them.

    There are two ways to be far. A net may place among its training items what is like none of them, such as noise
    among voices, as nothing has taught it better; so the distance is measured between what the net is given (features),
    too. An item is far where either distance is above its threshold.

    The thresholds are such distances of n items that the net was not trained on, those of validation. Each is ranked by
    both distances, and counts by the higher of its two ranks; the :math:`r`-th smallest of these, where
    :math:`r = \min(n, \lceil 0.99 (n + 1) \rceil)`, is the rank of both thresholds. So of new items that are drawn as
    those were, the share :math:`1 - r / (n + 1)` is expected to be called far: 1 %, or more where they are few. Ranks
    of two distances are those of one score only for the n items themselves; for new ones the share is nearly that.

    Args:
        k: which nearest training item.
        thresholds: of ``"embedding"``, and of ``"features"``.
        judged_by: ``"validate"``, or ``"train"`` where nothing validates: each training item left out in turn. The net
            has learned these, so that they lie nearer to each other than to new ones, more of which are called far.
        items: how many these were.
        false_alarms: the share of new ones like them that is expected to be called far.

    Source: Sun, Ming, Zhu & Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022 (the distance);
    Laxhammar & Falkman, "Conformal Prediction for Distribution-Independent Anomaly Detection in Streaming Vessel Data",
    2010 (the rank).

    Example:
        >>> rule = Far.learned({"embedding": np.arange(1.0, 200.0), "features": np.ones(199)}, k=5)
        >>> rule.thresholds, rule.false_alarms
        ({'embedding': 198.0, 'features': 1.0}, 0.01)
        >>> rule.beyond({"embedding": 198.0, "features": 1.5})
        ('features',)
    """

    k: int
    thresholds: Mapping[str, float]
    judged_by: str
    items: int
    false_alarms: float

    @classmethod
    def learned(cls, distances: Mapping[str, np.ndarray], k: int, judged_by: str = "validate") -> "Far":
        """The rule of these distances ``(items,)``, by their names.

        Raises:
            ValueError: no item, or not as many of each distance.
        """
        counts = {len(each) for each in distances.values()}
        if len(counts) != 1 or 0 in counts:
            raise ValueError(f"distances of {sorted(counts)} items; give those of the same items, of one at least")
        (items,) = counts
        ordered = {name: np.sort(np.asarray(each, np.float64)) for name, each in distances.items()}
        # equal distances have the rank of the first, so that one that is the same for all says nothing of the other
        ranks = [1 + np.searchsorted(ordered[name], each, side="left") for name, each in distances.items()]
        kept = min(items, int(np.ceil((1 - SHARE) * (items + 1) - 1e-9)))
        rank = int(np.sort(np.max(ranks, axis=0))[kept - 1])
        thresholds = {name: float(each[rank - 1]) for name, each in ordered.items()}
        return cls(k, thresholds, judged_by, items, (items + 1 - kept) / (items + 1))

    def beyond(self, distances: Mapping[str, float]) -> tuple[str, ...]:
        """The names of the distances that are above their thresholds."""
        return tuple(name for name, threshold in self.thresholds.items() if distances[name] > threshold)

    @property
    def told(self) -> str:
        """What the thresholds mean, a sentence."""
        place, given = self.thresholds["embedding"], self.thresholds["features"]
        learned = "" if self.judged_by == "validate" else "; the net has learned these, so of new ones more are"
        return (
            f"An item lies far from all training data where its nearest training item number {self.k} is farther away "
            f"than {place:.3g} in the space, or than {given:.3g} by its features in standard deviations: "
            f"{100 * self.false_alarms:.2g} % of items like the {self.items:,} {ITEMS[self.judged_by]} are{learned}."
        )
