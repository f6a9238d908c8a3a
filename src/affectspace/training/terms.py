"""Terms: a loss bound to what it reads of a batch."""

from dataclasses import replace
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn

from affectspace.encoders import Batch, Outputs
from affectspace.losses import (
    AdversaryLoss,
    GuidedEMDLoss,
    HSICLoss,
    LinearAdversaryLoss,
    MemoryBank,
    MMDLoss,
    SupervisedContrastiveLoss,
    TripletFSimilarityLoss,
    reversal_schedule,
)
from affectspace.losses.degenerate import leave_out, nothing_to_learn
from affectspace.metrics import spearman

__all__ = [
    "AcrossGroupsTerm",
    "AdversaryTerm",
    "ContrastiveTerm",
    "EmbeddingTerm",
    "GuidedEMDTerm",
    "IndependenceTerm",
    "LogitsTerm",
    "MajorityTerm",
    "Term",
    "TripletTerm",
    "distance_order",
    "layer_of",
    "majority",
    "targets_of",
]

TIE = 1e-6  # of shares of votes, as for leading classes in affectspace.metrics


class Term(nn.Module):
    """What a term is: ``forward(outputs, batch)`` to the scalar that it adds, before its weight.

    It may have parameters, which are trained with the net, and buffers, which are saved with it.
    Items that were drawn only to be compared with in triplets are seen by :class:`TripletTerm` alone. Unlabelled
    items are a batch of their own, which a term is shown as its ``learns_of`` says; the targets of that batch are what
    the net predicts, through which no gradient flows.
    """

    learns_of: Literal["labelled", "both", "unlabelled"] = "labelled"

    def epoch_end(self) -> dict[str, float]:
        """Called after every epoch; figures to be recorded with it, by name."""
        return {}

    def learned_figures(self, ordered: bool) -> dict[str, float]:
        """Of what it has learned by the kept epoch, by name; ``ordered``: whether the classes stand in an order."""
        return {}


class LogitsTerm(Term):
    """A loss of predictions and labels."""

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        return self.loss(outputs.logits[: batch.anchors], targets_of(batch))


class EmbeddingTerm(Term):
    """A loss of embeddings and labels; with a memory, of the batch within itself and with the memory (XBM).

    Source of the memory: Wang et al., "Cross-Batch Memory for Embedding Learning", CVPR 2020.
    """

    def __init__(self, loss: nn.Module, memory: MemoryBank | None = None):
        super().__init__()
        self.loss = loss
        self.memory = memory

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        embeddings, targets = outputs.embedding[: batch.anchors], targets_of(batch)
        value = self.loss(embeddings, targets)
        if self.memory is not None:
            if len(self.memory):
                value = value + self.loss(embeddings, targets, *self.memory.contents())
            self.memory.add(embeddings, targets)  # after the loss, so that no item meets its own copy
        return value


class ContrastiveTerm(Term):
    """Supervised contrastive, where alike items of another group weigh more; one whose group is unknown does not."""

    def __init__(self, loss: SupervisedContrastiveLoss, groups: str, across_groups: float):
        super().__init__()
        self.loss = loss
        self.groups = groups
        self.across_groups = across_groups

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        groups = _groups(batch, self.groups)
        known = groups >= 0
        across = (groups[:, None] != groups) & known[:, None] & known
        weights = torch.where(across, self.across_groups, 1.0)
        return self.loss(outputs.embedding[: batch.anchors], targets_of(batch), pair_weights=weights)


class MajorityTerm(Term):
    """Another term, which is shown the class with most votes in place of the votes; equal leaders share it."""

    def __init__(self, term: Term):
        super().__init__()
        self.term = term
        self.learns_of = term.learns_of

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        assert batch.targets is not None, "training batches have targets"
        return self.term(outputs, replace(batch, targets=majority(batch.targets)))

    def epoch_end(self) -> dict[str, float]:
        return self.term.epoch_end()

    def learned_figures(self, ordered: bool) -> dict[str, float]:
        return self.term.learned_figures(ordered)


class TripletTerm(Term):
    """f-SPL of the triplets that the sampler drew."""

    def __init__(self, loss: TripletFSimilarityLoss):
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        return self.loss(outputs.embedding, batch.targets, batch.triplets)


class GuidedEMDTerm(Term):
    """Self-guided EMD, which learns how near classes are from the features of an epoch's own steps."""

    def __init__(self, loss: GuidedEMDLoss, layer: str):
        super().__init__()
        self.loss = loss
        self.layer = layer

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        features = layer_of(outputs, self.layer)[: batch.anchors]
        return self.loss(outputs.logits[: batch.anchors], targets_of(batch), features)

    def epoch_end(self) -> dict[str, float]:
        self.loss.epoch_end()
        told = {"weight": float(self.loss.emd_weight), "relation_strength": float(self.loss.strength)}
        return {name: value for name, value in told.items() if value == value}  # a given distance has no strength

    def learned_figures(self, ordered: bool) -> dict[str, float]:
        if bool(self.loss.strength.isnan()):
            return {}
        figures = {"relation_strength": float(self.loss.strength)}
        if ordered and len(self.loss.ground_distance) > 2:  # of a single pair there is no order
            figures["distance_order"] = distance_order(self.loss.ground_distance)
        return figures


