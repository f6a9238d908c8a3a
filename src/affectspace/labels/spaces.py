"""Label spaces: which classes there are, and how ratings or own labels become targets over them.

A target is a distribution over the classes; a hard label is a one-hot row, and nothing treats it
apart. Three spaces cover what corpora bring:

===========  ================================================  ==================================
space        from                                              classes
===========  ================================================  ==================================
``Classes``  categorical votes, else the item's own label      unordered
``Poles``    a numeric scale, read as votes for its two ends   two, ordered
``Levels``   own labels or votes, or a scale cut at thresholds  ordered
===========  ================================================  ==================================

A scale whose thresholds are yet to be learned is :class:`Uncut`.
"""

import numpy as np

from affectspace.labels.classes import Classes
from affectspace.labels.levels import Levels, Uncut
from affectspace.labels.poles import Poles

__all__ = ["LabelSpace", "ground_distance"]

LabelSpace = Classes | Poles | Levels | Uncut


def ground_distance(space: LabelSpace) -> np.ndarray:
    """What it costs to take one class for another.

    ``|i - j|`` for ordered classes (:class:`Levels`, :class:`Poles`); for :class:`Classes`, where
    no order is known, 1 between any two.

    Returns:
        float64, shape ``(classes, classes)``, symmetric, zero on the diagonal.

    Example:
        >>> ground_distance(Levels(("low", "mid", "high"))).tolist()
        [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    rank = np.arange(len(space.names), dtype=float)
    steps = np.abs(rank[:, None] - rank)
    return np.minimum(steps, 1.0) if isinstance(space, Classes) else steps
