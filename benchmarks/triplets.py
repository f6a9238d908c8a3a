"""Drawing balanced triplets: time against the plain dictionary, a million items, and the pairs they can compare.

python benchmarks/triplets.py
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import torch

from affectspace.labels.geometry import GEOMETRIES
from affectspace.samplers import BalancedTriplets


def votes(items: int, raters: int = 5) -> np.ndarray:
    """Mean votes of raters on a scale of five steps, for two classes."""
    positive = np.random.default_rng(0).integers(0, 5, (items, raters)).mean(1) / 4
    return np.stack([1 - positive, positive], 1)


def plain_dictionary(targets: np.ndarray, anchors: int) -> None:
    """The paper's recipe as one writes it down: similarities, a dictionary, three draws an anchor."""
    random = np.random.default_rng(0)
    for anchor in range(anchors):
        similarity = np.round(2 - np.abs(targets - targets[anchor]).sum(1), 2)
        keys: dict[float, list[int]] = {}
        for item, key in enumerate(similarity.tolist()):
            if item != anchor:
                keys.setdefault(key, []).append(item)
        kept = [key for key in keys if round(2 - key, 2) in keys]
        if kept:
            key = kept[random.integers(len(kept))]
            for each in (keys[key], keys[round(2 - key, 2)]):
                each[random.integers(len(each))]


def sorted_dictionary(targets: np.ndarray, anchors: int) -> None:
    """The same with the dictionary built by numpy's sort."""
    random = np.random.default_rng(0)
    for anchor in range(anchors):
        keys = np.rint(200 - 100 * np.abs(targets - targets[anchor]).sum(1)).astype(np.int64)
        keys[anchor] = -1
        order = np.argsort(keys, kind="stable")
        found, first = np.unique(keys[order], return_index=True)
        kept = found[np.isin(200 - found, found) & (found >= 0)]
        if len(kept):
            key = random.choice(kept)
            for each in (key, 200 - key):
                at = np.searchsorted(found, each)
                last = first[at + 1] if at + 1 < len(first) else len(order)
                order[random.integers(first[at], last)]


def reach(targets: np.ndarray, geometry: str) -> tuple[float, float]:
    """Share of anchors without a triplet, and share of pairs that some triplet can compare."""
    rows, sizes = np.unique(np.round(targets, 9), axis=0, return_counts=True)
    tensor = torch.from_numpy(rows)
    similarity = GEOMETRIES[geometry].label_similarity_matrix(tensor, tensor).numpy()
    keys = np.rint(np.round(100 * similarity, 6)).astype(np.int64)
    legal = np.zeros(keys.shape, bool)
    for row, key in enumerate(keys):
        counts = np.bincount(key, weights=sizes, minlength=201)
        counts[200] -= 1
        legal[row] = ((counts > 0) & (counts[::-1] > 0))[key]
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    without = len(BalancedTriplets(targets, 100, geometry).without_triplet) / len(targets)
    return without, float((pairs * (legal | legal.T)).sum() / pairs.sum())


def spread_votes(items: int, raters: int = 5) -> np.ndarray:
    """As votes(), but raters agree: an item's own value (deviation 1 step) and their noise (0.8)."""
    random = np.random.default_rng(0)
    values = random.normal(2, 1, (items, 1)) + random.normal(0, 0.8, (items, raters))
    positive = np.clip(np.rint(values), 0, 4).mean(1) / 4
    return np.stack([1 - positive, positive], 1)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def one_epoch(targets: np.ndarray, geometry: str = "chord") -> float:
    return seconds(lambda: sum(len(t.anchor) for t in BalancedTriplets(targets, 100, geometry)))


def main() -> None:
    torch.set_num_threads(1)
    targets = votes(10_000)
    ours = min(one_epoch(targets) for _ in range(5))
    for name, work in (("plain dictionary", plain_dictionary), ("dictionary by numpy's sort", sorted_dictionary)):
        theirs = seconds(lambda work=work: work(targets, 200)) * len(targets) / 200
        print(f"10,000 items of 5 votes: {name} {theirs:.2f} s, BalancedTriplets {ours:.4f} s, {theirs / ours:.0f} x")
    random = np.random.default_rng(0)
    for classes in (2, 4):
        for geometry in ("chord", "fisher_rao"):
            took = one_epoch(random.dirichlet(np.ones(classes), 10_000), geometry)
            print(f"10,000 items, all different, {classes} classes, {geometry}: {took:.2f} s")
    took = one_epoch(votes(1_000_000))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"1,000,000 items of 5 votes: {took:.2f} s, peak memory of the process {peak:.2f} GiB")
    several = [random.multinomial(10, p) / 10 for p in random.dirichlet(np.full(4, 0.5), 3000)]
    for geometry in ("chord", "fisher_rao"):
        for name, rows in (("2 classes, 5 raters", spread_votes(10_000)), ("4 classes, 10 raters", np.array(several))):
            without, share = reach(rows, geometry)
            print(f"{geometry}, {name}: {without:.1%} of anchors without a triplet, {share:.1%} of pairs compared")


if __name__ == "__main__":
    main()
