"""What a recipe says of items of several modalities, and of items without a label."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from affectspace.training.recipe_features import Features
from affectspace.training.schema import Section, kind_of

__all__ = ["Balance", "LinearNet", "Modalities", "ModalityEntry", "MultimodalEncoderEntry", "SequenceNet", "Unlabelled"]

Width = Annotated[int, Field(ge=1)]

VECTORS = ("vectors", "functionals", "relative_functionals")  # kinds of features of one vector an item


class LinearNet(Section):
    """An autoencoder of layers for vectors: ``hidden`` units of each on the way to ``latent``, and back."""

    kind: Literal["linear"]
    hidden: tuple[Width, ...] = (512, 256)
    latent: int = Field(default=128, ge=1)


class SequenceNet(Section):
    """An autoencoder of attention and convolutions for sequences, which are padded or cut to ``frames``.

    ``convolutions`` are rows of [kernel, stride, padding, channels] over time and width together, ``hidden`` the
    layers between what they leave and ``latent``.
    """

    kind: Literal["sequence"]
    frames: int = Field(ge=1)
    heads: int = Field(default=4, ge=1)
    blocks: int = Field(default=2, ge=1)
    convolutions: tuple[tuple[Width, Width, Annotated[int, Field(ge=0)], Width], ...] = Field(min_length=1)
    hidden: tuple[Width, ...] = ()
    latent: int = Field(default=128, ge=1)


class ModalityEntry(Section):
    """One modality of the items: the features that are made of it, and the autoencoder that reads them."""

    features: Features
    net: Annotated[LinearNet | SequenceNet, Field(discriminator="kind")]

    @model_validator(mode="before")
    @classmethod
    def _reads_neither_pictures_nor_samples(cls, values: Any) -> Any:
        """Told before the keys of the features are read, as those of face_sequence are unknown to faces."""
        if isinstance(values, dict) and kind_of(values.get("features")) == "faces":
            raise ValueError(
                'features.kind = "faces" gives single pictures, which no autoencoder reads; use "face_sequence", which '
                "reads frames through a video, or vectors of the pictures"
            )
        if isinstance(values, dict) and kind_of(values.get("features")) == "waveform":
            raise ValueError(
                'features.kind = "waveform" gives samples, which no autoencoder reads; use "log_mel", or the hidden '
                'states of "pretrained_speech"'
            )
        return values

    @model_validator(mode="after")
    def _is_read_by_its_net(self) -> Self:
        if isinstance(self.net, LinearNet) and self.features.kind not in VECTORS:
            raise ValueError(
                f'net.kind = "linear" reads vectors, and features.kind {self.features.kind!r} gives sequences; use '
                'net.kind = "sequence"'
            )
        if isinstance(self.net, SequenceNet) and self.features.kind in VECTORS:
            raise ValueError(
                f'net.kind = "sequence" reads sequences, and features.kind {self.features.kind!r} gives vectors; use '
                'net.kind = "linear"'
            )
        return self


def _named(entries: dict[str, ModalityEntry]) -> dict[str, ModalityEntry]:
    from torch import nn  # which reading a finished run has no use for

    nets = nn.ModuleDict()
    for name in entries:
        if name == "embedding" or hasattr(nets, name):
            raise ValueError(f"{name!r} cannot name a modality, as a net calls something else so; choose another word")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"{name!r} cannot name a modality; use a-z, 0-9 and _, a letter first")
    if len(entries) == 1:
        raise ValueError(
            f"there is a single modality, {next(iter(entries))!r}; give two or more, or [features] and [encoder] alone"
        )
    return entries


Modalities = Annotated[dict[str, ModalityEntry], AfterValidator(_named)]


class MultimodalEncoderEntry(Section):
    """The latents of all modalities side by side, and a classifier of ``hidden`` layers that reads them.

    While training, ``modality_dropout`` is how probably each modality of an item is hidden from the classifier, so
    that it learns to do without; never are all of them.
    """

    kind: Literal["multimodal"]
    hidden: tuple[Width, ...] = ()
    dropout: float = Field(default=0.0, ge=0, lt=1)
    modality_dropout: float = Field(default=0.0, ge=0, lt=1)


class Balance(Section):
    """After so many epochs the net tells the class of each unlabelled item; from then on classes come equally often.

    ``per_class`` items of each class are drawn: of rarer classes some come several times.
    """

    after: int = Field(ge=1)
    per_class: int = Field(default=5000, ge=1)


class Unlabelled(Section):
    """Training on items that have no label too: those of the corpora without one, and those whose label is not used.

    ``weight`` is the share of what terms say of them (the paper's omega), which grows from 0 over the first ``ramp`` of
    the training; where it is 0 they have no part in the run, which is the baseline. Each step takes ``batch_size`` of
    them. ``limit`` uses so many of them at most. Unlabelled items of a speaker or session that is validated or tested
    on are left out, unless ``transductive`` lets them in, which every output then says.
    """

    weight: float = Field(default=0.3, ge=0)
    batch_size: int = Field(default=128, ge=2)
    ramp: float = Field(default=0.0, ge=0, le=1)
    limit: int | None = Field(default=None, ge=1)
    transductive: bool = False
    balance: Balance | None = None
