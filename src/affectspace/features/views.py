"""What a training image looks like this time: a function of the seed, the epoch and the item."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from affectspace.errors import InputError

__all__ = ["Views"]

WORDS = 16  # of 32 bits, in the longest hash
DRAWS = 6  # place of the crop, down and across; mirrored; angle; aspect; gain. One more a channel: its shift


@dataclass(frozen=True)
class Views:
    r"""Changes to normalised images that leave the face as it is: place, mirror, angle, aspect, colour.

    A view is made in one resampling (bilinear; beyond the border lies what lies at it), or by copying pixels where
    only crops and mirrors are asked for. Images come and go as rows of pixels, as the store and the batch keep them.

    Args:
        crop: side of the square that is cut out; None: the whole image.
        flip: whether half of the training views are mirrored, and a mirror image is seen in tests.
        rotation: the largest angle, in degrees, either way about the middle of the crop.
        aspect: the largest change of width to height: the ratio lies within ``1 - aspect`` and ``1 + aspect``, at
            the same area.
        colour: the largest change of contrast, a factor within ``1 - colour`` and ``1 + colour`` for the whole image,
            and of each channel's level, within ``-colour`` and ``colour`` standard deviations of the training images.

    Raises:
        InputError: a range that no face would bear, or a crop that is no side.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks", 2016:
    crops, slight changes of colour, mirroring, rotation within 20 degrees, aspect within 10 %; in tests the mean over
    the crop in the middle and its mirror image. They say of colours "slightly", which 0.1 may be.

    Example:
        >>> views = Views(crop=44, flip=True, rotation=20, aspect=0.1, colour=0.1)
        >>> images = torch.randn(2, 48 * 48, 1)
        >>> views.training(images, ["faces/a", "faces/b"], seed=0, epoch=3).shape
        torch.Size([2, 1936, 1])
        >>> views.test(images).shape
        torch.Size([4, 1936, 1])
    """

    crop: int | None = None
    flip: bool = False
    rotation: float = 0.0
    aspect: float = 0.0
    colour: float = 0.0

    def __post_init__(self):
        if self.crop is not None and self.crop < 1:
            raise InputError(f"crop is {self.crop}; give the side of the square in pixels, or leave it out")
        if not 0 <= self.rotation <= 180:
            raise InputError(f"rotation is {self.rotation:g}; give the largest angle in degrees, from 0 to 180")
        for name, most in (("aspect", 0.5), ("colour", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"{name} is {getattr(self, name):g}; give the largest change, from 0 to {most:g}")

    def side(self, side: int) -> int:
        """The side of views of images of ``side``.

        Raises:
            InputError: a crop that is larger than the image.
        """
        if self.crop is not None and self.crop > side:
            raise InputError(f"crop is {self.crop}, and images have a side of {side}; give at most that")
        return self.crop or side

    @property
    def tests(self) -> int:
        """How many views of an item :meth:`test` makes."""
        return 2 if self.flip else 1

    def training(self, values: Tensor, keys: Sequence[str], seed: int, epoch: int) -> Tensor:
        """The images as this epoch sees them.

        A view is a function of (seed, epoch, the item's key) and the item's pixels alone, whatever batch it is in.

        Args:
            values: normalised ``(items, side * side, channels)``.
            keys: the name of each item.
            seed: of the run.
            epoch: any whole number.

        Returns:
            ``(items, crop * crop, channels)``, in the type of ``values``; ``values`` itself where nothing is asked for.

        Raises:
            InputError: rows that make no square, another number of keys, a crop larger than the image, or more
                channels than are drawn for.
        """
        side = _side(values)
        after = self.side(side)
        if len(keys) != len(values):
            raise InputError(f"there are {len(keys)} keys for {len(values)} images; give the name of each")
        if (after == side and not (self.flip or self.rotation or self.aspect or self.colour)) or not len(values):
            return values
        channels = values.shape[2]
        if channels > WORDS - DRAWS:
            raise InputError(f"images have {channels} channels; views are drawn for up to {WORDS - DRAWS}")
        # All are drawn whatever is on, so that turning on colour leaves places and angles as they are.
        drawn = _drawn(seed, epoch, keys)
        top, left = (np.floor(drawn[:, place] * (side - after + 1)).astype(np.int64) for place in (0, 1))
        mirrored = self.flip & (drawn[:, 2] < 0.5)
        if self.rotation or self.aspect:
            angle = np.deg2rad(self.rotation) * _either_way(drawn[:, 3])
            ratio = 1 + self.aspect * _either_way(drawn[:, 4])
            seen = _resampled(values, side, after, top, left, mirrored, angle, ratio)
        elif after < side or self.flip:
            seen = _cut(values, side, after, top, left, mirrored)
        else:
            seen = values
        if self.colour:
            gain = torch.from_numpy(1 + self.colour * _either_way(drawn[:, 5])).to(seen)
            shift = torch.from_numpy(self.colour * _either_way(drawn[:, DRAWS : DRAWS + channels])).to(seen)
            # By whole lines of pixels: to add three numbers at a time takes six times as long.
            lines = seen.reshape(len(seen), after, after * channels)
            seen = torch.addcmul(shift.repeat(1, after)[:, None], lines, gain[:, None, None]).view_as(seen)
        return seen

    def test(self, values: Tensor) -> Tensor:
        """The crop in the middle of each image, then, where ``flip`` is on, the mirror image of each.

        Args:
            values: normalised ``(items, side * side, channels)``.

        Returns:
            ``(items * tests, crop * crop, channels)``: all crops first, then all mirror images. What a net says of
            them becomes one answer an item by ``.unflatten(0, (views.tests, -1)).mean(0)``.

        Raises:
            InputError: rows that make no square, or a crop larger than the image.
        """
        side = _side(values)
        after = self.side(side)
        start = (side - after) // 2
        images = values.unflatten(1, (side, side))[:, start : start + after, start : start + after]
        if self.flip:
            images = torch.cat([images, images.flip(2)])
        return images.flatten(1, 2)


def _side(values: Tensor) -> int:
    side = math.isqrt(values.shape[1]) if values.ndim == 3 else 0
    if values.ndim != 3 or side * side != values.shape[1] or not side:
        raise InputError(
            f"images have shape {tuple(values.shape)}; expected (items, side * side, channels), the pixels of squares"
        )
    return side


def _drawn(seed: int, epoch: int, keys: Sequence[str]) -> np.ndarray:
    """Sixteen numbers in [0, 1) for every item, read off a hash: a random generator each would cost six times that."""
    told = b"".join(blake2b(f"{seed}\n{epoch}\nview\n{key}".encode()).digest() for key in keys)
    return np.frombuffer(told, "<u4").reshape(len(keys), WORDS) / 2.0**32


def _either_way(drawn: np.ndarray) -> np.ndarray:
    return 2 * drawn - 1


def _cut(values: Tensor, side: int, after: int, top: np.ndarray, left: np.ndarray, mirrored: np.ndarray) -> Tensor:
    """Pixels copied: the rows of each crop from its top, the columns from its left, or backwards from its right."""
    steps = np.arange(after)
    rows = top[:, None] + steps
    columns = left[:, None] + np.where(mirrored[:, None], after - 1 - steps, steps)
    # One look-up in the rows of all items' pixels: an item's offset, a row's, a column's.
    places = (np.arange(len(values)) * side * side)[:, None, None] + rows[:, :, None] * side + columns[:, None, :]
    taken = torch.from_numpy(places.ravel()).to(values.device)
    return values.flatten(0, 1).index_select(0, taken).view(len(values), after * after, values.shape[2])


def _resampled(
    values: Tensor, side: int, after: int, top: np.ndarray, left: np.ndarray, mirrored: np.ndarray, angle: np.ndarray,
    ratio: np.ndarray,
) -> Tensor:  # fmt: skip
    """Where each pixel of a view comes from, by one affine map an item: mirrored, stretched, turned, moved."""
    cosine, sine, wide = np.cos(angle), np.sin(angle), 1 / np.sqrt(ratio)
    across = np.where(mirrored, -1.0, 1.0) * wide
    middle = [(2 * start + after) / side - 1 for start in (left, top)]
    # In units in which the image reaches from -1 to 1; a view reaches over its share of that.
    steps = (2 * np.arange(after) + 1 - after) / side
    images = values.unflatten(1, (side, side)).permute(0, 3, 1, 2).float()  # bilinear weights need the digits
    grid = images.new_empty(len(images), after, after, 2)
    # A place is what its column adds to what its row adds: a tenth of the work of multiplying out each place.
    for axis, (turned, upright, start) in enumerate([(cosine, -sine, middle[0]), (sine, cosine, middle[1])]):
        columns = torch.from_numpy(np.outer(across * turned, steps)).to(grid)
        rows = torch.from_numpy(np.outer(upright / wide, steps) + start[:, None]).to(grid)
        torch.add(rows[:, :, None], columns[:, None, :], out=grid[..., axis])
    seen = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    return seen.permute(0, 2, 3, 1).flatten(1, 2).to(values.dtype).contiguous()
