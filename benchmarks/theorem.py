"""How near free embeddings come to S = C: the table of docs/f_similarity.md.

Twelve soft labels (Dirichlet, 0.7), twelve non-negative embeddings of 16 numbers, float64, L-BFGS to
the end. A cell is the mean of |S - C| over label sets; triplets are judged on all pairs and, in
brackets, on those they compare.

    python benchmarks/theorem.py [label sets, default 5]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from affectspace.labels.geometry import GEOMETRIES, Geometry
from affectspace.losses import DIVERGENCES, InBatchFSimilarityLoss, TripletFSimilarityLoss, f_spl
from affectspace.samplers import BalancedTriplets

ITEMS, DIMENSIONS, EPOCHS = 12, 16, 30


def fit(loss: Callable[[Tensor], Tensor], items: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    free = (0.5 + torch.rand(items, DIMENSIONS, generator=generator, dtype=torch.double)).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [free],
        max_iter=300,
        history_size=50,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(free.abs())
        value.backward()
        return value

    optimiser.step(closure)
    return free.detach().abs()


def triplets_of(y: Tensor, geometry: str, seed: int) -> Tensor:
    sampler = BalancedTriplets(y.numpy(), ITEMS, geometry, seed)
    drawn = torch.cat([torch.from_numpy(np.stack(t, 1)) for _ in range(EPOCHS) for t in sampler])
    return drawn[drawn[:, 1] >= 0]


def gap(geometry: Geometry, z: Tensor, y: Tensor) -> Tensor:
    return (geometry.embedding_similarity_matrix(z, z) - geometry.label_similarity_matrix(y, y)).abs()


def unweighted(geometry: Geometry, f: str, y: Tensor) -> Callable[[Tensor], Tensor]:
    c = geometry.label_similarity_pairs(y)
    return lambda z: 2 * f_spl(geometry.embedding_similarity_pairs(z), c, f).mean()


def cells(geometry: Geometry, classes: int, f: str, sets: int) -> list[str]:
    """Mean |S - C| of: all pairs balanced, all pairs unweighted, triplets (and on the pairs they compare)."""
    found: list[list[float]] = [[], [], [], []]
    apart = ~torch.eye(ITEMS, dtype=torch.bool)
    for seed in range(sets):
        y = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), ITEMS))
        balanced = partial(InBatchFSimilarityLoss(f, geometry.name), targets=y)
        for column, loss in enumerate((balanced, unweighted(geometry, f, y))):
            found[column].append(gap(geometry, fit(loss, ITEMS, seed), y)[apart].mean().item())
        triplets = triplets_of(y, geometry.name, seed)
        if len(triplets):
            off = gap(
                geometry,
                fit(partial(TripletFSimilarityLoss(f, geometry.name), targets=y, triplets=triplets), ITEMS, seed),
                y,
            )
            compared = torch.zeros_like(apart)
            compared[triplets[:, 0], triplets[:, 1]] = compared[triplets[:, 0], triplets[:, 2]] = True
            found[2].append(off[apart].mean().item())
            found[3].append(off[compared & apart].mean().item())
    means = [f"{np.mean(column):.4f}" if column else "none" for column in found]
    return [means[0], means[1], f"{means[2]} ({means[3]})"]


def reachable(sets: int) -> None:
    print("| geometry | classes | pairs | " + " | ".join(DIVERGENCES) + " |")
    print("| --- " * (3 + len(DIVERGENCES)) + "|")
    for geometry in GEOMETRIES.values():
        for classes in (2, 4, 8):
            columns = [cells(geometry, classes, f, sets) for f in DIVERGENCES]
            for pairs, row in zip(("all, balanced", "all, unweighted", "triplets"), zip(*columns)):
                print(f"| {geometry.name} | {classes} | {pairs} | " + " | ".join(row) + " |", flush=True)


def lopsided(sets: int) -> None:
    print("\n24 items, 22 of one kind, 2 of another, four classes, chord: mean |S - C| of pairs with C < 1 / C >= 1\n")
    print("| pairs | " + " | ".join(DIVERGENCES) + " |")
    print("| --- " * (1 + len(DIVERGENCES)) + "|")
    geometry = GEOMETRIES["chord"]
    found = np.zeros((2, len(DIVERGENCES), 2))
    for seed in range(sets):
        generator, one, other = np.random.default_rng(seed), np.full(4, 0.3), np.full(4, 0.3)
        one[0] = other[1] = 6.0
        y = torch.from_numpy(np.concatenate([generator.dirichlet(one, 22), generator.dirichlet(other, 2)]))
        c = geometry.label_similarity_pairs(y)
        for column, f in enumerate(DIVERGENCES):
            balanced = partial(InBatchFSimilarityLoss(f, "chord"), targets=y)
            for row, loss in enumerate((unweighted(geometry, f, y), balanced)):
                off = (geometry.embedding_similarity_pairs(fit(loss, 24, seed)) - c).abs()
                found[row, column] += np.array([off[c < 1].mean().item(), off[c >= 1].mean().item()]) / sets
    for name, row in zip(("unweighted", "balanced"), found):
        print(f"| {name} | " + " | ".join(f"{below:.3f} / {above:.3f}" for below, above in row) + " |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    label_sets = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    reachable(label_sets)
    lopsided(label_sets)
