"""What a recipe asks for by name: its label space, its front end, and how training hears and sees its items."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectspace.encoders import open_speech_source
from affectspace.errors import InputError
from affectspace.features import (
    Augmentation,
    Faces,
    FaceSequence,
    Functionals,
    Hearing,
    ImageVectors,
    LogMel,
    Masks,
    Normaliser,
    PixelVectors,
    PretrainedSpeech,
    PretrainedText,
    PretrainedVectors,
    RelativeFunctionals,
    VectorTable,
    Views,
    Waveform,
    WordVectors,
)
from affectspace.files import inside
from affectspace.labels import Classes, LabelSpace, Levels, Poles, Uncut
from affectspace.training.finder_file import finder_file
from affectspace.training.named_paths import named_path
from affectspace.training.pretrained_source import source_of
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import ClassLabels, LevelLabels, PoleLabels
from affectspace.training.recipe_encoder import PretrainedSpeechEntry
from affectspace.training.recipe_features import (
    FaceFeatures,
    FaceSequenceFeatures,
    FunctionalsFeatures,
    LogMelFeatures,
    PretrainedSpeechFeatures,
    PretrainedTextFeatures,
    RelativeFunctionalsFeatures,
    VectorFeatures,
    WaveformFeatures,
    WordFeatures,
)

if TYPE_CHECKING:  # a model is opened without any corpus
    from affectspace.corpora import Corpus

__all__ = [
    "cache_folder",
    "cache_folders",
    "joined_fingerprint",
    "make_frontend",
    "make_hearing",
    "make_label_space",
    "make_views",
    "medium",
    "reads_loose",
    "reads_sound",
]


LONGEST = 60.0  # seconds of a recording through which a speech model is adapted: what it remembers of it must fit


def make_label_space(recipe: Recipe, corpus: "Corpus") -> LabelSpace:
    """The label space that the recipe names, on the scale that the corpus declares.

    Raises:
        InputError: poles of a dimension whose scale nobody states.
    """
    match recipe.labels:
        case ClassLabels() as labels:
            return Classes(labels.names, soft=labels.soft, others=labels.others)
        case PoleLabels() as labels:
            if labels.low is not None and labels.high is not None:
                return Poles(labels.names, low=labels.low, high=labels.high)
            scale = corpus.card.scales.get(labels.dimension)
            if scale is None:
                raise InputError(
                    f"corpus {corpus.name} declares no scale for {labels.dimension!r}; add [scales.{labels.dimension}] "
                    "with low and high to its corpus.toml, or set labels.low and labels.high in the recipe"
                )
            return Poles(labels.names, low=scale.low, high=scale.high)
        case LevelLabels() as labels:
            return Uncut() if labels.bins else Levels(labels.names, thresholds=labels.thresholds)


def medium(recipe: Recipe) -> str:
    """The column of the items' media that the recipe's features are made of."""
    match recipe.features:
        case FaceFeatures():
            return "image"
        case FaceSequenceFeatures():
            return "video"
        case WordFeatures() | PretrainedTextFeatures():
            return "text"
    return "audio"


def reads_sound(recipe: Recipe) -> bool:
    """Whether the recipe's features are made of recordings, and not of vectors that may stand for such."""
    return medium(recipe) == "audio" and not isinstance(recipe.features, VectorFeatures)


def reads_loose(recipe: Recipe) -> bool:
    """Whether a file alone, which is of no corpus, tells all that the recipe's net reads: a recording, or a picture."""
    if not recipe.modalities and isinstance(recipe.features, FaceFeatures):
        return True
    return all(reads_sound(view) for view in recipe.per_modality().values())


