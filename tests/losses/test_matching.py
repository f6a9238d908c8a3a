"""What each form sees of a true pairing, and the class-conditional form held against one discrepancy a class."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import gaussian_kernels
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.hsic import hsic
from affectspace.losses.matching import CrossModalMatchingLoss
from affectspace.losses.mmd import mmd2

pytestmark = pytest.mark.filterwarnings("ignore::affectspace.losses.degenerate.LeftOutWarning")


def latents(items: int, modalities: int = 2, dimensions: int = 3, seed: int = 0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(items, dimensions, dtype=torch.double, generator=random) + m / 2).requires_grad_()
        for m in range(modalities)
    ]


def agreeing(items: int, seed: int, alike: float, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two modalities that show one latent through a random map each, more or less alike, with noise; and classes."""
    random = torch.Generator().manual_seed(seed)
    groups = torch.arange(items) % classes
    centres = 2 * torch.randn(classes, 4, generator=random)
    shared = centres[groups] + torch.randn(items, 4, generator=random)
    common = torch.randn(4, 6, generator=random)
    maps = [alike * common + (1 - alike) * torch.randn(4, 6, generator=random) for _ in range(2)]
    acoustic, lexical = (shared @ each + 0.3 * torch.randn(items, 6, generator=random) for each in maps)
    return acoustic, lexical, groups


def one_discrepancy_a_class(anchor, other, groups, kernels, bandwidth):
    if bandwidth is None:
        points = torch.cat([anchor, other]).detach()
        bandwidth = ((points[:, None] - points[None]).square().sum() / (len(points) * (len(points) - 1))).item()
    counts = {c: int((groups == c).sum()) for c in groups.unique().tolist()}
    counts = {c: count for c, count in counts.items() if min(count, len(groups) - count) >= 2}
    result = 0.0
    for c, count in counts.items():
        inside, outside = other[groups == c], other[groups != c]
        gap = mmd2(anchor[groups == c], inside, bandwidth=bandwidth, kernels=kernels)
        gap = gap - mmd2(anchor[groups == c], outside, bandwidth=bandwidth, kernels=kernels)
        result = result + count / sum(counts.values()) * gap
    return result


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(4, 20), classes=st.integers(2, 8), kernels=st.integers(1, 5),
    bandwidth=st.sampled_from([None, 3.0]), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_class_conditional_is_one_discrepancy_a_class_less_that_of_the_others(items, classes, kernels, bandwidth, seed):
    anchor, other = latents(items, seed=seed)
    groups = torch.randint(classes, (items,), generator=torch.Generator().manual_seed(seed))
    groups[:4] = torch.tensor([0, 0, 1, 1])
    value = CrossModalMatchingLoss(kernels=kernels, bandwidth=bandwidth)(anchor, other, groups)
    expected = one_discrepancy_a_class(anchor, other, groups, kernels, bandwidth)
    assert value.item() == pytest.approx(expected.item(), abs=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(value, [anchor, other]), torch.autograd.grad(expected, [anchor, other])
    ):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_gradient_in_float64():
    groups = torch.tensor([0, 0, 0, 1, 1, 2])
    loss = CrossModalMatchingLoss(kernels=3, bandwidth=2.0)
    assert torch.autograd.gradcheck(lambda a, m: loss(a, m, groups), latents(6))


@pytest.mark.parametrize("kernels", [1, 5])
@pytest.mark.parametrize("pairs", [1, 500])
def test_blocks_do_not_matter(pairs, kernels, monkeypatch):
    sides, groups = latents(50), torch.randint(5, (50,))
    loss = CrossModalMatchingLoss(kernels=kernels)
    whole = loss(*sides, groups)
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    blocks = loss(*sides, groups)
    assert blocks.item() == pytest.approx(whole.item(), abs=1e-13)
    for a, b in zip(torch.autograd.grad(whole, sides), torch.autograd.grad(blocks, sides)):
        assert torch.allclose(a, b, atol=1e-14)


# ---- paired and unpaired


