"""Planted sub-classes: which are found in the data as they are, and in the space of a net that knows only classes.

Three classes of three kinds each, 1,800 items of 32 numbers; the kinds of a class lie as far from each other as from
those of other classes. *Plain*: unit noise. *Nuisance*: eight directions of twice or four times the noise, which have
to do with neither class nor kind. The net (one hidden layer of 128; 64 dimensions as in the literature, or 16) is
trained by the Gaussian manifold loss on the classes, then, round by round, on the sub-classes found before (DGMS,
components 1, 2, 3). Figures are the adjusted Rand index of found and planted kinds within the classes, mean and
standard deviation over seeds, and the stability: the same index between seeds of EM.

    python benchmarks/subclasses.py [seeds, default 5]
"""

import sys

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from affectspace.losses import GaussianManifoldLoss
from affectspace.space import Space, find_subclasses, stability

CLASSES, KINDS, DIMENSIONS, ITEMS = 3, 3, 32, 1800
APART = 6.0
KINDS_OF_NOISE = {"plain": 1.0, "nuisance x 2": 2.0, "nuisance x 4": 4.0}
WIDTHS, ROUNDS, EPOCHS, BATCH = (64, 16), (1, 2, 3), 20, 180


def planted(loud: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Items and their kinds, numbered over all classes."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    kinds = rng.integers(CLASSES * KINDS, size=ITEMS)
    noise = rng.normal(size=(ITEMS, DIMENSIONS))
    noise[:, -8:] *= loud
    noise[np.arange(ITEMS), kinds] += APART / np.sqrt(2)
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


def agreement(space: Space, kinds: np.ndarray, seed: int) -> float:
    """Adjusted Rand index of found and planted kinds, mean over the classes."""
    found = find_subclasses(space, KINDS, seed).assignment
    return float(np.mean([adjusted_rand_score(kinds[own], found[own]) for own in _classes(space)]))


def _classes(space: Space) -> list[np.ndarray]:
    return [space.labels == place for place in range(CLASSES)]


def main() -> None:
    torch.set_num_threads(1)
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    names = tuple(f"class {place}" for place in range(CLASSES))
    print(f"{'':12s} {'':24s} adjusted Rand   stability   number by BIC (planted: {CLASSES * KINDS})")
    for kind, loud in KINDS_OF_NOISE.items():
        told: dict[str, list[tuple[float, float, int]]] = {}
        for seed in seeds:
            vectors, kinds = planted(loud, seed)
            items = pd.DataFrame(
                {"id": np.arange(ITEMS).astype(str), "label": [names[place // KINDS] for place in kinds]}
            )
            spaces = {"the data": vectors}
            for width in WIDTHS:
                torch.manual_seed(seed)
                net = nn.Sequential(nn.Linear(DIMENSIONS, 128), nn.ReLU(), nn.Linear(128, width))
                labels = Space(items, vectors, names).labels
                for components in ROUNDS:
                    embedded = trained(vectors, labels, net, seed)
                    spaces[f"net of {width}, {components} a class"] = embedded
                    labels = find_subclasses(Space(items, embedded, names), components + 1, seed).assignment
            for name, found in spaces.items():
                space = Space(items, found, names)
                steady = float(stability(space, KINDS, range(3))["mean"].mean())
                number = len(find_subclasses(space, "bic", seed))
                told.setdefault(name, []).append((agreement(space, kinds, seed), steady, number))
        for name, rows in told.items():
            rand, steady, number = (np.array(column) for column in zip(*rows))
            print(
                f"{kind:12s} {name:24s} {rand.mean():.3f} ({rand.std():.3f})   {steady.mean():.3f}       "
                f"{number.mean():.1f}"
            )


if __name__ == "__main__":
    main()
