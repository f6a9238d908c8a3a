"""What makes vectors of crops of faces: a net, a model of others, or the pixels as they are."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL
import torch

from affectspace.encoders.hub import hub_files
from affectspace.encoders.pretrained import state_of
from affectspace.encoders.pretrained_images import CONFIG, PretrainedTrunk
from affectspace.errors import InputError
from affectspace.features.crops import fit_square, in_colour

__all__ = ["ImageVectors", "PixelVectors", "PretrainedVectors"]

VERSION = 1  # of the computations; raise it when results change


class ImageVectors(Protocol):
    """What makes a vector of every picture: a pure function, picklable, with a name for its settings."""

    @property
    def fingerprint(self) -> str:
        """All settings, the hash of the weights, and the version of the computation."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    def __call__(self, crops: np.ndarray, /) -> np.ndarray:
        """Crops uint8 ``(pictures, side, side, 1 or 3)`` to float32 ``(pictures, dimensions)``."""
        ...


@dataclass(frozen=True)
class PixelVectors:
    """The grey levels of a picture made small, in [0, 1], row by row: what any trained net should be better than.

    Args:
        side: of the small picture, in pixels.

    Raises:
        InputError: a side below 1.

    Example:
        >>> PixelVectors(side=2)(np.full((3, 64, 64, 1), 255, np.uint8)).tolist()[0]
        [1.0, 1.0, 1.0, 1.0]
    """

    side: int = 16

    def __post_init__(self):
        if self.side < 1:
            raise InputError(f"side is {self.side}; a picture has at least 1 pixel a side")

    @property
    def fingerprint(self) -> str:
        """The setting, and the versions of the computation."""
        return f"pixels/{VERSION} pillow={PIL.__version__} side={self.side}"

    @property
    def dimensions(self) -> int:
        """Pixels."""
        return self.side**2

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 ``(pictures, side, side, 1 or 3)`` to float32 ``(pictures, dimensions)`` in [0, 1]."""
        small = [fit_square(in_colour(crop, "grey"), self.side).reshape(-1) for crop in crops]
        return np.stack(small).astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class PretrainedVectors:
    """What an image model of ``transformers`` gives its own classifier, or the mean over its places.

    The model sees pictures in the size and on the scale that it was trained on; see
    :class:`~affectspace.encoders.PretrainedImages`.

    Args:
        source: folder with ``config.json``, safetensors and ``preprocessor_config.json``, or the model's name on the
            hub. Code in a model is never run, and weights in any other format are refused.

    Raises:
        InputError: ``transformers`` is not installed, or no such model.

    Example:
        >>> PretrainedVectors("microsoft/resnet-18").dimensions                # doctest: +SKIP
        512
    """

    source: str | Path

    def __post_init__(self):
        _ = self._trunk

    @property
    def hub_files(self) -> list[Path]:
        """Of a model on the hub the files, at the commit that was opened, which decide its answers; else none."""
        revision = self._trunk.revision
        return hub_files(str(self.source), revision, CONFIG) if revision else []

    @property
    def fingerprint(self) -> str:
        """The content of the model and its settings, and the versions of the computation."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        trunk = self._trunk
        digest = hashlib.sha256(f"{trunk.model.config.model_type} {sorted(trunk.settings.items())}".encode())  # pyright: ignore[reportAttributeAccessIssue]
        for name, value in sorted(trunk.state_dict().items()):
            digest.update(f"{name} {tuple(value.shape)} ".encode())
            digest.update(value.contiguous().numpy().tobytes())
        told = f"transformers={version('transformers')} content={digest.hexdigest()[:16]}"
        return f"pretrained_images/{VERSION} {told}"

    @property
    def dimensions(self) -> int:
        """Numbers that the model's classifier reads."""
        return self._trunk.features

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 ``(pictures, side, side, 1 or 3)`` to float32 ``(pictures, dimensions)``."""
        with torch.inference_mode():
            return self._trunk(torch.from_numpy(crops).permute(0, 3, 1, 2)).numpy()

    @property
    def _trunk(self) -> PretrainedTrunk:
        return _opened(str(self.source), state_of(self.source))


@lru_cache(maxsize=2)  # of the process: a front end goes to its workers without its model
def _opened(source: str, state: tuple[tuple[str, int, int], ...]) -> PretrainedTrunk:
    """The model of a source; ``state`` is that of a folder."""
    return PretrainedTrunk(source, channels=1).eval()
