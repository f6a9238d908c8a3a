"""The oracle is the definition frame by frame in float64; Kaldi's own code is the second opinion."""

import pickle

import numpy as np
import pytest
import torch

from affectspace.errors import InputError, MediaError
from affectspace.features import LogMel, log_mel
from affectspace.features.log_mel import BLOCK
from affectspace.media import read_audio, write_audio

FLOOR = np.log(np.finfo(np.float32).eps)


def by_definition(samples: np.ndarray, bands=40, rate=16000, frame=400, step=160, low=20.0, high=8000.0) -> np.ndarray:
    """Kaldi's documentation, one frame and one filter after another."""

    def mel(hz):
        return 1127.0 * np.log(1.0 + hz / 700.0)

    edges = np.linspace(mel(low), mel(high), bands + 2)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / (frame - 1))) ** 0.85
    padded = 1
    while padded < frame:
        padded *= 2
    rows = []
    for start in range(0, len(samples) - frame + 1, step):
        one = samples[start : start + frame].astype(np.float64) * 32768
        one = one - one.mean()
        emphasised = one - 0.97 * np.concatenate([one[:1], one[:-1]])
        power = np.abs(np.fft.rfft(emphasised * window, padded)) ** 2
        row = []
        for left, centre, right in zip(edges, edges[1:], edges[2:]):
            energy = 0.0
            for k in range(padded // 2):
                at = mel(k * rate / padded)
                if left < at < right:
                    energy += power[k] * (
                        (at - left) / (centre - left) if at <= centre else (right - at) / (right - centre)
                    )
            row.append(np.log(max(energy, np.finfo(np.float32).eps)))
        rows.append(row)
    return np.array(rows)


def kaldi(samples: np.ndarray) -> np.ndarray:
    fbank = pytest.importorskip("kaldi_native_fbank")
    options = fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 40
    bank = fbank.OnlineFbank(options)
    bank.accept_waveform(16000, samples * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def noise(samples: int = 4000, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bands": 23, "low": 100.0, "high": 7000.0},
        {"rate": 8000, "frame": 200, "step": 80, "high": 4000.0, "bands": 20},
        {"frame": 320, "step": 120},
        {"frame": 512, "step": 512},
    ],
)
def test_equals_the_definition(settings):
    rate = settings.get("rate", 16000)
    energies = log_mel(
        noise(),
        bands=settings.get("bands", 40),
        sample_rate=rate,
        frame_ms=1000 * settings.get("frame", 400) / rate,
        step_ms=1000 * settings.get("step", 160) / rate,
        low_hz=settings.get("low", 20.0),
        high_hz=settings.get("high"),
    )
    assert energies.dtype == torch.float32
    assert energies.numpy() == pytest.approx(by_definition(noise(), **settings), abs=2e-4)


@pytest.mark.parametrize("samples", [400, 401, 559, 560, 400 + 160 * (BLOCK - 1), 400 + 160 * BLOCK, 100_000])
def test_equals_kaldi_whatever_the_length(samples):
    ours = log_mel(noise(samples)).numpy()
    assert ours.shape == (1 + (samples - 400) // 160, 40)
    assert np.abs(ours - kaldi(noise(samples))).max() < 1e-3


@pytest.mark.parametrize("level", [1e-5, 1e-3, 0.3])
def test_equals_kaldi_whatever_the_level(level):
    assert np.abs(log_mel(noise(level=level)).numpy() - kaldi(noise(level=level))).max() < 1e-3


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 5 / 32768, 0.1, 0.7654321])
def test_a_constant_signal_is_silence(value):
    """Rounding must not put energy where there is none."""
    energies = log_mel(np.full(1000, value, dtype=np.float32))
    assert (energies == np.float32(FLOOR)).all()


@pytest.mark.parametrize("level", [1e-5, 1e-3])
@pytest.mark.parametrize("offset", [0.01, -0.3, 0.9])
def test_a_constant_offset_changes_nothing(offset, level):
    """Quiet frames of a recording with an offset, in which Kaldi's own float32 sums are off by up to 0.4."""
    quiet = noise(level=level)
    shifted = (quiet.astype(np.float64) + offset).astype(np.float32)
    exact = by_definition(shifted)
    assert np.abs(log_mel(shifted).numpy() - exact).max() < 2e-4


