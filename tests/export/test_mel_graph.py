"""Energies of a batch by products of matrices are those of the front end, by Fourier transforms."""

import numpy as np
import pytest
import torch

from affectspace.export.mel_graph import MelGraph
from affectspace.features import LogMel

SETTINGS = (
    {},
    {"bands": 80},
    {"bands": 8, "level": -26.0},
    {"sample_rate": 8000},
    {"sample_rate": 44100, "frame_ms": 20.0, "high_hz": 8000.0},  # frames of 882, which is no multiple of a row
    {"frame_ms": 20.0, "step_ms": 20.0},
    {"frame_ms": 32.0, "step_ms": 8.0, "low_hz": 60.0},
)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_energies_are_those_of_the_front_end(settings):
    frontend = LogMel(**settings)
    net = MelGraph(frontend)
    random = np.random.default_rng(0)
    lengths = [net.frame, net.frame + net.step - 1, net.frame + net.step, 20_011]
    clips = [(random.standard_normal(count) * 0.1).astype(np.float32) for count in lengths]
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True)
    found, frames = net(padded, torch.tensor(lengths))
    for clip, energies, count in zip(clips, found, frames):
        expected = frontend.compute(clip)
        assert count == len(expected)
        np.testing.assert_allclose(energies[:count].numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("offset", [0.0, 0.1, -0.5])
def test_a_quiet_voice_on_the_offset_of_a_microphone_keeps_its_digits(offset):
    frontend, random = LogMel(level=-26.0), np.random.default_rng(0)
    quiet = np.round(random.standard_normal(16_000) * 30) / 32768 + np.round(offset * 32768) / 32768
    clip = quiet.astype(np.float32)
    found, _ = MelGraph(frontend)(torch.from_numpy(clip)[None], torch.tensor([len(clip)]))
    np.testing.assert_allclose(found[0].numpy(), frontend.compute(clip), atol=1e-3)


def test_a_tone_stands_in_its_own_band():
    frontend = LogMel()
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    found, _ = MelGraph(frontend)(torch.from_numpy(tone)[None], torch.tensor([16_000]))
    assert found[0].argmax(-1).unique().tolist() == np.unique(frontend.compute(tone).argmax(-1)).tolist()


def test_silence_stays_at_the_floor_and_a_minute_keeps_its_level():
    frontend = LogMel(level=-26.0)
    net = MelGraph(frontend)
    silent, _ = net(torch.zeros(1, 1600), torch.tensor([1600]))
    np.testing.assert_array_equal(silent[0].numpy(), frontend.compute(np.zeros(1600, np.float32)))
    minute = (np.random.default_rng(0).standard_normal(960_000) * 0.2).astype(np.float32)
    found, _ = net(torch.from_numpy(minute)[None], torch.tensor([len(minute)]))
    assert np.abs(found[0].numpy() - frontend.compute(minute)).mean() < 1e-5
