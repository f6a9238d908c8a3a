"""Image models of ``transformers`` as an encoder: from a folder or by name, safetensors only."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders.batch import Batch
from affectspace.encoders.head import EmbeddingHead
from affectspace.encoders.hub import hub_revision
from affectspace.encoders.image_net import as_images
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.pretrained import FAULTS, first_line, opening, refuse_source
from affectspace.errors import InputError

__all__ = ["PretrainedImages", "PretrainedTrunk"]

CONFIG = "preprocessor_config.json"
RESAMPLING = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which these files use


class PretrainedImages(nn.Module):
    """Square images to an embedding and class logits, through an image model that others have trained.

    The head is that of :class:`ImageEncoder`: under autocast the model runs in low precision, the head in float32. All
    weights learn, or with ``frozen`` the head's alone, and the model answers as in evaluation throughout.

    Args:
        source: folder with ``config.json``, safetensors and ``preprocessor_config.json``, or the model's name on
            the hub. Code in a model is never run, and weights in any other format are refused.
        channels: of the images, 1 or 3; grey is given to all channels of a model of colours.
        classes: number of classes.
        dimensions: of the embedding.
        non_negative: whether a ReLU follows the embedding, as f-similarity needs.
        dropout: share of the model's features left out while training, in ``[0, 1)``.
        mean: what was taken from grey levels of 0 to 255, for all channels or each.
        scale: what the difference was divided by, likewise. With them the model sees pixels as it was trained on
            them, whatever the normalisation of this corpus.
        probe: whether the output layer only reads the embedding, and sends no gradient into it.
        frozen: whether the model stays as it is.
        weights: False: the source's architecture with random weights, where those of a state are to follow.
        revision: which commit of a model on the hub; None: the newest. ``trunk.revision`` is the one that was taken.

    Shape:
        batch values ``(items, side * side, channels)``, ``(grey level - mean) / scale``; embedding
        ``(items, dimensions)``; logits ``(items, classes)``; layers ``features`` ``(items, features)``, what the
        model's own classifier would read.

    Raises:
        InputError: ``transformers`` is not installed, no such model, no safetensors, settings that cannot be read, or
            channels that the model cannot see.
        ValueError: dropout outside ``[0, 1)``, or images that are not square.
    """

    def __init__(
        self,
        source: str | Path,
        channels: int,
        classes: int,
        dimensions: int = 64,
        non_negative: bool = False,
        dropout: float = 0.0,
        mean: float | Sequence[float] = 0.0,
        scale: float | Sequence[float] = 1.0,
        probe: bool = False,
        frozen: bool = False,
        weights: bool = True,
        revision: str | None = None,
    ):
        super().__init__()
        self.frozen = frozen
        self.trunk = PretrainedTrunk(source, channels, mean, scale, weights, revision).requires_grad_(not frozen)
        self.head = EmbeddingHead(self.trunk.features, classes, dimensions, non_negative, dropout, probe)
        self.train(self.training)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return self.head.sizes

    def forward(self, batch: Batch) -> Outputs:
        return self.head(self.trunk(as_images(batch.values)))

    def train(self, mode: bool = True) -> "PretrainedImages":
        """Training mode, in which a frozen model drops nothing and its normalisation learns nothing."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def save_architecture(self, folder: str | Path) -> None:
        """Write what another of this architecture is made from with ``weights=False``, into a folder that is made."""
        folder = Path(folder)
        folder.mkdir(parents=True)
        self.trunk.model.config.save_pretrained(folder)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        (folder / CONFIG).write_text(json.dumps(self.trunk.settings, indent=1), encoding="utf-8")


