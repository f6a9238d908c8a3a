"""Terms of several modalities, and of items without a label."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from affectspace.encoders import Batch, Outputs
from affectspace.losses import ConsistencyLoss, CrossModalMatchingLoss, PseudoLabelLoss, ReconstructionLoss, confident
from affectspace.training.terms import Term, layer_of, targets_of

__all__ = ["ConsistencyTerm", "MatchingTerm", "PseudoLabelsTerm", "ReconstructionTerm"]


class MatchingTerm(Term):
    """Layers, such as the latents of modalities, matched item by item: the first with each other one.

    Items that lack one of two modalities have no part in matching these two.
    """

    learns_of = "both"

    def __init__(self, loss: CrossModalMatchingLoss, between: Sequence[str]):
        super().__init__()
        self.loss = loss
        self.between = tuple(between)

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        first, *others = self.between
        return torch.stack([self._match(outputs, batch, first, other) for other in others]).sum()

    def _match(self, outputs: Outputs, batch: Batch, first: str, other: str) -> Tensor:
        a, b, groups = layer_of(outputs, first), layer_of(outputs, other), targets_of(batch)
        a, b = a[: batch.anchors], b[: batch.anchors]
        given = batch.modalities or {}
        present = [given[name].present[: batch.anchors] for name in (first, other) if name in given]
        if present and not (both := torch.stack(present).all(0)).all():
            a, b, groups = a[both], b[both], groups[both]
        return self.loss(a, b, groups=groups)


class ReconstructionTerm(Term):
    """Every modality made again from its latent; the sum over modalities of the mean over items that have it.

    Args:
        targets: of each modality's values and lengths, what is to be made again, and what of it counts.
    """

    learns_of = "both"

    def __init__(self, targets: Mapping[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]):
        super().__init__()
        self.loss = ReconstructionLoss()
        self.targets = dict(targets)

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        assert batch.modalities is not None, "the recipe proves it"
        values = []
        for name, target in self.targets.items():
            given = batch.modalities[name]
            if not given.present.any():
                continue
            wanted, inside = target(given.values, given.lengths)
            values.append(self.loss(outputs.reconstructions[name], wanted, inside))
        return torch.stack(values).sum()


class PseudoLabelsTerm(Term):
    """What the net is sure of is taught to it, of unlabelled items."""

    learns_of = "unlabelled"
    sure: Tensor
    asked: Tensor

    def __init__(self, loss: PseudoLabelLoss):
        super().__init__()
        self.loss = loss
        self.register_buffer("sure", torch.zeros((), dtype=torch.long))
        self.register_buffer("asked", torch.zeros((), dtype=torch.long))

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.sure += confident(outputs.logits, self.loss.threshold).sum()
                self.asked += len(outputs.logits)
        return self.loss(outputs.logits)

    def epoch_end(self) -> dict[str, float]:
        share = float(self.sure) / max(int(self.asked), 1)
        self.sure.zero_()
        self.asked.zero_()
        return {"sure": share}


class ConsistencyTerm(Term):
    """Two views of the same unlabelled items, told alike; the second half of them is the second view."""

    learns_of = "unlabelled"

    def __init__(self, loss: ConsistencyLoss):
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Outputs, batch: Batch) -> Tensor:
        first, second = outputs.logits.chunk(2)
        return self.loss(first, second)
