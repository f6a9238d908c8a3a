"""Whether two modalities of the same items agree: by finding one from the other, and by their geometry.

Every function takes two tables of finite numbers, ``(items, dimensions)``, such as the latents of two modalities: row i
of both is the same item. All raise ``ValueError`` for tables that are not that, hold NaN or another number of items, or
have fewer than two.

Retrieval asks whether the two lie at the same places of one space. Alignment asks whether distances within the one are
those within the other, wherever each lies: it is what :class:`affectspace.losses.HSICLoss` can bring about, which does
not see coordinates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["chance_linear_cka", "cross_modal_retrieval", "linear_cka"]

PAIRS_PER_BLOCK = 2**21
"""Distances held at a time, 16 MB."""

TIE = 1e-12  # of squared distances: far above what float64 rounding parts


def cross_modal_retrieval(
    queries: ArrayLike, candidates: ArrayLike, ks: Sequence[int] = (1, 5, 10), centred: bool = True
) -> dict[str, float]:
    r"""How well each item's counterpart in the other modality is found among those of all items, by Euclidean distance.

    With :math:`r_i` the place of item i's counterpart among all n candidates, nearest first,

    ========================== ============================================================== ===================
    figure                     what, in [0, 1], higher is better                              by chance
    ========================== ============================================================== ===================
    ``recall_at_k``            share of items with :math:`r_i \leq k`                         :math:`\min(k/n, 1)`
    ``mean_reciprocal_rank``   mean of :math:`1 / r_i`                                        :math:`H_n / n`
    ``mean_percentile_rank``   mean of :math:`(n - r_i) / (n - 1)`: share of others that lie  1/2
                               farther
    ========================== ============================================================== ===================

    where :math:`H_n = \sum_{r=1}^n 1/r`. Candidates that are equally near are in a random order, and each figure is its
    expectation over these orders: the rank of a tie is the mean rank, and latents that have all collapsed to one point
    score exactly chance. Counterparts are sought from the queries; call it the other way round as well.

    Modalities often lie beside each other in one space, alike but for an offset, where nothing in training asks
    otherwise; the nearest candidate of any query is then whichever lies at their edge. ``centred`` takes each side's
    mean off first. A rotation or another scale is not undone: see :func:`linear_cka`.

    Args:
        queries: ``(items, dimensions)`` of the one modality.
        candidates: the same of the other.
        ks: for which k recall is told, each at least 1; from n on it is 1, as is its chance.
        centred: whether each side's mean is taken off; False judges the coordinates as they are.

    Returns:
        ``recall_at_{k}`` for each k, ``mean_reciprocal_rank`` and ``mean_percentile_rank``, and each of them once more
        behind ``chance_``.

    Raises:
        ValueError: dimensions that differ, or a k below 1; and as above.

    Cost: O(items² dimensions) time; the distances are never held at once.

    Example:
        >>> acoustic = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
        >>> cross_modal_retrieval(acoustic, acoustic + 7, ks=[1])["recall_at_1"]
        1.0
        >>> figures = cross_modal_retrieval(acoustic, np.ones((3, 2)), ks=[1])
        >>> figures["recall_at_1"] == figures["chance_recall_at_1"] == 1 / 3
        True
    """
    asked, found = _tables(queries, candidates, ("queries", "candidates"))
    if asked.shape[1] != found.shape[1]:
        raise ValueError(
            f"queries have {asked.shape[1]} dimensions and candidates {found.shape[1]}; retrieval needs one space of "
            "both (linear_cka compares spaces of different dimensions)"
        )
    for k in ks:
        if k < 1:
            raise ValueError(f"k is {k}; it is a number of candidates, at least 1")
    if centred:
        asked, found = asked - asked.mean(0), found - found.mean(0)
    nearer, tied = _places(asked, found)
    n = len(asked)
    harmonic = np.concatenate([[0.0], (1 / np.arange(1, n + 1)).cumsum()])
    figures = {f"recall_at_{k}": float(np.clip((k - nearer) / tied, 0, 1).mean()) for k in ks}
    figures["mean_reciprocal_rank"] = float(((harmonic[nearer + tied] - harmonic[nearer]) / tied).mean())
    figures["mean_percentile_rank"] = float(((n - nearer - (tied + 1) / 2) / (n - 1)).mean())
    chance = {f"recall_at_{k}": min(k / n, 1.0) for k in ks}
    chance |= {"mean_reciprocal_rank": float(harmonic[n] / n), "mean_percentile_rank": 0.5}
    return figures | {f"chance_{name}": value for name, value in chance.items()}


def linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    r"""Centred kernel alignment with linear kernels: how alike the geometries of two views of the same items are.

    .. math:: \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F\, \lVert Y^\top Y \rVert_F}

    of columns less their means. In [0, 1], higher is better; 1 where the one is the other moved, rotated, mirrored or
    scaled as a whole. The dimensions may differ. It counts the strong directions of either side most.

    It is not 0 for views that have nothing to do with each other, and near 1 even for those if there are more
    dimensions than items: hold it against :func:`chance_linear_cka`. NaN where all items of a side lie at one point.

    Args:
        x: ``(items, dimensions)``.
        y: ``(items, other dimensions)``.

    Cost: O(items dimensions²), and memory of dimensions².

    Source: Kornblith, Norouzi, Lee & Hinton, "Similarity of Neural Network Representations Revisited", 2019, Section 3.

    Example:
        >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
        >>> round(linear_cka(x, 3 * x @ turned + 8), 6)
        1.0
    """
    a, b = _views(x, y)
    sizes = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.clip(np.linalg.norm(b.T @ a) ** 2 / sizes, 0, 1))


def chance_linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    r"""The mean of :func:`linear_cka` over all orders of the items of one side: what views score whose pairing is lost.

    .. math:: \frac{\lVert X \rVert_F^2\, \lVert Y \rVert_F^2}{(n - 1)\,
        \lVert X^\top X \rVert_F\, \lVert Y^\top Y \rVert_F}

    which is exact. In (0, 1]; it has no direction: it is what to compare a CKA with. Arguments, NaN and cost are those
    of :func:`linear_cka`.

    Example:
        Three items on a line have six orders:

        >>> x = np.array([[0.0], [1.0], [5.0]])
        >>> round(chance_linear_cka(x, x), 6)
        0.5
    """
    a, b = _views(x, y)
    return float(1 / ((len(a) - 1) * np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def _places(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each query, how many candidates are nearer than its own, and how many as near, its own among them."""
    from scipy.spatial.distance import cdist  # takes a while to load, and nets of one modality have no use for it

    own = np.square(queries - candidates).sum(1)
    nearer, tied = np.empty((2, len(queries)), dtype=np.int64)
    step = max(1, PAIRS_PER_BLOCK // len(queries))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        # from differences and not from products: equal candidates are then equally far, to the bit
        gaps = cdist(queries[rows], candidates, "sqeuclidean")
        gaps -= own[rows, None]
        slack = TIE * own[rows, None]
        nearer[rows] = (gaps < -slack).sum(1)
        tied[rows] = (gaps <= slack).sum(1) - nearer[rows]
    return nearer, tied


def _views(x: ArrayLike, y: ArrayLike) -> list[np.ndarray]:
    """Both less their means, of a norm of 1; NaN of a side that is a single point."""
    views = []
    for table in _tables(x, y, ("x", "y")):
        moved = table - table.mean(0)
        views.append(moved / np.linalg.norm(moved) if (table != table[0]).any() else np.full_like(moved, np.nan))
    return views


def _tables(first: ArrayLike, second: ArrayLike, names: tuple[str, str]) -> list[np.ndarray]:
    tables = [np.asarray(each) for each in (first, second)]
    for name, table in zip(names, tables):
        if table.ndim != 2 or table.dtype.kind not in "fiu" or not table.shape[1]:
            raise ValueError(f"{name}: {table.dtype} of shape {table.shape}; expected numbers (items, dimensions)")
        if not np.isfinite(table).all():
            row, column = np.argwhere(~np.isfinite(table))[0]
            raise ValueError(f"{name} holds {table[row, column]} in row {row}; leave that item out of both")
    if len(tables[0]) != len(tables[1]):
        raise ValueError(
            f"{names[0]} has {len(tables[0])} rows and {names[1]} {len(tables[1])}; row i of both is the same item"
        )
    if len(tables[0]) < 2:
        raise ValueError(f"there are {len(tables[0])} items; at least two are needed to tell one from another")
    return [table.astype(np.float64) for table in tables]
