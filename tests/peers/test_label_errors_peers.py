"""Against cleanlab: our score is its self-confidence of our consensus over that of the best class; we find no fewer."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("cleanlab")

from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from affectspace.space import Space, suspects
from affectspace.space.label_errors import consensus

CLASSES = ("a", "b", "c", "d", "e")


def planted(seed, items=1000, apart=2.5):
    """Five overlapping classes of two kinds each, of whose labels one in twenty is wrong; and which."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(10, size=items)
    means = np.linalg.qr(rng.normal(size=(12, 10)))[0].T * apart
    wrong = rng.choice(items, items // 20, replace=False)
    labels = kinds // 2
    labels[wrong] = (labels[wrong] + rng.integers(1, 5, len(wrong))) % 5
    table = pd.DataFrame({"id": np.arange(items).astype(str), "label": np.array(CLASSES)[labels]})
    return Space(table, rng.normal(size=(items, 12)) + means[kinds], CLASSES), wrong


@pytest.mark.parametrize("seed", range(3))
def test_score_is_one_minus_the_self_confidence_over_that_of_the_class_suggested(seed):
    space, _ = planted(seed, items=300)
    agreed = consensus(space.vectors, space.targets.astype(float)).agreed
    theirs = get_label_quality_scores(space.labels, agreed, method="self_confidence")
    found = suspects(space)
    rows = pd.Index(space.items["id"]).get_indexer(found["id"])
    assert np.allclose(found["score"], 1 - (theirs / agreed.max(1))[rows], atol=1e-9)
    listed = agreed.argmax(1) != space.labels
    assert set(rows) == set(np.flatnonzero(listed))


def test_no_fewer_planted_errors_come_first_than_in_cleanlabs_lists():
    ours, theirs = [], {"self_confidence": [], "normalized_margin": []}
    for seed in range(4):
        space, wrong = planted(seed)
        rows = pd.Index(space.items["id"]).get_indexer(suspects(space, seed=seed)["id"])
        ours.append(np.isin(rows[: len(wrong)], wrong).mean())
        model = LogisticRegression(max_iter=1000)
        probabilities = cross_val_predict(model, space.vectors, space.labels, cv=5, method="predict_proba")
        for method, found in theirs.items():
            order = np.argsort(get_label_quality_scores(space.labels, probabilities, method=method), kind="stable")
            found.append(np.isin(order[: len(wrong)], wrong).mean())
    assert np.mean(ours) >= max(np.mean(found) for found in theirs.values())
