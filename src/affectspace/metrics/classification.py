"""Figures of classification where raters may be torn between classes.

Every function takes

* ``truth``: class indices ``(items,)``, or probabilities ``(items, classes)``, such as raters' votes;
* ``predicted``: class indices ``(items,)``, or probabilities ``(items, classes)``, of which the
  largest is the prediction (the first of equal ones);
* ``classes``: how many classes there are, where neither argument shows it; default the largest index
  plus one.

**Ties.** An item's true class is the most probable one. Where several lead (within 1e-6), the item is
tied: it counts as right when the prediction is any of them, and then belongs to the predicted class.
Predicted outside its tied classes it is a miss, spread over them in equal parts. So every item has
weight one, chance rises with the share of ties (see :func:`chance_uar`), and without ties all figures
are the usual ones.

**Absent classes.** A class with no true item has no recall; means over classes leave it out.

All raise ``ValueError`` for no items, shapes that do not match, NaN, negative probabilities, rows that
do not sum to one, and indices outside the classes.
"""

import numpy as np
from numpy.typing import ArrayLike

from affectspace.metrics._inputs import class_count, leading_classes, predicted_classes

__all__ = [
    "accuracy", "confusion_matrix", "f1_of_macro", "macro_f1", "occurring", "precision", "recalls", "uar",
    "weighted_f1", "weighted_precision",
]  # fmt: skip


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> np.ndarray:
    """How many items of each true class (rows) were predicted as each class (columns).

    A tied item stands where the tie rule puts it, in parts of one when it is a miss; without ties the
    entries are whole.

    Returns:
        float64, shape ``(classes, classes)``; all entries together are the number of items.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1])
        array([[1., 1.],
               [0., 1.]])
        >>> confusion_matrix([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]], [1, 2])
        array([[0. , 0. , 0.5],
               [0. , 1. , 0.5],
               [0. , 0. , 0. ]])
    """
    count = class_count([truth, predicted], classes)
    leading = leading_classes(truth, count)
    guess = predicted_classes(predicted, count)
    if len(leading) != len(guess):
        raise ValueError(f"truth has {len(leading)} items and predicted {len(guess)}; give one prediction an item")
    right = leading[np.arange(len(guess)), guess]
    share = leading / leading.sum(1, keepdims=True)
    share[right] = np.eye(count)[guess[right]]
    return share.T @ np.eye(count)[guess]


def occurring(truth: ArrayLike, classes: int | None = None) -> np.ndarray:
    """Which classes have an item, one that is shared with tied classes among them: those that means are taken over.

    Returns:
        bool, shape ``(classes,)``.

    Example:
        >>> occurring([[0.5, 0.5, 0.0], [0.9, 0.0, 0.1]]).tolist()
        [True, True, False]
    """
    return np.asarray(leading_classes(truth, class_count([truth], classes)).any(0))


