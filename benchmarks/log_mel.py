"""Log-Mel energies against kaldi-native-fbank: CPU seconds per second of audio, one thread, in one run.

    python benchmarks/log_mel.py [FOLDER]

measures on the recordings of FOLDER, or on generated ones of 1 to 10 seconds. Both make the same 40
bands of the same samples, and the rounds take turns, so that a busy machine slows both. Energies that
differ by more than 1e-3 are counted, and so are those of either that are off the definition in float64.
Kaldi's binding takes samples one by one: what that costs is timed too, by asking for a single frame of each clip.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import kaldi_native_fbank
import numpy as np
import torch

from affectspace.features import LogMel
from affectspace.media import read_audio

ROUNDS = 7
CLIPS = 100


def kaldi(samples: np.ndarray, shift_ms: float = 10) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.frame_shift_ms = shift_ms
    options.mel_opts.num_bins = 40
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(16000, samples * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(frame) for frame in range(bank.num_frames_ready)])


def binding(samples: np.ndarray) -> np.ndarray:
    """What it costs to hand the samples over: the same call with one frame to compute."""
    return kaldi(samples, shift_ms=1e6)


def exact(samples: np.ndarray) -> np.ndarray:
    """The definition in float64, frame by frame."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64) * 32768, 400)[::160]
    frames = frames - frames.mean(1, keepdims=True)
    frames[:, 1:] -= 0.97 * frames[:, :-1]
    frames *= (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mel = 1127 * np.log1p(np.arange(257) * 16000 / 512 / 700)[:, None]
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 42)
    rising, falling = (mel - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - mel) / np.diff(edges)[1:]
    filters = np.minimum(rising, falling).clip(0)
    filters[-1] = 0
    return np.log(np.maximum(power @ filters, np.finfo(np.float32).eps))


def cpu_seconds(compute: Callable[[np.ndarray], np.ndarray], clips: list[np.ndarray]) -> float:
    began = time.process_time()
    for clip in clips:
        compute(clip)
    return time.process_time() - began


def generated() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [(0.1 * random.standard_normal(int(16000 * random.uniform(1, 10)))).astype(np.float32) for _ in range(CLIPS)]


def main() -> None:
    torch.set_num_threads(1)
    files = sorted(Path(sys.argv[1]).rglob("*.flac")) if len(sys.argv) > 1 else []
    ours = LogMel().compute
    off, largest, values = np.zeros(3, int), np.zeros(3), 0
    for clip in map(read_audio, files) if files else generated():  # warms both up
        made, theirs, truth = ours(clip), kaldi(clip), exact(clip)
        gaps = [np.abs(a - b) for a, b in ((made, theirs), (made, truth), (theirs, truth))]
        off += [(gap > 1e-3).sum() for gap in gaps]
        largest = np.maximum(largest, [gap.max() for gap in gaps])
        values += made.size
    clips = [read_audio(file) for file in files[:: len(files) // CLIPS + 1]] or generated()
    seconds = sum(map(len, clips)) / 16000
    rounds = [tuple(cpu_seconds(each, clips) for each in (ours, kaldi, binding)) for _ in range(ROUNDS)]
    best_ours, best_kaldi, handing = (min(times) / seconds for times in zip(*rounds))
    called = sorted(theirs / own for own, theirs, _ in rounds)
    computed = sorted((theirs - over) / own for own, theirs, over in rounds)
    for name, count, gap in zip(("each other", "ours and float64", "Kaldi and float64"), off, largest):
        print(f"{name:<18}  {count} of {values:,} energies differ by more than 1e-3, at most by {gap:.1e}")
    print(f"{len(clips)} clips, {seconds:.0f} s of audio are timed")
    print(f"affectspace         {best_ours:.2e} CPU s per s")
    print(f"kaldi-native-fbank  {best_kaldi:.2e} CPU s per s")
    print(f"   its binding      {handing:.2e} CPU s per s")
    for name, ratios in (("as called", called), ("less its binding", computed)):
        middle, lowest, highest = ratios[ROUNDS // 2], ratios[0], ratios[-1]
        print(f"{name:<18}  {middle:.1f} x (median of {ROUNDS} rounds, {lowest:.1f} to {highest:.1f})")


if __name__ == "__main__":
    main()
