"""A face in a picture, and what finds it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Face", "FaceFinder"]


@dataclass(frozen=True)
class Face:
    """A face in a picture, in the picture's pixels; it may reach over the edge.

    Args:
        left: of its box.
        top: of its box.
        width: of its box.
        height: of its box.
        score: how sure the finder is; to be compared within one finder only.
        landmarks: five points (x, y) as the picture shows them: left eye, right eye, tip of the nose, left and right
            corner of the mouth; None from a finder that finds none.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...] | None = None


class FaceFinder(Protocol):
    """What finds faces."""

    @property
    def fingerprint(self) -> str:
        """All settings, the hash of the model, and the versions of the computation."""
        ...

    def __call__(self, pixels: np.ndarray) -> list[Face]:
        """The faces of uint8 ``(height, width, 1 or 3)`` pixels, RGB, the largest first; an empty list for none."""
        ...
