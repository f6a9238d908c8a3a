"""The item in the middle of a class: by a plain loop, whatever the lengths of the vectors, of those with a label."""

import numpy as np
import pandas as pd

from affectspace.space import Space
from affectspace.space.medoids import class_medoids


def planted(lengths: float = 1.0) -> Space:
    rng = np.random.default_rng(0)
    labels = np.array(["sad", "happy", None], dtype=object)[rng.integers(0, 3, 40)]
    vectors = rng.normal(size=(40, 5)) * np.exp(rng.normal(size=(40, 1)) * lengths)
    items = pd.DataFrame({"id": [str(row) for row in range(40)], "label": labels})
    return Space(items, vectors, ("happy", "angry", "sad"))


def test_it_has_the_least_mean_squared_distance_to_the_others_on_the_sphere():
    space = planted()
    unit = space.vectors / np.linalg.norm(space.vectors, axis=1, keepdims=True)
    found = []
    for name in ("happy", "sad"):  # no item is angry
        rows = np.flatnonzero(space.labels == space.classes.index(name))
        cost = {row: np.mean([np.sum((unit[row] - unit[other]) ** 2) for other in rows]) for row in rows}
        found.append((name, min(cost, key=lambda row: cost[row])))
    assert class_medoids(space) == found


def test_directions_count_and_lengths_do_not():
    assert class_medoids(planted(0.0)) == class_medoids(planted(3.0))


def test_of_items_that_are_all_alike_the_first_stands_for_them_and_without_labels_nobody():
    alike = pd.DataFrame({"id": list("abc"), "label": "happy"})
    assert class_medoids(Space(alike, np.zeros((3, 2)), ("happy",))) == [("happy", 0)]
    bare = pd.DataFrame({"id": list("abc")})
    assert class_medoids(Space(bare, np.eye(3), ("happy",))) == []
