"""Sub-classes: those that were planted are found, each class is looked into by itself, medoids by a plain loop."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from affectspace.errors import InputError
from affectspace.space.space import Space
from affectspace.space.subclasses import find_subclasses, stability

CLASSES = ("happy", "neutral", "sad")


def planted(seed=0, items=600, subclasses=3, dimensions=24, apart=9.0):
    """Three classes of planted sub-classes; what is planted is numbered over all classes."""
    rng = np.random.default_rng(seed)
    means = np.linalg.qr(rng.normal(size=(dimensions, 3 * subclasses)))[0].T * apart / np.sqrt(2)
    truth = rng.integers(3 * subclasses, size=items)
    table = pd.DataFrame(
        {"id": [f"made/{row}" for row in range(items)], "label": [CLASSES[t // subclasses] for t in truth]}
    )
    return Space(table, rng.normal(size=(items, dimensions)) + means[truth], CLASSES), truth


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("subclasses", [2, 3])
def test_planted_subclasses_are_found_in_each_class(seed, subclasses):
    space, truth = planted(seed, subclasses=subclasses)
    found = find_subclasses(space, subclasses, seed)
    for place in range(3):
        own = space.labels == place
        assert adjusted_rand_score(truth[own], found.assignment[own]) > 0.9
    assert found.classes_of.tolist() == np.repeat(range(3), subclasses).tolist()
    assert len(find_subclasses(space, "bic", seed)) == 3 * subclasses


def test_medoids_means_and_nearest_items_agree_with_a_plain_loop():
    space, _ = planted(1, items=120)
    found = find_subclasses(space, 2)
    for subclass in range(len(found)):
        rows = [row for row in range(120) if found.assignment[row] == subclass]
        assert {int(space.labels[row]) for row in rows} == {int(found.classes_of[subclass])}
        mean = np.mean([space.vectors[row].astype(float) for row in rows], axis=0)
        assert np.allclose(found.means[subclass], mean, atol=1e-6)
        medoid = min(rows, key=lambda row: np.linalg.norm(space.vectors[row] - mean))
        assert found.medoids[subclass] == medoid
        by_distance = sorted(rows, key=lambda row: np.linalg.norm(space.vectors[row] - space.vectors[medoid]))
        assert found.nearest(subclass, 5).tolist() == by_distance[:5]
        assert len(found.nearest(subclass, 1000)) == found.sizes[subclass] == len(rows)


def test_a_class_is_split_as_if_it_were_alone():
    space, _ = planted(2)
    whole, alone = find_subclasses(space, 3), find_subclasses(space.where("label=neutral"), 3)
    own = space.labels == 1
    assert np.array_equal(whole.assignment[own] - whole.assignment[own].min(), alone.assignment)


def test_small_classes_and_items_without_a_label():
    rng = np.random.default_rng(0)
    labels = ["happy"] * 45 + ["neutral"] + [None] * 4 + ["sad"] * 19
    table = pd.DataFrame({"id": np.arange(69).astype(str), "label": labels})
    found = find_subclasses(Space(table, rng.normal(size=(69, 5)), CLASSES), 10)
    assert np.bincount(found.classes_of).tolist() == [4, 1, 1]
    assert found.names == ("happy 1", "happy 2", "happy 3", "happy 4", "neutral", "sad")
    assert (found.assignment[46:50] == -1).all()
    assert np.isnan(found.targets[46:50]).all()
    assert found.sizes.sum() == 65
    assert found.nearest(4, 3).tolist() == [45]


def test_items_that_are_all_alike_stay_whole():
    table = pd.DataFrame({"id": np.arange(40).astype(str), "label": "sad"})
    found = find_subclasses(Space(table, np.ones((40, 3)), CLASSES), 3)
    assert found.names == ("sad",)
    assert found.classes_of.tolist() == [2]
    assert found.nearest(0, 2).tolist() == [0, 1]


def test_subclasses_become_the_classes_of_the_next_round():
    space, _ = planted(3, items=90)
    found = find_subclasses(space, 2)
    again = found.relabelled()
    assert again.classes == found.names
    assert np.array_equal(again.labels, found.assignment)
    assert np.array_equal(again.targets, found.targets)
    assert again.items["parent"].tolist() == space.items["label"].tolist()


def test_seeds_agree_on_what_is_planted_and_not_on_noise():
    space, _ = planted(0)
    told = stability(space, 3, range(3))
    assert told["class"].tolist() == list(CLASSES)
    assert (told["lowest"] > 0.9).all()
    assert told["items"].tolist() == np.bincount(space.labels).tolist()
    noise = Space(space.items, np.random.default_rng(0).normal(size=(600, 24)), CLASSES)
    assert (stability(noise, 3, range(3))["mean"] < 0.5).all()
    assert stability(space, 1)["mean"].isna().all()


def test_what_cannot_be_looked_into():
    space, _ = planted(items=30)
    with pytest.raises(InputError, match="components is 0; give how many"):
        find_subclasses(space, 0)
    with pytest.raises(InputError, match="no item of the space has a label"):
        find_subclasses(Space(space.items.assign(label=None), space.vectors, CLASSES), 2)
    with pytest.raises(InputError, match="1 seeds cannot disagree"):
        stability(space, 2, [0])
