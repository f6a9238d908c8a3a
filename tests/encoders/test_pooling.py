"""The oracle is the dense convolution, masked and maximised, with PyTorch's own gradients."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from affectspace.encoders import Batch, ConvPool, pad, pooled_convolution, pooling

torch.set_num_threads(1)
FIND = {"packed": pooling._winners_packed, "padded": pooling._winners_padded}


def plain(values: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    kernel = weight.shape[-1]
    values = functional.pad(values, (0, 0, 0, max(0, kernel - values.shape[1])))
    time = torch.arange(values.shape[1])
    values = values.masked_fill((time >= lengths[:, None])[..., None], 0)
    answers = functional.conv1d(values.transpose(1, 2), weight, bias)
    outside = time[: answers.shape[-1]] >= (lengths[:, None] - kernel + 1).clamp_min(1)
    return answers.masked_fill(outside[:, None], float("-inf")).max(-1).values


def example(seed=0, lengths=(9, 3, 12, 5, 20), bands=3, channels=6, kernel=5, dtype=torch.double, beyond=0.0):
    """Clips, lengths, weight, bias; ``beyond`` fills the padding."""
    generator = torch.Generator().manual_seed(seed)
    values, lengths = pad([torch.randn(n, bands, generator=generator, dtype=dtype) for n in lengths])
    values[torch.arange(values.shape[1]) >= lengths[:, None]] = beyond
    weight = torch.randn(channels, bands, kernel, generator=generator, dtype=dtype)
    return values, lengths, weight, torch.randn(channels, generator=generator, dtype=dtype)


def gradients(function, values, lengths, weight, bias) -> tuple[Tensor, ...]:
    leaves = [tensor.clone().requires_grad_() for tensor in (values, weight, bias)]
    pooled = function(leaves[0], lengths, *leaves[1:])
    slopes = torch.linspace(-1, 2, pooled.numel(), dtype=pooled.dtype).view_as(pooled)
    return pooled.detach(), *torch.autograd.grad((pooled * slopes).sum(), leaves)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    bands=st.integers(1, 5),
    channels=st.integers(1, 7),
    kernel=st.integers(1, 16),
    seed=st.integers(0, 999),
    packed=st.sampled_from([1, 30, 4096]),
)
def test_values_and_gradients_are_those_of_the_dense_convolution(lengths, bands, channels, kernel, seed, packed):
    inputs = example(seed, lengths, bands, channels, kernel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "PACKED", packed)  # however the clips are packed
        ours = gradients(pooled_convolution, *inputs)
    for mine, theirs in zip(ours, gradients(plain, *inputs)):
        torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-10)


def test_float32_gradients_to_a_hundred_thousandth():
    inputs = example(lengths=[100, 57, 16, 130, 9] * 4, bands=40, channels=32, kernel=16, dtype=torch.float32)
    for mine, theirs in zip(gradients(pooled_convolution, *inputs), gradients(plain, *inputs)):
        assert (mine - theirs).norm() <= 1e-5 * theirs.norm()


def test_gradient_in_float64():
    values, lengths, weight, bias = (t.requires_grad_(t.is_floating_point()) for t in example())
    assert torch.autograd.gradcheck(lambda v, w, b: pooled_convolution(v, lengths, w, b), (values, weight, bias))


@pytest.mark.parametrize("beyond", [1e30, float("nan"), float("inf")])
def test_what_lies_in_the_padding_does_not_matter(beyond):
    clean, dirty = (gradients(pooled_convolution, *example(beyond=filler)) for filler in (0.0, beyond))
    assert all(torch.equal(a, b) for a, b in zip(clean, dirty))


def test_no_gradient_reaches_the_padding():
    _, by_values, *_ = gradients(pooled_convolution, *example(beyond=7.0))
    outside = torch.arange(20) >= torch.tensor([9, 3, 12, 5, 20])[:, None]
    assert (by_values[outside] == 0).all()
    assert (by_values[~outside] != 0).any()


def test_order_and_company_of_the_clips_do_not_matter():
    values, lengths, weight, bias = example(lengths=[30, 7, 55, 16, 41, 3], dtype=torch.float32)
    pooled = pooled_convolution(values, lengths, weight, bias)
    shuffle = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(pooled_convolution(values[shuffle], lengths[shuffle], weight, bias), pooled[shuffle])
    for row, n in enumerate(lengths.tolist()):
        alone = pooled_convolution(values[row : row + 1, :n], lengths[row : row + 1], weight, bias)
        torch.testing.assert_close(alone[0], pooled[row])


def test_a_clip_shorter_than_the_kernel_is_seen_once_with_zeros_after_its_end():
    values, _, weight, bias = example(lengths=[3])
    expected = (weight[:, :, :3] * values[0].T).sum((1, 2)) + bias
    for length, window in ((3, expected), (0, bias)):
        answer = pooled_convolution(values, torch.tensor([length]), weight, bias)
        torch.testing.assert_close(answer[0], window)


@pytest.mark.parametrize("find", FIND)
@pytest.mark.parametrize("dtype", [torch.double, torch.float32, torch.bfloat16])
def test_both_ways_to_find_the_winners_agree(find, dtype):
    # an integer convolution is exact in every type, and then the winners are too
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([30, 16, 16, 23, 29])
    values = torch.randint(-2, 3, (5, 30, 2), generator=generator).to(dtype)
    weight = torch.randint(-2, 3, (7, 2, 4), generator=generator).to(dtype)
    bias = torch.arange(7).to(dtype)
    pooled, winners = FIND[find](values, lengths, weight, bias)
    exact = plain(values.double(), lengths, weight.double(), bias.double())
    assert torch.equal(pooled.double(), exact)
    assert (winners + 4 <= lengths[:, None]).all()
    assert torch.equal(pooling._answers(values.double(), winners, weight.double(), bias.double()), exact)


@pytest.mark.parametrize("find", FIND)
def test_nan_and_infinity_win(find):
    for bad in (float("nan"), float("inf")):
        values, lengths, weight, bias = example(lengths=[20, 30, 25])
        values[1, 29, 2] = bad
        pooled, winners = FIND[find](values, lengths, weight.abs(), bias)
        assert pooled[1].isnan().all() if bad != bad else pooled[1].isinf().all()
        assert (winners[1] == 25).all()
        assert pooled[[0, 2]].isfinite().all()


def test_the_path_of_other_devices_gives_the_same_gradients():
    inputs = example(lengths=[9, 3, 12, 5, 20, 8, 8, 8, 31, 2], dtype=torch.double)
    values, lengths, weight, bias = inputs
    values = pooling._zeros_after_the_end(values, lengths, weight.shape[-1])
    pooled, winners = pooling._winners_padded(values, lengths, weight, bias)
    slopes = torch.linspace(-1, 2, pooled.numel(), dtype=torch.double).view_as(pooled)
    expected, _, by_weight, _ = gradients(plain, *inputs)
    torch.testing.assert_close(pooled, expected)
    torch.testing.assert_close(pooling._gradient_by_weight_of_copies(slopes, values, winners, weight), by_weight)
    torch.testing.assert_close(pooling._gradient_by_weight_in_place(slopes, values, winners, weight), by_weight)


def test_of_equal_windows_one_wins_all():
    values, lengths = torch.ones(1, 10, 1, requires_grad=True), torch.tensor([10])
    weight, bias = torch.ones(1, 1, 3, requires_grad=True), torch.zeros(1)
    pooled_convolution(values, lengths, weight, bias).sum().backward()
    assert values.grad is not None
    assert values.grad.sum() == 3
    assert sorted(values.grad.flatten().tolist()) == [0.0] * 7 + [1.0] * 3


def test_is_repeatable_to_the_bit():
    inputs = example(lengths=[300, 200, 16, 9] * 5, bands=40, channels=16, kernel=16, dtype=torch.float32)
    first, second = (gradients(pooled_convolution, *inputs) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))


def test_asks_for_no_gradient_that_nobody_needs():
    values, lengths, weight, bias = example()
    assert not pooled_convolution(values, lengths, weight, bias).requires_grad
    for needed in (values, weight, bias):
        needed.requires_grad_()
        pooled_convolution(values, lengths, weight, bias).sum().backward()
        assert [t.grad is not None for t in (values, weight, bias)] == [t is needed for t in (values, weight, bias)]
        needed.requires_grad_(False).grad = None
    weight.requires_grad_()
    learning = pooled_convolution(values, lengths, weight, bias)
    for without in (torch.no_grad, torch.inference_mode):
        with without():
            pooled = pooled_convolution(values, lengths, weight, bias)
        assert not pooled.requires_grad
        assert torch.equal(pooled, learning)


def test_second_derivatives_are_right():
    values, lengths, weight, bias = example()
    inputs = [t.clone().requires_grad_() for t in (values, weight, bias)]
    assert torch.autograd.gradgradcheck(lambda v, w, b: pooled_convolution(v, lengths, w, b), inputs)


def test_bfloat16_finds_windows_and_float32_answers():
    inputs = example(lengths=[200] * 8, bands=40, channels=32, kernel=16, dtype=torch.float32)
    exact = plain(*(t.double() if t.is_floating_point() else t for t in inputs)).float()
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = pooled_convolution(*inputs), plain(*inputs)
    assert ours.dtype == torch.float32
    assert theirs.dtype == torch.bfloat16
    assert (ours <= exact + 1e-4).all()  # it is the answer to a real window
    assert (ours - exact).abs().mean() < 0.3 * (theirs - exact).abs().mean()
    assert ((ours - exact).abs() < 1e-4).float().mean() > 0.8


def test_bfloat16_gradients_are_those_of_the_windows_found():
    values, lengths, weight, bias = example(lengths=[100, 60, 9], bands=8, channels=4, kernel=16, dtype=torch.float32)
    weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pooled_convolution(values, lengths, weight, bias)
    (by_weight,) = torch.autograd.grad(pooled.sum(), weight)
    # the answers are linear in the weights: <gradient, weight> is what is summed, less the biases
    torch.testing.assert_close((by_weight * weight).sum(), pooled.sum() - 3 * bias.sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_low_precision(dtype):
    inputs = example(lengths=[50, 7, 30], bands=8, channels=4, kernel=8, dtype=torch.float32)
    low = [t.to(dtype) if t.is_floating_point() else t for t in inputs]
    for mine, exact in zip(gradients(pooled_convolution, *low), gradients(plain, *inputs)):
        assert mine.dtype == dtype
        assert (mine.float() - exact).norm() < 0.3 * exact.norm()  # some winners change


def test_no_clips_at_all():
    values, lengths = torch.empty(0, 20, 3), torch.empty(0, dtype=torch.long)
    weight, bias = torch.ones(2, 3, 5, requires_grad=True), torch.zeros(2, requires_grad=True)
    pooled = pooled_convolution(values, lengths, weight, bias)
    pooled.sum().backward()
    assert pooled.shape == (0, 2)
    assert torch.equal(weight.grad, torch.zeros(2, 3, 5))


def test_the_net_takes_the_steps_of_a_plain_one():
    torch.manual_seed(0)
    net = ConvPool(bands=6, classes=3, channels=8, kernel=4, hidden=5).double()
    other = copy.deepcopy(net)
    values, lengths, *_ = example(lengths=[9, 3, 20, 14], bands=6)
    targets = torch.tensor([0, 1, 2, 1])
    for _ in range(3):
        convolution = other.convolution
        pooled = plain(values, lengths, convolution.weight, convolution.bias).relu()
        hidden = other.fc2(other.fc1(pooled).relu()).relu()
        for model, logits in ((net, net(Batch(values, lengths)).logits), (other, other.output(hidden))):
            model.zero_grad()
            functional.cross_entropy(logits, targets).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 * parameter.grad
    for mine, theirs in zip(net.parameters(), other.parameters()):
        torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=1e-10)


def test_under_autocast_only_the_search_is_low_in_precision():
    torch.manual_seed(0)
    net = ConvPool(bands=40, classes=4)
    batch = Batch(torch.randn(20, 200, 40), torch.full((20,), 200))
    exact = net(batch).logits
    with torch.autocast("cpu", torch.bfloat16):
        low = net(batch)
    assert low.logits.dtype == low.embedding.dtype == torch.float32
    assert (low.logits - exact).norm() < 1e-3 * exact.norm()  # bfloat16 itself has 4e-3


def test_the_names_of_saved_weights_stay():
    layers = ("convolution", "fc1", "fc2", "output")
    assert list(ConvPool(3, 2).state_dict()) == [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
