"""What each term costs in training: an epoch of Conv-Pool by cross-entropy alone, and with one more term.

    python benchmarks/training_cost.py

1,024 generated clips of 200 to 500 frames in four classes, two languages and eight speakers, batches of 256, one
thread; the models take turns, so that a busy machine slows all; a ratio is the median over rounds. f-SPL by triplets
is here too: its partners are further clips to be heard, so that a step has three times the items. Also: what a
checkpoint costs.
"""

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import torch
from torch import Tensor

from affectspace.encoders import Batch, ConvPool, pad
from affectspace.samplers import BalancedTriplets, ShuffledBatches
from affectspace.training import make_recipe
from affectspace.training.checkpoint import optimiser_state, save_checkpoint
from affectspace.training.objective import Objective, make_objective

ITEMS, BATCH, ROUNDS = 1024, 256, 5
EXTRA = (
    {"kind": "f_similarity", "pairs": "batch", "geometry": "fisher_rao"},
    {"kind": "supervised_contrastive"},
    {"kind": "supervised_contrastive", "similarity": "fisher_rao", "groups": "language", "across_groups": 2.0},
    {"kind": "triplet"},
    {"kind": "triplet", "form": "soft_margin"},
    {"kind": "triplet", "triplets": "semi_hard"},
    {"kind": "triplet", "triplets": "hard", "memory": 512},
    {"kind": "contrastive_pairs"},
    {"kind": "gaussian_manifold"},
    {"kind": "gaussian_manifold", "means": "leave_one_out"},
    {"kind": "ordered_emd"},
    {"kind": "guided_emd"},
    {"kind": "entropic_emd"},
    {"kind": "mmd", "groups": "language"},
    {"kind": "hsic"},
    {"kind": "matching"},
    {"kind": "matching", "form": "hsic"},
    {"kind": "adversary"},
    {"kind": "linear_adversary"},
    {"kind": "f_similarity", "pairs": "triplets"},
)


def told(term: dict) -> str:
    return " ".join([term["kind"], *(f"{value}" for key, value in term.items() if key != "kind")])


class World:
    """What a run would have gathered: clips, votes, and whose they are."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.clips = [torch.randn(int(n), 40) for n in random.integers(200, 500, ITEMS)]
        votes = torch.round(torch.from_numpy(random.dirichlet([0.7] * 4, ITEMS)).float() * 5) / 5 + 1e-6
        self.targets = votes / votes.sum(1, keepdim=True)
        self.groups = {
            "language": torch.from_numpy(random.integers(0, 2, ITEMS)),
            "speaker": torch.from_numpy(random.integers(0, 8, ITEMS)),
        }

    def objective(self, term: dict | None, net: ConvPool) -> Objective:
        recipe = make_recipe(
            {
                "name": "cost",
                "corpora": [{"path": "none"}],
                "labels": {"kind": "levels", "names": ["a", "b", "c", "d"]},
                "protocol": {"kind": "leave_one_out", "by": "speaker"},
                "terms": [{"kind": "cross_entropy"}, *([term] if term else [])],
            }
        )
        names = {"language": ["a", "b"], "speaker": [*"abcdefgh"]}
        data = SimpleNamespace(
            classes=recipe.labels.names, targets=self.targets, group_names=names,
            split=SimpleNamespace(train=np.arange(ITEMS)),
        )  # fmt: skip
        return make_objective(recipe, data, net.sizes)  # pyright: ignore[reportArgumentType]

    def batch(self, indices) -> Batch:
        triplets, anchors, rows = None, None, indices
        if not isinstance(indices, np.ndarray):
            anchor, similar, dissimilar = indices
            whole = np.flatnonzero(similar >= 0)
            rows = np.concatenate([anchor, similar[whole], dissimilar[whole]])
            partner = len(anchor) + np.arange(len(whole))
            triplets = torch.from_numpy(np.stack([whole, partner, partner + len(whole)], 1))
            anchors = len(anchor)
        groups = {name: codes[rows] for name, codes in self.groups.items()}
        values, lengths = pad([self.clips[row] for row in rows])
        return Batch(values, lengths, self.targets[rows], anchors, triplets, groups, 0.5)


def epoch(world: World, net: ConvPool, objective: Objective, optimiser, sampler) -> float:
    began = time.process_time()
    for indices in sampler:
        batch = world.batch(indices)
        loss: Tensor = objective(net(batch), batch)[0]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    objective.epoch_end()
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    world = World()
    models = {}
    for term in (None, *EXTRA):
        net = ConvPool(40, 4)
        objective = world.objective(term, net)
        optimiser = torch.optim.Adam([*net.parameters(), *objective.parameters()], lr=1e-4)
        by_triplets = term is not None and term.get("pairs") == "triplets"
        sampler = BalancedTriplets(world.targets.numpy(), BATCH) if by_triplets else ShuffledBatches(ITEMS, BATCH)
        models["cross_entropy" if term is None else told(term)] = (net, objective, optimiser, sampler)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS + 1):
        for name, model in models.items():
            seconds[name].append(epoch(world, *model))
    base = np.array(seconds["cross_entropy"][1:])
    print(f"CPU seconds of an epoch of {ITEMS} clips in batches of {BATCH}, and beside cross-entropy alone")
    for name, times in seconds.items():
        print(f"{name:58s} {min(times[1:]):6.2f} s   {np.median(np.array(times[1:]) / base):5.2f} x")
    net, _, optimiser, _ = models["cross_entropy"]
    with tempfile.TemporaryDirectory() as folder:
        tensors = {"model": net.state_dict(), "optimiser": optimiser_state(optimiser)}
        began = time.process_time()
        for number in range(10):
            save_checkpoint(Path(folder), number, tensors, {"step": number})
        print(f"a checkpoint: {1000 * (time.process_time() - began) / 10:.1f} CPU ms")


if __name__ == "__main__":
    main()
