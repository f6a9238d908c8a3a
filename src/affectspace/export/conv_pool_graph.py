"""Conv-Pool as one masked convolution: its own picks single windows by the lengths, which a graph cannot look at."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders import Batch, ConvPool, Outputs

__all__ = ["ConvPoolGraph"]

SHUT = -1e30  # added to what windows answer that reach behind the end of their clip


class ConvPoolGraph(nn.Module):
    """The same answers as :class:`ConvPool` by operations that a graph has, in evaluation alone.

    Args:
        net: whose weights it has.

    Example:
        >>> net, batch = ConvPool(40, 4).eval(), Batch(torch.randn(2, 90, 40), torch.tensor([90, 9]))
        >>> bool(torch.allclose(ConvPoolGraph(net)(batch).embedding, net(batch).embedding, atol=1e-5))
        True
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, net: ConvPool):
        super().__init__()
        self.net = net
        weight, bias = net.convolution.weight, net.convolution.bias
        assert bias is not None, "made with one"
        # One more band shuts windows: it holds a large negative number in frames behind the end of a clip, and every
        # kernel adds the last frame of it to its answer. To mask all answers instead takes a tenth of the time.
        last = torch.zeros_like(weight[:, :1])
        last[..., -1] = 1
        self.register_buffer("weight", torch.cat([weight, last], 1).detach())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, batch: Batch) -> Outputs:
        kernel = self.weight.shape[-1]
        # Only clips shorter than the kernel are read beyond their end, and find zeros there.
        lacking: int = torch.sym_max(kernel + 1 - batch.values.shape[1], 0)  # pyright: ignore[reportAssignmentType]
        values = functional.pad(batch.values, (0, 0, 0, lacking))
        place, lengths = torch.arange(values.shape[1], device=values.device), batch.lengths[:, None]
        shut = torch.where(place < lengths.clamp_min(kernel), 0.0, SHUT)
        frames = values.transpose(1, 2).masked_fill((place >= lengths)[:, None], 0)
        pooled = functional.conv1d(torch.cat([frames, shut[:, None]], 1), self.weight, self.bias).amax(-1)
        embedding = self.net.fc1(pooled.relu()).relu()
        fc2 = self.net.fc2(embedding).relu()
        return Outputs(embedding, self.net.output(fc2), {"fc2": fc2})
