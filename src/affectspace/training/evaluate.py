"""A net's answers for many items, and the figures and tables made of them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from affectspace.labels import Cut
from affectspace.labels.geometry import geometry
from affectspace.losses.across_processes import gather_rows
from affectspace.metrics import mean_similarity_error, scores, similarity_preservation, value_scores
from affectspace.training.answers import answers
from affectspace.training.data import Data
from affectspace.training.processes import ALONE, Processes
from affectspace.training.recipe import Recipe

__all__ = [
    "Predictions", "by_corpus", "chosen_neighbours", "figures", "figures_of_space", "predict", "prediction_table",
    "snapshot_table",
]  # fmt: skip

SEQUENCES, VECTORS = 128, 2048  # items that are looked at together
TRIED_K = (1, 3, 5, 7, 9, 11, 15, 21, 31, 45, 63)  # neighbours that vote
PAIRED_ITEMS = 800  # similarity figures look at the pairs of at most so many items: to rank 320,000 takes 0.1 s


@dataclass(frozen=True)
class Predictions:
    """Rows of the data and what the net says of each.

    Args:
        rows: ``(n,)`` rows of the data's items.
        targets: ``(n, classes)``, by the classes that the net is measured by.
        probabilities: ``(n, classes)``.
        embeddings: ``(n, dimensions)``.
        numbers: ``(n,)`` of which the targets were made, where they are levels of numbers.
        cut: of these levels.
    """

    rows: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray
    numbers: np.ndarray | None = None
    cut: Cut | None = None

    @property
    def values(self) -> tuple[np.ndarray, np.ndarray] | None:
        """``(n,)`` the numbers, and those that the net predicts of them; None of other labels."""
        if self.numbers is None or self.cut is None:
            return None
        return self.numbers, self.cut.values(self.probabilities)


@torch.inference_mode()
def predict(encoder: nn.Module, data: Data, rows: np.ndarray, processes: Processes = ALONE) -> Predictions:
    """Probabilities and embeddings of ``rows``, in their order.

    They are of the classes that the net is measured by, as are the targets. Items of like length share a batch, which
    saves padding; padding never changes a result. Several processes, all of which ask, answer for some batches
    each, and know all answers.
    """
    encoder.eval()
    batch_size = VECTORS if data.vectors else SEQUENCES
    device = next(encoder.parameters()).device
    order = np.argsort(data.lengths[rows], kind="stable")
    measured = data.measured
    parts = np.array_split(order, max(1, -(-len(order) // batch_size)))
    shared = len(parts) >= processes.count > 1
    own = parts[processes.rank :: processes.count] if shared else parts
    given = [answers(encoder, data.batch(rows[part]).to(device), data.views, measured.parents) for part in own]
    found = torch.from_numpy(np.concatenate(own)), *(torch.cat(each) for each in zip(*given, strict=True))
    places, *both = gather_rows(*found) if shared else found
    embeddings, probabilities = (torch.empty_like(each).index_copy_(0, places, each) for each in both)
    numbers = None if data.numbers is None else data.numbers[rows]
    return Predictions(
        rows, measured.targets.numpy()[rows], probabilities.numpy(), embeddings.numpy(), numbers, data.cut
    )


def figures(predictions: Predictions, similarity: str | None = None, ordered: bool = False) -> dict[str, float]:
    """The scores of :func:`affectspace.metrics.scores`; with a geometry named, those of similarity too.

    ``ordered``: whether the classes stand in an order, the lowest first. Levels of numbers are judged as numbers, too,
    by :func:`affectspace.metrics.value_scores`.

    Similarity is measured over the pairs of at most ``PAIRED_ITEMS`` items, the same ones each time.
    """
    found = scores(predictions.targets, predictions.probabilities, ordered=ordered)
    if values := predictions.values:
        found |= value_scores(*values)
    if similarity is None:
        return found
    picked = np.random.default_rng(0).permutation(len(predictions.targets))[:PAIRED_ITEMS]
    chosen = geometry(similarity)
    targets = torch.from_numpy(predictions.targets[picked]).float()
    vectors = torch.from_numpy(predictions.embeddings[picked])
    labels = chosen.label_similarity_matrix(targets, targets).numpy()
    embeddings = chosen.embedding_similarity_matrix(vectors, vectors).numpy()
    found["similarity_rho"] = similarity_preservation(labels, embeddings)
    found["similarity_error"] = mean_similarity_error(labels, embeddings)
    return found


def figures_of_space(tested: Predictions, trained: Predictions, k: int | None = None) -> dict[str, float]:
    """The figures of :func:`affectspace.neighbours.space_figures`: k neighbours vote that were trained on.

    k is 11, as in the source of these figures, where no other is given. A single item makes no space: it has none.
    """
    from affectspace.neighbours.quality import K_NN, space_figures  # loads faiss, which most runs have no use for

    if len(tested.rows) < 2:
        return {}
    classes = tested.targets.shape[1]
    known = (trained.embeddings, trained.targets)
    return space_figures(tested.embeddings, tested.targets, classes, *known, k_nn=k or K_NN)


def chosen_neighbours(
    validated: np.ndarray, targets: np.ndarray, trained: np.ndarray, trained_targets: np.ndarray
) -> dict[str, Any]:
    """The number ``k`` of training items whose votes tell validation items best, and ``macro_f1`` with each tried.

    Args:
        validated: ``(v, dimensions)`` embeddings of the validation items, ``targets`` ``(v, classes)`` theirs.
        trained: ``(t, dimensions)`` embeddings of the training items, ``trained_targets`` ``(t, classes)`` theirs.
    """
    from affectspace.neighbours import Neighbours, choose_k  # loads faiss, which most runs have no use for

    _, rows = Neighbours(trained).search(validated, max(TRIED_K))
    k, curve = choose_k(rows, trained_targets, targets, trained_targets.shape[1], TRIED_K)
    return {"k": k, "macro_f1": {str(each): value for each, value in curve.items()}}


def by_corpus(predictions: Predictions, data: Data) -> dict[str, Predictions]:
    """The same answers, those of each corpus apart."""
    corpora = data.items["corpus"].iloc[predictions.rows].astype(str).to_numpy()
    return {name: _kept(predictions, corpora == name) for name in sorted(set(corpora))}


def _kept(predictions: Predictions, which: np.ndarray) -> Predictions:
    columns = {name: each[which] for name, each in vars(predictions).items() if isinstance(each, np.ndarray)}
    return replace(predictions, **columns)


def prediction_table(data: Data, parts: dict[str, Predictions]) -> pd.DataFrame:
    """One row an item: item, split, speaker, target, probabilities, embedding.

    Of levels of numbers also ``value``, the number itself, and ``predicted_value``.
    """
    tables = []
    for part, found in parts.items():
        items = data.items.iloc[found.rows]
        columns = {
            "item": items["key"].to_numpy(),
            "split": part,
            "speaker": items["speaker"].to_numpy(),
            "target": list(found.targets),
            "probabilities": list(found.probabilities),
            "embedding": list(found.embeddings),
        }
        if values := found.values:
            columns |= dict(zip(("value", "predicted_value"), values))
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def snapshot_table(encoder: nn.Module, data: Data, recipe: Recipe) -> pd.DataFrame:
    """item, target, embedding of a seeded subset of the test items, the same in every run of these data."""
    rows = np.sort(np.random.default_rng(0).permutation(data.split.test)[: recipe.monitor.snapshot_items])
    return prediction_table(data, {"test": predict(encoder, data, rows)})[["item", "target", "embedding"]]
