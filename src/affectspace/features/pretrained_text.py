"""The front end of texts by a model of ``transformers``: a frame a word, as the model reads it in its sentence."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from affectspace.encoders.hub import hub_files, hub_revision
from affectspace.encoders.pretrained import FAULTS, first_line, opening, refuse_source, state_of
from affectspace.errors import InputError, MediaError
from affectspace.features.in_order import one_thread
from affectspace.features.text import quoted, read_text, text_sha256, word_spans

__all__ = ["PretrainedText"]

VERSION = 1  # of the computation; raise it when results change
LONGEST = 512  # pieces of a text that a model reads, where it does not say less itself
NOT_CONFIGURED = {"_name_or_path", "transformers_version"}  # of a configuration: where and when, not what


@dataclass(frozen=True)
class PretrainedText:
    """The front end that makes a text into vectors of its words by a text model that others have trained.

    The model reads the text as it is written, signs included, as far as it can read. A word (see
    :func:`~affectspace.features.text.word_spans`) is the mean of the last hidden states of the pieces that the model
    divides it into; pieces that belong to no word (signs, what marks beginning and end) are left out, and the first
    ``words`` words are kept. Of a model that also writes, its reading half is used. Texts are read one at a time, in
    float32 and as in evaluation, so that the vectors of a text depend on nothing else.

    The store is given the texts themselves in place of paths, and does not keep them.

    Args:
        source: folder with ``config.json``, safetensors and ``tokenizer.json``, or the model's name on the hub. Code
            in a model is never run, and weights in any other format are refused.
        words: most words that are kept, at least 1.

    Raises:
        InputError: fewer than one word, ``transformers`` is not installed, no such model, no safetensors or some
            missing in them, no fast tokenizer or that of another model, or a model that reads no text.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL
    2019; the mean over a word's pieces is one of several customs.

    Example:
        >>> frontend = PretrainedText("bert-large-uncased")                    # doctest: +SKIP
        >>> frontend("I don't know.").shape                                    # doctest: +SKIP
        (3, 1024)
    """

    medium: ClassVar[str] = "text"

    source: str | Path
    words: int = 22

    def __post_init__(self):
        if self.words < 1:
            raise InputError(f"words is {self.words}; give how many words of a text are kept, at least 1")
        _ = self._reader

    @property
    def dimensions(self) -> int:
        """Width of the model's hidden states."""
        return self._reader.width

    @property
    def hub_files(self) -> list[Path]:
        """Of a model on the hub the files, at the commit that was opened, which decide its answers; else none."""
        revision = self._reader.revision
        return hub_files(str(self.source), revision, "tokenizer.json") if revision else []

    @property
    def fingerprint(self) -> str:
        """All settings, the content of the model and its tokenizer, and the versions of the computation."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = f"words={self.words} content={self._reader.content}"
        return f"pretrained_text/{VERSION} transformers={version('transformers')} {settings}"

    def read(self, text: str, start: float | None = None, end: float | None = None) -> str:
        """The text, its characters in one spelling.

        Args:
            text: as it was written.
            start: of the item's sound; it says nothing of a text.
            end: the same.

        Raises:
            MediaError: a text that is empty, or blank.
        """
        return read_text(text)

    def compute(self, text: str) -> np.ndarray:
        """A text to the vectors of its words, float32 ``(words, dimensions)``.

        Raises:
            MediaError: a text without a word.
        """
        owner = np.full(len(text), -1)  # of each character, the word that it belongs to
        for word, (start, end) in enumerate(word_spans(text)):
            owner[start:end] = word
        hidden, offsets = self._reader(text)
        words = np.array([next((word for word in owner[start:end] if word >= 0), -1) for start, end in offsets], int)
        kept = np.unique(words[words >= 0])[: self.words]
        if not len(kept):
            raise MediaError(f"the text {quoted(text)} holds no word that the model reads; leave the item out")
        return np.stack([hidden[words == word].mean(axis=0) for word in kept])

    def sha256(self, text: str) -> str:
        """The hash of what is read; see :func:`~affectspace.features.text.text_sha256`."""
        return text_sha256(text)

    def __call__(self, text: str) -> np.ndarray:
        """The vectors of a text's words, float32 ``(words, dimensions)``.

        Raises:
            MediaError: as :meth:`read` and :meth:`compute`.
        """
        return self.compute(self.read(text))

    @property
    def _reader(self) -> "_Reader":
        return _opened(str(self.source), state_of(self.source))


class _Reader(NamedTuple):
    """A model and its tokenizer, how many pieces it reads, the width of its states, the hash of it all, its commit."""

    model: nn.Module
    tokenizer: Any
    longest: int
    width: int = 0
    content: str = ""
    revision: str | None = None

    def __call__(self, text: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """The last hidden state of every piece ``(pieces, width)``, and which characters the piece stands for."""
        pieces = self.tokenizer(
            text, truncation=True, max_length=self.longest, return_offsets_mapping=True, return_tensors="pt"
        )
        offsets = pieces.pop("offset_mapping")[0].tolist()
        with torch.inference_mode(), one_thread():
            return self.model(**pieces)["last_hidden_state"][0].numpy(), offsets


@lru_cache(maxsize=2)  # of the process: a front end goes to its workers without its model
def _opened(source: str, state: tuple[tuple[str, int, int], ...]) -> _Reader:
    """The model of a source; ``state`` is that of a folder."""
    refuse_source(source)
    from transformers import AutoModel, AutoTokenizer  # pyright: ignore[reportMissingImports]

    with opening(source):
        revision = hub_revision(source)  # asked once, so that all files are of one commit
        own: dict[str, Any] = {"trust_remote_code": False} | ({"revision": revision} if revision else {})
        model, told = AutoModel.from_pretrained(source, use_safetensors=True, output_loading_info=True, **own)
    writes = bool(getattr(model.config, "is_encoder_decoder", False))
    # A pooler comes behind the states that are read here, and many models are published without one.
    unread = ("pooler.", "decoder.") if writes else ("pooler.",)
    if missing := sorted(key for key in told["missing_keys"] if not key.startswith(unread)):
        raise InputError(
            f"{source} lacks {len(missing)} of its weights, {missing[0]} for one; give the folder as save_pretrained "
            "has written it"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **own)
    except FAULTS as error:
        raise InputError(
            f"{source} has no tokenizer that can be opened: {first_line(error)}; save the model's own tokenizer "
            "beside it"
        ) from error
    if not tokenizer.is_fast:
        raise InputError(
            f"{source} has {type(tokenizer).__name__}, which does not tell the place of its pieces in a text; save a "
            "fast tokenizer (tokenizer.json) beside the model"
        )
    config = model.config
    if 2 * len(tokenizer) < (known := getattr(config, "vocab_size", 0)):  # as where its files are missing
        raise InputError(
            f"{source} has a tokenizer of {len(tokenizer)} pieces, and the model knows {known}; save the model's own "
            "tokenizer beside it"
        )
    tokenizer.truncation_side = "right"  # the first words are wanted
    # RoBERTa counts two places more than it can read.
    places = (getattr(config, "max_position_embeddings", None) or LONGEST + 2) - 2
    reader = _Reader(
        (model.get_encoder() if writes else model).float().eval(), tokenizer,
        min(LONGEST, places, tokenizer.model_max_length),
    )  # fmt: skip
    try:
        width = reader("a")[0].shape[1]
    except (*FAULTS, AttributeError, IndexError) as error:  # models of pictures look for what they are not given
        raise InputError(f"{source} cannot read a text: {first_line(error)}; give a model of texts") from error
    return reader._replace(width=width, content=_content(reader.model, tokenizer, config), revision=revision)


def _content(model: nn.Module, tokenizer: Any, config: Any) -> str:
    """A hash of the weights that are used, the configuration and the tokenizer, wherever they come from."""
    settings = {key: value for key, value in config.to_dict().items() if key not in NOT_CONFIGURED}
    told = [json.dumps(settings, sort_keys=True, default=str), tokenizer.backend_tokenizer.to_str()]
    digest = hashlib.sha256("\n".join(told).encode())
    for name, value in sorted(model.state_dict().items()):
        if not name.startswith("pooler."):
            digest.update(f"{name} {tuple(value.shape)} ".encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
