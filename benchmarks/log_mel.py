"""Log-Mel energies against kaldi-native-fbank: CPU seconds per second of audio, one thread, in one run.

    python benchmarks/log_mel.py [FOLDER]

measures on the recordings of FOLDER, or on generated ones of 1 to 10 seconds. Both make the same 40
bands of the same samples, and the rounds take turns, so that a busy machine slows both.
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


def kaldi(samples: np.ndarray) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 40
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(16000, samples * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(frame) for frame in range(bank.num_frames_ready)])


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
    files = sorted(Path(sys.argv[1]).rglob("*.flac"))[:CLIPS] if len(sys.argv) > 1 else []
    clips = [read_audio(file) for file in files] or generated()
    seconds = sum(map(len, clips)) / 16000
    ours = LogMel().compute
    gap = max(float(np.abs(ours(clip) - kaldi(clip)).max()) for clip in clips)  # warms both up
    rounds = [(cpu_seconds(ours, clips), cpu_seconds(kaldi, clips)) for _ in range(ROUNDS)]
    best_ours, best_kaldi = (min(times) / seconds for times in zip(*rounds))
    ratios = sorted(theirs / own for own, theirs in rounds)
    print(f"{len(clips)} clips, {seconds:.0f} s of audio; largest difference {gap:.1e}")
    print(f"affectspace         {best_ours:.2e} CPU s per s")
    print(f"kaldi-native-fbank  {best_kaldi:.2e} CPU s per s")
    middle, lowest, highest = ratios[ROUNDS // 2], ratios[0], ratios[-1]
    print(f"ratio               {middle:.1f} (median of {ROUNDS} rounds, {lowest:.1f} to {highest:.1f})")


if __name__ == "__main__":
    main()
