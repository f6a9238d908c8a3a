"""Word vectors as plain text, the format of GloVe and of word2vec."""

from array import array
from pathlib import Path

import numpy as np

from affectspace.errors import InputError

__all__ = ["read_word_lines"]


def read_word_lines(file: Path) -> tuple[list[str], np.ndarray]:
    """The words of a file and float32 ``(words, dimensions)``: in each line a word and its numbers, one blank between.

    A first line of two whole numbers, how many words and how many dimensions, is that of word2vec. A word may hold
    blanks itself, as some of GloVe do: the numbers are counted from the end.

    Lines that are blank are passed over.

    Raises:
        InputError: a line that is something else, or fewer or more words than the first line promises.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> _ = path.write_text("2 3\\nyes 1 0 0.5\\nat name 2 2 -1e-1\\n")
        >>> words, vectors = read_word_lines(path)
        >>> words, vectors.tolist()
        (['yes', 'at name'], [[1.0, 0.0, 0.5], [2.0, 2.0, -0.10000000149011612]])
    """
    words: list[str] = []
    values = array("f")  # a list of numbers would take eight times the memory
    with open(file, encoding="utf-8", errors="replace", newline="\n") as lines:
        first = lines.readline().split()
        header = len(first) == 2 and all(field.isdecimal() and len(field) < 10 for field in first)
        promised = int(first[0]) if header else None
        dimensions = len(first) - 1 if promised is None else int(first[1])
        if promised is None:
            lines.seek(0)
        for number, line in enumerate(lines, 1 if promised is None else 2):
            if not line.strip():
                continue
            word, *numbers = line.rstrip().rsplit(" ", dimensions) if dimensions > 0 else [line]
            try:
                if not len(numbers) == dimensions > 0:
                    raise ValueError
                values.extend(map(float, numbers))
            except ValueError:
                raise InputError(
                    f"line {number} of {file} is no word and {max(dimensions, 1)} numbers; plain text has a word and "
                    "its vector in each line, as GloVe and word2vec write it; other formats are .npz, .parquet and .csv"
                ) from None
            words.append(word)
    if promised is not None and len(words) != promised:
        raise InputError(f"{file} promises {promised} words in its first line and holds {len(words)}; copy it anew")
    return words, np.frombuffer(values, dtype=np.float32).reshape(len(words), max(dimensions, 0)).copy()
