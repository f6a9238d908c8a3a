"""Conv-Pool's training step against the same net of plain torch.nn modules, in float32 and bfloat16.

    python benchmarks/conv_pool.py

Batch 100 x 400 frames x 40 bands (mixed: 200 to 500 frames), 128 kernels of 16, fully connected layers of 128:
forward, cross-entropy, backward, Adam. The nets take turns, so that a busy machine slows all; a time is the smallest
of the rounds (CPU time of one thread, wall time of two), a ratio the median over rounds. Both get the batch as it is
padded, and no batch twice in a row. Logits and gradients are compared with those of the plain net in float64; the
clips are white noise, in which the second best window is unlike the best, so that a winner that bfloat16 misses
weighs on the kernels' gradient as much as it can.
"""

import os
import time
from collections.abc import Callable

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is loaded

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders import Batch, ConvPool, pad

BATCH, FRAMES, BANDS, CLASSES, ROUNDS = 100, 400, 40, 4, 10


class Plain(nn.Module):
    """As one writes it down: convolution, ReLU, masked maximum over time, three linear layers."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(BANDS, 128, 16)
        self.head = nn.Sequential(
            nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES)
        )

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        windows = self.convolution(values.transpose(1, 2)).relu()
        outside = torch.arange(windows.shape[-1]) > (lengths - 16)[:, None]
        return self.head(windows.masked_fill(outside[:, None], float("-inf")).max(-1).values)


class Ours(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = ConvPool(BANDS, CLASSES)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        return self.net(Batch(values, lengths)).logits


def batches(random: np.random.Generator, lowest: int, highest: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    made = []
    for _ in range(3):
        lengths = random.integers(lowest, highest + 1, BATCH)
        clips = [torch.from_numpy(random.standard_normal((int(n), BANDS), np.float32)) for n in lengths]
        made.append((*pad(clips), torch.from_numpy(random.integers(0, CLASSES, BATCH))))
    return made


def stepper(net: nn.Module, bfloat16: bool) -> Callable[[tuple[Tensor, Tensor, Tensor]], None]:
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> None:
        values, lengths, targets = batch
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = net(values, lengths)
        functional.cross_entropy(logits.float(), targets).backward()
        optimiser.step()

    return step


def measure(steps: dict[str, Callable], data: list, clock: Callable[[], float]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            began = clock()
            step(data[turn % len(data)])
            seconds[name].append(clock() - began)
    return {name: times[1:] for name, times in seconds.items()}


def learned(net: nn.Module, batch: tuple[Tensor, Tensor, Tensor], bfloat16: bool = False) -> dict[str, Tensor]:
    """The logits, and the gradient of each parameter."""
    values, lengths, targets = batch
    parameters = dict(net.named_parameters())
    dtype = next(iter(parameters.values())).dtype
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = net(values.to(dtype), lengths)
    loss = functional.cross_entropy(logits.to(dtype), targets)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    named = {"logits": logits.detach(), **dict(zip(parameters, gradients))}
    return {name.removeprefix("net."): tensor.double() for name, tensor in named.items()}


def compare(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    plain, exact, ours = Plain(), Plain().double(), Ours()
    for net in (exact, ours):
        net.load_state_dict(dict(zip(net.state_dict(), plain.state_dict().values())))
    truth = learned(exact, batch)
    for name, net, low in (
        ("plain float32", plain, False),
        ("ours float32", ours, False),
        ("plain bfloat16", plain, True),
        ("ours bfloat16", ours, True),
    ):
        found = learned(net, batch, low)
        gaps = [((a - b).norm() / b.norm()).item() for a, b in zip(found.values(), truth.values())]
        print(f"  {name:15s} logits {gaps[0]:.1e}   kernels {gaps[1]:.1e}   worst tensor {max(gaps[1:]):.1e}")


def main() -> None:
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    equal, mixed = batches(random, FRAMES, FRAMES), batches(random, 200, 500)
    print("ms a step; times faster than plain float32, and than plain bfloat16")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for title, data in (("400 frames each", equal), ("200 to 500 frames", mixed)):
            steps = {
                f"{name} {kind}": stepper(make(), kind == "bfloat16")
                for kind in ("float32", "bfloat16")
                for name, make in {"plain": Plain, "ours": Ours}.items()
            }
            seconds = measure(steps, data, time.process_time if threads == 1 else time.perf_counter)
            print(f"{title}, {threads} thread{'s' * (threads > 1)}")
            for name, times in seconds.items():
                ratios = [np.median(np.divide(seconds[f"plain {kind}"], times)) for kind in ("float32", "bfloat16")]
                print(f"  {name:15s} {1000 * min(times):6.1f} ms   {ratios[0]:4.1f} x   {ratios[1]:4.1f} x")
    print("distance from float64 on equal weights, as a share: of the logits, of gradients")
    compare(mixed[0])


if __name__ == "__main__":
    main()