def test_twice_as_loud_is_log_four_more():
    assert log_mel(2 * noise()).numpy() == pytest.approx(log_mel(noise()).numpy() + np.log(4), abs=1e-5)


def test_a_tone_lights_its_band():
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    energies = log_mel(tone.astype(np.float32))
    centres = 700 * (np.exp(np.linspace(*(1127 * np.log(1 + np.array([20, 8000]) / 700)), 42)[1:-1] / 1127) - 1)
    assert (energies.argmax(1) == np.abs(centres - 1000).argmin()).all()


def test_a_later_start_by_one_step_is_the_same_frames():
    long = noise(160 * (BLOCK + 50))
    assert log_mel(long)[1:].numpy() == pytest.approx(log_mel(long[160:]).numpy(), abs=1e-3)


def test_nan_is_not_hidden():
    samples = noise()
    samples[2000] = np.nan
    assert log_mel(samples).isnan().any()


def test_the_samples_are_left_as_they_are():
    samples = noise()
    before = samples.copy()
    log_mel(samples)
    LogMel(level=-20).compute(samples)
    assert np.array_equal(samples, before)


def test_level_takes_loudness_away():
    frontend = LogMel(level=-20)
    assert frontend.compute(noise(level=0.01)) == pytest.approx(frontend.compute(noise(level=0.2)), abs=1e-3)
    scaled = noise() / noise().std() * 0.1  # -20 dB of full scale
    assert frontend.compute(noise()) == pytest.approx(LogMel().compute(scaled), abs=1e-3)
    assert (frontend.compute(np.zeros(1000, dtype=np.float32)) == np.float32(FLOOR)).all()


def test_the_front_end_reads_a_part_of_a_file(tmp_path):
    write_audio(tmp_path / "a.flac", noise(16000), 16000)
    samples = read_audio(tmp_path / "a.flac")
    assert np.array_equal(LogMel()(tmp_path / "a.flac", 0.25, 0.75), log_mel(samples[4000:12000]).numpy())


def test_a_fingerprint_is_all_settings():
    others = [
        {"bands": 23},
        {"sample_rate": 8000},
        {"frame_ms": 20},
        {"step_ms": 5},
        {"low_hz": 50},
        {"high_hz": 7600},
        {"level": -20},
    ]
    prints = [LogMel().fingerprint, *(LogMel(**({"bands": 20} | other)).fingerprint for other in others)]
    assert len(set(prints)) == len(prints)
    assert LogMel(frame_ms=25).fingerprint == LogMel(frame_ms=25.0).fingerprint
    assert pickle.loads(pickle.dumps(LogMel(level=-20))) == LogMel(level=-20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 0}, "0 bands from 20 to 8000 Hz; at least one must lie within 0 to 8000 Hz"),
        ({"high_hz": 9000}, "40 bands from 20 to 9000 Hz"),
        ({"low_hz": 8000}, "from 8000 to 8000 Hz"),
        ({"bands": 200}, "band 3 of 200 lies between two frequencies of a 400-sample frame; use fewer bands"),
        ({"step_ms": 0}, "frames of 400 samples every 0 at 16000 Hz"),
        ({"level": 3}, "level is 3 dB; full scale is 0"),
        ({"level": float("nan")}, "level is nan dB"),
    ],
)
def test_settings_that_make_no_features(settings, message):
    with pytest.raises(InputError, match=message):
        LogMel(**settings)


def test_too_short_for_a_frame():
    with pytest.raises(MediaError, match=r"0\.0249 s of sound are too short: one frame needs 0\.0250 s; leave it out"):
        log_mel(noise(399))


@pytest.mark.real
def test_equals_kaldi_on_real_recordings(real_data):
    """Within 1e-3, but for bands far below the loudest of their frame, where either may round."""
    for corpus in ("ravdess", "emodb", "urdu", "ased"):
        for path in sorted((real_data / "speech" / corpus / "audio").iterdir())[::60][:8]:
            samples = read_audio(path)
            ours, theirs = log_mel(samples).numpy(), kaldi(samples)
            loud = theirs > theirs.max(1, keepdims=True) - 14
            assert np.abs(ours - theirs)[loud].max() < 1e-3
            assert np.abs(ours - theirs).max() < 0.02
