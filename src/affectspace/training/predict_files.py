"""What a model says of loose files: how probable each class is, which training items are like it, and if any is."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.errors import InputError, MediaError
from affectspace.features.extract import Source, extract_all
from affectspace.media import audio_info
from affectspace.media.audio import LONGEST, SHORTEST
from affectspace.training.below_data import refuse_other_below
from affectspace.training.frontends import make_frontend, medium, reads_loose, reads_sound
from affectspace.training.known import Known, load_known
from affectspace.training.model import Model, load_model
from affectspace.training.profile import Loose, described_all
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import LevelLabels
from affectspace.training.study_folder import refuse_study

__all__ = [
    "NEAREST",
    "Answer",
    "Answers",
    "Near",
    "Unread",
    "expected",
    "loose_frontends",
    "notes_on",
    "predict_files",
    "reads_files",
    "refuse_what_files_lack",
    "wrong_length",
]

LINK = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # a path has lost one of the two strokes
NEAREST = 5


@dataclass(frozen=True)
class Near:
    """A training item near a file, and how far from it in the space."""

    id: str
    language: str | None
    label: str | None
    distance: float


@dataclass(frozen=True)
class Answer:
    """What a model says of a file.

    Args:
        file: as it was given.
        probabilities: ``(classes,)``.
        level: where the classes are levels, the expected one, the lowest counting 1; None of other labels.
        value: where they are levels of numbers, the expected number.
        nearest: the training items nearest to it, the nearest first; none where the model keeps none.
        distances: to its k-th nearest training item, in the space (``"embedding"``) and in ``"features"``.
        beyond: by which of the two it lies far from all of them; None where nobody knows.
    """

    file: str
    probabilities: np.ndarray
    level: float | None = None
    value: float | None = None
    nearest: tuple[Near, ...] = ()
    distances: dict[str, float] = field(default_factory=dict)
    beyond: tuple[str, ...] | None = None

    def told(self, classes: Sequence[str]) -> dict[str, Any]:
        """The same for machines, in what JSON can hold; the probabilities by the names of the classes."""
        shares = dict(zip(classes, map(float, self.probabilities)))
        told: dict[str, Any] = {"file": self.file, "prediction": max(shares, key=lambda name: shares[name])}
        told["probabilities"] = shares
        if self.level is not None:
            told["expected_level"] = self.level
        if self.value is not None:
            told["predicted_value"] = self.value
        told["nearest"] = [dict(vars(near)) for near in self.nearest]
        told["distances"] = self.distances
        told["far"] = None if self.beyond is None else bool(self.beyond)
        told["far_by"] = list(self.beyond or ())
        return told


@dataclass(frozen=True)
class Unread:
    """A file of which nothing can be said, and why."""

    file: str
    reason: str

    @property
    def told(self) -> str:
        """The reason, which may name the file itself."""
        return self.reason if self.file in self.reason else f"{self.file}: {self.reason}"


@dataclass(frozen=True)
class Answers:
    """What a model says of several files.

    Args:
        model: that was asked.
        known: the training items that it keeps; None where it keeps none.
        answers: one a file that could be read, in their order; one that is named twice has two.
        unread: the others, likewise.
        notes: what there is to know of all answers.
    """

    model: Model
    known: Known | None
    answers: tuple[Answer, ...]
    unread: tuple[Unread, ...]
    notes: tuple[str, ...]


def predict_files(folder: str | Path, files: Sequence[str | Path]) -> Answers:
    """Ask the model of a run about recordings, or about pictures where it reads those.

    A model of several modalities is asked where all of them are made of the recording, and answers from them all.

    A file is of no corpus and no speaker that the model knows: where training normalised by them, it is given the mean
    and scale of all training items.

    Args:
        folder: of a finished run, or of its model; or ``hf:OWNER/NAME``, a model on the hub.
        files: recordings of 0.3 to 60 seconds, or pictures.

    Raises:
        InputError: no model there, one that reads something else, or no file that can be read.
    """
    refuse_study(folder)
    model = load_model(folder)
    refuse_what_files_lack(model)
    refuse_other_below(model.recipe, model.digests)
    frontends = loose_frontends(model)
    known = load_known(folder)
    refused = {str(file): _refused(Path(file), model) for file in files}
    made = _made(frontends, [file for file, reason in refused.items() if not reason])
    told: dict[str, Answer | Unread] = {}
    for file, reason in refused.items():
        features, fault = ({}, reason) if reason else next(made)
        told[file] = Unread(file, fault) if fault else _answer(file, features, model, frontends, known)
    each = [told[str(file)] for file in files]
    answers = [one for one in each if isinstance(one, Answer)]
    unread = [one for one in each if isinstance(one, Unread)]
    if not answers:
        many = f"none of the {len(unread)} files can be used; the first: " if len(unread) > 1 else ""
        raise InputError(many + (unread[0].told if unread else "no file was named; give recordings, or pictures"))
    return Answers(model, known, tuple(answers), tuple(unread), tuple(notes_on(model, known)))


def reads_files(model: Model) -> bool:
    """Whether a file alone, a recording or a picture, tells all that the model reads."""
    recipe = model.recipe  # of vectors the front end tells
    return reads_loose(recipe) or (not recipe.modalities and model.medium == "audio")


def refuse_what_files_lack(model: Model) -> None:
    """Raise where a file alone does not tell all that the model reads.

    Raises:
        InputError: the model reads texts, videos or vectors, alone or as a modality.
    """
    if reads_files(model):
        return
    recipe = model.recipe
    views = recipe.per_modality().items()
    others = [f"the modality {name!r}, made of {_stuff(view)}" for name, view in views if not reads_sound(view)]
    raise InputError(
        f"this model reads {' and '.join(others) if recipe.modalities else model.medium}, which a loose file does not "
        "tell; make a corpus of your items (docs/your-data.md shows how), and ask for their probabilities by: "
        "affectspace embed RUN CORPUS"
    )


def loose_frontends(model: Model) -> dict[str, Loose]:
    """The front end of each modality; of a single one by the name ``features``."""
    recipe, made = model.recipe, {}
    for name, view in recipe.per_modality().items():
        frontend = make_frontend(view) if recipe.modalities else model.frontend
        assert isinstance(frontend, Loose), "no other front end reads sound or pictures"
        made[name] = frontend
    return made


def _stuff(view: Recipe) -> str:
    """What a modality that is not made of sound is made of."""
    return "precomputed vectors" if view.features.kind == "vectors" else medium(view)


def _made(frontends: Mapping[str, Loose], files: Sequence[str]) -> Iterator[tuple[dict[str, np.ndarray], str]]:
    """Of each file its features by modality, and why it has not all of them; empty where it has."""
    sources = [Source(file, None, None) for file in files]
    for found in zip(*(extract_all(frontend, sources) for frontend in frontends.values()), strict=True):
        faults = [
            f"{name}: {each.reason}" if len(frontends) > 1 else each.reason
            for name, each in zip(frontends, found)
            if each.values is None
        ]
        yield {name: each.values for name, each in zip(frontends, found) if each.values is not None}, "; ".join(faults)


def _refused(path: Path, model: Model) -> str:
    """Why a file is not even read; empty where it is."""
    if path.is_dir():
        return (
            f"{path} is a folder, and each file is named by itself here, such as {shlex.quote(str(path))}/*; a whole "
            f"folder is put into a table by: affectspace embed RUN {shlex.quote(str(path))}"
        )
    if LINK.match(str(path)):
        return f"{str(path).replace(':/', '://', 1)} is a link, and links are not opened; download it and name the file"
    if not path.exists():
        return f"there is nothing at {path}; check the path"
    if model.medium == "image":
        return ""
    try:
        seconds = audio_info(path).seconds
    except MediaError as error:
        return str(error)
    return wrong_length(str(path), seconds)


def wrong_length(name: str, seconds: float) -> str:
    """Why a recording is too short or too long for an answer; empty where it is neither.

    Example:
        >>> wrong_length("a.wav", 2.0)
        ''
        >>> wrong_length("a.wav", 0.1)[:50]
        'a.wav is 0.1 s long, too short to hear an expressi'
    """
    if seconds < SHORTEST:
        return (
            f"{name} is {seconds:.3g} s long, too short to hear an expression in; legal: {SHORTEST:g} to {LONGEST:g} "
            "s, so give the whole utterance"
        )
    if seconds > LONGEST:
        return (
            f"{name} is {seconds:.1f} s long, and an answer is for one utterance; legal: {SHORTEST:g} to {LONGEST:g} "
            "s, so cut it into its utterances and name each"
        )
    return ""


def expected(model: Model, probabilities: np.ndarray) -> tuple[float | None, float | None]:
    """The level and the value that a model expects, by the probabilities ``(classes,)``; None where it has no such."""
    level = value = None
    if isinstance(model.recipe.labels, LevelLabels):
        level = float(probabilities @ np.arange(1, len(probabilities) + 1))
    if model.cut is not None:
        value = float(model.cut.values(probabilities[None])[0])
    return level, value


def _answer(
    file: str, features: Mapping[str, np.ndarray], model: Model, frontends: Mapping[str, Loose], known: Known | None
) -> Answer:
    clips = {name: [values] for name, values in features.items()}
    (embedding,), (probabilities,) = model(clips if model.recipe.modalities else clips["features"])
    level, value = expected(model, probabilities)
    if known is None:
        return Answer(file, probabilities, level, value)
    away = known.distances(embedding, described_all(features, frontends))
    first = np.argsort(away["embedding"], kind="stable")[:NEAREST].tolist()
    nearest = [
        Near(known.ids[row], known.languages[row], known.labels[row], float(away["embedding"][row])) for row in first
    ]
    to_kth = known.to_kth(away)
    return Answer(file, probabilities, level, value, tuple(nearest), to_kth, known.far.beyond(to_kth))


def notes_on(model: Model, known: Known | None) -> list[str]:
    """What there is to know of all answers of a model, by the training items that it keeps."""
    told = []
    scopes = sorted({normaliser.scope for normaliser in model.normalisers.values()} & {"speaker", "corpus"})
    if scopes:
        groups = " or ".join(scopes)
        told.append(
            f"Training gave each item the mean and scale of its {groups}. A loose file is of none that is known, so it "
            "is given those of all training items"
            + (
                f", as each tested item was, whose {groups} did not train: the run's scores are of answers like these."
                if model.tested_as_new
                else "; expect the answers to be worse than the run's scores. A run with features.normalise.scope "
                "train or item would not tell the two apart."
            )
        )
    if known is None:
        told.append(
            "This model keeps no training items (it was exported without them, as by --without-items, saved before "
            "models kept any, or trained only to choose settings), so nothing tells which are near, or that a file is "
            "like none of them; ask the run that it was exported from, or export that with its items; else train "
            "again, or embed the corpora and search them."
        )
    elif known.far.judged_by == "train":
        told.append(
            "Nothing validated in this run, so what is far was learned from training items, each left out in turn; the "
            "net has learned these, so more of other files are called far than should be."
        )
    return told
