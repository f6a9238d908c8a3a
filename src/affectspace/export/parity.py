"""How far an exported file's answers lie from the model's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from affectspace.export.graph import Graph
from affectspace.features import LogMel, Normaliser
from affectspace.training import Model

__all__ = ["Parity", "made_up", "parity"]

Ask = Callable[[Sequence[torch.Tensor]], tuple[np.ndarray, np.ndarray]]

SECONDS = (0.3, 0.31, 0.5, 0.77, 1.0, 1.5, 2.0, 2.9, 4.2, 7.0)
FRAMES = (1, 2, 5, 9, 16, 17, 40, 88, 200, 350)


@dataclass(frozen=True)
class Parity:
    """The largest differences of what an exported file answers from what the model does.

    Args:
        items: how many were asked about, each alone and all of them padded side by side.
        embedding: the largest difference of any number of an embedding.
        largest: the largest such number, by which to judge it.
        probabilities: the largest difference of a probability.
    """

    items: int
    embedding: float
    largest: float
    probabilities: float


def parity(model: Model, graph: Graph, ask: Ask, items: Sequence[np.ndarray]) -> Parity:
    """Ask a file and its model about the same items: each alone, and all of them side by side.

    Args:
        model: which answers by its own front end, in eager torch.
        graph: that was exported.
        ask: answers of the file to inputs.
        items: as :meth:`Graph.batch` takes them.
    """
    features = [_features(graph, item) for item in items]
    embedding, probabilities = (np.concatenate(each) for each in zip(*(model([one]) for one in features)))
    alone = [ask(graph.batch([item])) for item in items]
    gaps = []
    for found in (tuple(np.concatenate(each) for each in zip(*alone)), ask(graph.batch(items))):
        gaps.append([np.abs(one - other).max() for one, other in zip(found, (embedding, probabilities))])
    most = np.max(gaps, axis=0)
    return Parity(len(items), float(most[0]), float(np.abs(embedding).max()), float(most[1]))


def made_up(model: Model, graph: Graph) -> list[np.ndarray]:
    """Ten items of as many lengths as the graph allows: noise that rises and falls, pixels or features at random."""
    random, reads = np.random.default_rng(0), graph.reads
    if isinstance(graph.frontend, LogMel):
        return [_sound(random, round(seconds * graph.frontend.sample_rate)) for seconds in SECONDS]
    fixed = tuple(size for size in reads.shape[1:] if isinstance(size, int))
    if reads.name == "pixels":
        return [random.integers(0, 256, fixed, dtype=np.uint8) for _ in SECONDS]
    if reads.lengths:
        return [_like(model.normaliser, random.standard_normal((frames, *fixed), np.float32)) for frames in FRAMES]
    return [_like(model.normaliser, random.standard_normal((1, *fixed)[-2:], np.float32)) for _ in FRAMES]


def _features(graph: Graph, item: np.ndarray) -> np.ndarray:
    """What the model is given of an item, made by its own front end."""
    if isinstance(graph.frontend, LogMel):
        return graph.frontend.compute(item)
    return item.reshape(-1, item.shape[-1]) if graph.reads.name == "pixels" else item


def _sound(random: np.random.Generator, count: int) -> np.ndarray:
    """Noise whose neighbours are alike, as in voices, and whose loudness changes."""
    noise = np.convolve(random.standard_normal(count + 63), np.hanning(64), "valid")
    slow = 0.55 + 0.45 * np.sin(np.arange(count) * (2 * np.pi / 3_700) + random.uniform(0, 6))
    return (0.03 * noise * slow).astype(np.float32)


def _like(normaliser: Normaliser, values: np.ndarray) -> np.ndarray:
    """Numbers about 0 as features of training items are spread."""
    pooled = normaliser.pooled
    return values if pooled is None else (values * pooled.scale + pooled.mean).astype(np.float32)
