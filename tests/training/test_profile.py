"""What a net is given of an item as one short vector."""

import numpy as np
import pytest

from affectspace.features import Faces, Functionals, LogMel, PixelVectors, PretrainedSpeech, Waveform
from affectspace.training.profile import LIMIT, LONGEST, Profile, described


def test_sound_is_described_by_its_bands_over_time():
    clip = np.random.default_rng(0).normal(size=(37, 6)).astype(np.float32)
    found = described(clip, LogMel(bands=6))
    slow = [*(sum(band) / 37 for band in clip.T), *(np.sqrt(sum((band - band.mean()) ** 2) / 37) for band in clip.T)]
    assert np.allclose(found, slow, atol=1e-5)
    assert np.allclose(described(clip[::-1], LogMel(bands=6)), found, atol=1e-6)  # an order has no part in it
    assert described(clip[:1], LogMel(bands=6)).tolist() == [*clip[0].tolist(), *[0] * 6]


def test_functionals_are_as_they_are():
    pytest.importorskip("opensmile")
    row = np.random.default_rng(0).normal(size=(1, 88)).astype(np.float32)
    assert np.array_equal(described(row, Functionals("eGeMAPSv02")), row[0])


def test_pictures_are_described_by_small_ones_of_themselves():
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    found = described(crop.reshape(-1, 1), Faces(side=32))
    assert np.array_equal(found, PixelVectors(16)(crop[None])[0])


def test_hidden_states_are_described_by_their_means(lay_speech_model):
    rng = np.random.default_rng(0)
    means, frames = rng.normal(size=(4, 32)).astype(np.float32), rng.normal(size=(9, 64)).astype(np.float32)
    folder = lay_speech_model("wavlm group")
    assert np.array_equal(described(means, PretrainedSpeech(folder)), np.concatenate([*means]))
    found = described(frames, PretrainedSpeech(folder, layers=(1, 2), pool="none"))
    assert np.allclose(found, [*frames.mean(0), *frames.std(0)], atol=1e-6)


def test_samples_are_described_by_their_bands():
    samples = np.random.default_rng(0).normal(0, 0.1, 3000).astype(np.float32)
    kept = Waveform().compute(samples)
    energies = LogMel().compute(Waveform.restore(kept))
    assert np.allclose(described(kept, Waveform()), [*energies.mean(0), *energies.std(0)], atol=1e-5)
    assert described(kept[:100], Waveform()).shape == (80,)  # of less than a frame, silence behind it


def test_short_vectors_are_standardised_and_cut():
    rows = np.random.default_rng(0).normal(4, [1, 20, 0], (50, 3)).astype(np.float32)
    profile = Profile.fit(rows, seed=0)
    made = profile(rows)
    assert np.allclose(made[:, :2].mean(0), 0, atol=1e-5)
    assert np.allclose(made[:, :2].std(0), 1, atol=1e-2)  # but for what is cut
    assert (made[:, 2] == 0).all()
    assert profile(np.array([[1e30, -1e30, 4.5]])).tolist() == [[LIMIT, -LIMIT, 0.5]]


def test_long_vectors_keep_their_distances():
    rows = np.random.default_rng(0).normal(size=(2000, 600)).astype(np.float32)
    profile = Profile.fit(rows, seed=3)
    made = profile(rows)
    assert made.shape == (2000, LONGEST)
    whole = np.clip((rows - rows.mean(0)) / rows.std(0), -LIMIT, LIMIT)
    one, other = np.random.default_rng(1).integers(0, 2000, (2, 500))
    pairs = one != other
    before, after = (np.linalg.norm(each[one] - each[other], axis=1)[pairs] ** 2 for each in (whole, made))
    assert abs((after / before).mean() - 1) < 0.03
    assert (after / before).std() == pytest.approx(np.sqrt(2 / LONGEST), rel=0.2)  # as the docstring says
    assert np.array_equal(Profile.fit(rows, seed=3)(rows[:5]), made[:5])
    assert not np.array_equal(Profile.fit(rows, seed=4)(rows[:5]), made[:5])
