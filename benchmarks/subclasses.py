"""Planted sub-classes: whether they are still found in the space of a net that was trained, round by round, on others.

Three classes of three kinds each, 1,800 items of 32 numbers; the kinds of a class lie as far from each other as from
those of other classes. *Plain*: unit noise. *Nuisance*: eight directions of twice the noise, which have to do with
neither class nor kind. The net (one hidden layer of 128; 64 dimensions as in the literature, or 16) is trained by the
Gaussian manifold loss on the classes, then, round by round, on the sub-classes found before (DGMS: round l on l of each
class). After each round EM looks for three in each class, whatever the next round trains on.

``found``: adjusted Rand index of found and planted kinds, mean over the classes. ``told``: the same of kinds that
linear discriminants, which are told the kinds of the other four fifths of the items, give to the fifth: what the space
still holds of them.

    python benchmarks/subclasses.py [seeds, default 5]
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_predict
from torch import nn

from affectspace.losses import GaussianManifoldLoss
from affectspace.space import Space, find_subclasses

CLASSES, KINDS, DIMENSIONS, ITEMS = 3, 3, 32, 1800
NAMES = tuple(f"class {place}" for place in range(CLASSES))
APART = 6.0
EPOCHS, BATCH = 20, 180


@dataclass(frozen=True)
class Case:
    """One line of nets: how loud the eight directions are, how wide the space, and how many rounds."""

    name: str
    loud: float
    width: int
    rounds: int


CASES = (
    Case("plain, net of 64", 1.0, 64, 4),
    Case("nuisance x 2, net of 64", 2.0, 64, 3),
    Case("plain, net of 16", 1.0, 16, 3),
)


def planted(loud: float, seed: int, items: int = ITEMS) -> tuple[np.ndarray, np.ndarray]:
    """Items and their kinds, numbered over all classes."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    kinds = rng.integers(CLASSES * KINDS, size=items)
    noise = rng.normal(size=(items, DIMENSIONS))
    noise[:, -8:] *= loud
    noise[np.arange(items), kinds] += APART / np.sqrt(2)
    return (noise @ turn).astype(np.float32), kinds


def trained(vectors: np.ndarray, labels: np.ndarray, net: nn.Module, seed: int) -> np.ndarray:
    """The embeddings of a net after some epochs more on these labels."""
    points, targets = torch.from_numpy(vectors), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    loss = GaussianManifoldLoss()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(points), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss(net(points[rows]), targets[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        return net(points).numpy()


def figures(vectors: np.ndarray, kinds: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """Adjusted Rand index with the planted kinds, of what was found and of what is told; mean over the classes."""
    each = []
    for place in range(CLASSES):
        own = kinds // KINDS == place
        told = cross_val_predict(LinearDiscriminantAnalysis(), vectors[own], kinds[own], cv=5)
        each.append((adjusted_rand_score(kinds[own], found[own]), adjusted_rand_score(kinds[own], told)))
    return tuple(np.mean(each, 0))


def measured(case: Case, seed: int, items: int = ITEMS) -> list[tuple[float, float]]:
    """The figures of the data and of each round."""
    vectors, kinds = planted(case.loud, seed, items)
    table = pd.DataFrame({"id": np.arange(items).astype(str), "label": [NAMES[kind // KINDS] for kind in kinds]})
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(DIMENSIONS, 128), nn.ReLU(), nn.Linear(128, case.width))
    labels = kinds // KINDS
    told = [figures(vectors, kinds, find_subclasses(Space(table, vectors, NAMES), KINDS, seed).assignment)]
    for number in range(1, case.rounds + 1):
        space = Space(table, trained(vectors, labels, net, seed), NAMES)
        found = find_subclasses(space, KINDS, seed).assignment
        told.append(figures(space.vectors, kinds, found))
        if number < case.rounds:
            labels = found if number + 1 == KINDS else find_subclasses(space, number + 1, seed).assignment
    return told


def main() -> None:
    torch.set_num_threads(1)
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    print(f"adjusted Rand index, {len(seeds)} seeds              found: mean   min    max     told: mean")
    for case in CASES:
        each = np.array([measured(case, seed) for seed in seeds])
        for number, (found, told) in enumerate(each.transpose(1, 2, 0)):
            name = f"after round {number}" if number else "the data"
            print(
                f"{case.name:24s} {name:14s}          {found.mean():.3f}  {found.min():.3f}  {found.max():.3f}        "
                f"{told.mean():.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
