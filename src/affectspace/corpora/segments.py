"""Words with their times to segments of one length, as speech that nobody has cut into utterances needs it."""

import math

import numpy as np
import pandas as pd

from affectspace.errors import InputError

__all__ = ["word_segments"]


def word_segments(
    words: pd.DataFrame, length: float, until: float = math.inf, *, overlapping: bool = False
) -> pd.DataFrame:
    """Segments centred on the middle one of three consecutive words of a speaker.

    A window is ``length`` seconds around the middle of a word. It counts where the word before and the word behind
    lie wholly inside it, too, and the window itself within ``0 .. until``. Each word but the first and the last is
    the middle of three, so that windows would overlap nearly wholly: from the first on, one is taken where the last
    that was taken has ended, which gives as many as there can be side by side.

    Args:
        words: of one speaker in one recording, in any order, with the columns ``start`` and ``end`` (seconds) and
            ``word``. Words that begin together are ordered by their end, then as they stand.
        length: of a segment in seconds, above 0. The source takes 7.2 for meetings.
        until: the second at which the recording ends.
        overlapping: give the window of every middle word.

    Returns:
        One row a segment, in order: ``start``, ``end`` (seconds) and ``text``, the words whose middle lies in
        ``start <= middle < end``, with blanks between. Without overlap, no word is in two segments.

    Raises:
        InputError: a length that is not above 0, times that are missing or not finite, or an end before its start.

    Source: Liang, Li & Jin, "Semi-supervised multi-modal emotion recognition with cross-modal distribution matching",
        ACM Multimedia 2020, who do not say what is done about overlap.

    Example:
        >>> words = pd.DataFrame({"start": [1.0, 2.0, 3.0, 4.0], "end": [1.5, 2.5, 3.5, 4.5], "word": list("abcd")})
        >>> word_segments(words, length=3.0)
           start   end   text
        0   0.75  3.75  a b c
        >>> word_segments(words, length=3.0, overlapping=True)
           start   end   text
        0   0.75  3.75  a b c
        1   1.75  4.75  b c d
    """
    if not (length > 0 and math.isfinite(length)):
        raise InputError(f"length is {length:g}; give the seconds of a segment, above 0")
    words = words.sort_values(["start", "end"], kind="stable")
    begins, ends = (words[column].to_numpy(float) for column in ("start", "end"))
    wrong = ~(np.isfinite(begins) & np.isfinite(ends) & (ends >= begins))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"the word {words['word'].iloc[row]!r} runs from {begins[row]:g} to {ends[row]:g}; give seconds, the end "
            "not before the start, and leave out words without times"
        )
    middles = (begins + ends) / 2
    starts = middles[1:-1] - length / 2
    fits = (starts >= 0) & (starts + length <= until) & (begins[:-2] >= starts) & (ends[2:] <= starts + length)
    chosen = _side_by_side(starts[fits], length) if not overlapping else starts[fits]
    order = np.argsort(middles, kind="stable")
    firsts, lasts = (np.searchsorted(middles[order], edges) for edges in (chosen, chosen + length))
    spoken = words["word"].tolist()
    texts = [" ".join(spoken[at] for at in sorted(order[first:last])) for first, last in zip(firsts, lasts)]
    return pd.DataFrame({"start": chosen, "end": chosen + length, "text": pd.array(texts, dtype="string")})


def _side_by_side(starts: np.ndarray, length: float) -> np.ndarray:
    """Of windows of one length those that the rule takes: the earliest, then each that begins when it has ended."""
    taken: list[float] = []
    for start in np.sort(starts):
        if not taken or start >= taken[-1] + length:
            taken.append(start)
    return np.array(taken, dtype=float)
