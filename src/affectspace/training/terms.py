"""Terms: a loss bound to what it reads of a batch, and its weight."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from affectspace.encoders import Batch, Outputs
from affectspace.errors import InputError
from affectspace.losses import (
    InBatchFSimilarityLoss,
    SoftCrossEntropyLoss,
    TripletFSimilarityLoss,
    balanced_class_weights,
)
from affectspace.training.recipe import CrossEntropyEntry, FSimilarityEntry, Recipe

__all__ = [
    "CrossEntropyTerm",
    "FSimilarityTerm",
    "Objective",
    "make_objective",
    "reported_geometry",
    "triplet_geometry",
]


class CrossEntropyTerm(nn.Module):
    """Soft cross-entropy on the anchors of a batch: items drawn only for comparison do not count."""

    def __init__(self, class_weights: Tensor | None):
        super().__init__()
        self.loss = SoftCrossEntropyLoss(class_weights)

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        assert batch.targets is not None
        return self.loss(outputs.logits[: batch.anchors], batch.targets[: batch.anchors])


class FSimilarityTerm(nn.Module):
    """f-SPL on the embedding: of the batch's triplets, or of all its pairs, balanced by weights."""

    def __init__(self, f: str, geometry: str, pairs: str):
        super().__init__()
        self.triplets = pairs == "triplets"
        self.loss = TripletFSimilarityLoss(f, geometry) if self.triplets else InBatchFSimilarityLoss(f, geometry)

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        if self.triplets:
            return self.loss(outputs.embedding, batch.targets, batch.triplets)
        assert batch.targets is not None
        return self.loss(outputs.embedding[: batch.anchors], batch.targets[: batch.anchors])


class Objective(nn.Module):
    """The weighted sum of named terms.

    Returns of ``forward``: the scalar to minimise, and every term's own unweighted value, detached.
    """

    def __init__(self, names: Sequence[str], terms: Sequence[nn.Module], weights: Sequence[float]):
        super().__init__()
        self.names = list(names)
        self.terms = nn.ModuleList(terms)
        self.weights = list(weights)

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        values = [term(outputs, batch) for term in self.terms]
        total = sum((weight * value for weight, value in zip(self.weights, values)), torch.zeros(()))
        return total, {name: value.detach() for name, value in zip(self.names, values)}


def make_objective(recipe: Recipe, train_targets: Tensor) -> Objective:
    """The recipe's terms; class weights come from the training targets ``(items, classes)``.

    Two terms of one kind are told apart by a number: ``f_similarity``, ``f_similarity_2``.
    """
    names: list[str] = []
    terms: list[nn.Module] = []
    seen: Counter[str] = Counter()
    for entry in recipe.terms:
        match entry:
            case CrossEntropyEntry():
                term = CrossEntropyTerm(balanced_class_weights(train_targets) if entry.class_weights else None)
            case FSimilarityEntry():
                term = FSimilarityTerm(entry.f, entry.geometry, entry.pairs)
        seen[entry.kind] += 1
        names.append(entry.kind if seen[entry.kind] == 1 else f"{entry.kind}_{seen[entry.kind]}")
        terms.append(term)
    return Objective(names, terms, [entry.weight for entry in recipe.terms])


def triplet_geometry(recipe: Recipe) -> str | None:
    """The geometry by which the recipe's triplets are drawn; None where no term asks for triplets.

    Raises:
        InputError: two terms ask for triplets of different geometries.
    """
    asked = {e.geometry for e in recipe.terms if isinstance(e, FSimilarityEntry) and e.pairs == "triplets"}
    if len(asked) > 1:
        raise InputError(
            f"terms ask for triplets in {' and '.join(sorted(asked))}; a run draws triplets in one geometry"
        )
    return next(iter(asked), None)


def reported_geometry(recipe: Recipe) -> str:
    """The geometry in which the recipe's runs tell similarity."""
    asked = [entry.geometry for entry in recipe.terms if isinstance(entry, FSimilarityEntry)]
    return recipe.monitor.geometry or (asked or ["fisher_rao"])[0]
