"""Neighbours of large spaces: every Recall@K from one search, exact against inverted lists, memory of a million items.

    python benchmarks/neighbours.py

128 dimensions, of which the items fill 16: 200 groups of 7 classes, moved and noisy, as trained spaces are. Two
threads. Peers where they are installed: scikit-learn's brute force and pytorch-metric-learning's AccuracyCalculator.
Each part is a process of its own, so that its peak memory is its own.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")  # before torch and faiss are loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

D, CLASSES, GROUPS, INNER, K = 128, 7, 200, 16, 32
BLOCK = 50_000


def blocks(items: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vectors and classes, block after block, of one space for every seed."""
    world = np.random.default_rng(0)
    centres, turn = world.normal(size=(GROUPS, INNER)), world.normal(size=(INNER, D)) / INNER**0.5
    rng = np.random.default_rng([1, seed])
    for start in range(0, items, BLOCK):
        n = min(BLOCK, items - start)
        group = rng.integers(GROUPS, size=n)
        inside = centres[group] + 0.6 * rng.normal(size=(n, INNER))
        yield (inside @ turn + 0.05 * rng.normal(size=(n, D))).astype(np.float32), group % CLASSES


def space(items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    vectors, labels = zip(*blocks(items, seed))
    return np.concatenate(vectors), np.concatenate(labels)


def peak() -> float:
    """GiB, of this process from its start; what of a mapped file it has in memory counts, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 2**20


def retrieval() -> None:
    """Recall@K and Acc@K of K = 1..32 over 100,000 items, ours and theirs."""
    import torch

    from affectspace.metrics import accuracy_at_k, recall_at_k
    from affectspace.neighbours.nearest import Neighbours

    torch.set_num_threads(2)
    vectors, labels = space(100_000, 0)
    ks = list(range(1, K + 1))
    began = time.perf_counter()
    _, rows = Neighbours(vectors).of_items(K)
    searched = time.perf_counter() - began
    near = labels[rows]
    recall, share = recall_at_k(near, labels, ks), accuracy_at_k(near, labels, ks)
    whole = time.perf_counter() - began
    print(f"100,000 x {D}, recall and accuracy at K = 1..{K}: {whole:.1f} s, of which the search {searched:.1f} s")
    print("  " + ", ".join(f"K {k}: {recall[k]:.4f} / {share[k]:.4f}" for k in (1, 2, 4, 8, 16, 32)))
    from sklearn.neighbors import NearestNeighbors

    began = time.perf_counter()
    theirs = NearestNeighbors(algorithm="brute").fit(vectors).kneighbors(n_neighbors=K, return_distance=False)
    took = time.perf_counter() - began
    same = (theirs == rows).mean()
    print(f"  scikit-learn's brute force, neighbours alone: {took:.1f} s; {same:.4%} of the rows are the same")
    try:
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    except ImportError:
        print("  pytorch-metric-learning is not installed")
        return
    peer = AccuracyCalculator(include=("precision_at_1",), k=K, device=torch.device("cpu"))
    began = time.perf_counter()
    found = peer.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    took = time.perf_counter() - began
    gap = abs(found["precision_at_1"] - recall[1])
    print(f"  pytorch-metric-learning, {K} neighbours and K = 1 alone: {took:.1f} s; differs from ours by {gap:.1e}")


def approximate(items: int) -> None:
    """What inverted lists find of what exact search finds, and how fast both are."""
    import torch

    from affectspace.neighbours.nearest import Neighbours

    torch.set_num_threads(2)
    vectors, _ = space(items, 0)
    queries, _ = space(2000, 1)
    truth = None
    for kind in ("exact", "ivf"):
        began = time.perf_counter()
        near = Neighbours(vectors, kind=kind)
        built = time.perf_counter() - began
        began = time.perf_counter()
        distances, _ = near.search(queries, 10)
        took = time.perf_counter() - began
        truth = distances if truth is None else truth
        found = (distances <= truth[:, -1:]).mean()
        print(
            f"{items:,} x {D}, {kind}: built in {built:.1f} s, {len(queries) / took:,.0f} queries/s, "
            f"recall@10 {found:.4f} (it says {near.recall:.4f})"
        )
        del near


def memory(path: str) -> None:
    """A million items, mapped from a file: build, search, search among a tenth."""
    import torch

    from affectspace.neighbours.nearest import Neighbours

    torch.set_num_threads(2)
    before = peak()
    vectors = np.load(path, mmap_mode="r")
    near = Neighbours(vectors)
    built = peak()
    queries, _ = space(1000, 1)
    among = np.random.default_rng(0).random(len(vectors)) < 0.1
    began = time.perf_counter()
    near.search(queries, 10, among)
    took = time.perf_counter() - began
    print(
        f"{len(vectors):,} x {D} mapped from a file, peak memory of the process: {before:.2f} GiB with all imported, "
        f"{built:.2f} built, {peak():.2f} after a search among a tenth ({len(queries) / took:,.0f} queries/s)"
    )


def part(*arguments: str) -> None:
    subprocess.run([sys.executable, __file__, *arguments], check=True)


def main() -> None:
    part("retrieval")
    for items in (200_000, 1_000_000):
        part("approximate", str(items))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.npy")
        mapped = np.lib.format.open_memmap(path, "w+", np.float32, (1_000_000, D))
        for start, (vectors, _) in enumerate(blocks(len(mapped), 0)):
            mapped[start * BLOCK : start * BLOCK + len(vectors)] = vectors
        mapped.flush()
        part("memory", str(path))


if __name__ == "__main__":
    if sys.argv[1:2] == ["retrieval"]:
        retrieval()
    elif sys.argv[1:2] == ["approximate"]:
        approximate(int(sys.argv[2]))
    elif sys.argv[1:2] == ["memory"]:
        memory(sys.argv[2])
    else:
        main()
