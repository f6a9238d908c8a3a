"""What augmentation promises, measured on signals of which everything is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.features import Augmentation, Masks, augment
from affectspace.features.augment import _long_noises, _noise, _stretches, generator


def sine(hz=440.0, seconds=1.0, offset=0.0):
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(int(16000 * seconds)) / 16000) + offset).astype(np.float32)


def decibels(samples):
    return 20 * np.log10(np.std(samples, dtype=np.float64))


@pytest.mark.parametrize("factor", [0.9, 0.95, 1.07, 1.1])
def test_speed_divides_the_duration_and_multiplies_the_frequency(factor):
    heard = Augmentation(speed=(factor, factor))(sine(seconds=2), generator(0))
    assert len(heard) == pytest.approx(32000 / factor, abs=1)
    middle = heard[1000:-1000].astype(np.float64) * np.hanning(len(heard) - 2000)
    spectrum = np.abs(np.fft.rfft(middle, 1 << 18))
    assert spectrum.argmax() * 16000 / (1 << 18) == pytest.approx(440 * factor, abs=0.1)
    assert decibels(heard[1000:-1000]) == pytest.approx(decibels(sine()), abs=0.01)


def test_a_clip_too_short_to_be_faster_keeps_its_speed():
    assert len(Augmentation(speed=(1.1, 1.1), shortest=400)(sine()[:430], generator(0))) == 430
    assert len(Augmentation(speed=(1.1, 1.1), shortest=400)(sine()[:450], generator(0))) >= 400


@settings(deadline=None, max_examples=50)
@given(samples=st.integers(400, 1000), percent=st.integers(50, 200))
def test_a_frame_is_always_left(samples, percent):
    heard = Augmentation(speed=(percent / 100, percent / 100), shortest=400)(sine()[:samples], generator(0))
    assert len(heard) >= 400


@pytest.mark.parametrize("change", [0.5, 6.0])
def test_level_stays_within_its_range_and_fills_it(change):
    changes = [decibels(Augmentation(level=change)(sine(), generator(n))) - decibels(sine()) for n in range(300)]
    assert max(map(abs, changes)) <= change + 1e-4
    assert min(changes) < -0.97 * change
    assert max(changes) > 0.97 * change
    assert abs(np.mean(changes)) < 0.15 * change


@pytest.mark.parametrize("ratio", [-5.0, 15.0, 35.0])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_noise_has_exactly_the_ratio_asked_for_whatever_its_colour_and_the_offset(ratio, offset):
    clip = sine(offset=offset)
    for number in range(5):
        noise = Augmentation(noise=(ratio, ratio))(clip, generator(number)).astype(np.float64) - clip
        assert decibels(clip) - decibels(noise) == pytest.approx(ratio, abs=0.01)


def octave_power(noise, low):
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / 16000)
    return power[(hz >= low) & (hz < 2 * low)].sum()


def test_white_power_doubles_with_the_octave_and_pink_power_stays():
    white, pink = _long_noises()
    for low in (50, 200, 800, 1600):
        assert octave_power(white, 2 * low) / octave_power(white, low) == pytest.approx(2, rel=0.05)
        assert octave_power(pink, 2 * low) / octave_power(pink, low) == pytest.approx(1, rel=0.05)
    for noise in (white, pink):
        assert np.abs(np.fft.rfft(noise)[: len(noise) // 800 - 1]).max() < 1e-2  # nothing below 20 Hz
        assert noise.std() == pytest.approx(1, abs=1e-4)


def test_noise_longer_than_is_kept_goes_round_without_a_seam():
    white, pink = _long_noises()
    noise = _noise(len(white) + 100, 0.25, 0.5)
    assert np.array_equal(noise[:100], noise[len(white) :])
    assert np.array_equal(_noise(100, 0.25, 0.5), noise[:100])
    assert np.allclose(noise[:100], 0.75 * white[len(white) // 2 :][:100] + 0.25 * pink[len(white) // 2 :][:100])


def test_nothing_on_changes_nothing_and_what_is_on_never_changes_its_input():
    clip = sine()
    assert Augmentation()(clip, generator(0)) is clip
    before = clip.copy()
    Augmentation((0.9, 1.1), 6.0, (15.0, 35.0), reverberation=(0.3, 0.3), channel=6.0)(clip, generator(0))
    assert np.array_equal(clip, before)


ROOM = Augmentation(reverberation=(0.2, 0.8), channel=12.0)


def test_rooms_and_channels_keep_length_and_level_and_follow_from_the_generator():
    clip = sine(seconds=0.5, offset=0.1) + _noise(8000, 0.5, 0.3) * np.float32(0.01)
    heard = [ROOM(clip, generator(number)) for number in range(5)]
    assert all(decibels(each) == pytest.approx(decibels(clip), abs=1e-3) for each in heard)
    assert len({each.tobytes() for each in heard}) == 5
    assert all(np.array_equal(each, ROOM(clip, generator(number))) for number, each in enumerate(heard))


def test_a_room_stays_with_a_channel_beside_and_a_channel_with_a_room(monkeypatch):
    given = []
    monkeypatch.setattr(augment, "transmitted", lambda samples, *through: given.append(through) or samples)
    room, channel = {"reverberation": (0.2, 0.8)}, {"channel": 12.0}
    for changes in (room, channel, room | channel):
        Augmentation(**changes, sample_rate=8000)(sine(), generator(4))
    (response, _, _), (_, weights, _), (both_response, both_weights, rate) = given
    assert given[0][1] is None
    assert given[1][0] is None
    assert np.array_equal(response, both_response)
    assert np.array_equal(weights, both_weights)
    assert rate == 8000
    assert 0.2 * 8000 <= len(response) - 1 <= 0.8 * 8000
    assert (np.abs(weights) <= 12).all()


def test_reverberation_lasts_as_long_as_its_range_says():
    click = np.eye(1, 16000, dtype=np.float32)[0]
    for low, high in ((0.2, 0.2), (0.2, 0.6)):
        ends = []
        for number in range(20):
            heard = Augmentation(reverberation=(low, high))(click, generator(number))
            centred = heard - np.median(heard)
            ends.append(np.flatnonzero(np.abs(centred) > 1e-5 * centred[0])[-1] / 16000)
        assert max(ends) == pytest.approx(high, rel=0.1)
        assert min(ends) == pytest.approx(low, rel=0.2)


@pytest.mark.parametrize("changes", [{}, {"speed": (0.9, 1.1)}, {"noise": (15.0, 35.0), "level": 6.0}])
def test_rooms_and_channels_leave_every_other_draw_as_it_is(changes):
    with_room = {**changes, "reverberation": (0.2, 0.8), "channel": 12.0}
    plain = generator(7)
    plain.random(5)
    for each in (changes, with_room):
        random = generator(7)
        heard = Augmentation(**each)(sine(), random)
        assert random.bit_generator.state == plain.bit_generator.state  # so that masks lie where they lay
        assert len(heard) == len(Augmentation(**changes)(sine(), generator(7)))


def test_another_change_beside_leaves_the_speeds_as_they_are():
    plain, noisy = Augmentation((0.9, 1.1)), Augmentation((0.9, 1.1), 6.0, (15.0, 35.0))
    lengths = [(len(plain(sine(), generator(n))), len(noisy(sine(), generator(n)))) for n in range(20)]
    assert all(one == other for one, other in lengths)
    assert len({one for one, _ in lengths}) > 8


def test_every_hundredth_of_the_range_is_as_likely():
    lengths = [len(Augmentation((0.9, 1.1))(sine(seconds=0.1), generator(n))) for n in range(2100)]
    expected = [len(Augmentation((p / 100, p / 100))(sine(seconds=0.1), generator(0))) for p in range(90, 111)]
    assert set(lengths) == set(expected)
    assert min(lengths.count(length) for length in expected) > 60


@pytest.mark.parametrize("clip", [np.zeros(800), np.full(800, 0.5), np.full(800, 1e-30), np.eye(1, 800)[0]])
def test_silence_and_near_silence_stay_finite(clip):
    every = Augmentation((0.5, 2.0), 40.0, (-20.0, 100.0), reverberation=(0.1, 3.0), channel=40.0)
    heard = every(clip.astype(np.float32), generator(3))
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()


@settings(deadline=None, max_examples=100)
@given(
    frames=st.integers(1, 60), bands=st.integers(5, 12), time=st.tuples(st.integers(0, 5), st.integers(0, 100)),
    band=st.tuples(st.integers(0, 2), st.integers(0, 2)), seed=st.integers(0, 1000),
)  # fmt: skip
def test_masks_have_their_extents_and_never_cover_everything(frames, bands, time, band, seed):
    values = np.ones((frames, bands), np.float32)
    masked = Masks(*time, *band)(values, generator(seed))
    assert values.all()
    dark_frames, dark_bands = (masked == 0).all(1), (masked == 0).all(0)
    assert dark_frames.sum() <= min(time[0] * time[1], frames // 2)
    assert dark_bands.sum() <= band[0] * band[1]
    assert np.array_equal(masked == 0, dark_frames[:, None] | dark_bands[None])
    assert masked.any()


def test_widths_and_places_of_masks_are_uniform_and_reach_both_ends():
    found = [_stretches(generator(n), 1, 3, 10)[0] for n in range(4000)]
    widths = np.bincount([last - first for first, last in found], minlength=4)
    assert np.abs(widths / 4000 - 0.25).max() < 0.03
    three = [first for first, last in found if last - first == 3]
    assert (min(three), max(three)) == (0, 7)
    assert np.abs(np.bincount(three) / len(three) - 1 / 8).max() < 0.04


def test_masks_that_could_cover_all_bands_are_refused():
    with pytest.raises(InputError, match="2 masks of up to 5 bands could cover all 10; lower band_masks"):
        Masks(band_masks=2, band_width=5)(np.ones((4, 10)), generator(0))


def test_names_that_only_look_alike_have_other_numbers():
    drawn = {generator(*names).random() for names in [(1, 12), (11, 2), (12, 1), ("1", "1", "2"), (112,)]}
    assert len(drawn) == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": (1.1, 0.9)}, r"speed is \[1\.1, 0\.9\]; give \[lowest, highest\] within 0\.5 to 2"),
        ({"speed": (0.1, 1.0)}, r"speed is \[0\.1, 1\.0\]"),
        ({"speed": (0.991, 0.999)}, r"speed is \[0\.991, 0\.999\]; there is no hundredth in that range"),
        ({"speed": (0.9,)}, r"speed is \[0\.9\]"),
        ({"noise": (15.0, float("nan"))}, r"noise is \[15\.0, nan\]; give \[lowest, highest\] within -20 to 100"),
        ({"reverberation": (0.0, 1.0)}, r"reverberation is \[0\.0, 1\.0\]; give \[lowest, highest\] within 0\.05 to 3"),
        ({"channel": 50.0}, r"channel is 50 dB; give the largest change, above 0 and up to 40"),
        ({"level": 0.0}, r"level is 0 dB; give the largest change, above 0 and up to 40"),
    ],
)
def test_errors_say_value_and_remedy(values, message):
    with pytest.raises(InputError, match=message):
        Augmentation(**values)
