"""A net for faces that was trained here, as what makes vectors of crops for other runs."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from affectspace.encoders import ImageEncoder, PretrainedImages
from affectspace.errors import InputError
from affectspace.files import sha256
from affectspace.training.model import Model, load_model
from affectspace.training.recipe_data import FaceFeatures

__all__ = ["RunVectors"]


@dataclass(frozen=True)
class RunVectors:
    """The embeddings that a run's model gives crops of faces.

    Args:
        path: the run's folder, or that of its model.

    Raises:
        InputError: (when it is first asked) no model there, or one that reads no faces.

    Example:
        >>> vectors = RunVectors("runs/faces")                # doctest: +SKIP
        >>> vectors(np.zeros((18, 64, 64, 1), np.uint8)).shape  # doctest: +SKIP
        (18, 64)
    """

    path: Path

    @property
    def fingerprint(self) -> str:
        """The hash of the model's settings and weights; where it lies does not matter."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        folder = self.path / "model" if (self.path / "model").is_dir() else self.path
        _opened(self.path)
        return "run " + " ".join(sha256(folder / name)[:16] for name in ("config.json", "model.safetensors"))

    @property
    def dimensions(self) -> int:
        """Of the embedding."""
        encoder = _opened(self.path).encoder
        assert isinstance(encoder, ImageEncoder | PretrainedImages), "checked when it was opened"
        return encoder.sizes["embedding"]

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 ``(n, side, side, channels)`` to float32 ``(n, dimensions)``."""
        model = _opened(self.path)
        features = model.recipe.features
        assert isinstance(features, FaceFeatures), "checked when it was opened"
        given = (crops.shape[1], "grey" if crops.shape[3] == 1 else "rgb")
        if given != (features.side, features.colour):
            raise InputError(
                f"the model in {self.path} reads faces of side {features.side} in {features.colour}, and these are of "
                f"side {given[0]} in {given[1]}; set side and colour of the features alike"
            )
        frontend = model.frontend
        return model([frontend.compute(crop) for crop in crops])[0].astype(np.float32)


@lru_cache(maxsize=2)  # opened once in a process, whatever is pickled to it
def _opened(path: Path) -> Model:
    model = load_model(path)
    if not isinstance(model.recipe.features, FaceFeatures):
        raise InputError(f'the model in {path} reads no faces; give a run with features.kind = "faces"')
    return model
