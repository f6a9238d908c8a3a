"""The items in the middle: which item of a class stands for it, and how far others lie from a point."""

import numpy as np

from affectspace.space.maps import unit_rows
from affectspace.space.space import Space

__all__ = ["class_medoids", "distances"]


def class_medoids(space: Space) -> list[tuple[str, int]]:
    """Of each class that has items the one nearest to the mean direction of all, as maps show it.

    It is the medoid for squared distances of vectors of length one, by which a map lays its items out; sub-classes and
    summaries have theirs by plain distances. Of several as near the first is taken.

    Returns:
        Name of the class and row of the item, in the order of the classes.

    Example:
        >>> import pandas as pd
        >>> items = pd.DataFrame({"id": list("abcd"), "label": ["happy", "happy", "happy", None]})
        >>> class_medoids(Space(items, np.array([[1.0, 0], [0, 9], [2, 2], [1, 1]]), ("happy", "sad")))
        [('happy', 2)]
    """
    unit, labels = unit_rows(space.vectors), space.labels
    found = []
    for place, name in enumerate(space.classes):
        rows: np.ndarray = np.flatnonzero(labels == place)
        if len(rows):
            found.append((name, int(rows[np.argmax(unit[rows] @ unit[rows].mean(0))])))
    return found


def distances(vectors: np.ndarray, point: np.ndarray) -> np.ndarray:
    """How far each of ``(items, dimensions)`` lies from a point: ``(items,)`` float64.

    Example:
        >>> distances(np.array([[3.0, 4.0], [0.0, 1.0]]), np.zeros(2)).tolist()
        [5.0, 1.0]
    """
    return np.linalg.norm(vectors.astype(np.float64) - point, axis=1)
