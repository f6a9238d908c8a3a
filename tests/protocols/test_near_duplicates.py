"""Copies under every change are found and takes are not; the search finds what a comparison of every pair does."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from affectspace.corpora import open_corpus
from affectspace.features import AudioFingerprint
from affectspace.media import read_audio
from affectspace.protocols.near_duplicates import (
    ALIKE,
    SPREAD,
    alike,
    likeness,
    near_duplicate_groups,
    near_duplicates,
    overlap,
)

RATE = 16000


def coded(kind, subtype):
    def change(samples):
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format=kind, subtype=subtype)
        file.seek(0)
        return soundfile.read(file, dtype="float32")[0]

    return change


def noisy(samples):
    noise = np.random.default_rng(1).standard_normal(len(samples)).astype(np.float32)
    return samples + 0.1 * samples.std() * noise


CHANGES = {
    "level": lambda samples: np.rint(samples * 3276.8).astype(np.float32) / 32768,
    "vorbis": coded("OGG", "VORBIS"),
    "mp3": coded("MP3", "MPEG_LAYER_III"),
    "mu-law": coded("WAV", "ULAW"),
    "8 bits": lambda samples: coded("WAV", "PCM_U8")(samples / np.abs(samples).max()),
    "flac": coded("FLAC", "PCM_16"),
    "8 kHz": lambda samples: soxr.resample(soxr.resample(samples, RATE, 8000), 8000, RATE),
    "silence": lambda samples: np.pad(samples, (4321, 3210)),
    "trimmed": lambda samples: samples[1777:-1555],
    "noise": noisy,
    "all": lambda samples: noisy(coded("OGG", "VORBIS")(np.pad(0.2 * samples, (2222, 0)))),
}


def fingerprints(recordings):
    return [AudioFingerprint().compute(np.asarray(samples, np.float32)) for samples in recordings]


@pytest.fixture(scope="module")
def made(takes):
    return fingerprints(takes)


def every_pair(made):
    """The first of all that each is joined with by pairs that are alike, one after the other."""
    first = [place if each is not None and len(each) > 1 else -1 for place, each in enumerate(made)]
    for one in range(len(made)):
        for other in range(one):
            if first[one] >= 0 <= first[other] and first[one] != first[other]:
                found, spread = alike(made[one], made[other])
                if found >= ALIKE + max(0, SPREAD - spread):
                    low, high = sorted((first[one], first[other]))
                    first = [low if each == high else each for each in first]
    return first


def test_other_takes_are_no_copies(made):
    assert near_duplicates(made).tolist() == list(range(12))


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_whatever_was_done_to_it(takes, made, change):
    copies = fingerprints([CHANGES[change](samples) for samples in takes])
    assert near_duplicates([*made, *copies]).tolist() == [*range(12), *range(12)]
    assert near_duplicates([*copies, *made]).tolist() == [*range(12), *range(12)]


def test_the_search_finds_what_a_comparison_of_every_pair_finds(takes, made, monkeypatch):
    copies = fingerprints([list(CHANGES.values())[place % len(CHANGES)](takes[place // 2]) for place in range(24)])
    rng = np.random.default_rng(0)
    whole = [*made, *copies, None, np.zeros((1, 16), np.uint8), made[3].copy()]
    shuffled = [whole[place] for place in rng.permutation(len(whole))]
    expected = every_pair(shuffled)
    assert len(set(expected)) == 13
    assert near_duplicates(shuffled).tolist() == expected
    monkeypatch.setattr("affectspace.protocols.near_duplicates.BLOCK", 5)
    assert near_duplicates(shuffled).tolist() == expected


def test_what_has_no_fingerprint_is_in_no_group(made):
    assert near_duplicates([None, np.zeros((1, 16), np.uint8), None]).tolist() == [-1, -1, -1]
    assert near_duplicates([]).tolist() == []
    assert near_duplicates([None, made[0], made[0]]).tolist() == [-1, 1, 1]


def test_equal_fingerprints_are_compared_once(made, monkeypatch):
    asked = []
    monkeypatch.setattr("affectspace.protocols.near_duplicates.alike", lambda *pair: asked.append(pair) or (0.0, 0.0))
    assert near_duplicates([made[0]] * 500 + [made[1]]).tolist() == [0] * 500 + [500]
    assert len(asked) <= 1


def test_copies_of_copies_are_one_group(takes):
    """Parts that share enough with their neighbours are joined by them, be the outermost apart."""
    long = np.concatenate([takes[0], takes[4], takes[8]])
    third = len(long) // 3
    parts = fingerprints([long[: 2 * third], long[third // 2 : 5 * third // 2], long[third:]])
    assert near_duplicates(parts).tolist() == [0, 0, 0]


def test_likeness_is_symmetric_one_of_itself_and_blind_to_silence(takes, made):
    for place in range(11):
        there, spread = alike(made[place], made[place + 1])
        back, same = alike(made[place + 1], made[place])
        assert (there, spread) == pytest.approx((back, same), abs=1e-5)
        assert -1 <= there < ALIKE
        assert alike(made[place], made[place])[0] == pytest.approx(1)
        padded = AudioFingerprint().compute(np.pad(takes[place], (128 * 20, 128 * 31)))
        assert alike(padded, made[place])[0] > 0.97
    lag = AudioFingerprint().compute(np.pad(takes[0], (128 * 20, 0)))
    one, other = overlap(lag, made[0])
    assert len(one) == len(other) == len(made[0])


def test_a_click_that_two_recordings_share_is_no_likeness_and_hides_none(takes):
    click = np.random.default_rng(2).uniform(-0.9, 0.9, 200)
    clicked = [0.1 * samples for samples in (takes[0], takes[6])]
    for samples in clicked:
        samples[9000:9200] += click
    one, other, clean = fingerprints([*clicked, takes[0]])
    assert alike(one, other)[0] < 0.3
    assert near_duplicates([one, other, clean]).tolist() == [0, 1, 0]


def test_the_more_fleeting_a_likeness_the_more_is_asked_of_it(made, monkeypatch):
    told = []
    monkeypatch.setattr("affectspace.protocols.near_duplicates.alike", lambda *pair: told[-1])
    for spread, needed in ((1.0, 0.75), (0.35, 0.75), (0.25, 0.85), (0.15, 0.95)):
        for found, first in ((needed + 0.001, [0, 0]), (needed - 0.001, [0, 1])):
            told.append((found, spread))
            assert near_duplicates([made[0], made[0][1:]]).tolist() == first


def test_too_short_an_overlap_and_what_never_changes_are_alike_by_nothing(made):
    assert likeness(made[0][:62], made[0][:62]) == (0.0, 0.0)
    assert likeness(made[0][:63], made[0][:63])[0] == pytest.approx(1)
    still = np.full((100, 16), 90, np.uint8)
    assert likeness(still, still) == (0.0, 0.0)
    assert near_duplicates([still, still + np.uint8(1), *made]).tolist() == [0, 1, *range(2, 14)]


def test_items_are_named_after_the_first_of_their_group_whatever_their_index(made):
    items = pd.DataFrame({"id": ["x", "y", "z"], "corpus": ["a", "b", None]}, index=[5, 5, 5])
    groups = near_duplicate_groups(items, [None, made[0], made[0]])
    assert groups.isna().tolist() == [True, False, False]
    assert groups.tolist()[1:] == ["b/y", "b/y"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("corpus", "pattern", "expected"),
    [
        ("ravdess", r"-07$", [["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]]),
        ("urdu", r"^SF[147]_", [["SF1_F4_H04", "SF4_F3_H019", "SF4_F4_H020"]]),  # of two "speakers"
        ("ased", r"-28$", [["a5-01-02-02-28", "f2-02-02-02-28"]]),  # of two feelings
    ],
)
def test_the_copies_of_real_corpora_and_no_others(real_data, corpus, pattern, expected):
    opened = open_corpus(real_data / "speech" / corpus)
    items = opened.items[opened.items["id"].str.contains(pattern)]
    first = near_duplicates(fingerprints([read_audio(opened.root / path) for path in items["audio"]]))
    members = pd.Series(items["id"].to_numpy()).groupby(first).agg(list)
    assert [each for each in members if len(each) > 1] == expected
