"""What a recipe says of its net."""

from typing import Annotated, Literal

from pydantic import Field

from affectspace.training.recipe_modalities import MultimodalEncoderEntry
from affectspace.training.schema import Section

__all__ = [
    "ConvPoolEncoder", "Encoder", "ImageEncoderEntry", "MLPEncoder", "PretrainedImageEntry", "SpeechEncoder",
]  # fmt: skip


class ConvPoolEncoder(Section):
    kind: Literal["conv_pool"] = "conv_pool"
    channels: int = Field(default=128, ge=1)
    kernel: int = Field(default=16, ge=1)
    hidden: int = Field(default=128, ge=1)


class SpeechEncoder(Section):
    """A residual net over log-Mel energies, ``depth`` blocks of ``width`` channels, and the embedding behind it.

    ``non_negative``, ``probe`` and ``dropout`` as of a net for pictures.
    """

    kind: Literal["speech"]
    width: int = Field(default=96, ge=1)
    depth: int = Field(default=3, ge=1)
    dimensions: int = Field(default=64, ge=1)
    non_negative: bool = False
    probe: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)


class MLPEncoder(Section):
    """A perceptron; normalised inputs further than ``limit`` standard deviations out are moved there."""

    kind: Literal["mlp"]
    hidden: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    limit: float | None = Field(default=None, gt=0)


class ImageEncoderEntry(Section):
    """A net for pictures by its name (docs/nets.md), ``width`` times as wide, and the embedding behind it.

    ``non_negative`` puts a ReLU behind the embedding, as similarity of embeddings (f_similarity) needs it. With
    ``probe`` the layer that tells classes reads the space and has no part in shaping it.
    """

    kind: Literal["image"]
    net: str = "resnet18"
    width: float = Field(default=1.0, gt=0, le=4)
    dimensions: int = Field(default=64, ge=1)
    non_negative: bool = False
    probe: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)


class PretrainedImageEntry(Section):
    """A model of ``transformers`` for pictures that others have trained, and the embedding behind it.

    ``source`` is a folder with safetensors, below ``data``, or a name on the hub. With ``frozen`` only what stands
    behind it learns; ``non_negative``, ``probe`` and ``dropout`` as of a net for pictures. Needs
    ``pip install "affectspace[pretrained]"``.
    """

    kind: Literal["pretrained_image"]
    source: str = Field(min_length=1)
    frozen: bool = False
    dimensions: int = Field(default=64, ge=1)
    non_negative: bool = False
    probe: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)


Encoder = Annotated[
    ConvPoolEncoder | SpeechEncoder | MLPEncoder | ImageEncoderEntry | PretrainedImageEntry | MultimodalEncoderEntry,
    Field(discriminator="kind"),
]
