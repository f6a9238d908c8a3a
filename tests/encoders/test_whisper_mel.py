"""Whisper's log-Mel energies are those of its own feature extractor, window by window."""

import torch

from affectspace.encoders.whisper_mel import whisper_log_mel


def test_they_are_those_of_transformers():
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor()  # as published: 30 s, 80 bands
    generator = torch.Generator().manual_seed(0)
    clips = [scale * torch.randn(length, generator=generator) for scale, length in ((0.3, 48000), (1e-4, 16001))]
    expected = extractor([clip.numpy() for clip in clips], sampling_rate=16000, return_tensors="pt").input_features
    windows = torch.stack([torch.nn.functional.pad(clip, (0, 480000 - len(clip))) for clip in clips])
    made = whisper_log_mel(windows, torch.from_numpy(extractor.mel_filters).float())
    assert made.shape == (2, 80, 3000)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


def test_a_window_does_not_depend_on_what_stands_beside_it():
    generator = torch.Generator().manual_seed(1)
    windows, filters = torch.randn(3, 4000, generator=generator), torch.rand(101, 5, generator=generator)
    windows[1] *= 100
    together = whisper_log_mel(windows, filters, size=200, step=50)
    for row in range(3):
        torch.testing.assert_close(whisper_log_mel(windows[row : row + 1], filters, 200, 50)[0], together[row])


def test_what_is_far_below_the_loudest_is_raised():
    made = whisper_log_mel(torch.nn.functional.pad(torch.ones(1, 500), (0, 3500)), torch.ones(201, 2))
    assert float(made.max() - made.min()) == 2.0  # eight powers of ten, by four
