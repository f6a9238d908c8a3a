"""Rooms and channels, measured as an acoustician measures them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.features.transmission import channel_gain, impulse_response, transmitted

RATE = 16000


def white(samples, seed=0):
    return np.random.default_rng(seed).standard_normal(samples)


def clip(samples=8000, offset=0.0):
    return (0.1 * white(samples, 1) + offset).astype(np.float32)


def schroeder_seconds(tail, sample_rate):
    """The reverberation time from the energy that is still to come, between 5 and 35 dB below all of it."""
    left = np.cumsum((tail.astype(np.float64) ** 2)[::-1])[::-1]
    decay = 10 * np.log10(left / left[0])
    fitted = (decay < -5) & (decay > -35)
    slope, _ = np.polyfit(np.flatnonzero(fitted) / sample_rate, decay[fitted], 1)
    return -60 / slope


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.2])
@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_the_sound_of_a_room_falls_by_60_db_in_its_time(seconds, sample_rate):
    for seed in range(4):
        response = impulse_response(seconds, 5.0, white(round(seconds * sample_rate), seed), sample_rate)
        assert len(response) == round(seconds * sample_rate) + 1
        assert schroeder_seconds(response[1:], sample_rate) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("direct", [-3.0, 0.0, 10.0])
def test_the_direct_sound_has_the_energy_asked_for_and_comes_first(direct):
    response = impulse_response(0.3, direct, white(4800)).astype(np.float64)
    assert response[0] == 1
    assert 10 * np.log10(1 / (response[1:] ** 2).sum()) == pytest.approx(direct, abs=1e-4)


def test_a_room_is_a_convolution():
    sound, response = clip(500), impulse_response(0.02, 3.0, white(320))
    plain = np.convolve(sound - sound.mean(), response)[:500]
    plain = plain * sound.std() / plain.std() + sound.mean()
    np.testing.assert_allclose(transmitted(sound, response, None), plain, atol=1e-6)


def test_a_channel_changes_each_tone_by_its_gain():
    weights, hertz = np.array([9.0, -6.0, 12.0]), np.array([150.0, 440.0, 1000.0, 3000.0, 6500.0])
    time = np.arange(2 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * each * time) for each in hertz).astype(np.float32)
    heard = transmitted(tones, None, weights)
    found = [20 * np.log10(abs(heard[4000:-4000] @ np.exp(2j * np.pi * each * time[4000:-4000]))) for each in hertz]
    expected = channel_gain(weights, np.append(hertz, RATE / 2))[:-1]
    np.testing.assert_allclose(np.subtract(found, found[0]), expected - expected[0], atol=0.05)


def test_a_channel_moves_nothing_in_time():
    click = np.eye(1, 4000, 2000, dtype=np.float32)[0]
    heard = transmitted(click, None, np.array([20.0, -10.0, 5.0]))
    assert heard.argmax() == 2000
    np.testing.assert_allclose(heard[1500:2000], heard[2001:2501][::-1], atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(weights=st.lists(st.floats(-40, 40), min_size=1, max_size=5))
def test_a_channel_never_gains_more_than_its_largest_weight(weights):
    gain = channel_gain(np.array(weights), np.linspace(0, 8000, 100))
    assert np.abs(gain).max() <= np.abs(weights).max() + 1e-9


@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize("samples", [400, 8000])
def test_length_level_and_type_are_kept(offset, samples):
    sound = clip(samples, offset)
    for response in (None, impulse_response(0.6, 0.0, white(9600))):
        for weights in (None, np.array([20.0, 10.0, -20.0])):
            heard = transmitted(sound, response, weights)
            assert heard.dtype == np.float32
            assert len(heard) == samples
            assert heard.std(dtype=np.float64) == pytest.approx(sound.std(dtype=np.float64), rel=1e-5)


@pytest.mark.parametrize("sound", [np.zeros(800), np.full(800, 0.5), np.full(800, 1e-30), np.eye(1, 800)[0]])
def test_silence_and_near_silence_stay_finite(sound):
    heard = transmitted(sound.astype(np.float32), impulse_response(0.3, 0.0, white(4800)), np.array([40.0, 0, 0]))
    assert np.isfinite(heard).all()
    assert impulse_response(0.3, 0.0, np.zeros(100)).tolist() == [1.0] + 100 * [0.0]
