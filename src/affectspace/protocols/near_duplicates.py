"""Recordings that are one performance, however they were coded, levelled, trimmed or resampled."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from affectspace.features.fingerprints import FRAMES_PER_SECOND, changes
from affectspace.protocols.groups import column_of

__all__ = ["VERSION", "alike", "likeness", "name_groups", "near_duplicate_groups", "near_duplicates", "overlap"]

VERSION = 1  # of what is done here; raise it when results change, so that groups that were kept are found anew
SHORTEST = 0.5  # seconds that two recordings must share
ALIKE = 0.75  # from which on they are copies
SPREAD = 0.35  # seconds that this likeness must be spread over; of what is more fleeting more is asked
RHYTHMS = 128  # frames: what lies farther apart is folded together
KEPT_RHYTHMS = slice(1, 20)  # of RHYTHMS: 1 to 19 Hz
CANDIDATE = 0.28  # of the likeness of rhythms; copies whole in both lie above 0.5
BLOCK = 1024  # clips that are compared with all others at a time: 40 MB where there are 10,000


def near_duplicate_groups(items: pd.DataFrame, fingerprints: Sequence[np.ndarray | None]) -> pd.Series:
    """What to fill the column ``near_audio`` with, by which :func:`affectspace.protocols.groups_of` tells near-copies.

    Args:
        items: with ``corpus`` and ``id``.
        fingerprints: of each item's recording; None where it has none. See :func:`near_duplicates`.

    Returns:
        by position, ``corpus/id`` of the first item of each item's group; missing where it has no fingerprint.

    Example:
        >>> from affectspace.features import AudioFingerprint
        >>> noise = np.random.default_rng(0).uniform(-1, 1, (2, 16000))
        >>> one, two, quiet = (AudioFingerprint().compute(samples) for samples in (*noise, noise[0] / 8))
        >>> items = pd.DataFrame({"id": list("1234"), "corpus": "a"})
        >>> near_duplicate_groups(items, [one, two, quiet, None]).tolist()
        ['a/1', 'a/2', 'a/1', <NA>]
    """
    return name_groups(items, near_duplicates(fingerprints))


def name_groups(items: pd.DataFrame, first: np.ndarray) -> pd.Series:
    """By position ``corpus/id`` of the item whose place each of ``first`` is; missing for -1."""
    names = (column_of(items, "corpus").fillna("") + "/" + column_of(items, "id")).to_numpy(object)
    return pd.Series(names[first], dtype="string").mask(first < 0)


def near_duplicates(fingerprints: Sequence[np.ndarray | None]) -> np.ndarray:
    """The first recording of the group of near-duplicates that each one belongs to.

    Two are near-duplicates when they are :func:`alike` by more than the threshold, or are so by way of others. That is
    asked of pairs alone whose rhythms are alike: how strong each rhythm from 1 to 19 Hz is in each band does not change
    with silence before or behind, so one product of matrices, 285 numbers a recording, finds the candidates.
    10,000 recordings of 2 to 3 s take seconds; the product grows with the square of their number.

    **The threshold** is from four corpora (RAVDESS, EmoDB, ASED, URDU: 3,107 recordings) and measured by
    ``benchmarks/near_duplicates.py``. Different takes of one sentence by one actor with one feeling, 1,136 pairs, are
    alike by 0.16 in the median and 0.58 at most; parts of them, half a second long and more, by 0.65 at most where the
    likeness is spread over 0.5 s or more, 0.75 over 0.3 to 0.5 s, 0.82 over 0.15 to 0.3 s, 0.88 over 0.05 to 0.15 s.
    Of 300 recordings, 95 in 100 copies are alike by 0.84 or more after each of: 20 dB less, MP3, Ogg Vorbis, mu-law,
    8 bits at their peak, 8 kHz and back, silence before and behind, 0.3 s less, white noise 20 dB below. So 0.75 is
    asked, and as much more as the likeness is spread over less than 0.35 s. That finds 99 to 100 % of each of these
    copies, 9 in 10 with noise 15 dB below, and 8 in 10 in 8 bits as they are, for which many are too soft. The pairs
    that it finds in the corpora themselves have one waveform, as far as they overlap (their correlation is 0.97 or
    more); among them and all other candidates there none is alike by 0.58 to 0.87.

    A recording that is a part of another is found where it is most of both, and mostly missed where it is less than
    half of either.

    Args:
        fingerprints: ``(frames, bands)`` as :class:`~affectspace.features.AudioFingerprint` gives them; None, or a
            single frame, where there is none.

    Returns:
        int64 ``(recordings,)``: the place of the group's first recording, its own where it is alone; -1 where there is
        no fingerprint.
    """
    there = {place: each for place, each in enumerate(fingerprints) if each is not None and len(each) > 1}
    equal: dict[bytes, int] = {}  # those that are equal need be compared with others once
    parent = {place: equal.setdefault(hashlib.sha256(each.tobytes()).digest(), place) for place, each in there.items()}
    places = list(equal.values())
    for one, other in _candidates([there[place] for place in places]):
        roots = sorted((_root(parent, places[one]), _root(parent, places[other])))
        if roots[0] != roots[1] and _copies(there[places[one]], there[places[other]]):
            parent[roots[1]] = roots[0]
    return np.array([_root(parent, place) if place in there else -1 for place in range(len(fingerprints))], np.int64)


def alike(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    r"""How alike two fingerprints are where one lies best upon the other, and over how many seconds that is spread.

    With :math:`u_t` and :math:`v_t` the :func:`~affectspace.features.fingerprints.changes` of the frames that overlap
    at the lag :math:`\arg\max_\tau \sum_t \langle u_t, v_{t+\tau} \rangle` of the whole, the likeness is
    :math:`\sum_t \langle u_t, v_t \rangle / (\|u\| \|v\|)`. It is spread over
    :math:`(\sum_t e_t)^2 / \sum_t e_t^2` frames, :math:`e_t = \|u_t\| \|v_t\|`: over few where a click, say, has
    most of the changes, and for 3 s of speech over half a second to a whole one.

    Args:
        one, other: ``(frames, bands)`` uint8.

    Returns:
        likeness in [-1, 1], and seconds; 0.0 and 0.0 where less than half a second overlaps, or nothing changes.
    """
    return likeness(*overlap(one, other))


def overlap(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The parts, as long as each other, of two fingerprints that lie upon each other at the best lag."""
    a, b = changes(one), changes(other)
    size = 1 << (a.shape[1] + b.shape[1]).bit_length()  # so that the end of one never meets the beginning of the other
    lags = np.fft.irfft((np.fft.rfft(a, size) * np.fft.rfft(b, size).conj()).sum(0), size)
    lag = int(lags.argmax())
    lag -= size if lag >= a.shape[1] else 0
    one, other = one[max(lag, 0) :], other[max(-lag, 0) :]
    return one[: len(other)], other[: len(one)]


