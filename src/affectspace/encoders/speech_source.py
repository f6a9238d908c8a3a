"""A speech model of ``transformers`` before its weights are opened: its files, its family, and what it is to hear."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256 as sha256_of
from pathlib import Path
from typing import Any

from affectspace.encoders.hub import hub_files, hub_revision
from affectspace.encoders.pretrained import FAULTS, first_line, opening, refuse_source
from affectspace.errors import InputError
from affectspace.files import sha256

__all__ = ["FAMILIES", "SAMPLE_RATE", "SpeechSource", "open_speech_source"]

CONFIG = "preprocessor_config.json"
SAMPLE_RATE = 16000  # in Hz, of what all of these models hear
# By what config.json calls them; all but Whisper are built as wav2vec 2.0 is: convolutions, then blocks.
FAMILIES = ("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm", "whisper")
# What a model would change at random while it is trained, and what comes behind its hidden states: none of it here.
LEFT_OUT = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0, "add_adapter": False}


@dataclass(frozen=True)
class SpeechSource:
    """What is known of a speech model by its settings alone.

    Args:
        name: the folder or the name on the hub, as it was given.
        folder: where its files lie on this machine.
        revision: the commit of one on the hub; None of a folder.
        config: the configuration of its architecture.
        settings: its ``preprocessor_config.json``.
    """

    name: str
    folder: Path
    revision: str | None
    config: Any
    settings: dict[str, Any]

    @property
    def family(self) -> str:
        """One of :data:`FAMILIES`."""
        return self.config.model_type

    @property
    def blocks(self) -> int:
        """How many blocks it has: there is one hidden state more."""
        return self.config.encoder_layers if self.family == "whisper" else self.config.num_hidden_layers

    @property
    def width(self) -> int:
        """Numbers in a hidden state."""
        return self.config.d_model if self.family == "whisper" else self.config.hidden_size

    @property
    def shortest(self) -> int:
        """Samples that a first frame is made of."""
        if self.family == "whisper":
            return self.settings["n_fft"]
        samples = 1
        for kernel, stride in reversed([*zip(self.config.conv_kernel, self.config.conv_stride)]):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def window(self) -> int | None:
        """Samples that the model hears at a time, neither fewer nor more; None where it hears clips as they are."""
        return self.settings["chunk_length"] * SAMPLE_RATE if self.family == "whisper" else None

    @property
    def masks(self) -> bool:
        """Whether a clip gives the same in a batch with longer ones, as the model leaves padding out of everything.

        A first convolution that is normalised over all of a clip takes padding for a part of it, and several
        convolutions of positions, one on another, carry the edge of one into the next.
        """
        own = self.config
        if self.family in ("data2vec-audio", "whisper"):
            return False
        return own.feat_extract_norm == "layer" and not getattr(own, "conv_pos_batch_norm", False)

    def frames(self, samples: int) -> int:
        """How many frames there are of so many samples; of Whisper's those that belong to the clip.

        Example:
            >>> from types import SimpleNamespace
            >>> config = SimpleNamespace(model_type="hubert", conv_kernel=(10, 3), conv_stride=(5, 2))
            >>> source = SpeechSource("mine", Path("mine"), None, config, {})
            >>> source.shortest, source.frames(20), source.frames(30)
            (20, 1, 2)
        """
        if self.family == "whisper":
            return -(-samples // (2 * self.settings["hop_length"]))
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride):
            samples = (samples - kernel) // stride + 1
        return samples

    def chosen(self, layers: Sequence[int] | None) -> tuple[int, ...]:
        """The hidden states that are asked for, or all of them: 0 is what the first block reads, 1 what it gives.

        Raises:
            InputError: none, one twice, or one that the model does not have.
        """
        if layers is None:
            return tuple(range(self.blocks + 1))
        wrong = [layer for layer in layers if not 0 <= layer <= self.blocks]
        if wrong or len({*layers}) < len(layers) or not layers:
            told = "an empty list" if not layers else f"{[*layers]}"
            raise InputError(
                f"layers is {told}, and {self.name} has the hidden states 0 to {self.blocks}; name one or more of "
                "them, each once"
            )
        return tuple(layers)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """What decides the model's answers: its configuration, its weights and what says how sound is prepared."""
        weights = [*self.folder.glob("*.safetensors"), *self.folder.glob("*.safetensors.index.json")]
        return tuple(sorted([self.folder / "config.json", self.folder / CONFIG, *weights]))

    @property
    def sha256(self) -> str:
        """SHA-256 of the names and the contents of :attr:`files`; where they lie does not matter."""
        return sha256_of("".join(f"{file.name} {sha256(file)}\n" for file in self.files).encode()).hexdigest()


