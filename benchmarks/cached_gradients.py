"""Time and memory of a step on 2,048 items, plainly and with cached gradients in chunks of several sizes.

    python benchmarks/cached_gradients.py

Twelve layers of 1,024 units, and two convolutions with a maximum over 100 frames x 40 bands, with the supervised
contrastive loss of the embeddings, which holds 100 MB whatever the chunks; forward and backward, two threads. Each
figure comes of a fresh process: time is the smallest of the rounds, memory how far the process grew beyond the batch
and the net, which it holds anyhow.
"""

import json
import os
import resource
import subprocess
import sys
import time

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is loaded

import torch
from torch import Tensor, nn

from affectspace.losses.cached_gradients import cached_backward

ITEMS, ROUNDS = 2048, 3
SIZES = (None, 1024, 256, 64, 16)


def contrast(embeddings: Tensor, targets: Tensor) -> Tensor:
    z = nn.functional.normalize(embeddings, dim=-1)
    itself = torch.eye(len(z), dtype=torch.bool)
    log_p = (z @ z.T / 0.1).masked_fill(itself, -1e9).log_softmax(-1)
    same = (targets[:, None] == targets) & ~itself
    return -(log_p * same).sum() / same.sum()


def deep() -> tuple[nn.Module, Tensor]:
    layers = [layer for _ in range(12) for layer in (nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.1))]
    return nn.Sequential(*layers, nn.Linear(1024, 128)), torch.randn(ITEMS, 1024)


def convolutional() -> tuple[nn.Module, Tensor]:
    layers = nn.Conv1d(40, 128, 16), nn.ReLU(), nn.Conv1d(128, 128, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten()
    return nn.Sequential(*layers), torch.randn(ITEMS, 40, 100)


def measure(kind: str, size: int | None) -> dict[str, float]:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    net, values = deep() if kind == "layers" else convolutional()
    targets = torch.randint(8, (ITEMS,))

    def encode(rows: slice) -> Tensor:
        return net(values[rows])

    def step() -> None:
        net.zero_grad()
        if size is None:
            contrast(encode(slice(None)), targets).backward()
        else:
            chunks = [slice(start, start + size) for start in range(0, ITEMS, size)]
            cached_backward(encode, chunks, lambda z: contrast(z, targets))

    contrast(encode(slice(0, 16)), targets[:16]).backward()  # loads kernels, and makes the gradients
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {"ms": min(times) * 1e3, "MB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def main() -> None:
    for kind in ("layers", "convolution"):
        print(f"{kind:<12}{'ms':>8}{'MB':>8}{'time':>8}{'memory':>8}")
        plain = None
        for size in SIZES:
            asked = json.dumps([kind, size])
            told = subprocess.run([sys.executable, __file__, asked], stdout=subprocess.PIPE, check=True, text=True)
            found = json.loads(told.stdout)
            plain = plain or found
            ratios = [found[unit] / plain[unit] for unit in ("ms", "MB")]
            name = "plain" if size is None else f"of {size}"
            print(f"{name:<12}{found['ms']:>8.0f}{found['MB']:>8.0f}{ratios[0]:>8.2f}{ratios[1]:>8.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*json.loads(sys.argv[1]))))
    else:
        main()
