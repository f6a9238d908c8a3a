"""Conv-Pool: one convolution over time, the maximum over the clip, fully connected layers."""

import torch
from torch import nn

from affectspace.encoders.batch import Batch
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.pooling import pooled_convolution

__all__ = ["ConvPool"]


class ConvPool(nn.Module):
    """Clips of any length to an embedding and class logits.

    Conv1d over time -> maximum over the valid frames -> FC1 (ReLU; the embedding, in the
    non-negative orthant) -> FC2 (ReLU) -> logits. What is padded never reaches the result: a
    convolution window that touches padding is left out of the maximum. A clip shorter than the
    kernel is seen once, with zeros after its end. The work is that of the true lengths, whatever the
    padding. Under autocast only the winning windows are found in low precision; everything is then
    computed in the weights' own, see :func:`pooled_convolution`.

    Args:
        bands: features per frame.
        classes: number of classes.
        channels: convolution kernels.
        kernel: frames that one kernel spans (10 ms steps: 16 is 175 ms of sound).
        hidden: units of FC1 and of FC2.

    Shape:
        batch values ``(items, frames, bands)``; embedding ``(items, hidden)``, non-negative;
        logits ``(items, classes)``; layers ``fc2`` ``(items, hidden)``.

    Source: Aldeneh & Mower Provost 2017; sizes as in Zhang, Kong, Essl & Mower Provost,
    "f-Similarity Preservation Loss for Soft Labels", AAAI 2019.

    Example:
        >>> net = ConvPool(bands=40, classes=4)
        >>> outputs = net(Batch(torch.randn(3, 120, 40), torch.tensor([120, 80, 9])))
        >>> outputs.embedding.shape, outputs.logits.shape
        (torch.Size([3, 128]), torch.Size([3, 4]))
    """

    def __init__(self, bands: int, classes: int, channels: int = 128, kernel: int = 16, hidden: int = 128):
        super().__init__()
        self.convolution = nn.Conv1d(bands, channels, kernel)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, classes)

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return {"embedding": self.fc1.out_features, "fc2": self.fc2.out_features}

    def forward(self, batch: Batch) -> Outputs:
        convolution = self.convolution
        assert convolution.bias is not None, "made with a bias above"
        # ReLU and the maximum commute, so it acts on one value a channel instead of one a frame.
        pooled = pooled_convolution(batch.values, batch.lengths, convolution.weight, convolution.bias).relu()
        # What follows is a thousandth of the work: low precision would cost digits and gain no time.
        with torch.autocast(pooled.device.type, enabled=False):
            embedding = self.fc1(pooled).relu()
            fc2 = self.fc2(embedding).relu()
            return Outputs(embedding, self.output(fc2), {"fc2": fc2})
