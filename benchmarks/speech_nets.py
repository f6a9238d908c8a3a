"""Nets over log-Mel energies on a CPU: time of a training step and parameters, in float32 and bfloat16, one thread.

    python benchmarks/speech_nets.py

Batch 32 x 300 frames x 40 and 64 bands, four classes: forward, cross-entropy, backward, Adam. All nets and both
precisions take turns, so that a busy machine slows all; a time is the smallest of the rounds (CPU time), a ratio to
Conv-Pool in float32 the median over rounds.
"""

import os
import time
from collections.abc import Callable

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is loaded

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders import Batch, ConvPool, SpeechNet

BATCH, FRAMES, CLASSES, ROUNDS = 32, 300, 4, 6
NETS: dict[str, Callable[[int], nn.Module]] = {
    "conv_pool": lambda bands: ConvPool(bands, CLASSES),
    "speech": lambda bands: SpeechNet(bands, CLASSES),
    "speech, width 64, depth 2": lambda bands: SpeechNet(bands, CLASSES, width=64, depth=2),
    "speech, width 128, depth 6": lambda bands: SpeechNet(bands, CLASSES, width=128, depth=6),
}


def stepper(net: nn.Module, batch: Batch, targets: Tensor, bfloat16: bool) -> Callable[[], None]:
    optimiser = torch.optim.Adam(net.parameters(), 1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = net(batch).logits
        functional.cross_entropy(logits.float(), targets).backward()
        optimiser.step()

    return step


def measure(steps: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            began = time.process_time()
            step()
            if turn:
                seconds[name].append(time.process_time() - began)
    return seconds


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    targets = torch.randint(CLASSES, (BATCH,))
    for bands in (40, 64):
        batch = Batch(torch.randn(BATCH, FRAMES, bands), torch.full((BATCH,), FRAMES))
        nets = {name: make(bands) for name, make in NETS.items()}
        steps = {
            f"{name} {kind}": stepper(net, batch, targets, kind == "bfloat16")
            for name, net in nets.items()
            for kind in ("float32", "bfloat16")
        }
        seconds = measure(steps)
        print(f"{bands} bands: parameters; ms a step and times as long as conv_pool in float32, float32 then bfloat16")
        for name, net in nets.items():
            parameters = sum(parameter.numel() for parameter in net.parameters())
            told = ""
            for kind in ("float32", "bfloat16"):
                own = seconds[f"{name} {kind}"]
                ratio = np.median(np.divide(own, seconds["conv_pool float32"]))
                told += f"   {1000 * min(own):6.1f} ms {ratio:5.2f} x"
            print(f"  {name:28s} {parameters / 1000:6.0f} k{told}", flush=True)


if __name__ == "__main__":
    main()