@pytest.mark.parametrize("seed", range(5))
def test_hsic_of_the_true_pairing_is_below_that_of_shuffled_ones(seed):
    acoustic, lexical, _ = agreeing(80, seed, alike=0.0)
    loss, random = CrossModalMatchingLoss("hsic"), torch.Generator().manual_seed(seed)
    shuffled = [loss(acoustic, lexical[torch.randperm(80, generator=random)]) for _ in range(10)]
    assert loss(acoustic, lexical) < 3 * min(shuffled)


@pytest.mark.parametrize("seed", range(5))
def test_class_conditional_of_the_true_classes_is_below_that_of_shuffled_ones(seed):
    acoustic, lexical, groups = agreeing(80, seed, alike=0.9)
    loss, random = CrossModalMatchingLoss(), torch.Generator().manual_seed(seed)
    shuffled = [loss(acoustic, lexical[torch.randperm(80, generator=random)], groups) for _ in range(10)]
    assert loss(acoustic, lexical, groups) < 2 * min(shuffled) < 0


@pytest.mark.parametrize("seed", range(5))
def test_paired_items_are_nearer_than_those_of_other_classes(seed):
    acoustic, lexical, groups = agreeing(80, seed, alike=0.9)
    of_one, of_others = groups == 0, groups != 0
    paired, unpaired = (mmd2(acoustic[of_one], lexical[side], bandwidth=30.0) for side in (of_one, of_others))
    assert paired < unpaired


def test_as_printed_cancels_and_cannot_see_the_pairing():
    anchor, other, third = latents(20, 3)
    loss = CrossModalMatchingLoss("as_printed")
    value = loss(anchor, [other, third], permutation=torch.randperm(20))
    assert abs(value.item()) < 1e-14
    for gradient in torch.autograd.grad(value, [anchor, other, third]):
        assert gradient.abs().max() < 1e-15
    assert abs(loss(anchor, [other[torch.randperm(20)], third]).item()) < 1e-14
    assert mmd2(anchor, other) > 0.01  # each of the two parts is not 0


