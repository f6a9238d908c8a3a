"""A space that is searched over and over: opened once, by a vector or by the id of an item."""

from pathlib import Path
from typing import Any

import numpy as np

from affectspace.app.refused import Refused
from affectspace.app.service.asked_model import AskedModel
from affectspace.errors import InputError
from affectspace.neighbours.nearest import Neighbours
from affectspace.space import Space

__all__ = ["SearchedSpace"]

TOLD = ("label", "prediction")
COMPARED = 100  # items
TOLERANCE = 0.1  # of the length of an embedding: models keep half precision, and may train in less


class SearchedSpace:
    """The items of a space, and which of them lie near a vector.

    Args:
        path: of a space, or of a finished run.
        asked: the model that embeds what is looked for, and must have embedded the space.

    Raises:
        InputError: no space there, a damaged one, or one of another model.
    """

    def __init__(self, path: str | Path, asked: AskedModel):
        self.space = Space.open(path)
        if self.space.dimensions != asked.dimensions:
            raise InputError(
                f"the space {path} has {self.space.dimensions} dimensions and the model of {asked.folder} gives "
                f"{asked.dimensions}; embed the items by this model: affectspace embed {asked.folder} CORPUS --out "
                "SPACE.parquet"
            )
        if _apart(self.space, asked):
            raise InputError(
                f"the space {path} and the model of {asked.folder} place the same training items elsewhere, so another "
                f"model has embedded it; embed the items by this one: affectspace embed {asked.folder} CORPUS --out "
                "SPACE.parquet"
            )
        self._near = Neighbours(self.space.vectors)
        self._rows = {item: row for row, item in enumerate(self.space.items["id"].tolist())}
        items = self.space.items[["id", *(name for name in TOLD if name in self.space.items)]]
        told = items.astype(object).where(items.notna(), None).to_dict("records")
        self._items = [{str(name): value for name, value in item.items()} for item in told]

    def __len__(self) -> int:
        return len(self.space)

    def row(self, item: str) -> int:
        """Where an item stands.

        Raises:
            Refused: 404, no item has this id.
        """
        if item not in self._rows:
            raise Refused(
                404, f"no item of the space has the id {item[:100]!r}; ids look like {self._items[0]['id']!r}"
            )
        return self._rows[item]

    def nearest(self, query: np.ndarray | int, count: int) -> list[dict[str, Any]]:
        """The items nearest to a vector ``(dimensions,)``, or to the item in a row, which itself is left out.

        Returns:
            Of each its ``id``, ``label``, ``prediction`` and ``distance``, the nearest first.
        """
        itself = query if isinstance(query, int) else None
        vector = self.space.vectors[query] if isinstance(query, int) else query
        distances, rows = self._near.search(vector[None], min(count + (itself is not None), len(self)))
        found = [
            {**self._items[row], "distance": float(distance)}
            for row, distance in zip(rows[0].tolist(), distances[0])
            if row >= 0 and row != itself
        ]
        return found[:count]


def _apart(space: Space, asked: AskedModel) -> bool:
    """Whether most of the training items that the model keeps and the space has lie elsewhere in it."""
    if asked.known is None:
        return False
    held = {item: row for row, item in enumerate(asked.known.ids)}
    shared = [(row, held[item]) for row, item in enumerate(space.items["id"].tolist()) if item in held][:COMPARED]
    if not shared:
        return False
    there, here = (list(rows) for rows in zip(*shared))
    kept = asked.known.embeddings[here].astype(np.float32)
    gaps = np.linalg.norm(space.vectors[there] - kept, axis=1)
    return bool(np.median(gaps) > TOLERANCE * max(float(np.median(np.linalg.norm(kept, axis=1))), 1e-6))
