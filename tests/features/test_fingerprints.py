"""Against the definition pair by pair; and blind to whatever a copy may be changed in."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.errors import MediaError
from affectspace.features import AudioFingerprint, FeatureStore, LogMel
from affectspace.features.fingerprints import changes
from affectspace.media import write_audio


def by_definition(kept):
    """Decibels from 22 below the loud ones to these, their slopes from band to band, and how these change."""
    frames, bands = kept.shape
    loud = sorted(max(map(int, frame)) for frame in kept)[-12] / 4
    energy = [[min(max(0.0, int(kept[t, b]) / 4 - loud + 22), 22.0) for b in range(bands)] for t in range(frames)]
    found = np.zeros((bands - 1, frames - 2))
    for b in range(bands - 1):
        for t in range(frames - 2):
            after, before = (energy[at][b + 1] - energy[at][b] for at in (t + 2, t))
            found[b, t] = after - before
    return found


def test_what_is_compared_is_the_definition():
    kept = np.random.default_rng(0).integers(0, 161, (30, 4)).astype(np.uint8)
    assert changes(kept) == pytest.approx(by_definition(kept))
    assert changes(kept[:3]).shape == (3, 1)


def test_energies_are_those_below_the_loud_ones_in_quarters_of_a_decibel(takes):
    kept = AudioFingerprint().compute(takes[0])
    frontend = LogMel(bands=16, frame_ms=32, step_ms=8, low_hz=250, high_hz=3500)
    energies = frontend.compute(takes[0]) * 10 / np.log(10)
    assert kept.dtype == np.uint8
    loud = np.sort(energies.max(1))[-12]
    assert kept == pytest.approx(np.clip(energies - loud + 40, 0, 40) * 4, abs=0.51)
    assert (kept.min(), kept.max()) == (0, 160)


def test_level_and_what_lies_outside_the_bands_play_no_part(takes):
    samples, frontend = takes[0], AudioFingerprint()
    kept = frontend.compute(samples).astype(int)
    times = np.arange(len(samples)) / 16000
    hum = 0.01 * np.sin(2 * np.pi * 50 * times) + 0.01 * np.sin(2 * np.pi * 7000 * times) + 0.02
    for changed in (samples / 50, -samples, samples + hum):
        assert np.abs(frontend.compute(changed.astype(np.float32)) - kept)[kept > 60].max() <= 1


def test_a_copy_at_its_own_rate_and_in_another_format_is_read_alike(takes, tmp_path):
    frontend, samples = AudioFingerprint(), takes[1]
    write_audio(tmp_path / "a.flac", samples, 16000)
    soundfile.write(tmp_path / "a.wav", np.stack([samples, samples], 1), 16000, subtype="FLOAT")
    one, other = (frontend.compute(frontend.read(tmp_path / name)).astype(int) for name in ("a.flac", "a.wav"))
    assert np.abs(one - other)[one > 60].max() <= 1


@pytest.mark.parametrize(
    "samples",
    [
        np.random.default_rng(0).uniform(-1, 1, 7999),  # just short of half a second
        np.sin(2 * np.pi * 600 * np.arange(32000) / 16000),
        np.sin(np.arange(32000.0)) * (np.arange(32000) > 30000),  # a tone that begins
        np.eye(1, 32000, 16000)[0],  # a click
        np.full(16000, 0.25),
    ],
)
def test_too_little_to_be_told_from_others_is_no_fingerprint(samples):
    kept = AudioFingerprint().compute(samples.astype(np.float32))
    assert kept.tolist() == [[0] * 16]


def test_what_is_long_enough_has_one():
    assert len(AudioFingerprint().compute(np.random.default_rng(0).uniform(-1, 1, 8000))) == 59


def test_the_store_keeps_bytes_the_hash_of_features_and_the_reason_of_silence(takes, tmp_path):
    write_audio(tmp_path / "a.flac", takes[2], 16000)
    write_audio(tmp_path / "b.flac", np.zeros(16000), 16000)
    media = pd.DataFrame({"id": ["a", "b"], "path": [tmp_path / "a.flac", tmp_path / "b.flac"]})
    store = FeatureStore(tmp_path / "store")
    made = [store.extract(media, frontend, max_bad_share=0.5) for frontend in (AudioFingerprint(), LogMel())]
    assert made[0].values.dtype == np.uint8
    assert made[0].audio_sha[0] == made[1].audio_sha[0]
    assert (
        made[0]
        .quarantine["reason"][0]
        .endswith("is silent: all its samples are 0; record or cut it anew, or leave it out")
    )
    with pytest.raises(MediaError, match="is silent"):
        AudioFingerprint().read(tmp_path / "b.flac")
