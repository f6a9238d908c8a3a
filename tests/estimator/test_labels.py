"""Labels and votes to classes and distributions, and what is said of those that cannot be learned."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.estimator.labels import read_labels, read_truth, refuse_gaps


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["sad", "angry", "sad"], ["angry", "sad"]),
        ([3, 1, 1], [1, 3]),
        ([True, False, True], [False, True]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
    ],
)
def test_labels_are_classes_as_they_sort(labels, classes):
    names, targets = read_labels(labels)
    assert names.tolist() == classes
    assert names[targets.argmax(1)].tolist() == list(labels)
    assert (targets.sum(1) == 1).all()
    assert set(targets.ravel()) == {0, 1}


def test_labels_stand_in_the_order_that_is_given():
    names, targets = read_labels(["low", "high", "mid"], classes=["low", "mid", "high"])
    assert names.tolist() == ["low", "mid", "high"]
    assert targets.argmax(1).tolist() == [0, 2, 1]


def test_counts_and_shares_of_votes_are_the_same():
    votes = np.array([[3, 1], [0, 2]])
    for given in (votes, votes / votes.sum(1, keepdims=True), votes.tolist()):
        names, targets = read_labels(given)
        assert names.tolist() == [0, 1]
        assert targets.tolist() == [[0.75, 0.25], [0, 1]]
    assert read_labels(votes, classes=["sad", "angry"])[0].tolist() == ["sad", "angry"]


def test_a_table_of_votes_names_its_classes_whatever_their_order():
    table = pd.DataFrame({"sad": [3, 0], "angry": [1, 2]})
    assert read_labels(table)[0].tolist() == ["sad", "angry"]
    names, targets = read_labels(table, classes=["angry", "sad"])
    assert names.tolist() == ["angry", "sad"]
    assert targets.tolist() == [[0.25, 0.75], [1, 0]]
    truth = read_truth(table[["angry", "sad"]], np.array(["sad", "angry"]))
    assert truth is not None
    assert truth.tolist() == [[0.75, 0.25], [0, 1]]


def test_a_column_is_one_of_labels():
    assert read_truth(np.array([[1], [2]]), np.array([1, 2])) is None
    with pytest.warns(UserWarning, match="column-vector"):
        assert read_labels(np.array([[1], [2]]))[0].tolist() == [1, 2]
    with pytest.warns(UserWarning, match="column-vector"):
        assert read_labels(np.array([[1.0], [0.0]]))[0].tolist() == [0, 1]


@pytest.mark.parametrize("of", [np.array, list, pd.DataFrame])
def test_a_column_of_shares_says_what_is_missing(of):
    with pytest.raises(
        InputError, match=r"numbers such as 0\.25 in it; .* give a column for each class, such as 1 - y"
    ):
        read_labels(of([[1.0], [0.25], [0.5]]))
    with pytest.raises(ValueError, match="continuous"):  # a regression's, which scikit-learn tells
        read_labels(np.array([[1.0], [0.25], [2.5]]).ravel())


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        (["a", "a"], None, "y has one class, 'a', and a space needs two or more"),
        (["a", "b"], ["a"], "y has the label b, which is not among classes ('a'); add it there"),
        (["a", "b"], ["a", "b", "c"], "no item of y is of class 'c', of which nothing can be learned"),
        (["a", "b"], ["a", "b", "a"], "classes are 'a', 'b', 'a'; name each once"),
        (
            [[1, 0], [1, 0]],
            None,
            "no item of y is of class 1, of which nothing can be learned; leave it out of the votes",
        ),
        ([[1, 0], [0, 0]], None, "nobody has voted on row 1 of y (1 such rows); leave these items out"),
        ([[1, 0], [2, -1]], ["a", "b"], "y has -1 votes for 'b' in row 1; legal: finite numbers of 0 or more"),
        ([[1, 0], [2, np.nan]], None, "y has nan votes for 1 in row 1"),
        (
            [[1, 0], [0, 1]],
            ["a", "b", "c"],
            "y has 2 columns of votes for 3 classes ('a', 'b', 'c'); give one for each",
        ),
        (
            [["a", "b"], ["b", "a"]],
            None,
            "y has several columns, which are votes for classes, and they hold what is no",
        ),
        (pd.DataFrame({"a": [1], "b": [1]}), ["a", "c"], "y has votes for 'a', 'b', and classes are 'a', 'c'; name"),
    ],
)
def test_what_cannot_be_learned(labels, classes, told):
    with pytest.raises(InputError) as error:
        read_labels(labels, classes)
    assert told in str(error.value)


def test_numbers_that_are_no_classes_are_refused_in_scikit_learns_words():
    with pytest.raises(ValueError, match="Unknown label type"):
        read_labels([0.5, 1.25, 2.1])


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        (np.array(["a", None, "b", np.nan], object), None, "y has no label in row 1 (2 such rows); leave these items"),
        (pd.Series(["a", "b", pd.NA], dtype="string"), None, "y has no label in row 2 (1 such row); leave these items"),
        ([1.0, np.nan, 2.0], None, "y has no label in row 1 (1 such row); leave these items out of X and y"),
        (
            [[1, 0], [2, np.nan], [np.nan, 1]],
            None,
            "y has no votes (NaN) for 1 in row 1 (2 such rows); give 0 where nobody has chosen a class, or leave these "
            "items out of X and y",
        ),
        (np.array([[1, 0], [2, np.nan]]), np.array(["calm", "sad"]), "y has no votes (NaN) for 'sad' in row 1 (1 such"),
        (pd.DataFrame({"calm": [1, None], "sad": [0, 2]}), None, "y has no votes (NaN) for 'calm' in row 1 (1 such"),
    ],
)
def test_labels_and_votes_that_are_missing_name_their_row(labels, classes, told):
    with pytest.raises(InputError) as error:
        refuse_gaps(labels, classes)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize("y", [None, [], ["a", "b"], [[1, 0], [0, 1]], [[1, 2], [1]], [[[np.nan]]], 3.0])
def test_what_is_wrong_otherwise_is_left_to_others(y):
    refuse_gaps(y)
