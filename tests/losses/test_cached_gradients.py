"""Chunks with cached gradients against the plain step on the whole batch."""

import copy
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from affectspace.encoders import MLP, Batch
from affectspace.losses import InBatchFSimilarityLoss, SoftCrossEntropyLoss
from affectspace.losses.cached_gradients import cached_backward

ITEMS = 11


def batch(items: int = ITEMS, dtype: torch.dtype = torch.double) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    y = torch.rand(items, 4, generator=generator, dtype=torch.double) ** 2
    return torch.randn(items, 6, generator=generator, dtype=torch.double).to(dtype), (y / y.sum(-1, keepdim=True)).to(
        dtype
    )


def encoder(dropout: float = 0.0, dtype: torch.dtype = torch.double) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 5), nn.Softplus()
    return nn.Sequential(*layers).to(dtype)


def gradients(module: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in module.parameters() if p.grad is not None]


def assert_same(found: list[Tensor], truth: list[Tensor], tolerance: float = 1e-10) -> None:
    assert len(found) == len(truth) > 0
    for a, b in zip(found, truth):
        assert (a - b).abs().max() <= tolerance * max(1, b.abs().max())


@pytest.mark.parametrize("size", [1, 2, 4, 5, 11, 20])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradient_and_value_are_those_of_the_plain_step(size, dropout):
    (x, y), net, loss = batch(), encoder(dropout), InBatchFSimilarityLoss("kl", "fisher_rao")
    torch.manual_seed(5)
    plain = loss(torch.cat([net(chunk) for chunk in x.split(size)]), y)
    plain.backward()
    truth, after = gradients(net), torch.get_rng_state()
    net.zero_grad()
    torch.manual_seed(5)
    value = cached_backward(net, x.split(size), lambda z: loss(z, y))
    assert not value.requires_grad
    assert value.item() == pytest.approx(plain.item(), rel=1e-12)
    assert_same(gradients(net), truth)
    assert torch.equal(torch.get_rng_state(), after)


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=6).filter(sum), seed=st.integers(0, 99))
def test_chunks_of_any_sizes_even_empty_ones(sizes, seed):
    net, x = encoder(), torch.randn(sum(sizes), 6, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    loss = lambda z: (z @ z.T).logsumexp(-1).mean()  # noqa: E731
    truth = torch.autograd.grad(loss(net(x)), list(net.parameters()))
    cached_backward(net, x.split(sizes), loss)
    assert_same(gradients(net), list(truth))


def test_a_loss_that_draws_random_numbers_draws_those_of_the_plain_step():
    (x, _), net = batch(), encoder(0.3)

    def loss(z: Tensor) -> Tensor:
        return nn.functional.dropout(z, 0.5).square().sum()

    torch.manual_seed(7)
    plain = loss(torch.cat([net(chunk) for chunk in x.split(4)]))
    plain.backward()
    truth, after = gradients(net), torch.rand(3)
    net.zero_grad()
    torch.manual_seed(7)
    assert cached_backward(net, x.split(4), loss).item() == pytest.approx(plain.item(), rel=1e-12)
    assert_same(gradients(net), truth)
    assert torch.equal(torch.rand(3), after)


def test_gradients_add_up_and_parameters_of_the_loss_get_theirs():
    (x, y), net, head = batch(), encoder(), nn.Linear(5, 4).double()
    criterion = SoftCrossEntropyLoss()
    criterion(head(net(x)), y).backward()
    truth = [2 * each for each in (*gradients(net), *gradients(head))]
    cached_backward(net, x.split(3), lambda z: criterion(head(z), y))
    assert_same([*gradients(net), *gradients(head)], truth)


def test_several_outputs_of_an_encoder_of_this_package_and_labels_beside_them():
    x, y = batch(dtype=torch.float)
    torch.manual_seed(0)
    net, similar, entropy = MLP(6, 4, hidden=8, dropout=0.2), InBatchFSimilarityLoss(), SoftCrossEntropyLoss()

    def encode(chunk: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        outputs = net(Batch(chunk[0], torch.ones(len(chunk[0]))))
        return outputs.embedding, outputs.logits, chunk[1]

    def loss(embedding: Tensor, logits: Tensor, classes: Tensor) -> Tensor:
        return similar(embedding, classes) + entropy(logits, classes)

    chunks = list(zip(x.split(4), y.argmax(-1).split(4)))
    torch.manual_seed(3)
    loss(*(torch.cat(column) for column in zip(*(encode(chunk) for chunk in chunks)))).backward()
    truth = gradients(net)
    net.zero_grad()
    torch.manual_seed(3)
    cached_backward(encode, chunks, loss)
    assert_same(gradients(net), truth, 1e-6)


def test_outputs_that_the_loss_ignores_or_that_need_no_gradient_are_no_obstacle():
    (x, y), net = batch(), encoder()
    net(x).sum().backward()
    truth = gradients(net)
    net.zero_grad()
    chunks = list(zip(x.split(4), y.split(4)))
    cached_backward(
        lambda c: (net(c[0]), net(c[0]), c[1]), chunks, lambda z, ignored, soft: (z * soft.sum()).sum() / ITEMS
    )
    assert_same(gradients(net), truth)


def test_under_autocast_as_the_plain_step_under_autocast():
    (x, y), net, loss = batch(dtype=torch.float), encoder(0.2, torch.float), InBatchFSimilarityLoss()
    torch.manual_seed(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parts = [net(chunk) for chunk in x.split(4)]
        plain = loss(torch.cat(parts), y)
    plain.backward()
    truth = gradients(net)
    net.zero_grad()
    torch.manual_seed(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = cached_backward(net, x.split(4), lambda z: loss(z, y))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(plain.item(), rel=1e-6)
    assert_same(gradients(net), truth, 2e-3)  # sums in bfloat16 may be taken in another order


def test_what_a_loss_asks_for_in_float32_goes_backward_in_float32_too():
    z = torch.randn(6, 5)

    def loss(z: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return (z @ z.T).square().sum()

    scale = nn.Parameter(torch.ones(5))
    loss(z * scale).backward()
    (truth,) = gradients(nn.ParameterList([scale]))
    scale.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cached_backward(lambda chunk: chunk * scale, z.split(2), loss)
    assert scale.grad is not None
    assert torch.allclose(scale.grad, truth, rtol=1e-5)


def test_batch_normalisation_is_that_of_chunks_and_takes_each_in_twice():
    (x, y), loss = batch(), InBatchFSimilarityLoss()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Softplus()).double()
    chunked = copy.deepcopy(net)
    loss(torch.cat([chunked(chunk) for chunk in x.split(4)]), y).backward()
    cached_backward(net, x.split(4), lambda z: loss(z, y))
    assert_same(gradients(net), gradients(chunked))
    assert (chunked[1].num_batches_tracked, net[1].num_batches_tracked) == (3, 6)
    fixed = copy.deepcopy(net).eval()
    before = {name: value.clone() for name, value in fixed.state_dict().items()}
    fixed.zero_grad()
    loss(fixed(x), y).backward()
    truth = gradients(fixed)
    fixed.zero_grad()
    cached_backward(fixed, x.split(4), lambda z: loss(z, y))
    assert_same(gradients(fixed), truth)
    assert all(torch.equal(value, before[name]) for name, value in fixed.state_dict().items())


def test_numbers_from_outside_torch_are_not_repeated():
    drawn = []

    def encode(chunk: Tensor) -> Tensor:
        drawn.append((random.random(), torch.rand(()).item()))
        return net(chunk)

    net = encoder()
    cached_backward(encode, [batch()[0]], torch.sum)
    first, second = drawn
    assert first[1] == second[1]
    assert first[0] != second[0]


class Held:
    """Bytes that graphs hold for the backward pass, and the most there were."""

    def __init__(self):
        self.now = self.most = 0

    def pack(self, tensor: Tensor):
        return Share(tensor, self)


class Share:
    def __init__(self, tensor: Tensor, held: Held):
        self.tensor, self.held, self.size = tensor, held, tensor.numel() * tensor.element_size()
        held.now += self.size
        held.most = max(held.most, held.now)

    def __del__(self):
        self.held.now -= self.size


def test_what_graphs_hold_is_that_of_one_chunk():
    x = torch.randn(256, 6)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))
    loss, most = torch.sum, {}
    for size in (256, 64, 16):
        held = Held()
        with torch.autograd.graph.saved_tensors_hooks(held.pack, lambda share: share.tensor):
            cached_backward(net, x.split(size), loss)
        most[size] = held.most
        assert held.now == 0
    weights = 4 * sum(p.numel() for p in net.parameters())
    assert most[64] - weights < 0.3 * (most[256] - weights / 2)
    assert most[16] < 0.4 * most[64] + weights


def test_chunks_may_come_from_a_generator():
    (x, _), net = batch(), encoder()
    assert cached_backward(net, (chunk for chunk in x.split(2)), torch.sum).item() == pytest.approx(net(x).sum().item())


def test_all_chunks_but_the_last_go_backward_without_exchange():
    entered = []

    class Note:
        def __enter__(self):
            entered.append(calls[-1] + 1)

        def __exit__(self, *_):
            pass

    net, calls = encoder(), [-1]

    def encode(chunk: Tensor) -> Tensor:
        calls.append(calls[-1] + 1)
        return net(chunk)

    cached_backward(encode, batch()[0].split(4), torch.sum, no_sync=Note)
    assert entered == [3, 4]  # of three chunks, encoded once without a graph before


@pytest.mark.parametrize(
    ("encode", "chunks", "message"),
    [
        (encoder(), [], "there is no chunk to encode; give at least one"),
        (lambda x: [x], [torch.ones(2, 6)], "encode gave list; expected a tensor or a tuple of tensors"),
        (lambda x: (x, None), [torch.ones(2, 6)], "encode gave tuple; expected"),
        (lambda x: (x,) * len(x), [torch.ones(2, 6), torch.ones(1, 6)], r"encode gave \[1, 2\] tensors; give as many"),
    ],
)
def test_errors_say_value_and_remedy(encode, chunks, message):
    with pytest.raises(ValueError, match=message):
        cached_backward(encode, chunks, lambda *z: z[0].sum())
