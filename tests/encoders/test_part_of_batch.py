"""A part of a batch is encoded as it is within the whole; parts are encoded by threads, which stand for processes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import Tensor, nn

from affectspace.encoders.fmpnet import FractionalMaximum
from affectspace.encoders.multimodal import hidden_modalities
from affectspace.encoders.part_of_batch import PartOfBatch
from affectspace.errors import InputError


def together(parts: int, work) -> list:
    """``work(part, summed)`` of each part at once, where ``summed`` adds a tensor up over the parts, in place."""
    barrier, given = Barrier(parts), {}

    def run(part: int):
        def summed(tensor: Tensor) -> None:
            given[part] = tensor.clone()
            barrier.wait(60)
            tensor.copy_(torch.stack([given[each] for each in range(parts)]).sum(0))
            barrier.wait(60)

        return work(part, summed)

    with ThreadPoolExecutor(parts) as threads:
        return list(threads.map(run, range(parts)))


@pytest.mark.parametrize("shape", [(12,), (12, 5), (12, 3, 4, 4)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bounds", [(0, 5, 12), (0, 1, 2, 12)])
def test_batch_normalisation_is_that_of_the_whole_batch(shape, affine, bounds):
    """Values, gradients and running statistics, by uneven parts."""
    layer = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}.get(len(shape), nn.BatchNorm1d)
    torch.manual_seed(0)
    x = (torch.randn(shape if len(shape) > 1 else (12, 5, 7)) * 3 + 2).double()
    weights = torch.randn_like(x)

    def make() -> nn.Module:
        torch.manual_seed(1)
        made = layer(x.shape[1], affine=affine).double()
        for parameter in made.parameters():
            nn.init.normal_(parameter)
        return made

    def found(net: nn.Module, rows: slice) -> list[Tensor]:
        own = x[rows].clone().requires_grad_()
        y = net(own)
        (y * weights[rows]).sum().backward()
        assert own.grad is not None
        return [y.detach(), own.grad, *(p.grad for p in net.parameters() if p.grad is not None)]

    whole = make()
    truth = found(whole, slice(None))

    def work(part: int, summed) -> tuple[nn.Module, list[Tensor]]:
        net = nets[part]
        with PartOfBatch(bounds[part], bounds[part + 1], 12, summed):
            return net, found(net, slice(bounds[part], bounds[part + 1]))

    nets = [make() for _ in bounds[1:]]
    parts = together(len(bounds) - 1, work)
    for k in range(2):
        assert torch.allclose(torch.cat([values[k] for _, values in parts]), truth[k], atol=1e-12)
    for k in range(2, len(truth)):
        assert torch.allclose(torch.stack([values[k] for _, values in parts]).sum(0), truth[k], atol=1e-12)
    for net, _ in parts:
        for name, value in whole.state_dict().items():
            assert torch.allclose(net.state_dict()[name], value, atol=1e-12), name


def test_normalisation_has_the_gradient_of_its_values():
    torch.manual_seed(0)
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    layer = nn.BatchNorm1d(3, track_running_stats=False).double()

    def normalised(x: Tensor) -> Tensor:
        with PartOfBatch(0, 6, 6, lambda tensor: None):
            return layer(x)

    assert torch.autograd.gradcheck(normalised, (x,))


def test_in_low_precision_statistics_are_of_double_precision():
    torch.manual_seed(0)
    x, layer = torch.randn(64, 4).bfloat16() + 100, nn.BatchNorm1d(4)
    with PartOfBatch(0, 64, 64, lambda tensor: None):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    expected = (x.float() - x.float().mean(0)) / (x.float().var(0, correction=0) + layer.eps).sqrt()
    assert torch.allclose(y.float(), expected, atol=0.02)


def test_evaluation_is_left_as_it_is():
    x, layer = torch.randn(5, 3), nn.BatchNorm1d(3).eval()
    with PartOfBatch(0, 5, 9):
        assert torch.equal(layer(x), layer.eval()(x))
        assert torch.equal(nn.Dropout(0.5).eval()(x), x)


LAID_OUT = {
    "rows": lambda: torch.randn(9, 5),
    "sequences": lambda: torch.randn(9, 4, 5),
    "transposed": lambda: torch.randn(9, 5, 4).transpose(1, 2),
    "channels last": lambda: torch.randn(9, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    "frames of items": lambda: torch.randn(9 * 4, 5),
}


@pytest.mark.parametrize("kind", LAID_OUT)
@pytest.mark.parametrize("inplace", [False, True])
def test_dropout_leaves_out_what_it_does_in_the_whole_batch(kind, inplace):
    torch.manual_seed(0)
    x = LAID_OUT[kind]()
    each = len(x) // 9
    net = nn.Sequential(nn.Identity(), nn.Dropout(0.4, inplace), nn.Dropout(0.2, inplace))
    torch.manual_seed(3)
    whole = net(x.clone())
    after = torch.get_rng_state()
    for start, stop in ((0, 2), (2, 3), (3, 9)):
        torch.manual_seed(3)
        own = x.clone()[each * start : each * stop]
        with PartOfBatch(start, stop, 9):
            assert torch.equal(net(own), whole[each * start : each * stop])
        assert torch.equal(torch.get_rng_state(), after)


def test_random_pools_and_hidden_modalities_are_those_of_the_whole_batch():
    torch.manual_seed(0)
    images, present, pool = torch.rand(7, 2, 12, 12), torch.rand(7, 3) < 0.8, FractionalMaximum()

    torch.manual_seed(5)
    whole = pool(images), hidden_modalities(present, 0.5)
    for start, stop in ((0, 3), (3, 7)):
        torch.manual_seed(5)
        with PartOfBatch(start, stop, 7):
            part = pool(images[start:stop]), hidden_modalities(present[start:stop], 0.5)
        assert all(torch.equal(a, b[start:stop]) for a, b in zip(part, whole))


@pytest.mark.parametrize(
    ("encode", "words"),
    [
        (nn.AlphaDropout(0.5), r"draws random numbers otherwise than by dropout and torch\.rand"),
        (lambda x: nn.Dropout(0.5)(x + torch.randn(3)), "draws random numbers otherwise"),
        (
            lambda x: nn.Dropout(0.5)(x[:3]),
            r"of 4 items the net makes \(3, 3\), which is no number of rows for each item",
        ),
        (nn.BatchNorm1d(3), "looks at a whole batch, and a chunk of it is given"),
    ],
)
def test_what_it_does_not_know_is_refused_and_not_drawn_otherwise(encode, words):
    with pytest.raises(InputError, match=words), PartOfBatch(0, 4, 8):
        encode(torch.ones(4, 3))


def test_a_single_number_is_not_normalised():
    single = PartOfBatch(0, 1, 1, lambda tensor: None)
    with pytest.raises(ValueError, match="needs two numbers of each channel or more, not 1"), single:
        nn.BatchNorm1d(3)(torch.rand(1, 3))
