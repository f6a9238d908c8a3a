"""What each change to a training clip costs, beside the log-Mel energies of the same clip: one thread.

    python benchmarks/augmentation.py

Clips of 2 and of 3 seconds of noise that swells and fades as speech does. The changes take turns, so that a busy
machine slows all; a time is the smallest of the rounds, CPU time of a clip.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np

from affectspace.features import Augmentation, LogMel, Masks
from affectspace.features.augment import generator

RATE, CLIPS, ROUNDS = 16000, 20, 10
CHANGES = {
    "speed": Augmentation(speed=(0.9, 1.1)),
    "reverberation": Augmentation(reverberation=(0.2, 0.8)),
    "channel": Augmentation(channel=12.0),
    "reverberation and channel": Augmentation(reverberation=(0.2, 0.8), channel=12.0),
    "noise": Augmentation(noise=(15.0, 35.0)),
    "level": Augmentation(level=6.0),
    "all of these": Augmentation((0.9, 1.1), 6.0, (15.0, 35.0), reverberation=(0.2, 0.8), channel=12.0),
}


def clip(seconds: int, seed: int) -> np.ndarray:
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(seconds * RATE) / RATE)
    return (0.1 * swell * np.random.default_rng(seed).standard_normal(seconds * RATE)).astype(np.float32)


def main() -> None:
    frontend, masks = LogMel(), Masks(2, 20, 2, 6)
    print(f"{'ms a clip of':28s}" + "".join(f"{seconds:6d} s" for seconds in (2, 3)))
    table: dict[str, list[float]] = {}
    for seconds in (2, 3):
        clips = [clip(seconds, seed) for seed in range(CLIPS)]
        features = [frontend.compute(each) for each in clips]
        ways = {"log-Mel energies": lambda n, clips=clips: frontend.compute(clips[n])}
        for name, change in CHANGES.items():
            ways[name] = lambda n, change=change, clips=clips: change(clips[n], generator(n))
        ways["masks"] = lambda n, features=features: masks(features[n], generator(n))
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for name, way in ways.items():
                began = time.process_time()
                for number in range(CLIPS):
                    way(number)
                best[name] = min(best[name], time.process_time() - began)
        for name, spent in best.items():
            table.setdefault(name, []).append(1000 * spent / CLIPS)
    for name, times in table.items():
        print(f"{name:28s}" + "".join(f"{each:8.2f}" for each in times))


if __name__ == "__main__":
    main()