class AcrossGroupsTerm(Term):
    """The mean discrepancy between each two corpora, or languages, of a batch."""

    def __init__(self, loss: MMDLoss, groups: str):
        super().__init__()
        self.loss = loss
        self.groups = groups

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        groups, embeddings = _groups(batch, self.groups), outputs.embedding[: batch.anchors]
        present, counts = groups[groups >= 0].unique(return_counts=True)
        sides = [embeddings[groups == group] for group in present[counts >= 2]]
        if len(sides) < 2:
            return nothing_to_learn(embeddings, f"it does not hold two items of each of two {_plural(self.groups)}")
        return torch.stack([self.loss(a, b) for a, b in combinations(sides, 2)]).mean()


class IndependenceTerm(Term):
    """The dependence of the embedding on an item's speaker, corpus or language."""

    def __init__(self, loss: HSICLoss, groups: str):
        super().__init__()
        self.loss = loss
        self.groups = groups

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        groups = _groups(batch, self.groups)
        known = groups >= 0
        leave_out(~known, f"their {self.groups} is not named")
        return self.loss(outputs.embedding[: batch.anchors][known], groups[known])


class AdversaryTerm(Term):
    """A classifier of groups from which the embedding learns to hide them, the more the longer it trains.

    The best linear classifier needs no time to learn, and counts in full at once, whatever the ``steepness``. It is
    asked what it tells of groups beside the class, where the loss has ``target_classes``. The ``accuracy`` of an epoch
    is that of a classifier that reads the embedding alone: of groups that differ in their classes an embedding that
    tells these tells a part, which such a loss leaves alone, so that it may be high where the loss is 0.
    """

    right: Tensor
    asked: Tensor

    def __init__(self, loss: AdversaryLoss | LinearAdversaryLoss, groups: str, steepness: float = 10.0):
        super().__init__()
        self.loss = loss
        self.groups = groups
        self.steepness = steepness
        self.register_buffer("right", torch.zeros((), dtype=torch.long))
        self.register_buffer("asked", torch.zeros((), dtype=torch.long))

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        embeddings, groups = outputs.embedding[: batch.anchors], _groups(batch, self.groups)
        if self.training:
            with torch.no_grad():
                known = groups >= 0
                self.right += (self.loss.logits(embeddings).argmax(-1) == groups)[known].sum()
                self.asked += known.sum()
        if isinstance(self.loss, LinearAdversaryLoss):
            return self.loss(embeddings, groups, targets_of(batch) if self.loss.target_classes else None)
        return self.loss(embeddings, groups, reversal_schedule(batch.progress, self.steepness))

    def epoch_end(self) -> dict[str, float]:
        asked, accuracy = int(self.asked), float(self.right) / max(int(self.asked), 1)
        self.right.zero_()
        self.asked.zero_()
        return {"accuracy": accuracy, "chance": 1 / self.loss.classes} if asked else {}


def distance_order(ground_distance: Tensor) -> float:
    """Spearman's rank correlation, over pairs of classes, of their distance and of the steps ``|i - j|`` between them.

    1 where a net has found the order of its levels by itself; NaN where all pairs are equally far apart.

    Args:
        ground_distance: ``(classes, classes)``, symmetric, of classes in their order.

    Example:
        >>> distance_order(torch.tensor([[0.0, 0.2, 0.9], [0.2, 0.0, 0.4], [0.9, 0.4, 0.0]])) > 0.8
        True
    """
    lower, upper = torch.triu_indices(*ground_distance.shape, offset=1)
    # mean ranks that are equal but for the rounding of their sums are equal
    distances = ground_distance.cpu()[lower, upper].double().round(decimals=6)
    return spearman((upper - lower).double().numpy(), distances.numpy())


def majority(targets: Tensor) -> Tensor:
    """``(items, classes)`` votes as the class with most of them; equal leaders share it.

    Example:
        >>> majority(torch.tensor([[0.6, 0.4], [0.5, 0.5]]))
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]])
    """
    leading = (targets >= targets.amax(-1, keepdim=True) - TIE).to(targets.dtype)
    return leading / leading.sum(-1, keepdim=True)


def layer_of(outputs: Outputs, name: str) -> Tensor:
    """A layer of the net by its name; ``embedding`` is one."""
    return outputs.embedding if name == "embedding" else outputs.layers[name]


def targets_of(batch: Batch) -> Tensor:
    """Those of the anchors, which every training batch has."""
    assert batch.targets is not None, "training batches have targets"
    return batch.targets[: batch.anchors]


def _groups(batch: Batch, column: str) -> Tensor:
    assert batch.groups is not None, "training batches have groups"
    return batch.groups[column][: batch.anchors]


def _plural(column: str) -> str:
    return {"corpus": "corpora"}.get(column, column + "s")
