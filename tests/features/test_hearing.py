"""What is heard follows from (seed, epoch, item, role) alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.features import Augmentation, Hearing, LogMel, Masks, Normaliser, Waveform

ALL = Augmentation((0.9, 1.1), 6.0, (15.0, 35.0))
MASKS = Masks(time_masks=1, time_width=10, band_masks=1, band_width=3)
FRONTEND = LogMel(bands=20)
SOUNDS = [np.random.default_rng(n).normal(0, 0.1, 4000 + 500 * n).clip(-1, 1).astype(np.float32) for n in range(4)]
SAMPLES = [Waveform().compute(sound) for sound in SOUNDS]
CLIPS = [FRONTEND.compute(Waveform.restore(kept)) for kept in SAMPLES]
KEYS = [f"corpus/{n}" for n in range(4)]


def hearing(seed=0, share=1.0, augmentation=ALL, masks=MASKS, scope="train", keys=KEYS, frontend=FRONTEND):
    normaliser = Normaliser.fit(CLIPS, scope, train=[0, 1, 2])
    return Hearing(seed, share, augmentation, masks, frontend, CLIPS, SAMPLES, normaliser, keys)


def test_the_same_to_the_bit_in_any_order_and_in_another_hearing():
    asked = [(row, epoch, role) for row in range(4) for epoch in range(3) for role in ("anchor", "similar")]
    first = hearing()
    one = {call: first(*call) for call in asked}
    second = hearing()
    other = {call: second(*call) for call in reversed(asked)}
    assert all(np.array_equal(one[call], other[call]) for call in asked)
    assert len({values.tobytes() for values in one.values()}) == len(asked)


def test_the_same_to_the_bit_in_another_process():
    program = """
import sys; sys.path.insert(0, sys.argv[1])
from test_hearing import hearing
print(hearing()(2, 5, "anchor").tobytes().hex())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == hearing()(2, 5, "anchor").tobytes().hex()


def test_it_follows_the_seed_and_the_key_and_not_the_row():
    turned = hearing(keys=KEYS[::-1])
    assert not np.array_equal(hearing()(0, 0, "anchor"), turned(0, 0, "anchor"))
    assert not np.array_equal(hearing(seed=0)(0, 0, "anchor"), hearing(seed=1)(0, 0, "anchor"))


def test_share_leaves_the_rest_exactly_as_they_are():
    hear = hearing(share=0.3)
    normaliser = hear.normaliser
    clean = [(clip - normaliser(row)[0]) / normaliser(row)[1] for row, clip in enumerate(CLIPS)]
    same = [np.array_equal(hear(row, epoch, "anchor"), clean[row]) for row in range(4) for epoch in range(100)]
    assert np.mean(same) == pytest.approx(0.7, abs=0.07)


@pytest.mark.parametrize("scope", ["train", "none", "item"])
def test_it_is_the_front_end_then_the_normaliser_of_what_is_heard(scope):
    hear = hearing(augmentation=Augmentation(noise=(100.0, 100.0)), masks=None, scope=scope)
    values = hear(0, 0, "anchor")
    assert values.dtype == np.float32
    normaliser = hear.normaliser
    assert np.allclose(values, (CLIPS[0] - normaliser(0)[0]) / normaliser(0)[1], atol=0.05)
    if scope == "item":
        assert np.allclose(values.mean(0), 0, atol=1e-5)
        assert np.allclose(values.std(0), 1, atol=1e-4)


def test_statistics_of_training_come_from_clean_items():
    louder = hearing(augmentation=Augmentation(level=40.0), masks=None)
    gains = [float((louder(0, epoch, "anchor") * louder.normaliser(0)[1]).mean()) for epoch in range(30)]
    assert np.std(gains) > 2  # nothing has normalised the change away
    again = Normaliser.fit(CLIPS, "train", train=[0, 1, 2])
    assert louder.normaliser.to_dict() == again.to_dict()


def test_the_level_of_the_front_end_comes_after_the_changes():
    frontend = LogMel(bands=20, level=-26.0)
    hear = hearing(augmentation=Augmentation(level=20.0), masks=None, frontend=frontend, scope="none")
    assert np.allclose(hear(1, 0, "anchor"), frontend.compute(Waveform.restore(SAMPLES[1])), atol=1e-3)


def test_reverberation_and_channel_leave_masks_and_speeds_where_they_were():
    settings = {"speed": (0.9, 1.1), "noise": (15.0, 35.0)}
    rooms = Augmentation(**settings, reverberation=(0.2, 0.6), channel=9.0)
    dry, wet = hearing(augmentation=Augmentation(**settings)), hearing(augmentation=rooms)
    for row, epoch in ((row, epoch) for row in range(4) for epoch in range(5)):
        one, other = dry(row, epoch, "anchor"), wet(row, epoch, "anchor")
        assert np.array_equal(one == 0, other == 0)
        assert not np.array_equal(one, other)
        assert np.array_equal(other, wet(row, epoch, "anchor"))
        assert not np.array_equal(other, wet(row, epoch, "similar"))


def test_masks_alone_need_no_samples_and_cover_with_the_mean():
    normaliser = Normaliser.fit(CLIPS, "train", train=[0, 1, 2])
    hear = Hearing(0, 1.0, None, MASKS, FRONTEND, CLIPS, None, normaliser, KEYS)
    heard = np.concatenate([hear(row, 0, "anchor") for row in range(4)])
    clean = np.concatenate([(clip - normaliser(0)[0]) / normaliser(0)[1] for clip in CLIPS])
    assert ((heard == clean) | (heard == 0)).all()
    assert (heard == 0).any()


def test_samples_that_are_missing_are_an_error():
    with pytest.raises(InputError, match="augmentation changes samples, and there are none"):
        Hearing(0, 1.0, ALL, None, FRONTEND, CLIPS, None, Normaliser("none"), KEYS)


@pytest.mark.parametrize("scope", ["train", "item", "none"])
def test_near_silence_is_never_nan(scope):
    quiet = [np.zeros((800, 1), np.int16), np.eye(1, 800, dtype=np.int16).T]
    clips = [FRONTEND.compute(Waveform.restore(kept)) for kept in quiet]
    normaliser = Normaliser.fit(clips, scope, train=[0, 1])
    hear = Hearing(0, 1.0, ALL, MASKS, FRONTEND, clips, quiet, normaliser, ["a", "b"])
    assert all(np.isfinite(hear(row, epoch, "anchor")).all() for row in (0, 1) for epoch in range(20))
