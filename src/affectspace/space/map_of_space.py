"""A map that stays as it is while new items are placed into it, and that can be kept in a file."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from openTSNE.affinity import PrecomputedAffinities, joint_probabilities_nn
from openTSNE.tsne import PartialTSNEEmbedding, TSNEEmbedding
from scipy.sparse import identity

from affectspace.errors import InputError
from affectspace.files import atomic_path
from affectspace.neighbours.nearest import Neighbours
from affectspace.space.maps import PERPLEXITY, bounded_perplexity, tsne_maps, unit_rows

__all__ = ["MapOfSpace"]

FORMAT = 1
PLACED_BY = 5.0  # perplexity of a new item: fewer old items hold it than hold each other, so that it stays near its own
STARTED_BY = 25  # a new item starts in the median of so many neighbours


@dataclass(frozen=True, eq=False)
class MapOfSpace:
    """Where items of a space lie on a plane, and where others would lie.

    Args:
        positions: ``(n, 2)``, as :func:`affectspace.space.maps.tsne_maps` gives them.
        vectors: ``(n, dimensions)`` of the same items.
        perplexity: what the map was made with, for the record.

    Raises:
        ValueError: numbers of items that differ, or vectors that are not finite.

    Example:
        >>> two_groups = np.repeat(np.eye(2), 10, axis=0) + 0.01 * np.arange(40).reshape(20, 2) % 0.1
        >>> kept = MapOfSpace.fit(two_groups)
        >>> new = kept.place(np.array([[3.0, 0.1]]))
        >>> new.shape, bool((np.sign(new) == np.sign(kept.positions[:10].mean(0))).any())
        ((1, 2), True)
    """

    positions: np.ndarray
    vectors: np.ndarray
    perplexity: float = PERPLEXITY

    def __post_init__(self):
        if len(self.positions) != len(self.vectors):
            raise ValueError(
                f"{len(self.positions)} positions for {len(self.vectors)} vectors; each item has one of both"
            )
        unit_rows(self.vectors)

    @classmethod
    def fit(cls, vectors: np.ndarray, perplexity: float = PERPLEXITY, seed: int = 0) -> "MapOfSpace":
        """Make a map; the same vectors and seed give the same bytes."""
        [positions] = tsne_maps([vectors], perplexity, seed)
        return cls(positions, np.asarray(vectors, dtype=np.float32), perplexity)

    def place(self, vectors: np.ndarray) -> np.ndarray:
        """Where new items lie on this map, which does not move; each is placed by itself, whoever comes with it.

        A new item starts in the median of its nearest old items and is then drawn to them and pushed off
        the others, by t-SNE's own forces. An item like none of the old ones lies somewhere all the same:
        a map has no place for "elsewhere".

        Args:
            vectors: ``(m, dimensions)``.

        Returns:
            Positions ``(m, 2)``, the same bytes for the same input.

        Raises:
            ValueError: other dimensions than the map's, not two-dimensional, or values that are not finite.

        Source: Policar, Strazar & Zupan, "Embedding to reference t-SNE space addresses batch effects in
        single-cell classification", 2023.
        """
        new, old = unit_rows(vectors), unit_rows(self.vectors)
        if new.shape[1] != old.shape[1]:
            raise ValueError(f"the vectors have {new.shape[1]} dimensions; those of the map have {old.shape[1]}")
        if not len(new):
            return np.zeros((0, 2))
        perplexity = bounded_perplexity(len(old), PLACED_BY)
        distances, rows = Neighbours(old).search(new, min(len(old), STARTED_BY))
        start = np.median(self.positions[rows], axis=1)
        if perplexity is None or not self.positions.any():  # few items, or one point
            return start
        k = min(len(old), int(3 * perplexity))
        likeness = joint_probabilities_nn(
            rows[:, :k], distances[:, :k], [perplexity], False, "point-wise", n_reference_samples=len(old)
        )
        # The likeness of old items to each other moves nobody here, but openTSNE wants some.
        reference = TSNEEmbedding(self.positions, PrecomputedAffinities(identity(len(old), format="csr")))
        placed = PartialTSNEEmbedding(start, reference, likeness).optimize(
            250,
            negative_gradient_method="bh",  # by a grid, a new item would depend on those placed with it
            learning_rate=0.1,
            exaggeration=1.5,
            momentum=0.8,
            max_grad_norm=0.25,
            n_jobs=1,
        )
        return np.array(placed)

    def save(self, path: str | Path) -> Path:
        """Write a ``.npz`` of numbers and settings, whole or not at all; nothing in it is code."""
        path = Path(path)
        about = json.dumps({"format": FORMAT, "perplexity": self.perplexity})
        with atomic_path(path) as aside, open(aside, "wb") as file:
            np.savez(file, about=np.array(about), positions=self.positions, vectors=self.vectors)
        return path

    @classmethod
    def open(cls, path: str | Path) -> "MapOfSpace":
        """Read what :meth:`save` wrote.

        Raises:
            InputError: no such file, a damaged one, one that holds something else, or a newer format.
        """
        try:
            with np.load(path, allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                if about["format"] != FORMAT:
                    raise InputError(
                        f"{path} is a map of format {about['format']}, and this affectspace reads {FORMAT}"
                    )
                return cls(held["positions"], held["vectors"], float(about["perplexity"]))
        except FileNotFoundError:
            raise InputError(f"there is no map {path}; MapOfSpace.save writes one") from None
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} cannot be read as a map: {error}; make it anew") from error
