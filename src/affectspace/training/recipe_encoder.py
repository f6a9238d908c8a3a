"""What a recipe says of its net."""

from typing import Annotated, Literal

from pydantic import Field

from affectspace.training.recipe_modalities import MultimodalEncoderEntry
from affectspace.training.schema import Section

__all__ = [
    "ConvPoolEncoder", "Encoder", "ImageEncoderEntry", "LayerMixEntry", "Lora", "MLPEncoder", "PretrainedImageEntry",
    "PretrainedSpeechEntry", "SpeechEncoder",
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


class LayerMixEntry(Section):
    """The layers of a speech model, weighed by what is learned, pooled over frames, and the embedding behind them.

    ``pooling`` is the mean or attentive statistics; ``layer_norm`` brings each hidden state to mean 0 and variance 1
    first; ``non_negative``, ``probe`` and ``dropout`` as of a net for pictures.
    """

    kind: Literal["layer_mix"]
    pooling: Literal["mean", "attentive"] = "mean"
    layer_norm: bool = True
    dimensions: int = Field(default=64, ge=1)
    non_negative: bool = False
    probe: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Lora(Section):
    """Adapters of a rank beside the layers of a model, whose answers count ``alpha / rank`` times."""

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0)


class PretrainedSpeechEntry(Section):
    """A speech model of ``transformers`` that is adapted by LoRA, and what stands behind it as in ``layer_mix``.

    ``source`` is a folder with safetensors, below ``data``, or a name on the hub. Its weights stay as they are, and
    those of its adapters learn. ``layers`` are the hidden states that are weighed, all of them where they are not set.
    Needs ``pip install "affectspace[pretrained]"``.
    """

    kind: Literal["pretrained_speech"]
    source: str = Field(min_length=1)
    lora: Lora = Lora()
    layers: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=1)
    pooling: Literal["mean", "attentive"] = "mean"
    layer_norm: bool = True
    dimensions: int = Field(default=64, ge=1)
    non_negative: bool = False
    probe: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)


Encoder = Annotated[
    ConvPoolEncoder
    | SpeechEncoder
    | MLPEncoder
    | ImageEncoderEntry
    | PretrainedImageEntry
    | LayerMixEntry
    | PretrainedSpeechEntry
    | MultimodalEncoderEntry,
    Field(discriminator="kind"),
]
