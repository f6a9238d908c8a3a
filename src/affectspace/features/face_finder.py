"""Where the faces of a picture are, found by a detector whose model comes with its package."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.features.crops import in_colour
from affectspace.features.face import Face
from affectspace.files import sha256

__all__ = ["CascadeFinder", "checked_settings", "overlaps", "wanted"]

VERSION = 1  # of what is done here around the cascade; raise it when results change
WINDOW = 24  # pixels of the cascade's window: it finds no smaller face
STEP = 1.1  # from one size of the window to the next
AGREEING = 5  # windows that must see a face in one place; fewer are mostly texture
TOGETHER = 0.4  # intersection over union from which on two windows see the same face


@dataclass(frozen=True)
class CascadeFinder:
    """The cascade of local binary patterns for frontal faces that comes with scikit-image.

    It needs no download and finds upright frontal faces; for turned or covered ones take
    :class:`~affectspace.features.YuNetFinder`. Windows of the cascade are gathered here, and not by scikit-image,
    which in builds with several threads does so in an order of chance: one picture always gives the same faces.

    Args:
        find: ``"largest"`` or ``"all"`` faces.
        smallest: width of the smallest face that is looked for, as a share in (0, 1] of the picture's shorter side.
            The search runs on a copy in which such a face is as wide as the cascade's window of 24 pixels, so twice the
            share takes about a quarter of the time.

    Raises:
        InputError: another ``find`` or share, or scikit-image is not installed.

    Source: Liao et al., "Learning multi-scale block local binary patterns for face recognition", ICB 2007.

    Example:
        >>> CascadeFinder()(np.zeros((120, 160, 3), dtype=np.uint8))      # doctest: +SKIP
        []
    """

    find: str = "largest"
    smallest: float = 0.15

    def __post_init__(self):
        checked_settings(self.find, self.smallest)
        without = ", or give crops of faces, for which none need be found"
        refuse_missing("faces", "finding faces by the cascade needs", "skimage", otherwise=without)

    @property
    def fingerprint(self) -> str:
        """All settings, the hash of the model, and the versions of the computation."""
        model = f"scikit-image={version('scikit-image')} model={_cascade()[1][:16]}"
        return f"cascade/{VERSION} {model} find={self.find} smallest={self.smallest}"

    def __call__(self, pixels: np.ndarray) -> list[Face]:
        """The faces of uint8 ``(height, width, 1 or 3)`` pixels, RGB, the largest first; an empty list for none.

        Raises:
            ValueError: pixels of another shape or type.
        """
        grey = in_colour(pixels, "grey")[..., 0]
        height, width = grey.shape
        scale = min(1.0, WINDOW / (self.smallest * min(height, width)))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        copy = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
        largest = min(copy.shape)
        smallest = max(WINDOW, round(self.smallest * largest))
        if largest <= smallest:
            return []
        # with an intersection above 1 asked for, every window comes back alone
        found = _cascade()[0].detect_multi_scale(copy, STEP, 1, (smallest, smallest), (largest, largest), 1, 2.0)
        windows = sorted((each["c"], each["r"], each["width"], each["height"]) for each in found)
        boxes = np.array(windows, dtype=np.float64).reshape(-1, 4)
        return wanted(self.find, [_scaled(box, score, scale) for box, score in _gathered(boxes)])


def checked_settings(find: str, smallest: float) -> None:
    """Refuse settings of a finder that mean nothing.

    Raises:
        InputError: what is asked for is neither ``"largest"`` nor ``"all"``, or a share outside (0, 1].
    """
    if find not in {"largest", "all"}:
        raise InputError(f"a finder cannot find {find!r}; legal: largest, all")
    if not 0 < smallest <= 1:
        raise InputError(f"smallest is {smallest:g}; it is a share above 0 and at most 1 of the shorter side")


def wanted(find: str, faces: list[Face]) -> list[Face]:
    """The faces in the order of their size, or only the largest; of two of one size, the surer comes first."""
    ordered = sorted(faces, key=lambda face: (-face.width * face.height, -face.score, face.top, face.left))
    return ordered[:1] if find == "largest" else ordered


def overlaps(boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of every two boxes.

    Args:
        boxes: ``(boxes, 4)`` left, top, width, height.

    Returns:
        ``(boxes, boxes)`` in [0, 1].

    Example:
        >>> overlaps(np.array([[0, 0, 2, 2], [1, 0, 2, 2]])).round(2).tolist()
        [[1.0, 0.33], [0.33, 1.0]]
    """
    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    shared = np.maximum(np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1)), 0).prod(axis=2)
    areas = boxes[:, 2:].prod(axis=1)
    return shared / np.maximum(areas[:, None] + areas - shared, 1e-12)


def _gathered(boxes: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Windows that lie together, averaged, and how many they are; the place with most windows takes first."""
    together = overlaps(boxes) >= TOGETHER
    left, faces = np.ones(len(boxes), dtype=bool), []
    while left.any():
        votes = (together & left).sum(axis=1) * left
        best = int(votes.argmax())
        if votes[best] < AGREEING:
            break
        members = together[best] & left
        box = boxes[members].mean(axis=0)
        faces.append((box, float(votes[best])))
        near = overlaps(np.concatenate([box[None], boxes]))[0, 1:] > 0  # smaller windows on a cheek, larger around
        left &= ~(near | members)
    return faces


def _scaled(box: np.ndarray, score: float, scale: float) -> Face:
    left, top, width, height = (float(value) / scale for value in box)
    return Face(left, top, width, height, score)


@lru_cache(maxsize=1)
def _cascade() -> tuple[Any, str]:
    """The cascade at work in this process, and the hash of its model."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    path = lbp_frontal_face_cascade_filename()
    return Cascade(path), sha256(path)
