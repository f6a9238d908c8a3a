"""Maps of a space on paper: t-SNE, so that models and epochs can be compared by eye."""

from collections.abc import Iterable, Sequence

import numpy as np
from openTSNE import TSNE
from openTSNE.affinity import PerplexityBasedNN
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from sklearn.utils.extmath import randomized_svd

from affectspace.neighbours.nearest import Neighbours

__all__ = ["bounded_perplexity", "same_start", "tsne_maps", "unit_rows"]

START_SPREAD = 1e-4  # what t-SNE wants: far below the size of the finished map
PERPLEXITY = 30.0
SMALLEST = 4  # fewer items have no neighbourhood for t-SNE to keep
# Barnes-Hut is fast up to some thousands of items; beyond, forces summed on a grid by the FFT are.
GRID_FROM = 8000


def same_start(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Where each item starts on every map: the first two principal components of all embeddings together.

    Embeddings are scaled to length one and laid side by side, so that every model and epoch has an
    equal say; the standard deviation along x is 1e-4. Signs are fixed (the entry farthest from the
    middle is positive), and the result is repeatable.

    Args:
        embeddings: one array ``(n, dimensions)`` for each model or epoch, rows of the same items;
            dimensions may differ.

    Returns:
        Positions ``(n, 2)``; all zero where no embedding tells the items apart.

    Raises:
        ValueError: none given, not two-dimensional, numbers of items that differ, or values that
            are not finite.

    Example:
        >>> corners = np.eye(4)
        >>> start = same_start([corners, 3 * corners])
        >>> start.shape, float(start[:, 0].std().round(6))
        ((4, 2), 0.0001)
    """
    units = [unit_rows(each, place) for place, each in enumerate(embeddings)]
    if not units:
        raise ValueError("no embeddings were given; a map needs at least one array of (items, dimensions)")
    if len({len(unit) for unit in units}) > 1:
        counts = ", ".join(str(len(unit)) for unit in units)
        raise ValueError(f"embeddings hold {counts} items; maps from one start need the same items in each")
    start = np.zeros((len(units[0]), 2))
    beside = np.hstack(units)
    beside -= beside.mean(0)
    if len(beside) < 2 or np.abs(beside).max() < 1e-6:
        return start
    axes = min(2, *beside.shape)
    u, s, _ = randomized_svd(beside, axes, n_iter=7, flip_sign=False, random_state=0)  # pyright: ignore[reportArgumentType]
    farthest = np.abs(u).argmax(0)
    start[:, :axes] = u * s * np.sign(u[farthest, range(axes)])
    return start * (START_SPREAD / start[:, 0].std())


def bounded_perplexity(items: int, perplexity: float = PERPLEXITY) -> float | None:
    """The perplexity that a map of so many items really has: at most a third of the others; None without t-SNE.

    Example:
        >>> bounded_perplexity(1000), bounded_perplexity(31), bounded_perplexity(3)
        (30.0, 10.0, None)
    """
    return min(perplexity, (items - 1) / 3) if items >= SMALLEST else None


def tsne_maps(embeddings: Sequence[np.ndarray], perplexity: float = PERPLEXITY, seed: int = 0) -> list[np.ndarray]:
    r"""One t-SNE map for each embedding of the same items, all from one start.

    Neighbours are those by angle: Euclidean distance of vectors of length one, which orders pairs as
    cosine does. A zero vector has no direction and lies as far from everything as two unit vectors
    at 60 degrees. Distances on a map tell who is whose neighbour, not how far; each map is turned or
    mirrored (never stretched) onto the mean of all maps, so that a class keeps its corner.

    Args:
        embeddings: arrays ``(n, dimensions)``, as for :func:`same_start`.
        perplexity: about how many neighbours each item listens to; :func:`bounded_perplexity` of it is used.
        seed: of the tiny scatter that lets identical items part at the start.

    Returns:
        Positions ``(n, 2)`` for each embedding, in the order given, centred. The same input gives the
        same bytes (one thread). Fewer than four items keep their start, and an embedding that is the
        same for every item (a collapsed model) is a single point at zero.

    Raises:
        ValueError: as for :func:`same_start`, or a perplexity that is not positive.

    Source: van der Maaten & Hinton, "Visualizing Data using t-SNE", 2008; Policar et al., "openTSNE", 2024.

    Example:
        >>> two_groups = np.repeat(np.eye(2), 10, axis=0) + 0.01 * np.arange(40).reshape(20, 2) % 0.1
        >>> [xy] = tsne_maps([two_groups])
        >>> xy.shape
        (20, 2)
    """
    if not perplexity > 0:
        raise ValueError(f"perplexity is {perplexity}; it counts neighbours, so it must be positive (30 is usual)")
    start = same_start(embeddings)
    scatter = np.random.default_rng(seed).normal(size=start.shape)
    maps = []
    for place, each in enumerate(embeddings):
        unit = unit_rows(each, place)
        if np.ptp(unit, axis=0).max(initial=0) < 1e-6:
            maps.append(np.zeros_like(start))
        elif bounded := bounded_perplexity(len(start), perplexity):
            maps.append(_tsne(unit, start + 0.01 * START_SPREAD * scatter, bounded, seed))
        else:
            maps.append(start - start.mean(0))
    return _turned_alike(maps)


def _tsne(unit: np.ndarray, start: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    distances, rows = Neighbours(unit).of_items(min(len(unit) - 1, int(3 * perplexity)))
    affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=PrecomputedNeighbors(rows, distances))  # pyright: ignore[reportArgumentType]
    tsne = TSNE(
        initialization=start,  # pyright: ignore[reportArgumentType]
        negative_gradient_method="bh" if len(unit) < GRID_FROM else "fft",
        n_jobs=1,
        random_state=seed,
    )
    positions = np.asarray(tsne.fit(affinities=affinities))
    return positions - positions.mean(0)


def _turned_alike(maps: list[np.ndarray], rounds: int = 5) -> list[np.ndarray]:
    """Each map rotated or mirrored onto the mean of all (generalised Procrustes, sizes kept), then all as one."""
    sized = [each / (np.linalg.norm(each) or 1.0) for each in maps]
    mean = next((each for each in sized if each.any()), sized[0])
    turns = [np.eye(2)] * len(maps)
    for _ in range(rounds):
        turns = [_turn(each, mean) for each in sized]
        mean = np.mean([each @ turn for each, turn in zip(sized, turns)], axis=0)
    frame = _fullest(each @ turn for each, turn in zip(sized, turns))
    return [each @ turn @ frame for each, turn in zip(maps, turns)]


def _fullest(maps: Iterable[np.ndarray]) -> np.ndarray:
    """The one rotation of all maps that makes their square frames smallest: a strand lies on the diagonal."""
    shown = list(maps)
    angles = np.radians(np.arange(0, 90, 5))
    rotations = [np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) for a in angles]
    return min(rotations, key=lambda r: sum(np.ptp(each @ r, axis=0).max() for each in shown))


def _turn(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(points.T @ onto)
    return u @ v


def unit_rows(embedding: np.ndarray, place: int = 0) -> np.ndarray:
    """Vectors ``(items, dimensions)`` scaled to length one, in float64; zero vectors stay zero.

    Args:
        embedding: any finite numbers, however large or small.
        place: which of several embeddings it is, for the errors.

    Raises:
        ValueError: not two-dimensional, without dimensions, or values that are not finite.
    """
    embedding = np.asarray(embedding, dtype=np.float64)
    if embedding.ndim != 2 or not embedding.shape[1]:
        raise ValueError(f"embedding {place} has shape {embedding.shape}; expected (items, dimensions)")
    if not np.isfinite(embedding).all():
        row = int(np.flatnonzero(~np.isfinite(embedding).all(1))[0])
        raise ValueError(
            f"embedding {place} is not finite in row {row}; a map needs finite values, so look at that item"
        )
    # The largest entry first, so that the square of a huge or tiny one stays in range.
    peak = np.abs(embedding).max(1, keepdims=True)
    embedding = embedding / np.where(peak > 0, peak, 1.0)
    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding / np.where(length > 0, length, 1.0)
