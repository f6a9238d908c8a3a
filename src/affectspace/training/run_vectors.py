"""A net for faces that was trained here, as what makes vectors of crops for other runs."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from affectspace.encoders import ImageEncoder, PretrainedImages
from affectspace.errors import InputError
from affectspace.files import sha256
from affectspace.training.digests import files_of_net
from affectspace.training.model import Model, load_model
from affectspace.training.recipe_features import FaceFeatures

__all__ = ["RunVectors"]

VERSION = 1  # of the computation; raise it when results change


@dataclass(frozen=True)
class RunVectors:
    """The embeddings that a run's model gives crops of faces.

    A crop is seen as it is: where the run looked for faces in its pictures, none is looked for in what is one already.

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
        told = f"run/{VERSION} " + " ".join(sha256(file)[:16] for file in files_of_net(self.path))
        _opened(self.path, told)  # which says in words what is missing
        return told

    @property
    def dimensions(self) -> int:
        """Of the embedding."""
        encoder = self._model.encoder
        assert isinstance(encoder, ImageEncoder | PretrainedImages), "checked when it was opened"
        return encoder.sizes["embedding"]

    def refuse_other(self, side: int, colour: str) -> None:
        """Stop where the model was not trained on crops of this side and colour.

        Args:
            side: in pixels.
            colour: ``"grey"`` or ``"rgb"``.

        Raises:
            InputError: it was trained on others.
        """
        features = self._model.recipe.features
        assert isinstance(features, FaceFeatures), "checked when it was opened"
        if (side, colour) != (features.side, features.colour):
            raise InputError(
                f"the model in {self.path} reads faces of side {features.side} in {features.colour}, and these are of "
                f"side {side} in {colour}; set side and colour of the features alike"
            )

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 ``(n, side, side, channels)`` to float32 ``(n, dimensions)``.

        Raises:
            InputError: as :meth:`refuse_other`.
        """
        side, channels = crops.shape[2:]
        self.refuse_other(side, "grey" if channels == 1 else "rgb")
        return self._model([crop.reshape(side * side, channels) for crop in crops])[0].astype(np.float32)

    @property
    def _model(self) -> Model:
        return _opened(self.path, self._fingerprint)


@lru_cache(maxsize=2)  # of the process: a front end goes to its workers without its model
def _opened(path: Path, fingerprint: str) -> Model:  # so that a run which is trained again is opened again
    model = load_model(path)
    if not isinstance(model.recipe.features, FaceFeatures):
        raise InputError(f'the model in {path} reads no faces; give a run with features.kind = "faces"')
    return model
