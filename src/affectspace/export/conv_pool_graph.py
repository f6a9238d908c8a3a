"""Conv-Pool as one masked convolution: its own picks single windows by the lengths, which a graph cannot look at."""

import torch
from torch import nn
from torch.nn import functional

from affectspace.encoders import Batch, ConvPool, Outputs

__all__ = ["ConvPoolGraph"]


class ConvPoolGraph(nn.Module):
    """The same answers as :class:`ConvPool` by operations that a graph has, in evaluation alone.

    Args:
        net: whose weights it shares.

    Example:
        >>> net, batch = ConvPool(40, 4).eval(), Batch(torch.randn(2, 90, 40), torch.tensor([90, 9]))
        >>> bool(torch.allclose(ConvPoolGraph(net)(batch).embedding, net(batch).embedding, atol=1e-5))
        True
    """

    def __init__(self, net: ConvPool):
        super().__init__()
        self.net = net

    def forward(self, batch: Batch) -> Outputs:
        convolution = self.net.convolution
        (kernel,) = convolution.kernel_size
        inside = torch.arange(batch.values.shape[1], device=batch.values.device) < batch.lengths[:, None]
        # Only clips shorter than the kernel are read beyond their end, and find zeros there.
        values = functional.pad(batch.values.masked_fill(~inside[..., None], 0), (0, 0, 0, kernel - 1))
        answers = functional.conv1d(values.transpose(1, 2), convolution.weight, convolution.bias)
        windows = (batch.lengths - kernel + 1).clamp_min(1)[:, None]
        outside = torch.arange(answers.shape[-1], device=answers.device) >= windows
        pooled = answers.masked_fill(outside[:, None], float("-inf")).amax(-1)
        embedding = self.net.fc1(pooled.relu()).relu()
        fc2 = self.net.fc2(embedding).relu()
        return Outputs(embedding, self.net.output(fc2), {"fc2": fc2})