class PretrainedTrunk(nn.Module):
    """A model of ``transformers`` without its classifier, behind its own resizing and normalisation.

    Args and errors are those of :class:`PretrainedImages`. What comes out is what the model's own classifier reads;
    of a model that has none, the mean over its tokens or places.

    Shape:
        ``(items, channels, side, side)`` to ``(items, features)``.
    """

    def __init__(
        self,
        source: str | Path,
        channels: int,
        mean: float | Sequence[float] = 0.0,
        scale: float | Sequence[float] = 1.0,
        weights: bool = True,
        revision: str | None = None,
    ):
        super().__init__()
        self.model, self.revision = _model(source, weights, revision)
        inputs = getattr(self.model.config, "num_channels", 3)
        if channels not in (1, inputs):
            raise InputError(
                f"images have {channels} channels, and {source} sees {inputs}; give images of 1 or {inputs}"
            )
        self.settings = _settings(source, self.revision)
        self.gain: Tensor
        self.shift: Tensor
        try:
            self._prepare(self.settings, inputs, mean, scale)
            with torch.no_grad():
                self.model.eval()
                self.features = self._features(torch.zeros(1, inputs, self.cropped, self.cropped)).shape[1]
        except FAULTS as error:
            raise InputError(
                f"{source} cannot see pictures as its {CONFIG} says: {first_line(error)}; give a model of pictures, "
                "with the image processor that it was saved with"
            ) from error
        self.model.train()  # as any module that was just made

    def _prepare(
        self, settings: dict[str, Any], inputs: int, mean: float | Sequence[float], scale: float | Sequence[float]
    ) -> None:
        """How pictures are resized and normalised for the model, which sees so many channels."""
        self.resized, self.cropped = _sides(settings, getattr(self.model.config, "image_size", 224))
        self.mode = RESAMPLING.get(settings.get("resample", 2), "bilinear")
        # One multiplication and one addition: back to grey levels, to the model's range, by its mean and deviation.
        factor = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
        normalise = settings.get("do_normalize", True)
        own_mean = torch.tensor(settings.get("image_mean", 0.5) if normalise else 0.0).expand(inputs)
        own_scale = torch.tensor(settings.get("image_std", 0.5) if normalise else 1.0).expand(inputs)
        gain = torch.as_tensor(scale, dtype=torch.float32) * factor / own_scale
        shift = (torch.as_tensor(mean, dtype=torch.float32) * factor - own_mean) / own_scale
        self.register_buffer("gain", gain.expand(inputs).contiguous()[:, None, None])
        self.register_buffer("shift", shift.expand(inputs).contiguous()[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        images = functional.interpolate(images.float(), (self.resized,) * 2, mode=self.mode, **_smooth(self.mode))
        start = (self.resized - self.cropped) // 2
        images = images[:, :, start : start + self.cropped, start : start + self.cropped]
        return self._features(images * self.gain + self.shift)

    def _features(self, pixels: Tensor) -> Tensor:
        outputs = self.model(pixel_values=pixels)
        if "logits" in outputs:  # of a classifier that is the identity
            return outputs["logits"].flatten(1)
        hidden = outputs["last_hidden_state"]
        return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)


def _model(source: str | Path, weights: bool, revision: str | None) -> tuple[nn.Module, str | None]:
    """The model, and of one on the hub the commit that it is of."""
    refuse_source(source, weights)
    from transformers import (  # pyright: ignore[reportMissingImports]
        AutoConfig,
        AutoModel,
        AutoModelForImageClassification,
    )

    own: dict[str, Any] = {"trust_remote_code": False}
    with opening(source):
        if commit := hub_revision(source, revision):  # asked once, so that all files are of one commit
            own["revision"] = commit
        # No labels, no classifier: an identity stands in its place, in every architecture.
        config = AutoConfig.from_pretrained(source, num_labels=0, **own)
        classifies = type(config) in AutoModelForImageClassification._model_mapping  # pyright: ignore[reportAttributeAccessIssue]
        kind = AutoModelForImageClassification if classifies else AutoModel
        if weights:
            made = kind.from_pretrained(source, config=config, use_safetensors=True, **own)
        else:
            made = kind.from_config(config, trust_remote_code=False)
        return made.float(), commit  # pictures come in float32, and many models are published in half precision


def _settings(source: str | Path, revision: str | None) -> dict[str, Any]:
    """The model's own preprocessing, read as the JSON that it is: its classes would ask for torchvision."""
    path = Path(source) / CONFIG
    if not Path(source).is_dir():
        from transformers.utils.hub import cached_file  # pyright: ignore[reportMissingImports]

        try:
            path = Path(str(cached_file(str(source), CONFIG, revision=revision)))
        except OSError as error:
            raise InputError(f"{source} has no {CONFIG}; save the model's image processor beside it") from error
    if not path.is_file():
        raise InputError(f"{source} has no {CONFIG}; save the model's image processor beside it")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} holds {type(settings).__name__}, not a table of settings")
    return settings


def _sides(settings: dict[str, Any], fallback: int) -> tuple[int, int]:
    """The side that square images are resized to, and that of the middle that is kept of them."""
    side = _side_of(settings.get("size"), fallback) if settings.get("do_resize", True) else fallback
    if "crop_pct" in settings and side < 384:  # as ConvNeXt has it: larger first, then the middle
        return int(side / settings["crop_pct"]), side
    if settings.get("do_center_crop", False):
        return max(side, _side_of(settings.get("crop_size"), side)), _side_of(settings.get("crop_size"), side)
    return side, side


def _side_of(size: Any, fallback: int) -> int:
    if isinstance(size, dict):
        size = size.get("height", size.get("shortest_edge"))
    return int(size) if size else int(fallback)


def _smooth(mode: str) -> dict[str, bool]:
    """Pillow, by which these models saw their images, smooths what it makes smaller."""
    return {} if mode == "nearest-exact" else {"antialias": True, "align_corners": False}