def open_speech_source(source: str | Path, revision: str | None = None) -> SpeechSource:
    """The settings of a speech model, from a folder or by its name on the hub.

    Args:
        source: folder with ``config.json``, safetensors and ``preprocessor_config.json``, or a name on the hub, from
            which these files are fetched where they are not on this machine yet.
        revision: which commit of one on the hub; None: the newest.

    Raises:
        InputError: ``transformers`` is not installed, no such model or no way to it, no safetensors, a model of
            something else than speech, or settings that cannot be read.
    """
    refuse_source(source)
    folder, commit = _on_this_machine(source, revision)
    told = _json(folder / "config.json", source)
    if (kind := told.get("model_type")) not in FAMILIES:
        raise InputError(
            f"{source} is a model of the kind {kind!r}, which hears no speech; legal: {', '.join(FAMILIES)}"
        )
    settings = _json(folder / CONFIG, source)
    from transformers import AutoConfig  # pyright: ignore[reportMissingImports]

    with opening(source):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for key, value in LEFT_OUT.items():
        if hasattr(config, key):
            setattr(config, key, value)
    _refuse_settings(source, config, settings)
    return SpeechSource(str(source), folder, commit, config, settings)


def _on_this_machine(source: str | Path, revision: str | None) -> tuple[Path, str | None]:
    """The folder with the files, and of a model on the hub the commit that they are of."""
    if Path(source).is_dir():
        return Path(source), None
    try:
        commit = hub_revision(source, revision)
        assert commit is not None, "a folder has none, and this is no folder"
        files = hub_files(str(source), commit, CONFIG)
    except FAULTS as error:
        raise InputError(
            f"{source} is no folder, and as a name on the hub it cannot be opened: {first_line(error).rstrip('.')}; "
            "without a network give a folder that save_pretrained wrote"
        ) from error
    if not any(file.name.endswith(".safetensors") for file in files):
        raise InputError(
            f"{source} of the hub has no safetensors, and other formats of weights may run code; give a model that "
            "has, or a folder that save_pretrained wrote"
        )
    return files[0].parent, commit


def _json(path: Path, source: str | Path) -> dict[str, Any]:
    if not path.is_file():
        remedy = (
            "save the model's own feature extractor beside it"
            if path.name == CONFIG
            else "give a folder that save_pretrained wrote"
        )
        raise InputError(f"{source} has no {path.name}; {remedy}")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}; restore it from a copy") from error
    if not isinstance(told, dict):
        raise InputError(f"{path} holds {type(told).__name__}, not a table of settings; restore it from a copy")
    return told


def _refuse_settings(source: str | Path, config: Any, settings: dict[str, Any]) -> None:
    rate = settings.get("sampling_rate")
    if rate != SAMPLE_RATE:
        hears = "does not say at how many Hz its model hears" if rate is None else f"hears sound at {rate} Hz"
        raise InputError(
            f"the {CONFIG} of {source} {hears}, and sound is read at {SAMPLE_RATE} Hz; give a model of that rate, with "
            "the feature extractor that it was saved with"
        )
    if config.model_type != "whisper":
        return
    needed = ("n_fft", "hop_length", "chunk_length")
    if missing := [key for key in needed if not isinstance(settings.get(key), int) or settings[key] < 1]:
        raise InputError(
            f"the {CONFIG} of {source} has no {missing[0]}, by which sound is prepared for Whisper; save the model's "
            "own feature extractor beside it"
        )
    hears = settings["chunk_length"] * SAMPLE_RATE // settings["hop_length"]
    bands = settings.get("feature_size", 80)
    if (hears, bands) != (2 * config.max_source_positions, config.num_mel_bins):
        raise InputError(
            f"the {CONFIG} of {source} makes {hears} frames of {bands} bands, and the model reads "
            f"{2 * config.max_source_positions} of {config.num_mel_bins}; save the model's own feature extractor "
            "beside it"
        )
