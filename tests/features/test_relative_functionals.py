"""What tells how a voice moves does not tell where it lies."""

from itertools import pairwise

import numpy as np
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import Functionals, RelativeFunctionals
from affectspace.features.relative_functionals import (
    DESCRIPTORS,
    LOUDNESS,
    NAMES,
    PITCH,
    STATISTICS,
    relative_statistics,
)
from affectspace.media import write_audio

SPECTRUM = [place for place, (logarithm, _) in enumerate(DESCRIPTORS.values()) if not logarithm and place != PITCH]


def descriptors(frames=80, seed=0):
    """Random ones, of which two thirds are voiced."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, (frames, len(DESCRIPTORS)))
    values[:, LOUDNESS] = np.exp(random.normal(0, 1, frames))
    values[:, PITCH] = np.where(np.arange(frames) % 30 < 20, random.uniform(20, 40, frames), 0)
    return values


def of(told, name):
    """The statistics of one descriptor, by name."""
    place = list(DESCRIPTORS).index(name) * len(STATISTICS)
    return dict(zip(STATISTICS, told[place : place + len(STATISTICS)]))


def test_every_number_has_a_name_and_no_two_are_alike():
    assert len({*NAMES}) == len(NAMES) == 241 == len(relative_statistics(descriptors()))


@pytest.mark.parametrize("voiced", [0, 1, 3, 4, 5, 6, 40])
def test_another_microphone_or_a_deeper_voice_changes_nothing_however_little_is_voiced(voiced):
    values = descriptors()
    values[np.flatnonzero(values[:, PITCH])[voiced:], PITCH] = 0
    moved = values.copy()
    moved[:, SPECTRUM] += np.random.default_rng(1).normal(0, 5, len(SPECTRUM))
    moved[:, PITCH] = np.where(values[:, PITCH] > 0, values[:, PITCH] - 7, 0)
    np.testing.assert_allclose(relative_statistics(moved), relative_statistics(values), atol=1e-4)


def test_against_a_slow_loop_over_voiced_frames():
    values = descriptors(seed=3)
    told = of(relative_statistics(values), "alphaRatio_sma3")
    place = list(DESCRIPTORS).index("alphaRatio_sma3")
    frames = [number for number in range(len(values)) if values[number, PITCH] > 0]
    own = [values[number, place] for number in frames]
    loud = [np.log(values[number, LOUDNESS] + 1e-3) for number in frames]
    middle = np.median([each - np.mean(loud) for each in loud])
    upper = [a for a, b in zip(own, loud) if b - np.mean(loud) >= middle]
    lower = [a for a, b in zip(own, loud) if b - np.mean(loud) < middle]
    steps = [values[b, place] - values[a, place] for a, b in pairwise(frames) if b == a + 1]
    time = [(number - (len(own) - 1) / 2) / 50 for number in range(len(own))]
    expected = {
        "deviation": np.std(own),
        "range": np.percentile(own, 90) - np.percentile(own, 10),
        "upper_range": np.percentile(own, 90) - np.median(own),
        "lower_range": np.median(own) - np.percentile(own, 10),
        "mean_step": np.mean(np.abs(steps)),
        "step_deviation": np.std(steps),
        "with_loudness": np.corrcoef(own, loud)[0, 1],
        "loud_minus_quiet": np.mean(upper) - np.mean(lower),
        "slope": np.polyfit(time, own, 1)[0],
    }
    assert told == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("voiced", "told"), [(4, False), (5, True)])
def test_of_four_voiced_frames_nothing_is_told_of_pitch_and_all_loud_ones_stand_for_the_rest(voiced, told):
    values = descriptors()
    values[:, PITCH] = np.where(np.arange(80) < voiced, np.arange(80) + 30, 0)
    found = relative_statistics(values)
    assert bool(any(of(found, "F0semitoneFrom27.5Hz_sma3nz").values())) == told
    loud = values[:, LOUDNESS] > np.percentile(values[:, LOUDNESS], 30)
    own = values[:5] if told else values[loud]
    place = list(DESCRIPTORS).index("mfcc1_sma3")
    assert of(found, "mfcc1_sma3")["deviation"] == pytest.approx(own[:, place].std(), rel=1e-5)


def test_a_rising_pitch_has_its_slope_in_semitones_per_half_a_second():
    values = descriptors()
    values[:, PITCH] = 30 + np.arange(80) * 0.1
    assert of(relative_statistics(values), "F0semitoneFrom27.5Hz_sma3nz")["slope"] == pytest.approx(5, rel=1e-4)


@pytest.mark.parametrize("pitch", [0.0, 30.0])
@pytest.mark.parametrize("frames", [5, 6, 200])
def test_whispered_steady_or_short_everything_is_finite(frames, pitch):
    values = np.ones((frames, len(DESCRIPTORS)))
    values[:, PITCH] = pitch
    assert np.isfinite(relative_statistics(values)).all()


def test_timing_of_a_voice_that_is_on_twice():
    values = descriptors(100)
    values[:, PITCH] = 0
    values[10:30, PITCH] = values[50:90, PITCH] = 30
    told = dict(zip(NAMES, relative_statistics(values)))
    assert told["voiced_per_second"] == pytest.approx(2)
    assert told["voiced_seconds"] == pytest.approx(0.3)
    assert told["voiced_share"] == pytest.approx(0.6)
    assert told["seconds"] == pytest.approx(1)


class TestOfRecordings:
    @pytest.fixture(autouse=True)
    def _has_opensmile(self):
        pytest.importorskip("opensmile")

    def voice(self, seconds=0.8):
        time = np.arange(int(16000 * seconds)) / 16000
        buzz = np.sign(np.sin(2 * np.pi * (120 * time + 20 * time**2))) * (time > 0.1)
        return (0.2 * buzz + np.random.default_rng(0).normal(0, 0.01, len(time))).astype(np.float32)

    def test_a_file_and_its_part_are_heard_alike_and_level_does_not_matter(self, tmp_path):
        sound = self.voice(1.6)
        write_audio(tmp_path / "whole.wav", sound, 16000)
        write_audio(tmp_path / "part.wav", sound[8000:19200], 16000)
        frontend = RelativeFunctionals(level=-26)
        part = frontend(tmp_path / "whole.wav", start=0.5, end=1.2)
        assert (part.shape, part.dtype) == ((1, 241), np.float32)
        np.testing.assert_array_equal(part, frontend(tmp_path / "part.wav"))
        np.testing.assert_allclose(frontend.compute(sound * np.float32(0.25)), frontend.compute(sound), atol=2e-3)

    def test_absolute_ones_come_first(self):
        both, sound = RelativeFunctionals(level=-26, absolute=True), self.voice()
        found = both.compute(sound)
        assert found.shape == (1, both.dimensions) == (1, 88 + 241)
        np.testing.assert_array_equal(found[:, :88], Functionals("eGeMAPSv02", level=-26).compute(sound))
        np.testing.assert_array_equal(found[:, 88:], RelativeFunctionals(level=-26).compute(sound))
        assert both.fingerprint == RelativeFunctionals(level=-26).fingerprint + " absolute=True"

    def test_too_short_a_clip_is_set_aside(self):
        with pytest.raises(MediaError, match=r"0.0100 s of sound are too short"):
            RelativeFunctionals().compute(self.voice(0.01))

    def test_settings_are_in_the_fingerprint_and_refused_as_those_of_functionals(self):
        assert "level=-26.0" in RelativeFunctionals(level=-26).fingerprint
        with pytest.raises(InputError, match="level is 3 dB; full scale is 0"):
            RelativeFunctionals(level=3)
