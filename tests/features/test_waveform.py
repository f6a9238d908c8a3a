"""Samples come back as they were, from the store too."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import MediaError
from affectspace.features import FeatureStore, Waveform
from affectspace.features.waveform import at_level, read_sound
from affectspace.media import read_audio, write_audio


@pytest.fixture
def media(tmp_path) -> pd.DataFrame:
    random = np.random.default_rng(0)
    for number in range(5):
        write_audio(tmp_path / f"{number}.flac", random.uniform(-1, 1, 1000 + number), 16000)
    return pd.DataFrame({"id": list("01234"), "path": [str(tmp_path / f"{number}.flac") for number in range(5)]})


@pytest.mark.parametrize("workers", [1, 2])
def test_the_store_keeps_samples_of_16_bit_files_exactly_in_two_bytes_each(tmp_path, media, workers):
    kept = FeatureStore(tmp_path / "store").extract(media, Waveform(), workers=workers)
    assert kept.values.dtype == np.int16
    assert kept.lengths.tolist() == [1000, 1001, 1002, 1003, 1004]
    for item, path in zip(media["id"], media["path"]):
        assert np.array_equal(Waveform.restore(kept[item]), read_audio(path))


def test_full_scale_stays_within_16_bits():
    kept = Waveform().compute(np.array([1.0, -1.0, 2.0, -2.0]))
    assert kept.ravel().tolist() == [32767, -32768, 32767, -32768]


def test_silence_is_no_sound(tmp_path):
    write_audio(tmp_path / "silent.wav", np.full(400, 0.25), 16000)
    with pytest.raises(
        MediaError, match=r"silent\.wav is silent: all its samples are 0\.25; record or cut it anew, or leave it out"
    ):
        read_sound(tmp_path / "silent.wav", 16000)


def test_level_is_the_spread_about_the_mean_and_silence_has_none():
    sine = np.sin(np.arange(16000) * 0.1).astype(np.float32) + np.float32(0.3)
    assert 20 * np.log10(at_level(sine, -26.0).std()) == pytest.approx(-26, abs=1e-3)
    assert at_level(sine, None) is sine
    assert not at_level(np.zeros(10, np.float32), -26.0).any()