def recalls(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> np.ndarray:
    """Share of each class's items that were found: the diagonal of the confusion matrix over its rows.

    Returns:
        float64, shape ``(classes,)``, each in [0, 1], higher is better; NaN for a class without items.

    Example:
        >>> recalls([0, 0, 1], [0, 1, 1]).tolist()
        [0.5, 1.0]
    """
    return _recalls(confusion_matrix(truth, predicted, classes))


def uar(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Unweighted average recall: the mean of :func:`recalls` over the classes that occur.

    In [0, 1], higher is better; to be read beside :func:`chance_uar`. Equals balanced accuracy, and
    scikit-learn's macro recall over the classes that occur.

    Example:
        >>> uar([0, 0, 1], [0, 1, 1])
        0.75

        A tied item is right either way:

        >>> uar([[1.0, 0.0], [0.5, 0.5]], [0, 1])
        1.0
    """
    return float(np.nanmean(recalls(truth, predicted, classes)))


def precision(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Macro precision: the mean over the classes that occur of the share of their predictions that are right.

    In [0, 1], higher is better. A class that occurs and is never predicted has a precision of 0; one
    that is predicted but never true is left out (scikit-learn would count it as 0).

    Example:
        >>> precision([0, 0, 1], [0, 1, 1])
        0.75
    """
    return _macro_precision(confusion_matrix(truth, predicted, classes))


def accuracy(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Share of the items that were predicted right. In [0, 1], higher is better.

    Also called weighted accuracy. It rewards favouring the frequent classes; compare :func:`uar`.

    Example:
        >>> accuracy([0, 0, 0, 1], [0, 0, 0, 0])
        0.75
    """
    matrix = confusion_matrix(truth, predicted, classes)
    return float(np.trace(matrix) / matrix.sum())


def macro_f1(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    r"""Mean over the classes that occur of their F1. In [0, 1], higher is better.

    .. math:: F1_c = \frac{2\,M_{cc}}{\sum_j M_{cj} + \sum_i M_{ic}}

    with :math:`M` the confusion matrix. A class that is predicted but never true is left out of the
    mean (scikit-learn would count it as 0); the items taken for it still cost their own classes.

    Example:
        >>> round(macro_f1([0, 0, 1], [0, 1, 1]), 4)
        0.6667
    """
    matrix = confusion_matrix(truth, predicted, classes)
    return float(_f1(matrix)[matrix.sum(1) > 0].mean())


def f1_of_macro(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Harmonic mean of macro :func:`precision` and macro recall (:func:`uar`). In [0, 1], higher is better.

    Never below :func:`macro_f1`, the mean of the classes' own F1, and far above it where one class is
    predicted rarely but rightly and another often but wrongly: say which of the two is reported.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", reports this one;
    Opitz & Burst, "Macro F1 and Macro F1", 2019, compares the two.

    Example:
        >>> truth, predicted = [0, 0, 0, 1], [0, 1, 1, 1]
        >>> round(f1_of_macro(truth, predicted), 4), macro_f1(truth, predicted)
        (0.6667, 0.5)
    """
    matrix = confusion_matrix(truth, predicted, classes)
    p, r = _macro_precision(matrix), float(np.nanmean(_recalls(matrix)))
    return 2 * p * r / (p + r) if p + r else 0.0


def weighted_f1(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    """Mean of the classes' F1, each weighted by its share of the items. In [0, 1], higher is better.

    Example:
        >>> round(weighted_f1([0, 0, 0, 1], [0, 0, 1, 1]), 4)
        0.7667
    """
    matrix = confusion_matrix(truth, predicted, classes)
    return float((_f1(matrix) * matrix.sum(1)).sum() / matrix.sum())


def weighted_precision(truth: ArrayLike, predicted: ArrayLike, classes: int | None = None) -> float:
    r"""Mean of the classes' precision, each weighted by its share of the items (WAP, weighted average precision).

    .. math:: \sum_c \frac{\sum_j M_{cj}}{\sum_{ij} M_{ij}}\, \frac{M_{cc}}{\sum_i M_{ic}}

    with :math:`M` the confusion matrix. In [0, 1], higher is better. A class that is never predicted has a precision
    of 0. It is neither :func:`precision`, in which classes count alike, nor the area under a precision-recall curve.

    Example:
        >>> round(weighted_precision([0, 0, 0, 1], [0, 0, 1, 1]), 4)
        0.875
    """
    matrix = confusion_matrix(truth, predicted, classes)
    return float((_precisions(matrix) * matrix.sum(1)).sum() / matrix.sum())


def _recalls(matrix: np.ndarray) -> np.ndarray:
    support = matrix.sum(1)
    return np.divide(np.diag(matrix), support, out=np.full(len(support), np.nan), where=support > 0)


def _precisions(matrix: np.ndarray) -> np.ndarray:
    predicted = matrix.sum(0)
    return np.divide(np.diag(matrix), predicted, out=np.zeros(len(predicted)), where=predicted > 0)


def _macro_precision(matrix: np.ndarray) -> float:
    return float(_precisions(matrix)[matrix.sum(1) > 0].mean())


def _f1(matrix: np.ndarray) -> np.ndarray:
    both = matrix.sum(0) + matrix.sum(1)
    return np.divide(2 * np.diag(matrix), both, out=np.zeros(len(both)), where=both > 0)
