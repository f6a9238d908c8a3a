"""Image nets on a CPU: images a second forward and backward, and what low precision, memory order and fusing give.

    python benchmarks/image_nets.py           the nets, at 48 x 48 x 1 and 64 x 64 x 3
    python benchmarks/image_nets.py faces     eight epochs of the quick net on FER+, where the corpus is

A step is forward, a sum as the loss, backward, on a batch of 16 (views and the faces: 128). float32 and bfloat16 take
turns, so that a busy machine slows both; a time is the smallest of the rounds (CPU time of one thread, wall time of
two), a ratio the median over rounds. Channels last is the order of pixels that a batch has, and the kernels with it; it
is compared with channels first. Fusing folds batch normalisation into the convolution before it, which can be done
outside training only.
"""

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch is loaded

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from affectspace.encoders import IMAGE_NETS, Batch, ImageEncoder
from affectspace.encoders.image_net import as_images, make_trunk
from affectspace.features import Views

BATCH, ROUNDS, SIZES = 16, 2, ((48, 1), (64, 3))
EMOTIONS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
PAPER = Views(crop=44, flip=True, rotation=20, aspect=0.1, colour=0.1)


def in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds of every round of every way, after one round that is not counted."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            began = clock()
            way()
            if round_:
                seconds[name].append(clock() - began)
    return seconds


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    return float(np.median(np.array(seconds[slow]) / np.array(seconds[fast])))


def step(trunk: nn.Module, images: Tensor, low: bool) -> Callable[[], None]:
    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            features = trunk(images)
        features.float().sum().backward()

    return run


def answer(trunk: nn.Module, images: Tensor, low: bool) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            trunk(images)

    return run


def training() -> None:
    print(f"images a second, forward and backward, batch {BATCH}: float32, bfloat16, and the gain of bfloat16")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for side, channels in SIZES:
            print(f"  {threads} thread{'s' * (threads > 1)}, {side} x {side} x {channels}")
            images = as_images(torch.randn(BATCH, side * side, channels))
            for net in IMAGE_NETS:
                trunk = make_trunk(net, channels, side)
                seconds = in_turns({"float32": step(trunk, images, False), "bfloat16": step(trunk, images, True)})
                rates = [BATCH / min(seconds[name]) for name in ("float32", "bfloat16")]
                gain = ratio(seconds, "float32", "bfloat16")
                print(f"    {net:16s} {rates[0]:8.0f} {rates[1]:8.0f}   {gain:5.2f} x", flush=True)


def choices() -> None:
    torch.set_num_threads(1)
    side = 48
    images = as_images(torch.randn(BATCH, side * side, 1))
    print("one thread, 48 x 48 x 1: how much faster")
    for net in ("quick_resnet18", "resnet18", "cvgg13"):
        trunk = make_trunk(net, 1, side)
        other = make_trunk(net, 1, side).to(memory_format=torch.contiguous_format)
        for low in (False, True):
            ways = {"last": step(trunk, images, low), "first": step(other, images.contiguous(), low)}
            gain = ratio(in_turns(ways), "first", "last")
            print(f"  {net:16s} {'bfloat16' if low else 'float32 '} training: channels last {gain:5.2f} x")
        if net != "cvgg13":
            trunk.eval()
            fused = fuse(trunk)
            for low in (False, True):
                ways = {"apart": answer(trunk, images, low), "fused": answer(fused, images, low)}
                gain = ratio(in_turns(ways), "apart", "fused")
                print(f"  {net:16s} {'bfloat16' if low else 'float32 '} testing:  fused         {gain:5.2f} x")


def views() -> None:
    torch.set_num_threads(1)
    print("one thread, batch 128: milliseconds of the views of the squared earth mover's paper, beside a forward pass")
    keys = [f"faces/{item}" for item in range(128)]
    for side, channels in SIZES:
        values = torch.randn(128, side * side, channels)
        for net in ("quick_resnet18", "resnet18"):
            trunk = make_trunk(net, channels, side)
            seconds = in_turns(
                {
                    "views": lambda values=values: PAPER.training(values, keys, 0, 0),
                    "forward": answer(trunk, as_images(values), True),
                }
            )
            times = [1000 * min(seconds[name]) for name in ("views", "forward")]
            print(f"  {side} x {side} x {channels} {net:16s} {times[0]:6.1f} {times[1]:8.1f}")


def faces(net: str, epochs: int) -> None:
    """Cross-entropy on the majority of the raters among eight emotions; accuracy on the public test, every epoch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    root = Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[1] / "../shared/data"))
    table = pd.read_parquet(root / "faces/ferplus/ferplus_train12k_publictest.parquet")
    table = table[table["majority"].isin(EMOTIONS) & table["image"].notna()]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(each))) for each in table["image"]])
    labels = torch.from_numpy(table["majority"].map(EMOTIONS.index).to_numpy(copy=True))
    training = torch.from_numpy((table["split"] == "Training").to_numpy(copy=True))
    values = torch.from_numpy(pixels.reshape(len(pixels), -1, 1)).float()
    values = (values - values[training].mean()) / values[training].std()
    seen = Views(crop=44, flip=True, rotation=10, aspect=0.1, colour=0.1)
    encoder = ImageEncoder(net, channels=1, classes=len(EMOTIONS), side=seen.side(48))
    rows, keys = torch.nonzero(training)[:, 0], table["image_name"].tolist()
    steps = epochs * (len(rows) // 128)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    print(f"{net}: {len(rows):,} faces to train on, {int((~training).sum()):,} to test, bfloat16, one thread")
    for epoch in range(epochs):
        began = time.process_time()
        encoder.train()
        for some in rows[torch.randperm(len(rows))][: len(rows) // 128 * 128].view(-1, 128):
            given = seen.training(values[some], [keys[row] for row in some], 0, epoch)
            with torch.autocast("cpu", torch.bfloat16):
                logits = encoder(Batch(given, torch.full((128,), given.shape[1]))).logits
            nn.functional.cross_entropy(logits, labels[some]).backward()
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
        took = time.process_time() - began
        encoder.eval()
        right = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for some in torch.nonzero(~training)[:, 0].split(256):
                given = seen.test(values[some])
                logits = encoder(Batch(given, torch.full((len(given),), given.shape[1]))).logits
                means = logits.softmax(1).unflatten(0, (seen.tests, -1)).mean(0)
                right.append(means.argmax(1) == labels[some])
        print(
            f"  epoch {epoch + 1}: {took:5.1f} CPU s, accuracy {100 * torch.cat(right).float().mean():.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["faces"]:
        faces(sys.argv[2] if len(sys.argv) > 2 else "quick_resnet18", int(sys.argv[3]) if len(sys.argv) > 3 else 8)
    else:
        training()
        choices()
        views()
