"""How well the geometry of an embedding keeps the geometry of the labels.

Both functions take two square matrices, similarities in [0, 2] of the same items in the same order,
and look at every pair of different items once (the upper triangle; the matrices are taken to be
symmetric).
"""

import numpy as np
from numpy.typing import ArrayLike

from affectspace.metrics._ranks import mean_ranks

__all__ = ["MAX_ITEMS", "mean_similarity_error", "similarity_preservation"]

MAX_ITEMS = 2000
"""Up to so many items every pair is ranked; beyond, as many pairs as these items have (1,999,000) are drawn."""


def similarity_preservation(label_similarity: ArrayLike, embedding_similarity: ArrayLike, seed: int = 0) -> float:
    """Spearman's rank correlation of label and embedding similarities over pairs of items.

    In [-1, 1], higher is better: 1 when pairs of more similar labels are always more similar in the
    space. Equal similarities share their mean rank, so labels of few distinct similarities cannot
    reach 1 unless the embedding's similarities are equal where the labels' are. NaN, since there is
    nothing to order, when all pairs are equally similar in either (items of one class, a collapsed
    embedding, fewer than three items).

    All pairs of up to :data:`MAX_ITEMS` items are used; of more, a fixed number of pairs is drawn,
    uniformly, with replacement, and the same for the same ``seed``.

    Args:
        label_similarity: shape ``(items, items)``.
        embedding_similarity: shape ``(items, items)``.
        seed: which pairs are drawn, where not all are used.

    Raises:
        ValueError: matrices that are not square or differ in shape, or entries that are not finite.

    Example:
        >>> labels = np.array([[2.0, 1.5, 0.0], [1.5, 2.0, 1.0], [0.0, 1.0, 2.0]])
        >>> round(similarity_preservation(labels, labels**2 / 2), 6)
        1.0
        >>> round(similarity_preservation(labels, 2 - labels), 6)
        -1.0
    """
    labels, embeddings = _matrices(label_similarity, embedding_similarity)
    n = len(labels)
    if n <= MAX_ITEMS:
        rows, columns = np.triu_indices(n, 1)
    else:
        rng = np.random.default_rng(seed)
        rows = rng.integers(n, size=MAX_ITEMS * (MAX_ITEMS - 1) // 2)
        columns = (rows + rng.integers(1, n, size=len(rows))) % n
        rows, columns = np.minimum(rows, columns), np.maximum(rows, columns)
    if len(rows) == 0:
        return float("nan")
    x = mean_ranks(labels[rows, columns])
    y = mean_ranks(embeddings[rows, columns])
    x -= x.mean()
    y -= y.mean()
    spread = np.sqrt(x @ x) * np.sqrt(y @ y)
    return float(np.clip(x @ y / spread, -1, 1)) if spread > 0 else float("nan")


def mean_similarity_error(label_similarity: ArrayLike, embedding_similarity: ArrayLike) -> float:
    """Mean over all pairs of different items of ``|S - C|``.

    In [0, 2], lower is better; 0 when the space holds the labels' geometry exactly. Unlike
    :func:`similarity_preservation` it asks for the values and not only for their order. NaN for fewer
    than two items, which make no pair.

    Raises:
        ValueError: matrices that are not square or differ in shape, or entries that are not finite.

    Example:
        >>> labels = np.array([[2.0, 1.0], [1.0, 2.0]])
        >>> mean_similarity_error(labels, labels - 0.25)
        0.25
    """
    labels, embeddings = _matrices(label_similarity, embedding_similarity)
    n = len(labels)
    if n < 2:
        return float("nan")
    # row by row: the triangle of a large matrix would be copied several times over
    total = sum(np.abs(labels[i, i + 1 :] - embeddings[i, i + 1 :]).sum(dtype=np.float64) for i in range(n - 1))
    return float(total / (n * (n - 1) / 2))


def _matrices(label_similarity: ArrayLike, embedding_similarity: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, embeddings = np.asarray(label_similarity), np.asarray(embedding_similarity)
    if labels.ndim != 2 or labels.shape[0] != labels.shape[1] or labels.shape != embeddings.shape:
        raise ValueError(
            f"the similarities have shapes {labels.shape} and {embeddings.shape}; "
            "give two square matrices (items, items) of the same items"
        )
    for name, matrix in (("label_similarity", labels), ("embedding_similarity", embeddings)):
        if not np.isfinite(matrix).all():
            row, column = np.argwhere(~np.isfinite(matrix))[0]
            raise ValueError(
                f"{name} is {matrix[row, column]} for items {row} and {column}; "
                "leave out items that have no embedding or label"
            )
    return labels, embeddings
