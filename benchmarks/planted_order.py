"""What the guided earth mover's distance learns where classes have an order, and where they have no relation.

Eight classes; per seed another data set and another small net (one hidden layer of 32), 8 epochs of 1,600
items, warm-up 4. *Ordered*: class means along a curve, each overlapping its neighbours. *Unrelated*:
orthogonal means, so that all classes are equally far. With a tolerance, distances that differ by less than that
share of their mean are tied. Columns:

- order: rank correlation of the learned D with |i - j|, lowest of the seeds, off the diagonal;
- seeds alike: mean rank correlation of the D of two seeds;
- spread: standard deviation of D off the diagonal (ranks of eight classes have 0.2 or so, a constant 0);
- SDD: standard deviation of the centroids' distances, with the diagonal as the paper writes it, and without;
- / mean: the latter divided by the mean distance;
- halves: rank correlation of the D of two halves of one net's items (1: not an accident of the sample).

    python benchmarks/planted_order.py [seeds, default 10]
"""

import sys
from dataclasses import dataclass
from itertools import combinations

import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from affectspace.losses.ground_distance import ClassFeatures, learned_ground_distance, relation_strength
from affectspace.losses.guided_emd import GuidedEMDLoss, Variant

CLASSES, DIMENSIONS, HIDDEN, NOISE = 8, 16, 32, 0.7
SETTINGS: tuple[tuple[Variant, float | None], ...] = (
    ("xemd1", None),
    ("xemd2", None),
    ("xemd1", 0.1),
    ("xemd1", 0.2),
    ("xemd1", 0.3),
)
OFF = ~torch.eye(CLASSES, dtype=torch.bool)
ORDER = (torch.arange(CLASSES)[:, None] - torch.arange(CLASSES)).abs()[OFF]


@dataclass
class Learned:
    """What one training found: D, what it was made from, and the D of each half of the items."""

    ground_distance: Tensor
    centroids: Tensor
    halves: tuple[Tensor, Tensor]
    accuracy: float
    emd_weight: float


def planted(ordered: bool, items: int, seed: int) -> tuple[Tensor, Tensor]:
    """Items and classes: means along an arc that climbs, or orthogonal ones, turned at random."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(DIMENSIONS, DIMENSIONS, generator=generator)).Q
    along = torch.linspace(0, 1, CLASSES)
    arc = torch.stack([4 * (0.75 * torch.pi * along).cos(), 4 * (0.75 * torch.pi * along).sin(), 2 * along], 1)
    means = arc @ turn[:3] if ordered else 3 * turn[:CLASSES]
    targets = torch.arange(items) % CLASSES
    return means[targets] + NOISE * torch.randn(items, DIMENSIONS, generator=generator), targets


def learn(
    ordered: bool, variant: Variant, seed: int, tolerance: float | None = None, items: int = 1600, epochs: int = 8
) -> Learned:
    """Train a small net with the loss as a user would, and return what was learned in the last epoch."""
    inputs, targets = planted(ordered, items, seed)
    torch.manual_seed(seed)
    body, head = nn.Sequential(nn.Linear(DIMENSIONS, HIDDEN), nn.ReLU()), nn.Linear(HIDDEN, CLASSES)
    loss = GuidedEMDLoss(CLASSES, HIDDEN, variant, warm_up=4, tolerance=tolerance)
    optimiser = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.02, momentum=0.9)
    halves = ClassFeatures(CLASSES, HIDDEN), ClassFeatures(CLASSES, HIDDEN)
    centroids = torch.zeros(CLASSES, HIDDEN)
    for epoch in range(epochs):
        for step, batch in enumerate(torch.randperm(items).split(32)):
            features = body(inputs[batch])
            value = loss(head(features), targets[batch], features)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            if epoch == epochs - 1:
                halves[step % 2].update(features, targets[batch])
        if loss.features is not None:
            centroids = loss.features.centroids()
        loss.epoch_end()
    with torch.no_grad():
        accuracy = (head(body(inputs)).argmax(-1) == targets).float().mean().item()
    return Learned(
        loss.ground_distance,
        centroids,
        (learned_ground_distance(halves[0].centroids()), learned_ground_distance(halves[1].centroids())),
        accuracy,
        loss.emd_weight.item(),
    )


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's; 0 where one of the two is constant, and so tells nothing of the other."""
    ranks = torch.from_numpy(rankdata(torch.stack([a, b]).double(), axis=1))
    deviations = ranks - ranks.mean(1, keepdim=True)
    size = deviations.square().sum(1).prod().sqrt()
    return ((deviations[0] * deviations[1]).sum() / size).item() if size > 0 else 0.0


def main() -> None:
    torch.set_num_threads(1)
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{seeds} seeds, noise {NOISE}")
    heads = (
        "classes    variant  tolerance  accuracy  lambda  order  seeds alike  spread  SDD     no diag.  / mean  halves"
    )
    print(heads)
    for ordered in (True, False):
        for variant, tolerance in SETTINGS:
            runs = [learn(ordered, variant, seed, tolerance) for seed in range(seeds)]
            ds = [run.ground_distance[OFF] for run in runs]
            alike = [rank_correlation(a, b) for a, b in combinations(ds, 2)]
            bare = [relation_strength(run.centroids, diagonal=False).item() for run in runs]
            distances = [torch.cdist(run.centroids, run.centroids)[OFF].mean().item() for run in runs]
            figures = {
                "accuracy": mean([run.accuracy for run in runs]),
                "lambda": mean([run.emd_weight for run in runs]),
                "order": min(rank_correlation(d, ORDER) for d in ds),
                "alike": mean(alike),
                "spread": mean([d.std(correction=0).item() for d in ds]),
                "sdd": mean([relation_strength(run.centroids).item() for run in runs]),
                "bare": mean(bare),
                "relative": mean([b / m for b, m in zip(bare, distances)]),
                "halves": mean([rank_correlation(run.halves[0][OFF], run.halves[1][OFF]) for run in runs]),
            }
            print(
                f"{'ordered' if ordered else 'unrelated':<9}  {variant}    {tolerance or 'none':<9}  "
                "{accuracy:<8.2f}  {lambda:<6.2f}  {order:<5.2f}  {alike:<11.2f}  {spread:<6.3f}  {sdd:<6.4f}  "
                "{bare:<8.4f}  {relative:<6.3f}  {halves:.2f}".format(**figures),
                flush=True,
            )


def mean(values: list[float]) -> float:
    return sum(values) / max(len(values), 1)


if __name__ == "__main__":
    main()
