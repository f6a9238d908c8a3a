"""What a recipe says of its features: which front end, and how they are normalised."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affectspace.training.schema import Section

__all__ = [
    "FaceFeatures",
    "FaceSequenceFeatures",
    "Features",
    "FunctionalsFeatures",
    "FunctionalsSet",
    "LogMelFeatures",
    "Normalise",
    "PretrainedSpeechFeatures",
    "PretrainedTextFeatures",
    "RelativeFunctionalsFeatures",
    "VectorFeatures",
    "WaveformFeatures",
    "WordFeatures",
]


class Normalise(Section):
    """z-normalisation: whose mean and variance an item is given.

    ``transductive`` lets corpora or speakers outside training use their own (unlabelled) items,
    which is no longer a test on data never seen, and is said so in every output. ``steady_across`` then weighs each
    feature by how steady it is from corpus to corpus, or language to language, of the training items; see
    :func:`affectspace.features.steadiness`.
    """

    scope: Literal["none", "item", "speaker", "corpus", "train"] = "train"
    transductive: bool = False
    steady_across: Literal["corpus", "language"] | None = None

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        if self.transductive and self.scope not in {"speaker", "corpus"}:
            raise ValueError(f"transductive has no meaning for scope {self.scope!r}; legal with it: speaker, corpus")
        if self.steady_across and self.scope in {"none", "item"}:
            raise ValueError(
                f"steady_across weighs features by the statistics of training items, which scope {self.scope!r} does "
                "not use; legal with it: train, corpus, speaker"
            )
        return self


class LogMelFeatures(Section):
    """Log-Mel filterbank energies as Kaldi computes them.

    ``max_bad_share`` of a corpus's items may be at fault and are set aside; with more the run stops.
    """

    kind: Literal["log_mel"] = "log_mel"
    bands: int = Field(default=40, ge=1)
    level: float | None = Field(default=None, le=0)
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


FunctionalsSet = Literal[
    "ComParE_2016", "eGeMAPSv02", "GeMAPSv01b", "emobase", "IS09", "IS10", "IS11", "IS12", "IS13"
]  # fmt: skip


class FunctionalsFeatures(Section):
    """openSMILE's functionals, one vector a recording; its licence rules out commercial use.

    Needs ``pip install "affectspace[functionals]"``; ``max_bad_share`` as for log-Mel features.
    """

    kind: Literal["functionals"]
    set: FunctionalsSet = "ComParE_2016"
    level: float | None = Field(default=None, le=0)
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class RelativeFunctionalsFeatures(Section):
    """How a voice moves about its own mean, one vector a recording, by openSMILE's descriptors of eGeMAPS.

    Of no use for telling speakers and microphones, which differ between languages; with ``absolute`` the 88 functionals
    of eGeMAPS, which tell them, come first. Its licence rules out commercial use. Needs
    ``pip install "affectspace[functionals]"``; ``max_bad_share`` as for log-Mel features.
    """

    kind: Literal["relative_functionals"]
    level: float | None = Field(default=None, le=0)
    absolute: bool = False
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class VectorFeatures(Section):
    """Precomputed vectors from a table or an npz file, below ``data``."""

    kind: Literal["vectors"]
    path: str | tuple[str, ...]
    id_column: str | None = None
    columns: tuple[str, ...] | None = None
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class WordFeatures(Section):
    """The words of a text as vectors of a table below ``data``: the first ``words`` that the table knows."""

    kind: Literal["words"]
    path: str
    words: int = Field(default=22, ge=1)
    word_column: str | None = None
    columns: tuple[str, ...] | None = None
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class PretrainedTextFeatures(Section):
    """The words of a text as vectors of a model of ``transformers``, each the mean of its pieces.

    ``source`` is a folder with safetensors, below ``data``, or a name on the hub. Needs
    ``pip install "affectspace[pretrained]"``.
    """

    kind: Literal["pretrained_text"]
    source: str = Field(min_length=1)
    words: int = Field(default=22, ge=1)
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class PretrainedSpeechFeatures(Section):
    """The hidden states of a speech model of ``transformers``, made once for every clip.

    ``source`` is a folder with safetensors, below ``data``, or a name on the hub; ``layers`` are the hidden states,
    all of them where they are not set. With ``pool = "mean"`` an item's frames are its layers, with ``"none"`` its
    frames in time, all layers side by side. Needs ``pip install "affectspace[pretrained]"``.
    """

    kind: Literal["pretrained_speech"]
    source: str = Field(min_length=1)
    layers: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=1)
    pool: Literal["mean", "none"] = "mean"
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise(scope="none")  # frames of a mean are layers, whose scales differ


class WaveformFeatures(Section):
    """The samples themselves, at 16 kHz, for a model that hears them; they stay as they are.

    Recordings that are shorter than a frame of the model, or longer than a minute, are at fault.
    """

    kind: Literal["waveform"]
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise(scope="none")

    @model_validator(mode="after")
    def _stays_as_it_is(self) -> Self:
        if self.normalise.scope != "none":
            raise ValueError(
                f"normalise.scope is {self.normalise.scope!r}, and a model that hears samples prepares them by itself; "
                'legal: "none"'
            )
        return self


class FaceSequenceFeatures(Section):
    """The face through a video as ``frames`` vectors, ``per_second`` of them: its pixels, or those of a net.

    A frame without a face repeats the last one found. The net is ``run``, the folder below ``data`` of a run of yours
    that was trained on faces, or ``source``, an image model of ``transformers`` (a folder below ``data``, or a name on
    the hub); with neither a frame is its grey pixels, ``pixels`` x ``pixels`` of them. ``finder`` is ``"cascade"``, or
    the path of a YuNet file below ``data``.
    """

    kind: Literal["face_sequence"]
    frames: int = Field(default=18, ge=1)
    per_second: float = Field(default=3.0, gt=0, le=60)
    side: int = Field(default=64, ge=8, le=1024)
    colour: Literal["grey", "rgb"] = "grey"
    finder: str = "cascade"
    run: str | None = None
    source: str | None = None
    pixels: int = Field(default=16, ge=1, le=64)
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()

    @model_validator(mode="after")
    def _has_one_net(self) -> Self:
        if self.run is not None and self.source is not None:
            raise ValueError("run and source both name a net for the faces; keep one of the two")
        return self


class FaceFeatures(Section):
    """Pictures as squares of ``side`` pixels.

    ``finder`` looks for the face in each picture: not given, pictures are crops of faces already; ``"cascade"``
    needs ``pip install "affectspace[faces]"``; else the path, below ``data``, of a YuNet model file.
    """

    kind: Literal["faces"]
    side: int = Field(default=48, ge=8, le=1024)
    colour: Literal["grey", "rgb"] = "grey"
    finder: str | None = None
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()

    @property
    def channels(self) -> int:
        """Numbers in a pixel."""
        return 1 if self.colour == "grey" else 3


Features = Annotated[
    LogMelFeatures
    | FunctionalsFeatures
    | RelativeFunctionalsFeatures
    | VectorFeatures
    | FaceFeatures
    | WordFeatures
    | PretrainedTextFeatures
    | PretrainedSpeechFeatures
    | WaveformFeatures
    | FaceSequenceFeatures,
    Field(discriminator="kind"),
]
