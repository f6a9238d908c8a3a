"""The front end of speech by a model of ``transformers``: its hidden states, made once for every clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from affectspace.encoders.pretrained import state_of
from affectspace.encoders.speech_source import SAMPLE_RATE, SpeechSource, open_speech_source
from affectspace.encoders.speech_trunk import SpeechTrunk
from affectspace.errors import InputError
from affectspace.features.waveform import read_sound, refuse_length

__all__ = ["PretrainedSpeech"]

VERSION = 1  # of the computation; raise it when results change
# Seconds that fit 8 GB in the base sizes. WavLM's attention holds a number for every two frames and head; Whisper hears
# windows, and so clips of any length.
LONGEST = {"wavlm": 120.0, "whisper": None}
LONGEST_ELSEWHERE = 300.0


@dataclass(frozen=True)
class PretrainedSpeech:
    """The front end that makes a recording into hidden states of a speech model that others have trained.

    The model hears sound as it was trained on it, in float32 and as in evaluation; clips are run together only where
    that changes nothing, see :class:`~affectspace.encoders.SpeechTrunk`. In the store they go through the model in
    this process, several at a time, on as many threads as torch has.

    Args:
        source: folder with ``config.json``, safetensors and ``preprocessor_config.json``, or the model's name on the
            hub. Code in a model is never run, and weights in any other format are refused.
        layers: which hidden states, 0 being what the first block reads; None: all of them.
        pool: ``"mean"``: an item's frames are its layers, each the mean over its time, ``(layers, width)``;
            ``"none"``: its frames in time, with all layers side by side, ``(frames, layers * width)``.

    Raises:
        InputError: ``transformers`` is not installed, no such model, no safetensors, a model of something else than
            speech, layers that it does not have, or a pool that there is not.

    Source: Pepino, Riera & Ferrer, "Emotion Recognition from Speech Using wav2vec 2.0 Embeddings", Interspeech 2021.

    Example:
        >>> frontend = PretrainedSpeech("openai/whisper-base")                 # doctest: +SKIP
        >>> frontend("clip.wav").shape                                         # doctest: +SKIP
        (7, 512)
    """

    source: str | Path
    layers: tuple[int, ...] | None = None
    pool: Literal["mean", "none"] = "mean"

    def __post_init__(self):
        if self.pool not in ("mean", "none"):
            raise InputError(f'pool is {self.pool!r}; legal: "mean", "none"')
        object.__setattr__(self, "layers", None if self.layers is None else tuple(self.layers))
        _ = self.chosen

    @property
    def chosen(self) -> tuple[int, ...]:
        """The hidden states that are made, in their order."""
        return self._source.chosen(self.layers)

    @property
    def dimensions(self) -> int:
        """Numbers in a frame."""
        return self._source.width * (1 if self.pool == "mean" else len(self.chosen))

    @property
    def hub_files(self) -> list[Path]:
        """Of a model on the hub the files, at the commit that was opened, which decide its answers; else none."""
        return [*self._source.files] if self._source.revision else []

    @property
    def fingerprint(self) -> str:
        """All settings, the content of the model's files, and the versions of the computation."""
        layers = ",".join(map(str, self.chosen))
        settings = f"family={self._source.family} layers={layers} pool={self.pool} content={self._source.sha256[:16]}"
        return f"pretrained_speech/{VERSION} transformers={version('transformers')} {settings}"

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples of a recording at 16 kHz; see :func:`~affectspace.features.waveform.read_sound`.

        Raises:
            MediaError: a file that cannot be read, silence, or a recording that is too short for a frame or too long.
        """
        samples = read_sound(path, SAMPLE_RATE, start, end)
        self._refuse(samples)
        return samples

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to features ``(frames, dimensions)``.

        Raises:
            MediaError: samples that are too few for a frame, or too many.
            InputError: weights that cannot be opened.
        """
        return self.compute_many([samples])[0]

    def compute_many(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What :meth:`compute` gives of each clip, to within rounding, in their order.

        Raises:
            MediaError, InputError: as :meth:`compute`, of any of them.
        """
        if not clips:
            return []
        for clip in clips:
            self._refuse(clip)
        trunk = _opened(str(self.source), state_of(self.source), self.chosen)
        lengths = [len(clip) for clip in clips]
        made: dict[int, np.ndarray] = {}
        for rows in trunk.together(lengths):
            samples = torch.zeros(len(rows), max(lengths[row] for row in rows))
            for place, row in enumerate(rows):
                samples[place, : lengths[row]] = torch.from_numpy(np.ascontiguousarray(clips[row], np.float32))
            with torch.inference_mode():
                states, frames = trunk(samples, torch.tensor([lengths[row] for row in rows]))
            for row, own, count in zip(rows, states, frames.tolist()):
                kept = own[:count]
                made[row] = (kept.mean(0) if self.pool == "mean" else kept.flatten(1)).numpy()
        return [made[row] for row in range(len(clips))]

    def __call__(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """Features ``(frames, dimensions)`` of a file, or of its part from ``start`` to ``end`` seconds.

        Raises:
            MediaError, InputError: as :meth:`read` and :meth:`compute`.
        """
        return self.compute(self.read(path, start, end))

    def _refuse(self, samples: np.ndarray) -> None:
        source = self._source
        refuse_length(samples, SAMPLE_RATE, source.shortest, LONGEST.get(source.family, LONGEST_ELSEWHERE))

    @property
    def _source(self) -> SpeechSource:
        return _known(str(self.source), state_of(self.source))


@lru_cache(maxsize=8)
def _known(source: str, state: tuple[tuple[str, int, int], ...]) -> SpeechSource:
    """The settings of a source; ``state`` is that of a folder."""
    return open_speech_source(source)


@lru_cache(maxsize=2)  # of the process: a front end does not carry its model
def _opened(source: str, state: tuple[tuple[str, int, int], ...], layers: tuple[int, ...]) -> SpeechTrunk:
    return SpeechTrunk(_known(source, state), layers)