def likeness(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """As :func:`alike`, of two fingerprints as they lie, frame upon frame."""
    if len(one) < SHORTEST * FRAMES_PER_SECOND:
        return 0.0, 0.0
    u, v = changes(one), changes(other)
    strengths = np.sqrt((u**2).sum(0) * (v**2).sum(0))
    if not strengths.any():
        return 0.0, 0.0
    found = (u * v).sum() / np.sqrt((u**2).sum() * (v**2).sum())
    return float(found), float(strengths.sum() ** 2 / (strengths**2).sum() / FRAMES_PER_SECOND)


def _copies(one: np.ndarray, other: np.ndarray) -> bool:
    found, spread = alike(one, other)
    return found >= ALIKE + max(0, SPREAD - spread)


def _candidates(fingerprints: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs that may be copies, each once, the first of all first."""
    if not fingerprints:
        return
    vectors = np.stack([_rhythms(each) for each in fingerprints])
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK] @ vectors[start:].T
        for one, other in np.argwhere(np.triu(block > CANDIDATE, 1)):
            yield start + int(one), start + int(other)


def _rhythms(kept: np.ndarray) -> np.ndarray:
    """float32 ``(bands x rhythms,)`` of length 1: how strong each rhythm is in each band, for these and that rhythm.

    Without the means of each band and of each rhythm, by which all speech is alike.
    """
    moved = changes(kept)
    folds = -(-moved.shape[1] // RHYTHMS)
    padded = np.pad(moved, ((0, 0), (0, folds * RHYTHMS - moved.shape[1])))
    strengths = np.abs(np.fft.rfft(padded.reshape(len(moved), folds, RHYTHMS).sum(1)))[:, KEPT_RHYTHMS]
    strengths = strengths - strengths.mean(0) - strengths.mean(1, keepdims=True) + strengths.mean()
    norm = np.linalg.norm(strengths)
    return (strengths / norm if norm > 0 else strengths).astype(np.float32).ravel()


def _root(parent: dict[int, int], place: int) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place
