"""The oracle is a loop over the elements of each item; what is not inside is filled with NaN and huge numbers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import DegenerateBatchWarning, ReconstructionLoss


def randoms(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def ragged(seed: int, items: int = 5, frames: int = 6) -> torch.Tensor:
    lengths = torch.randint(frames + 1, (items,), generator=torch.Generator().manual_seed(seed))
    lengths[0] = 2
    return torch.arange(frames) < lengths[:, None]


def looped(made, target, inside) -> float:
    means = []
    for item in range(len(made)):
        squares = []
        for frame in range(made.shape[1]):
            if inside[item] if inside.ndim == 1 else inside[item, frame]:
                gap = (made[item, frame] - target[item, frame]).reshape(-1)
                squares += [each**2 for each in gap.tolist()]
        if squares:
            means.append(sum(squares) / len(squares))
    return sum(means) / len(means)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), whole_items=st.booleans(), shape=st.sampled_from([(5, 6), (5, 6, 1), (5, 6, 3)]))
def test_equals_a_loop_over_elements(seed, whole_items, shape):
    made, target, inside = randoms(*shape, seed=seed), randoms(*shape, seed=seed + 1), ragged(seed)
    inside = inside.any(1) if whole_items else inside
    assert ReconstructionLoss()(made, target, inside).item() == pytest.approx(looped(made, target, inside))


def test_with_everything_inside_it_is_the_mean_squared_error():
    for shape in ((7, 4), (7, 5, 3)):
        made, target = randoms(*shape), randoms(*shape, seed=1)
        wanted = torch.nn.functional.mse_loss(made, target)
        for inside in (None, torch.ones(shape[:1]).bool(), torch.ones(shape[:2]).bool()):
            assert torch.allclose(ReconstructionLoss()(made, target, inside), wanted)


def test_a_long_item_weighs_as_much_as_a_short_one():
    made, target = torch.zeros(2, 100), torch.ones(2, 100)
    target[1] = 3
    inside = torch.arange(100) < torch.tensor([[100], [1]])
    assert ReconstructionLoss()(made, target, inside).item() == (1 + 9) / 2


@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("whole_items", [False, True])
def test_what_is_not_inside_never_matters(garbage, whole_items):
    made, target, inside = randoms(5, 6, 3).float(), randoms(5, 6, 3, seed=1).float(), ragged(3)
    inside[1] = False
    inside = inside.any(1) if whole_items else inside
    outside = ~inside.reshape(5, -1, 1).expand(5, 6, 3)
    results = []
    for filling in (0.0, garbage):
        sides = [side.masked_fill(outside, filling).requires_grad_() for side in (made, target)]
        value = ReconstructionLoss()(*sides, inside)
        results.append([value, *torch.autograd.grad(value, sides)])
    for clean, dirty in zip(*results):
        assert torch.equal(clean, dirty)
    assert not results[1][1][outside].any()  # exactly 0
    assert results[1][1][~outside].all()


def test_items_and_frames_that_are_not_there_change_nothing():
    made, target, inside = randoms(5, 6, 3), randoms(5, 6, 3, seed=1), ragged(4)
    value = ReconstructionLoss()(made, target, inside)
    padded = [torch.nn.functional.pad(each, (0, 0, 0, 4, 0, 2), value=math.nan) for each in (made, target)]
    assert torch.equal(ReconstructionLoss()(*padded, torch.nn.functional.pad(inside, (0, 4, 0, 2))), value)
    kept = inside.any(1)
    assert torch.allclose(ReconstructionLoss()(made[kept], target[kept], inside[kept]), value)
    order = torch.randperm(5)
    assert torch.allclose(ReconstructionLoss()(made[order], target[order], inside[order]), value)


@pytest.mark.parametrize("with_mask", [False, True])
def test_gradient_in_float64_of_both_sides(with_mask):
    sides = [randoms(5, 6, 2).requires_grad_(), randoms(5, 6, 2, seed=1).requires_grad_()]
    inside = ragged(1) if with_mask else None
    assert torch.autograd.gradcheck(lambda m, t: ReconstructionLoss()(m, t, inside), sides)


def test_bfloat16_is_worked_on_in_float32_under_autocast_too():
    made, target, inside = randoms(5, 6, 20).bfloat16(), randoms(5, 6, 20, seed=1).bfloat16(), ragged(2)
    wanted = ReconstructionLoss()(made.double(), target.double(), inside).item()
    with torch.autocast("cpu", torch.bfloat16):
        value = ReconstructionLoss()(made, target, inside)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(wanted, rel=1e-5)


def test_compiles_as_one_graph():
    torch._dynamo.reset()
    made, target, inside = randoms(5, 6, 2), randoms(5, 6, 2, seed=1), ragged(1)
    compiled = torch.compile(ReconstructionLoss(), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(made, target, inside), ReconstructionLoss()(made, target, inside))
    assert compiled(made * math.nan, target, torch.zeros(5).bool()) == 0


def test_nan_that_is_inside_is_not_hidden():
    made, target, inside = randoms(5, 6), randoms(5, 6), ragged(0)
    target[0, 0] = math.nan
    assert ReconstructionLoss()(made, target, inside).isnan()


@pytest.mark.parametrize(
    ("shape", "inside", "words"),
    [
        ((0, 4), None, "it holds no item"),
        ((0, 4, 2), torch.zeros(0, 4).bool(), "it holds no item"),
        ((3, 0, 2), None, "no item has anything inside"),
        ((3, 4, 2), torch.zeros(3).bool(), "no item has anything inside"),
        ((3, 4), torch.zeros(3, 4).bool(), "no item has anything inside"),
    ],
)
def test_a_batch_with_nothing_inside_warns_and_gives_a_zero_with_a_graph(shape, inside, words):
    made = torch.full(shape, math.nan, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match=words):
        loss = ReconstructionLoss()(made, torch.zeros(shape), inside)
    loss.backward()
    assert loss.item() == 0
    assert made.grad is not None
    assert not made.grad.any()


def test_nobody_is_warned_of_a_missing_modality(recwarn):
    ReconstructionLoss()(torch.zeros(3, 4), torch.ones(3, 4), torch.tensor([True, False, False]))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("made", "target", "inside", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), None, r"\(2, 3\) and target \(2, 4\); expected the same, \(items, dim"),
        (torch.zeros(2), torch.zeros(2), None, r"\(2,\) and target \(2,\); expected the same"),
        (torch.zeros(2, 3).long(), torch.zeros(2, 3), None, "made is torch.int64 and target torch.float32; expected f"),
        (torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), torch.ones(2, 3), r"inside is torch.float32 of shape \(2, 3\)"),
        (
            torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), torch.ones(2, 4).bool(),
            r"inside is torch.bool of shape \(2, 4\); expected torch.bool of shape \(2,\) or \(2, 3\), True for",
        ),
    ],
)  # fmt: skip
def test_errors_say_value_and_remedy(made, target, inside, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionLoss()(made, target, inside)
