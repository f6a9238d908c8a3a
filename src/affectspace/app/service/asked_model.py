"""A model that is asked over and over: opened once, its items prepared one by one, and answered together."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.errors import MediaError
from affectspace.features import Faces, LogMel, PretrainedSpeech, Waveform, WordVectors
from affectspace.features.extract import KEPT
from affectspace.neighbours.nearest import Neighbours
from affectspace.training.below_data import refuse_other_below
from affectspace.training.frontends import reads_loose
from affectspace.training.known import Known, load_known
from affectspace.training.model import Model, load_model
from affectspace.training.predict_files import (
    NEAREST,
    Answer,
    Near,
    expected,
    loose_frontends,
    notes_on,
    refuse_what_files_lack,
)
from affectspace.training.profile import described_all
from affectspace.training.study_folder import refuse_study

__all__ = ["AskedModel", "Found", "Prepared", "cores", "together"]

FRAMES = 400_000  # of the padded items that go through the net together
SECOND = 16_000  # samples
# Front ends of which several may work at once; tokenizers and openSMILE do not say that they can.
SIDE_BY_SIDE = (LogMel, Waveform, Faces, WordVectors, PretrainedSpeech)
STRETCH = 2.0  # how much longer than the shortest of them the longest may be


@dataclass(frozen=True)
class Prepared:
    """An item as the net takes it.

    Args:
        features: ``(frames, dimensions)`` by modality; of a single one by the name ``features``.
        described: ``(numbers,)`` by which the known items are compared; None where there are none.
    """

    features: dict[str, np.ndarray]
    described: np.ndarray | None

    @property
    def frames(self) -> int:
        """Of its longest modality."""
        return max(map(len, self.features.values()))


@dataclass(frozen=True)
class Found:
    """What is known of an item.

    Args:
        embedding: ``(dimensions,)``.
        answer: as :func:`~affectspace.training.predict_files.predict_files` gives it, of a file without a name.
    """

    embedding: np.ndarray
    answer: Answer


class AskedModel:
    """The model of a run, for items that come one after another.

    What it says of an item is what ``affectspace predict`` says of the file, to within rounding, whoever is asked about
    in the same moment.

    Args:
        folder: of a finished run, or of its model; it reads recordings, pictures or texts.

    Raises:
        InputError: no model there, a damaged one, or one that reads something else.
    """

    def __init__(self, folder: str | Path):
        refuse_study(folder)
        self.folder = Path(folder)
        self.model: Model = load_model(folder)
        recipe = self.model.recipe
        if self.model.medium != "text":
            refuse_what_files_lack(self.model)
        refuse_other_below(recipe, self.model.digests)
        self.frontends: dict[str, Any] = (
            loose_frontends(self.model) if self.model.medium != "text" else {"features": self.model.frontend}
        )
        self.known: Known | None = load_known(folder)
        self.medium = "audio" if self.model.medium == "several" else self.model.medium
        if self.known is not None and reads_loose(recipe):
            self._near = {
                "embedding": Neighbours(self.known.embeddings.astype(np.float32)),
                "features": Neighbours(self.known.profiles.astype(np.float32)),
            }
        self.dimensions = len(self.answers([self._blank])[0].embedding)

    @property
    def notes(self) -> list[str]:
        """What there is to know of all its answers."""
        return notes_on(self.model, self.known)

    @property
    def workers(self) -> int:
        """Threads that may prepare items side by side: one where a library is not known to bear more."""
        return cores() if all(isinstance(each, SIDE_BY_SIDE) for each in self.frontends.values()) else 1

    def prepare(self, source: str) -> Prepared:
        """The path of a recording or picture, or a text, to what the net takes.

        Raises:
            MediaError: it cannot be read, or there is nothing in it.
        """
        features = {}
        for name, frontend in self.frontends.items():
            made = frontend.compute(frontend.read(source))
            values = np.ascontiguousarray(made, dtype=KEPT.get(made.dtype, "<f4"))
            where = "the text" if self.medium == "text" else source
            if not len(values):
                raise MediaError(f"{where} gives no frame")
            if not np.isfinite(values).all():
                raise MediaError(f"{where} gives features that are NaN or infinite")
            features[name] = values
        return self._prepared(features)

    def answers(self, items: Sequence[Prepared]) -> list[Found]:
        """What is known of several items, in their order."""
        found: dict[int, Found] = {}
        for rows in together([item.frames for item in items]):
            found.update(zip(rows, self._answers([items[row] for row in rows]), strict=True))
        return [found[row] for row in range(len(items))]

    def _answers(self, items: Sequence[Prepared]) -> Iterator[Found]:
        clips = {name: [item.features[name] for item in items] for name in self.frontends}
        embeddings, probabilities = self.model(clips if self.model.recipe.modalities else clips["features"])
        nearest, distances = self._placed(items, embeddings)
        for row, (embedding, shares) in enumerate(zip(embeddings, probabilities)):
            to_kth = distances[row] if distances else {}
            beyond = None if self.known is None else self.known.far.beyond(to_kth)
            answer = Answer("", shares, *expected(self.model, shares), nearest[row], to_kth, beyond)
            yield Found(embedding, answer)

    def _placed(
        self, items: Sequence[Prepared], embeddings: np.ndarray
    ) -> tuple[list[tuple[Near, ...]], list[dict[str, float]]]:
        """Of each item the training items nearest to it, and its distances to the k-th of them."""
        known = self.known
        if known is None:
            return [()] * len(items), []
        described = np.stack([item.described for item in items if item.described is not None])
        count = min(max(NEAREST, known.far.k), len(known))
        away, rows = self._near["embedding"].search(embeddings, count)
        features, _ = self._near["features"].search(known.profile(described), min(known.far.k, len(known)))
        nearest = [
            tuple(
                Near(known.ids[row], known.languages[row], known.labels[row], float(distance))
                for row, distance in zip(own[:NEAREST], gaps)
            )
            for own, gaps in zip(rows.tolist(), away)
        ]
        kth = known.far.k - 1
        return nearest, [
            {"embedding": float(near[kth]), "features": float(alike[kth])} for near, alike in zip(away, features)
        ]

    def _prepared(self, features: dict[str, np.ndarray]) -> Prepared:
        return Prepared(features, None if self.known is None else described_all(features, self.frontends))

    @property
    def _blank(self) -> Prepared:
        """An item that says nothing, by which the net shows how wide its embeddings are, and wakes."""
        noise = np.random.default_rng(0).normal(0, 0.1, SECOND).astype(np.float32)
        features = {}
        for name, frontend in self.frontends.items():
            if self.medium == "audio":
                features[name] = frontend.compute(noise)
            elif isinstance(frontend, Faces):
                features[name] = np.zeros((frontend.side**2, frontend.dimensions), np.uint8)
            else:
                features[name] = np.zeros((3, frontend.dimensions), np.float32)
        return self._prepared(features)


def together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of items that go through a net as one batch: of like length, and never too much at once.

    Padding changes no result, but many nets work through it.

    Example:
        >>> list(together([100, 900, 120, 1000]))
        [[0, 2], [1, 3]]
    """
    group: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        frames = lengths[row]
        if group and (frames > STRETCH * lengths[group[0]] or frames * (len(group) + 1) > FRAMES):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