def test_as_printed_draws_its_permutation_from_the_generator():
    anchor, other = (side.float() for side in latents(50))
    loss = CrossModalMatchingLoss("as_printed")
    first, again = (loss(anchor, other, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    given_one = loss(anchor, other, permutation=torch.randperm(50, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(first, again)
    assert torch.equal(first, given_one)


def found_across(anchor: torch.Tensor, other: torch.Tensor, train: int) -> float:
    """Share of held-out items among whose five nearest is their own, after a linear map fitted on the others."""
    ones = torch.ones(len(other), 1)
    other = torch.cat([other, ones], 1)
    fitted = torch.linalg.lstsq(other[:train], anchor[:train]).solution
    distance = torch.cdist(anchor[train:], other[train:] @ fitted)
    rank = (distance < distance.diagonal()[:, None]).sum(1)
    return (rank < 5).float().mean().item()


@pytest.mark.parametrize("seed", range(2))
def test_training_with_hsic_finds_held_out_items_across_modalities(seed):
    train, held_out = 200, 100  # chance: 5 of 100
    random = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(train + held_out, generator=random)
    shared = math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], 1)
    modalities = []
    for _ in range(2):
        own = torch.randn(train + held_out, 4, generator=random)
        mixed = torch.linalg.qr(torch.randn(6, 6, generator=random)).Q
        modalities.append(torch.cat([shared, own], 1) @ mixed)
    maps = [torch.nn.Parameter(torch.randn(6, 2, generator=random) / 3) for _ in range(2)]
    optimizer, loss = torch.optim.Adam(maps, 0.03), CrossModalMatchingLoss("hsic")
    before = found_across(*(m @ each.detach() for m, each in zip(modalities, maps)), train)
    for _ in range(100):
        optimizer.zero_grad()
        loss(*(m[:train] @ each for m, each in zip(modalities, maps))).backward()
        optimizer.step()
    after = found_across(*(m @ each.detach() for m, each in zip(modalities, maps)), train)
    assert before < 0.2
    assert after > 0.35


def test_training_class_conditional_draws_classes_together_across_modalities():
    random = torch.Generator().manual_seed(0)
    groups = torch.arange(60) % 3
    anchor = torch.randn(3, 2, generator=random)[groups] * 2 + 0.3 * torch.randn(60, 2, generator=random)
    other = (torch.randn(60, 2, generator=random) * 2).requires_grad_()
    optimizer, loss = torch.optim.Adam([other], 0.1), CrossModalMatchingLoss()
    for _ in range(150):
        optimizer.zero_grad()
        loss(anchor, other, groups).backward()
        optimizer.step()
    nearest = torch.cdist(other.detach(), anchor).argmin(1)
    assert (groups[nearest] == groups).float().mean() > 0.9


# ---- groups


def test_soft_groups_are_their_most_likely_class():
    sides, groups = latents(9), torch.tensor([0, 1, 0, 1, 0, 1, 2, 2, 2])
    soft = 0.6 * torch.eye(3)[groups] + 0.4 / 3
    loss = CrossModalMatchingLoss()
    assert torch.equal(loss(*sides, soft), loss(*sides, groups))


def test_names_and_order_of_groups_and_items_do_not_matter():
    (anchor, other), groups, order = latents(12), torch.randint(3, (12,)), torch.randperm(12)
    loss = CrossModalMatchingLoss()
    expected = pytest.approx(loss(anchor, other, groups).item(), abs=1e-13)
    assert loss(anchor, other, torch.tensor([70, 3, 11])[groups]).item() == expected
    assert loss(anchor[order], other[order], groups[order]).item() == expected


def test_items_of_a_class_alone_are_left_out_and_counted():
    anchor, other = latents(7)
    groups = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    with pytest.warns(LeftOutWarning, match="their class has fewer than two items") as caught:
        value = CrossModalMatchingLoss()(anchor, other, groups)
    (warning,) = [each.message for each in caught]
    assert (warning.count, warning.of) == (2, 7)
    assert value.item() == pytest.approx(one_discrepancy_a_class(anchor, other, groups, 5, None).item(), abs=1e-13)


def test_nobody_is_warned_where_all_classes_count():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CrossModalMatchingLoss()(*latents(6), torch.tensor([0, 1, 2, 0, 1, 2]))


@pytest.mark.parametrize("groups", [[4, 4, 4, 4], [0, 1, 2, 3], [0, 0, 0, 1], [0], []])
def test_a_batch_in_which_no_class_counts_gives_zero_on_the_graph_and_says_so(groups):
    sides = latents(len(groups))
    with pytest.warns(DegenerateBatchWarning, match="no class has two items and two of other classes beside it"):
        value = CrossModalMatchingLoss()(*sides, torch.tensor(groups, dtype=torch.long))
    value.backward()
    assert value == 0
    assert all(not side.grad.any() for side in sides)


@pytest.mark.parametrize("form", ["hsic", "as_printed"])
def test_one_item_gives_zero_on_the_graph_and_says_so(form):
    sides = latents(1)
    with pytest.warns(DegenerateBatchWarning):
        value = CrossModalMatchingLoss(form)(*sides)
    value.backward()
    assert value == 0
    assert all(not side.grad.any() for side in sides)


# ---- what all forms share

FORMS = ["class_conditional", "hsic", "as_printed"]


@pytest.mark.parametrize("form", FORMS)
def test_other_modalities_add_up_and_all_receive_a_gradient(form):
    (anchor, visual, lexical), groups = latents(12, 3), torch.arange(12) % 3
    loss, order = CrossModalMatchingLoss(form), torch.randperm(12)
    both = loss(anchor, [visual, lexical], groups, order)
    single = [loss(anchor, other, groups, order) for other in (visual, lexical)]
    assert both.item() == pytest.approx(sum(single).item(), abs=1e-14)
    if form != "as_printed":
        assert all(gradient.any() for gradient in torch.autograd.grad(both, [anchor, visual, lexical]))


def test_hsic_takes_modalities_of_other_dimensions():
    (anchor,), (other,) = latents(12, 1, 3), latents(12, 1, 5, seed=1)
    assert torch.equal(CrossModalMatchingLoss("hsic")(anchor, other), -hsic(anchor, other))


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_inputs_and_autocast(form):
    sides, groups = [side.detach().bfloat16().requires_grad_() for side in latents(24)], torch.arange(24) % 3
    loss, order = CrossModalMatchingLoss(form), torch.randperm(24)
    value, expected = loss(*sides, groups, order), loss(*(side.float() for side in sides), groups, order)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=0.02, abs=1e-6)
    assert torch.autograd.grad(value, sides)[0].dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(*(side.float() for side in sides), groups, order)
    assert torch.equal(inside, expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_not_hidden(form, side):
    sides, groups = latents(6), torch.arange(6) % 2
    sides[side] = torch.where(torch.arange(6)[:, None] == 2, torch.nan, sides[side])
    assert CrossModalMatchingLoss(form)(*sides, groups).isnan()


@pytest.mark.parametrize("form", FORMS)
def test_points_that_are_all_equal_give_zero_and_no_gradient(form):
    sides = [torch.ones(6, 2, requires_grad=True) for _ in range(2)]
    value = CrossModalMatchingLoss(form)(*sides, torch.arange(6) % 2)
    value.backward()
    assert abs(value.item()) < 1e-6
    assert all(not side.grad.any() for side in sides)


@pytest.mark.parametrize("form", FORMS)
def test_compiles_without_a_graph_break(form):
    loss = CrossModalMatchingLoss(form, kernels=2)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    sides, groups, order = latents(9), torch.arange(9) % 3, torch.randperm(9)
    value, expected = compiled(*sides, groups, order), loss(*sides, groups, order)
    assert torch.equal(value, expected)
    for a, b in zip(torch.autograd.grad(value, sides), torch.autograd.grad(expected, sides)):
        assert torch.equal(a, b)


def test_the_module_tells_its_options():
    assert repr(CrossModalMatchingLoss("hsic", 3)) == "CrossModalMatchingLoss(form='hsic', kernels=3, bandwidth=None)"


@pytest.mark.parametrize(
    ("form", "others", "extra", "message"),
    [
        ("hsic", [], {}, "there is no other modality to match the anchor with"),
        ("hsic", [torch.zeros(5, 2)], {}, r"other 0: .* shape \(5, 2\); expected floating point \(6, dimensions\)"),
        ("as_printed", [torch.zeros(6, 3)], {}, "other 0 has 3 dimensions and the anchor 2; expected one space"),
        ("class_conditional", torch.zeros(6, 2), {}, "form 'class_conditional' needs groups"),
        ("class_conditional", torch.zeros(6, 2), {"groups": torch.zeros(4).long()}, "there are 4 groups for 6 items"),
        ("class_conditional", torch.zeros(6, 2), {"groups": torch.tensor([-1] * 6)}, "class -1 is negative"),
        ("as_printed", torch.zeros(6, 2), {"permutation": torch.arange(5)}, r"shape \(5,\); expected whole numbers"),
        ("as_printed", torch.zeros(6, 2), {"permutation": torch.zeros(6).long()}, r"each of 0\.\.5 once"),
    ],
)
def test_errors_say_value_and_remedy(form, others, extra, message):
    with pytest.raises(ValueError, match=message):
        CrossModalMatchingLoss(form)(torch.zeros(6, 2), others, **extra)


def test_errors_of_options_say_value_and_remedy():
    with pytest.raises(ValueError, match="form is 'paired'; choose 'class_conditional', 'as_printed' or 'hsic'"):
        CrossModalMatchingLoss("paired")
    with pytest.raises(ValueError, match=r"a bandwidth is 0\.0"):
        CrossModalMatchingLoss("hsic", bandwidth=0.0)
