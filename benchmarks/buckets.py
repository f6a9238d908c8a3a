"""Whether batches of like length pay: an epoch of Conv-Pool and of the plain net over clips of very unequal length.

    python benchmarks/buckets.py

320 clips whose lengths spread as those of dialogue do (log-normal, median 3.6 s, deviation 0.68), batches of 32, one
thread, CPU seconds of the smallest of the rounds; nets and pools take turns. Batches are padded in the time.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import torch
from conv_pool import BANDS, CLASSES, Ours, Plain, stepper

from affectspace.encoders import pad
from affectspace.samplers import LengthBuckets

ITEMS, BATCH, ROUNDS, POOLS = 320, 32, 3, (1, 10)


def main() -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    lengths = np.exp(np.log(360) + 0.68 * random.standard_normal(ITEMS)).clip(50, 3400).astype(int)
    clips = [torch.from_numpy(random.standard_normal((n, BANDS), np.float32)) for n in lengths]
    targets = torch.from_numpy(random.integers(0, CLASSES, ITEMS))
    samplers = {pool: LengthBuckets(lengths, BATCH, pool) for pool in POOLS}
    steps = {"plain modules": stepper(Plain(), False), "ConvPool": stepper(Ours(), False)}
    seconds: dict[tuple[str, int], list[float]] = {(net, pool): [] for net in steps for pool in POOLS}
    padding: dict[int, list[float]] = {pool: [] for pool in POOLS}
    for _ in range(ROUNDS):
        for pool, sampler in samplers.items():
            batches = list(sampler)
            padding[pool].append(1 - lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches))
            for net, step in steps.items():
                began = time.process_time()
                for batch in batches:
                    step((*pad([clips[row] for row in batch]), targets[batch]))
                seconds[net, pool].append(time.process_time() - began)
    for pool in POOLS:
        print(f"pool {pool:2d}: {np.mean(padding[pool]):.0%} padding")
    for net in steps:
        shuffled, alike = (min(seconds[net, pool]) for pool in POOLS)
        gain = f"{shuffled / alike:.1f} x faster"
        print(f"{net:13s}  {shuffled:.2f} CPU s an epoch shuffled, {alike:.2f} in pools of {POOLS[1]}: {gain}")


if __name__ == "__main__":
    main()
