"""What a net says of a batch: embeddings and probabilities, the mean over views where training sees several."""

from torch import Tensor, nn

from affectspace.encoders import Batch
from affectspace.features import Views

__all__ = ["answers"]


def answers(
    encoder: nn.Module, batch: Batch, views: Views | None = None, parents: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Embeddings ``(items, dimensions)`` and probabilities ``(items, classes)``, float32, on the CPU.

    Args:
        encoder: in evaluation mode, on the device of the batch.
        batch: items as training normalises them.
        views: how training sees pictures; the answer is the mean over :meth:`Views.test`. None: as they are.
        parents: ``(sub-classes,)`` int64, the class of each sub-class that the net tells apart; a class is as probable
            as its sub-classes together. None: the net tells the classes themselves apart.
    """
    if views is None:
        outputs = encoder(batch)
        return outputs.embedding.float().cpu(), _folded(outputs.logits.float().softmax(-1).cpu(), parents)
    outputs = encoder(Batch(views.test(batch.values), batch.lengths.repeat(views.tests)))
    both = outputs.embedding.float().cpu(), outputs.logits.float().softmax(-1).cpu()
    embeddings, probabilities = (each.unflatten(0, (views.tests, -1)).mean(0) for each in both)
    return embeddings, _folded(probabilities, parents)


def _folded(probabilities: Tensor, parents: Tensor | None) -> Tensor:
    """``(items, sub-classes)`` to ``(items, classes)``."""
    if parents is None:
        return probabilities
    return probabilities.new_zeros(len(probabilities), int(parents.max()) + 1).index_add_(1, parents, probabilities)
