"""What f-SPL costs in training: one epoch of Conv-Pool by cross-entropy alone, with in-batch pairs, with triplets.

    python benchmarks/training_cost.py

800 generated clips of 200 to 500 frames, batches of 100, one thread; the models take turns, and each figure is
the smallest of the rounds. Also: what a checkpoint costs.
"""

import os
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import torch

from affectspace.encoders import Batch, ConvPool, pad
from affectspace.losses import InBatchFSimilarityLoss, SoftCrossEntropyLoss, TripletFSimilarityLoss
from affectspace.samplers import BalancedTriplets, ShuffledBatches
from affectspace.training.checkpoint import optimiser_state, save_checkpoint

ITEMS, BATCH, ROUNDS = 800, 100, 3


def main() -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    clips = [torch.randn(int(n), 40) for n in random.integers(200, 500, ITEMS)]
    targets = torch.from_numpy(random.dirichlet([0.7] * 4, ITEMS)).float()
    votes = torch.round(targets * 5) / 5
    targets = votes / votes.sum(1, keepdim=True)
    samplers = {
        "cross-entropy": ShuffledBatches(ITEMS, BATCH),
        "in-batch": ShuffledBatches(ITEMS, BATCH),
        "triplets": BalancedTriplets(targets.numpy(), BATCH),
    }
    net = ConvPool(40, 4)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4)
    seconds: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(ROUNDS):
        for name, sampler in samplers.items():
            began = time.process_time()
            for indices in sampler:
                step(net, optimiser, clips, targets, indices, name)
            seconds[name].append(time.process_time() - began)
    base = min(seconds["cross-entropy"])
    for name, times in seconds.items():
        print(f"{name:14s} {min(times):6.2f} CPU s an epoch, {min(times) / base:.2f} x cross-entropy")
    with tempfile.TemporaryDirectory() as folder:
        tensors = {"model": net.state_dict(), "optimiser": optimiser_state(optimiser)}
        began = time.process_time()
        for number in range(10):
            save_checkpoint(Path(folder), number, tensors, {"step": number})
        print(f"checkpoint     {1000 * (time.process_time() - began) / 10:6.1f} CPU ms")


def step(net, optimiser, clips, targets, indices, name) -> None:
    if name == "triplets":
        anchor, similar, dissimilar = indices
        whole = np.flatnonzero(similar >= 0)
        rows = np.concatenate([anchor, similar[whole], dissimilar[whole]])
        partner = len(anchor) + np.arange(len(whole))
        triplets = torch.from_numpy(np.stack([whole, partner, partner + len(whole)], 1))
        anchors = len(anchor)
    else:
        rows, anchors, triplets = indices, len(indices), None
    outputs = net(Batch(*pad([clips[row] for row in rows])))
    loss = SoftCrossEntropyLoss()(outputs.logits[:anchors], targets[rows[:anchors]])
    if name == "in-batch":
        loss = loss + InBatchFSimilarityLoss()(outputs.embedding, targets[rows])
    if triplets is not None:
        loss = loss + TripletFSimilarityLoss()(outputs.embedding, targets[rows], triplets)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()


if __name__ == "__main__":
    main()
