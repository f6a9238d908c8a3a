"""A loop over queries and neighbours as the oracle; truths in closed form; what is unknown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.metrics import accuracy_at_k, recall_at_k

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)


def cast(seed):
    rng = np.random.default_rng(seed)
    classes, queries, width = (int(n) for n in rng.integers(1, 9, 3))
    table = rng.integers(-1, classes, (queries, width))
    labels = rng.integers(-1, classes, queries)
    labels[0] = 0
    return table, labels, list(range(1, width + 1))


@quick
@given(seeds)
def test_equal_to_a_loop_over_queries(seed):
    table, labels, ks = cast(seed)
    for k in ks:
        hits, shares = [], []
        for row, own in zip(table.tolist(), labels.tolist()):
            if own < 0:
                continue
            known = [label for label in row[:k] if label >= 0]
            hits.append(own in known)
            shares.append(known.count(own) / len(known) if known else 0.0)
        assert recall_at_k(table, labels, [k]) == {k: pytest.approx(np.mean(hits))}
        assert accuracy_at_k(table, labels, [k]) == {k: pytest.approx(np.mean(shares))}


@quick
@given(seeds)
def test_all_k_from_one_table_are_those_of_each_narrower_table(seed):
    table, labels, ks = cast(seed)
    for figure in (recall_at_k, accuracy_at_k):
        together = figure(table, labels, ks)
        assert list(together) == ks
        assert together == {k: figure(table[:, :k], labels, [k])[k] for k in ks}


@quick
@given(seeds)
def test_recall_never_falls_is_never_below_accuracy_and_equals_it_at_one(seed):
    table, labels, ks = cast(seed)
    recall, share = recall_at_k(table, labels, ks), accuracy_at_k(table, labels, ks)
    assert all(recall[k] <= recall[k + 1] for k in ks[:-1])
    assert all(share[k] <= recall[k] + 1e-12 for k in ks)
    assert recall[1] == share[1]


def test_names_of_classes_and_order_of_queries_do_not_matter():
    table, labels, ks = cast(7)
    names = np.array([30, 10, 20, 0, 50, 40, 60, 70, -1])  # the last for -1
    shuffle = np.random.default_rng(0).permutation(len(labels))
    for figure in (recall_at_k, accuracy_at_k):
        assert figure(names[table][shuffle], names[labels][shuffle], ks) == pytest.approx(figure(table, labels, ks))


def test_neighbours_that_are_unknown_or_missing_are_no_hit_and_no_error():
    assert recall_at_k([[-1, 0, -1]], [0], [1, 2, 3]) == {1: 0, 2: 1, 3: 1}
    assert accuracy_at_k([[-1, 0, 1]], [0], [1, 2, 3]) == {1: 0, 2: 1, 3: 0.5}
    assert accuracy_at_k([[-1, -1]], [0], [2]) == {2: 0}


def test_queries_of_unknown_class_are_left_out():
    assert recall_at_k([[0], [1]], [0, -1], [1]) == {1: 1}
    assert accuracy_at_k([[-1], [1]], [-1, 1], [1]) == {1: 1}


@pytest.mark.parametrize("figure", [recall_at_k, accuracy_at_k])
@pytest.mark.parametrize(
    ("table", "labels", "ks", "message"),
    [
        ([0, 1], [0, 1], [1], r"shape \(2,\) and labels \(2,\); expected \(queries, neighbours\) and \(queries,\)"),
        ([[0], [1]], [0], [1], r"shape \(2, 1\) and labels \(1,\)"),
        ([[0.0]], [0], [1], "labels_of_neighbours has type float64; classes are integers"),
        ([[0]], [0.0], [1], "labels has type float64; classes are integers"),
        ([[0, 1]], [0], [1, 3], r"k is 3 and the table holds 2 neighbours; search for as many as max\(ks\)"),
        ([[0, 1]], [0], [0], "k is 0"),
        ([[0], [1]], [-1, -1], [1], "none of the 2 queries has a class"),
        (np.zeros((0, 1), int), np.zeros(0, int), [1], "none of the 0 queries"),
    ],
)
def test_faults_say_value_and_remedy(figure, table, labels, ks, message):
    with pytest.raises(ValueError, match=message):
        figure(table, labels, ks)
