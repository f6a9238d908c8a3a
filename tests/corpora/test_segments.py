"""Segments of one length out of words with times, against a slow loop that tries every window."""

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora.segments import word_segments
from affectspace.errors import InputError


def spoken(seed, count=120):
    """Words with pauses, some of which overlap, some at the same time, with no length, or in another order."""
    random = np.random.default_rng(seed)
    starts = np.round(np.cumsum(random.exponential(0.6, count)), 2)
    ends = starts + np.round(random.choice([0.0, 0.2, 0.5, 1.5], count), 2)
    words = pd.DataFrame({"start": starts, "end": ends, "word": [f"w{k}" for k in range(count)]})
    return words.sample(frac=1, random_state=seed)


def slow(words, length, until, overlapping):
    rows = sorted(words.itertuples(index=False), key=lambda row: (row.start, row.end))
    windows = []
    for before, middle, behind in zip(rows, rows[1:], rows[2:]):
        start = (middle.start + middle.end) / 2 - length / 2
        inside = before.start >= start and behind.end <= start + length
        if start < 0 or start + length > until or not inside:
            continue
        windows.append(start)
    kept = []
    for start in sorted(windows) if not overlapping else windows:
        if overlapping or not kept or start >= kept[-1] + length:
            kept.append(start)
    said = [[r.word for r in rows if s <= (r.start + r.end) / 2 < s + length] for s in kept]
    return [(start, start + length, " ".join(text)) for start, text in zip(kept, said)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length", [1.1, 3.5, 7.2])
@pytest.mark.parametrize("overlapping", [False, True])
def test_as_the_slow_loop(seed, length, overlapping):
    words = spoken(seed).drop_duplicates(["start", "end"])
    found = word_segments(words, length, until=60.0, overlapping=overlapping)
    assert [tuple(row) for row in found.values.tolist()] == slow(words, length, 60.0, overlapping)
    assert len(found)


@pytest.mark.parametrize("seed", range(4))
def test_segments_lie_side_by_side_and_no_word_is_in_two(seed):
    words = spoken(seed)
    found = word_segments(words, 3.5)
    assert (found["start"].to_numpy()[1:] >= found["end"].to_numpy()[:-1]).all()
    said = " ".join(found["text"]).split()
    assert len(set(said)) == len(said)
    assert (found["text"].str.split().str.len() >= 3).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_other_choice_gives_more_segments(seed):
    """The most windows that can lie side by side, by trying each as the next one."""
    every = word_segments(spoken(seed, 40), 3.5, overlapping=True)["start"].sort_values().tolist()
    best = [0] * (len(every) + 1)
    for at in range(len(every) - 1, -1, -1):
        following = next((k for k in range(at, len(every)) if every[k] >= every[at] + 3.5), len(every))
        best[at] = max(best[at + 1], 1 + best[following])
    assert len(word_segments(spoken(seed, 40), 3.5)) == best[0]


def test_a_later_clock_moves_the_segments_along():
    words = spoken(1)
    later = words.assign(start=words["start"] + 64, end=words["end"] + 64)
    one, other = word_segments(words.query("start > 8"), 3.5), word_segments(later.query("start > 72"), 3.5)
    assert other["start"].to_numpy() == pytest.approx(one["start"].to_numpy() + 64)
    assert other["text"].tolist() == one["text"].tolist()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_words_make_no_segment(count):
    words = pd.DataFrame({"start": [10.0, 11.0], "end": [10.5, 11.5], "word": ["a", "b"]})[:count]
    found = word_segments(words, 3.5)
    assert found.columns.tolist() == ["start", "end", "text"]
    assert len(found) == 0


def test_windows_that_leave_the_recording_or_lose_a_neighbour_are_none():
    words = pd.DataFrame({"start": [1.0, 2.0, 3.0], "end": [1.5, 2.5, 3.5], "word": list("abc")})
    assert len(word_segments(words, 3.0, until=3.75)) == 1
    assert len(word_segments(words, 3.0, until=3.74)) == 0  # it ends behind the recording
    assert len(word_segments(words, 4.6)) == 0  # it begins before it
    assert len(word_segments(words, 2.4)) == 0  # its neighbours stick out


@pytest.mark.parametrize("length", [0, -1.0, float("nan"), float("inf")])
def test_a_length_that_is_none(length):
    with pytest.raises(InputError, match="give the seconds of a segment, above 0"):
        word_segments(spoken(0), length)


@pytest.mark.parametrize("times", [(2.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_times_that_are_none(times):
    words = pd.DataFrame({"start": [0.5, times[0]], "end": [0.6, times[1]], "word": ["a", "oh"]})
    with pytest.raises(InputError, match="the word 'oh' runs from"):
        word_segments(words, 3.5)
