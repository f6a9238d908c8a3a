"""The front end of texts by a table of word vectors: a frame a word."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from affectspace.errors import InputError, MediaError
from affectspace.features.text import quoted, read_text, text_sha256, word_spans
from affectspace.features.vector_files import read_vectors
from affectspace.features.word_lines import read_word_lines
from affectspace.files import sha256
from affectspace.tables import TABLE_SUFFIXES

__all__ = ["WordVectors"]

VERSION = 1  # of the computation; raise it when results change
WORD_COLUMNS = ("word", "words")

Table = tuple[dict[str, int], np.ndarray]


@dataclass(frozen=True)
class WordVectors:
    """The front end that makes a text into the vectors of its words, in their order.

    A word (see :func:`~affectspace.features.text.word_spans`) is looked up as it is written, then with straight
    apostrophes, then in small letters. Words that are not in the table are left out, and of what is left the first
    ``words`` are kept.

    The store is given the texts themselves in place of paths; they are never taken for names of files. Neither does it
    keep them, beyond the beginning of one of which no word is known.

    Args:
        path: an npz file (an array of words, and one matrix), a table (CSV, TSV, Parquet) with a column of words, or
            plain text as GloVe and word2vec write it: a word and its numbers in each line. Of a word that occurs twice
            the first counts, as such files begin with what is frequent.
        words: most words that are kept, at least 1.
        word_column: the column of words; in an npz file the array of words. None: ``word`` or ``words``.
        columns: the columns of numbers, in this order, by name or by pattern (``v_*``); in an npz file the one matrix
            ``(words, dimensions)``. None: all columns but the words, or the only matrix.

    Raises:
        InputError: fewer than one word; or (when the table is first needed) no such file or column, or vectors that
            cannot be read or are not finite.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> _ = path.write_text("i 1 0\\ndon't 0 2\\nknow 3 3\\n")
        >>> frontend = WordVectors(path)
        >>> frontend("I don't, you know...").tolist()
        [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    """

    medium: ClassVar[str] = "text"

    path: str | Path
    words: int = 22
    word_column: str | None = None
    columns: Sequence[str] | str | None = None

    def __post_init__(self):
        if self.words < 1:
            raise InputError(f"words is {self.words}; give how many words of a text are kept, at least 1")

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        return self._table[1].shape[1]

    @property
    def fingerprint(self) -> str:
        """All settings, and the content of the file."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        _ = _state(self.path)
        settings = f"words={self.words} word_column={self.word_column} columns={self.columns}"
        return f"word_vectors/{VERSION} {settings} content={sha256(self.path)[:16]}"

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
            MediaError: none of its words is known.
        """
        rows, vectors = self._table
        spans = word_spans(text)
        found = (_row(rows, text[start:end]) for start, end in spans)
        known = list(islice((row for row in found if row is not None), self.words))
        if not known:
            why = f"none of its {len(spans)} words is in {Path(self.path).name}" if spans else "it holds no word"
            raise MediaError(
                f"the text {quoted(text)} has no vector: {why}; leave the item out, or give vectors of its language"
            )
        return vectors[known]

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
    def _table(self) -> Table:
        columns = (self.columns,) if isinstance(self.columns, str) else self.columns
        names = WORD_COLUMNS if self.word_column is None else (self.word_column,)
        return _opened(str(self.path), _state(self.path), names, None if columns is None else tuple(columns))


def _row(rows: dict[str, int], word: str) -> int | None:
    straight = word.replace("’", "'")
    return next((rows[form] for form in (word, straight, straight.lower()) if form in rows), None)


def _state(path: str | Path) -> tuple[int, int]:
    if not Path(path).is_file():
        raise InputError(f"there is no file of word vectors {path}; give an npz file, a table or plain text")
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)  # of the process: a front end goes to its workers without its table, which may hold gigabytes
def _opened(path: str, state: tuple[int, int], names: tuple[str, ...], columns: tuple[str, ...] | None) -> Table:
    """The row of each word, and float32 ``(rows, dimensions)``; ``state`` is that of the file."""
    file = Path(path)
    if file.suffix == ".npz" or file.suffix in TABLE_SUFFIXES:
        words, vectors, _ = read_vectors(file, names, None if columns is None else list(columns))
    else:
        words, vectors = read_word_lines(file)
    if not vectors.size:
        raise InputError(f"{file} holds no word vector; give a file with one for each word")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        raise InputError(f"the vector of {words[row]!r} in {file} is not finite; leave that word out of the file")
    vectors.flags.writeable = False
    # From the end, so that the first of equal words stays.
    return {word: row for row, word in reversed(list(enumerate(words)))}, vectors
