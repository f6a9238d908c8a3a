"""Truths of a voice: it has the pitch, the formants and the noises that it was asked for."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from scipy.signal import find_peaks

from affectspace.media.voice import PHONES, Segment, Voice, speak

RATE = 16000
CLEAN = Voice(jitter=0, shimmer=0, breath=0)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def hold(phone: str, voice: Voice = CLEAN, pitch: float = 110, seconds: float = 0.6, seed: int = 0) -> np.ndarray:
    """The steady middle of one phone held."""
    samples = speak([Segment(phone, seconds, pitch)], voice, generator(seed), RATE)
    return samples[len(samples) // 4 : 3 * len(samples) // 4]


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / RATE), power


def share_above(samples: np.ndarray, hertz: float) -> float:
    frequencies, power = spectrum(samples)
    return power[frequencies > hertz].sum() / power.sum()


def period(samples: np.ndarray, lowest: float = 45, highest: float = 400) -> float:
    """Seconds to the first peak of the autocorrelation that is nearly as high as the highest."""
    correlation = np.correlate(samples, samples, "full")[len(samples) - 1 :]
    correlation /= np.arange(len(samples), 0, -1)
    first, last = int(RATE / highest), int(RATE / lowest)
    peaks = find_peaks(correlation[:last])[0]
    peaks = peaks[peaks >= first]
    return peaks[correlation[peaks] > 0.9 * correlation[peaks].max()][0] / RATE


def formants(samples: np.ndarray, order: int = 14) -> np.ndarray:
    """Peaks of the envelope by linear prediction, in Hz."""
    flat = np.append(samples[0], samples[1:] - 0.9 * samples[:-1]) * np.hanning(len(samples))
    correlation = np.correlate(flat, flat, "full")[len(flat) - 1 : len(flat) + order]
    predictor = solve_toeplitz(correlation[:-1], correlation[1:])
    envelope = -np.log(np.abs(np.fft.rfft(np.append(1, -predictor), 8192)))
    return find_peaks(envelope)[0] * RATE / 8192


@pytest.mark.parametrize("pitch", [90, 140, 233])
def test_the_pitch_is_the_one_asked_for(pitch):
    assert 1 / period(hold("e", pitch=pitch)) == pytest.approx(pitch, rel=0.01)


def test_a_glide_passes_through_the_pitches_of_its_segments():
    low_to_high = speak([Segment("a", 0.4, 100), Segment("a", 0.4, 200)], CLEAN, generator())
    middle_of_first, middle_of_second = low_to_high[2400:4000], low_to_high[8800:10400]
    assert 1 / period(middle_of_first) == pytest.approx(100, rel=0.06)
    assert 1 / period(middle_of_second) == pytest.approx(200, rel=0.06)


@pytest.mark.parametrize("vowel", ["a", "e", "ä", "ö"])
@pytest.mark.parametrize("tract", [1.0, 0.85])
def test_formants_lie_where_the_vowel_and_the_length_of_the_tract_put_them(vowel, tract):
    heard = formants(hold(vowel, Voice(tract=tract, jitter=0.02)))
    wanted = np.array(PHONES[vowel].formants[:2]) / tract
    nearest = [heard[np.abs(heard - f).argmin()] for f in wanted]
    assert nearest == pytest.approx(wanted, rel=0.12)


def test_nothing_lies_between_the_harmonics_of_a_clean_voice():
    # An unlimited pulse folds overtones back to places between them; 260 Hz does not divide the sample rate.
    frequencies, power = spectrum(hold("a", Voice(jitter=0, shimmer=0, breath=0, tilt=6000), pitch=260, seconds=1.0))
    distance = np.abs(frequencies / 260 - np.round(frequencies / 260)) * 260
    assert power[distance > 20].sum() / power.sum() < 1e-3


def test_an_effortful_voice_is_brighter():
    shares = [share_above(hold("a", Voice(tilt=tilt)), 1500) for tilt in (600, 1500, 4000)]
    assert shares == sorted(shares)
    assert shares[-1] > 2 * shares[0]


def test_breath_fills_the_gaps_between_the_harmonics():
    def harmonicity(breath: float) -> float:
        samples = hold("a", Voice(jitter=0, shimmer=0, breath=breath))
        lag = round(period(samples) * RATE)
        return float(np.corrcoef(samples[lag:], samples[:-lag])[0, 1])

    values = [harmonicity(breath) for breath in (0.0, 0.1, 0.4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.97


def test_creak_doubles_the_period():
    assert period(hold("a", Voice(jitter=0, shimmer=0, breath=0, creak=0.6))) == pytest.approx(2 / 110, rel=0.02)


@pytest.mark.parametrize("phone", ["s", "sh"])
def test_a_fricative_hisses_around_its_centre(phone):
    frequencies, power = spectrum(hold(phone))
    assert (frequencies * power).sum() / power.sum() == pytest.approx(PHONES[phone].centre, rel=0.15)


def test_a_stop_is_silent_until_it_bursts():
    samples = speak([Segment("a", 0.2, 110), Segment("t", 0.12, 110), Segment("a", 0.2, 110)], CLEAN, generator())
    closed, burst = samples[int(0.24 * RATE) : int(0.275 * RATE)], samples[int(0.295 * RATE) : int(0.31 * RATE)]
    assert closed.std() < 0.02
    assert burst.std() > 3 * closed.std()


@pytest.mark.parametrize("rate", [12000, 16000, 22050, 48000])
def test_length_and_level_at_every_rate(rate):
    samples = speak([Segment("m", 0.1, 120), Segment("o", 0.33, 120)], Voice(), generator(), rate)
    assert len(samples) == round(0.43 * rate)
    assert np.mean(samples**2) == pytest.approx(1)
    assert np.abs(samples[[0, -1]]).max() < 0.05  # it begins and ends without a click


def test_the_same_generator_says_the_same():
    assert np.array_equal(hold("z", Voice(), seed=3), hold("z", Voice(), seed=3))
    assert not np.array_equal(hold("z", Voice(), seed=3), hold("z", Voice(), seed=4))


@pytest.mark.parametrize("phone", PHONES)
def test_every_phone_can_be_said_alone_and_very_short(phone):
    assert np.isfinite(speak([Segment(phone, 0.02, 300)], Voice(tract=0.8), generator())).all()


@pytest.mark.parametrize(
    ("segments", "rate", "message"),
    [
        ([], RATE, "no segments to speak; give at least one"),
        ([Segment("q", 0.1, 100)], RATE, "phone 'q' is unknown; the phones are i e"),
        ([Segment("a", 0, 100)], RATE, "a length or a pitch that is not above 0"),
        ([Segment("a", 0.1, float("nan"))], RATE, "a length or a pitch that is not above 0"),
        ([Segment("a", 0.1, 100)], 8000, "8000 Hz; five formants need at least 12000"),
    ],
)
def test_errors_say_value_and_remedy(segments, rate, message):
    with pytest.raises(ValueError, match=message):
        speak(segments, Voice(), generator(), rate)
