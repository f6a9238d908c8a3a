"""Items to vectors and probabilities by a net, those of like length together."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from affectspace.training.model import Model

__all__ = ["answered", "by_length"]

BATCH = 64


def by_length(
    model: Model, lengths: np.ndarray, clips: Callable[[np.ndarray], Any], groups: Sequence[str | None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings ``(items, dimensions)`` and probabilities ``(items, classes)``, asked for in batches of like length.

    Args:
        model: which net.
        lengths: ``(items,)`` frames of each.
        clips: rows of items to what the model is given of them.
        groups: of each item, see :meth:`Model.groups_of`.
    """
    order = np.argsort(lengths, kind="stable")
    made = [
        model(clips(part), None if groups is None else [groups[row] for row in part])
        for part in np.array_split(order, -(-len(order) // BATCH))
    ]
    back = np.argsort(order)
    return np.concatenate([each[0] for each in made])[back], np.concatenate([each[1] for each in made])[back]


def answered(model: Model, chances: np.ndarray) -> dict[str, Any]:
    """The columns of what a model says of items, by their probabilities ``(items, classes)``."""
    found: dict[str, Any] = {
        "probabilities": [*chances],
        "prediction": [model.classes[place] for place in chances.argmax(1)],
    }
    return found if model.cut is None else found | {"predicted_value": model.cut.values(chances)}