def make_frontend(
    recipe: Recipe,
) -> (
    LogMel
    | Functionals
    | RelativeFunctionals
    | VectorTable
    | Faces
    | WordVectors
    | PretrainedText
    | PretrainedSpeech
    | Waveform
    | FaceSequence
):
    """The front end that the recipe names.

    Raises:
        InputError: functionals, where openSMILE is not installed; a run that sees no faces, or others than those of
            the videos; a path that leaves the recipe's ``data``.
    """
    match recipe.features:
        case LogMelFeatures() as features:
            return LogMel(bands=features.bands, level=features.level)
        case FunctionalsFeatures() as features:
            return Functionals(features.set, level=features.level)
        case RelativeFunctionalsFeatures() as features:
            return RelativeFunctionals(features.level, absolute=features.absolute)
        case VectorFeatures() as features:
            paths = [features.path] if isinstance(features.path, str) else features.path
            return VectorTable(
                [str(named_path(recipe, "features.path", path)) for path in paths],
                id_column=features.id_column,
                columns=features.columns,
            )
        case FaceFeatures() as features:
            file = finder_file(recipe)
            return Faces(features.side, features.colour, features.finder if file is None else str(file))
        case WordFeatures() as features:
            table = inside(recipe.data, features.path)
            return WordVectors(table, features.words, features.word_column, features.columns)
        case PretrainedTextFeatures() as features:
            return PretrainedText(source_of(recipe, features.source), features.words)
        case PretrainedSpeechFeatures() as features:
            return PretrainedSpeech(source_of(recipe, features.source), features.layers, features.pool)
        case WaveformFeatures():
            assert isinstance(recipe.encoder, PretrainedSpeechEntry), "the recipe proves it"
            heard_by = open_speech_source(source_of(recipe, recipe.encoder.source))
            return Waveform(shortest=heard_by.shortest, longest=LONGEST)
        case FaceSequenceFeatures() as features:
            file = finder_file(recipe)
            return FaceSequence(
                _net_of_faces(recipe, features), features.frames, features.per_second, features.side, features.colour,
                features.finder if file is None else str(file),
            )  # fmt: skip
    raise AssertionError(f"no front end is made of {recipe.features.kind}")


def joined_fingerprint(recipe: Recipe, frontends: Mapping[str, Any]) -> str:
    """The fingerprint of a recipe's front end, or those of its modalities, each behind its name."""
    told = [
        each.fingerprint if not recipe.modalities else f"{name}: {each.fingerprint}" for name, each in frontends.items()
    ]
    return " | ".join(told)


def _net_of_faces(recipe: Recipe, features: FaceSequenceFeatures) -> ImageVectors:
    if features.run is not None:
        from affectspace.training.run_vectors import RunVectors  # which reads a model, and that asks for front ends

        vectors = RunVectors(inside(recipe.data, features.run))
        vectors.refuse_other(features.side, features.colour)  # before the first video is decoded
        return vectors
    if features.source is not None:
        return PretrainedVectors(source_of(recipe, features.source))
    return PixelVectors(features.pixels)


def make_hearing(
    recipe: Recipe, clips: Sequence[np.ndarray], samples: Sequence[np.ndarray] | None, normaliser: Normaliser,
    keys: Iterable[str],
) -> Hearing | None:  # fmt: skip
    """How the recipe's training sounds: None where nothing is augmented.

    Args:
        recipe: its section ``augment`` and its seed.
        clips: each item's features.
        samples: each item's samples, :attr:`Gathered.samples`.
        normaliser: the mean and scale of each item.
        keys: each item's name, corpus/id.
    """
    augment, frontend = recipe.augment, make_frontend(recipe)
    if not augment.on or not isinstance(frontend, LogMel):
        return None
    shortest = int(frontend.sample_rate * frontend.frame_ms / 1000)
    augmentation = Augmentation(
        augment.speed, augment.level, augment.noise, shortest, augment.reverberation, augment.channel,
        frontend.sample_rate,
    )  # fmt: skip
    masks = Masks(augment.time_masks, augment.time_width or 0, augment.band_masks, augment.band_width or 0)
    return Hearing(
        recipe.seed, augment.share, augmentation if augment.reads_samples else None,
        masks if augment.masks else None, frontend, clips, samples, normaliser, keys,
    )  # fmt: skip


def make_views(recipe: Recipe) -> Views | None:
    """How the recipe's training sees pictures; None where it reads none, or sees them as they are."""
    views = recipe.views
    if not isinstance(recipe.features, FaceFeatures) or not views.on:
        return None
    return Views(views.crop, views.flip, views.rotation, views.aspect, views.colour)


def cache_folders() -> list[Path]:
    """Where extracted features are kept: ``$AFFECTSPACE_CACHE``, or the user's cache folder.

    It may name several folders, separated as in ``PATH``. One is made when it is needed; of several each has to be
    there, as a disk that is not mounted would become a folder of another disk.

    Raises:
        InputError: one of several is not there.
    """
    chosen = [Path(each) for each in os.environ.get("AFFECTSPACE_CACHE", "").split(os.pathsep) if each]
    for each in chosen if len(chosen) > 1 else ():
        if not each.is_dir():
            raise InputError(
                f"AFFECTSPACE_CACHE names {each}, which is no folder; mount its disk, make the folder, or leave it out"
            )
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return chosen or [home / "affectspace"]


def cache_folder() -> Path:
    """Where all else is kept that can be made anew: the first of :func:`cache_folders`."""
    return cache_folders()[0]
