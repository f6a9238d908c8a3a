"""The oracle lists every triplet, one after another; the rest are truths known in closed form."""

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.triplet import TripletLoss
from affectspace.losses.triplet_sums import SmoothSums, hinge_sums, pairwise_sums, rank

torch.set_num_threads(1)

RULES = list(itertools.product(("hinge", "soft_margin"), ("all", "semi_hard", "hard")))


def listed(
    loss: TripletLoss, z: Tensor, y: Tensor, reference: Tensor | None = None, reference_y: Tensor | None = None
) -> tuple[Tensor, int]:
    """The mean of the losses of all triplets, listed, and how many of them it is the mean of."""
    others, other_y = (z, y) if reference is None else (reference, reference_y)
    if loss.normalise:
        z, others = z / z.norm(dim=1, keepdim=True), others / others.norm(dim=1, keepdim=True)
    each = []
    for a in range(len(z)):
        distance = {}
        for j in range(len(others)):
            if reference is not None or j != a:
                distance[j] = (z[a] - others[j]).square().sum() ** (1 if loss.squared else 0.5)
        positives = [j for j in distance if other_y[j] == y[a]]
        negatives = [j for j in distance if other_y[j] != y[a]]
        if loss.triplets == "hard" and positives and negatives:
            positives = [max(positives, key=lambda j: distance[j].item())]
            negatives = [min(negatives, key=lambda j: distance[j].item())]
        for p, n in itertools.product(positives, negatives):
            if loss.triplets == "semi_hard" and not distance[p] < distance[n] < distance[p] + loss.margin:
                continue
            gap = distance[p] - distance[n] + loss.margin
            if loss.form == "soft_margin":
                each.append(torch.logaddexp(gap, torch.zeros_like(gap)))
            elif loss.average == "all" or gap > 0:
                each.append(gap.clamp(min=0))
    return (torch.stack(each).mean() if each else 0 * (z.sum() + others.sum())), len(each)


def batch(items: int, classes: int, seed: int, dimensions: int = 3, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    z = scale * torch.randn(items, dimensions, dtype=torch.double, generator=draw)
    return z.requires_grad_(), torch.randint(classes, (items,), generator=draw)


def quiet(work):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()


def agree(loss: TripletLoss, tensors: tuple[Tensor, ...], *given: Tensor) -> None:
    value, (expected, _) = quiet(lambda: loss(*given)), listed(loss, *given)
    assert value.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    for ours, theirs in zip(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors)):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("form", "triplets"), RULES)
@pytest.mark.parametrize("average", ["all", "active"])
@pytest.mark.parametrize(("normalise", "squared"), [(True, False), (True, True), (False, False), (False, True)])
def test_equals_the_listed_triplets_in_value_and_gradient(form, triplets, average, normalise, squared):
    loss = TripletLoss(0.3, form, triplets, average, normalise, squared)
    z, y = batch(11, 3, seed=1)
    agree(loss, (z,), z, y)
    others, other_y = batch(8, 4, seed=2)
    agree(loss, (z, others), z, y, others, other_y)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 9), st.integers(1, 9), st.integers(0, 999), st.sampled_from(RULES), st.sampled_from([0.05, 1, 40])
)
def test_equals_the_listed_triplets_for_any_batch(items, classes, seed, rule, scale):
    form, triplets = rule
    z, y = batch(items, classes, seed, scale=scale)
    agree(TripletLoss(0.7, form, triplets, "active", normalise=False), (z,), z, y)


@pytest.mark.parametrize("form", ["hinge", "soft_margin"])
@pytest.mark.parametrize("margin", [-0.4, 0.0, 5.0])
def test_any_margin(form, margin):
    z, y = batch(10, 3, seed=3)
    agree(TripletLoss(margin, form), (z,), z, y)


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_gradient_in_float64(form, triplets):
    z, y = batch(8, 3, seed=4)
    others, other_y = batch(6, 3, seed=5)
    loss = TripletLoss(0.4, form, triplets)
    assert torch.autograd.gradcheck(lambda a, b: quiet(lambda: loss(a, y, b, other_y)), (z, others))
    assert torch.autograd.gradcheck(lambda a: quiet(lambda: 3 * loss(a, y)), z)


@pytest.mark.parametrize("reach", [0.01, 2.0, 4.0, 25.0, 80.0])
@pytest.mark.parametrize(("dtype", "accuracy"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_polynomials_give_a_soft_margin_to_rounding(reach, dtype, accuracy):
    draw = torch.Generator().manual_seed(6)
    distances = reach * torch.rand(5, 300, dtype=torch.double, generator=draw)
    distances[:, :2] = torch.tensor([0.0, reach])
    same = torch.arange(300) < 40
    given = (distances, same.expand(5, 300), distances[:, :40], torch.arange(40).expand(5, 40) != 3)
    exact = pairwise_sums(*given, margin=0.2)
    sums = SmoothSums(reach, 0.2, dtype)
    quick = sums(*(t.to(dtype) if t.is_floating_point() else t for t in given))
    for name in ("value", "slopes", "own_slopes"):
        ours, theirs = getattr(quick, name).double(), getattr(exact, name)
        assert (ours - theirs).abs().max() <= accuracy * theirs.abs().max(), name
    assert torch.equal(quick.chosen, exact.chosen)
    assert quick.chosen.tolist() == [39 * 260] * 5


def test_polynomials_are_left_where_they_outnumber_the_positives():
    assert SmoothSums(20.0, 0.2, torch.float32).suits(positives=1)
    assert SmoothSums(100.0, 0.2, torch.float32).suits(positives=100)
    assert not SmoothSums(100.0, 0.2, torch.float32).suits(positives=70)


@pytest.mark.parametrize("scale", [1.0, 3.0, 30.0, 3e3, 3e5])
def test_soft_margin_of_distances_of_any_size(scale):
    z, y = batch(12, 3, seed=7, scale=scale)
    agree(TripletLoss(0.3, "soft_margin", normalise=False), (z,), z, y)
    loose, (exact, _) = (
        TripletLoss(0.3, "soft_margin", normalise=False)(z.float(), y),
        listed(TripletLoss(0.3, "soft_margin", normalise=False), z, y),
    )
    assert loose.item() == pytest.approx(exact.item(), rel=2e-6)


@pytest.mark.parametrize("form", ["hinge", "soft_margin"])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_float32_keeps_the_digits(form, margin):
    z, y = batch(200, 5, seed=8, dimensions=64)
    loss = TripletLoss(margin, form)
    single = z.detach().float().requires_grad_()
    value, exact = loss(single, y), loss(z, y)
    assert value.item() == pytest.approx(exact.item(), rel=2e-6)
    gradient, expected = torch.autograd.grad(value, single)[0], torch.autograd.grad(exact, z)[0]
    # of 1.3 million triplets, rounding takes one over the corner of a hinge: three rows
    wrong = (gradient - expected).abs().amax(1).sort().values
    assert wrong[:-3].max() < 2e-5 * expected.abs().max()
    assert (gradient - expected).norm() < 2e-4 * expected.norm()


@pytest.mark.parametrize("apart", [5.0, 15.0, 25.0])
def test_soft_margin_of_far_classes_keeps_its_digits_in_float32(apart):
    draw = torch.Generator().manual_seed(21)
    y = torch.arange(100) % 2
    z = torch.randn(100, 4, generator=draw) + apart * y[:, None] / 2
    loss, single = TripletLoss(0.3, "soft_margin", normalise=False), z.clone().requires_grad_()
    z = z.double().requires_grad_()
    same = y[:, None] == y
    triplets = (same & ~torch.eye(100, dtype=torch.bool))[:, :, None] & ~same[:, None]
    distance = (z[:, None] - z).square().sum(-1).clamp(min=1e-30).sqrt()
    value = loss(single, y)
    exact = torch.nn.functional.softplus(distance[:, :, None] - distance[:, None] + 0.3)[triplets].mean()
    assert value.item() == pytest.approx(exact.item(), rel=1e-5)
    gradient, expected = torch.autograd.grad(value, single)[0], torch.autograd.grad(exact, z)[0]
    assert (gradient - expected).abs().max() < 1e-4 * expected.abs().max()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 999), st.booleans())
def test_rank_is_searchsorted(entries, values, seed, strictly):
    draw = torch.Generator().manual_seed(seed)
    ascending = torch.randint(6, (3, entries), generator=draw).float().sort(1).values
    sought = torch.randint(-1, 8, (3, values), generator=draw).float()
    assert torch.equal(rank(ascending, sought, strictly), torch.searchsorted(ascending, sought, right=not strictly))


def test_counts_beyond_what_float32_and_int32_hold():
    # One anchor with 5,000 positives at distance 0 and 5,000 negatives at 0: 25 million triplets of loss 1.
    distances = torch.zeros(120, 10_000)
    same = (torch.arange(10_000) < 5_000).expand(120, -1)
    sums = hinge_sums(distances, same, distances[:, :5_000], torch.ones(120, 5_000, dtype=torch.bool), 1.0)
    assert sums.active.sum().item() == sums.chosen.sum().item() == 120 * 25_000_000 > 2**31
    assert sums.value.tolist() == [25e6] * 120
    assert (sums.slopes[:, 5_000:] == -5_000).all()


def test_two_classes_apart_lose_nothing_and_are_learned():
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    y = torch.tensor([0, 0, 1, 1])
    for triplets, average in itertools.product(("all", "semi_hard", "hard"), ("all", "active")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = TripletLoss(0.5, triplets=triplets, average=average)(z, y)
        assert value.item() == 0
        assert torch.autograd.grad(value, z)[0].abs().sum() == 0
    assert TripletLoss(0.5, "soft_margin")(z, y).item() == pytest.approx(math.log1p(math.exp(-1.5)))


@pytest.mark.parametrize("triplets", ["all", "hard"])
def test_equal_embeddings_lose_the_margin_and_have_no_direction(triplets):
    z = torch.full((6, 3), 0.3, requires_grad=True)
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    for form, expected in (("hinge", 0.25), ("soft_margin", math.log1p(math.exp(0.25)))):
        value = TripletLoss(0.25, form, triplets)(z, y)
        assert value.item() == pytest.approx(expected)
        assert torch.equal(torch.autograd.grad(value, z)[0], torch.zeros(6, 3))


def test_nearly_equal_embeddings_are_measured_and_not_guessed():
    draw = torch.Generator().manual_seed(9)
    z = torch.nn.functional.normalize(torch.randn(40, 64, generator=draw, dtype=torch.double), dim=1).repeat(2, 1)
    z[40:] += 1e-5 * torch.randn(40, 64, generator=draw, dtype=torch.double)
    y, single = torch.arange(80) % 40, z.float().requires_grad_()
    z = single.detach().double().requires_grad_()
    loss = TripletLoss(1.5, normalise=False)
    gradient = torch.autograd.grad(loss(single, y), single)[0]
    expected = torch.autograd.grad(listed(loss, z, y)[0], z)[0]
    assert (gradient - expected).abs().max() < 0.01 * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_pairs_are_measured_as_well_in_a_compiled_graph(dtype):
    loss = TripletLoss(1.5)
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    for apart in (1e-2, 3e-4):
        draw = torch.Generator().manual_seed(22)
        z = torch.nn.functional.normalize(torch.randn(10, 32, generator=draw), dim=1).repeat(3, 1)
        z, y = z + apart * torch.randn(30, 32, generator=draw) / 32**0.5, torch.arange(30) % 10
        exact = z.double().requires_grad_()
        expected = torch.autograd.grad(listed(loss, exact, y)[0], exact)[0]
        for each in (loss, compiled):
            given = z.to(dtype).requires_grad_()
            gradient = torch.autograd.grad(each(given, y), given)[0]
            tolerance = 1e-6 / apart if dtype == torch.float32 else 1e-9
            assert (gradient - expected).norm() < tolerance * expected.norm()


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_a_row_of_zeros_has_no_direction_and_stays(form, triplets):
    z, y = batch(8, 2, seed=23)
    unit = torch.nn.functional.normalize(z.detach(), dim=1)
    unit[0] = 0
    single = unit.float().requires_grad_()
    value = TripletLoss(0.5, form, triplets)(single, y)
    if triplets != "semi_hard":  # at the distance of 1 from every other, rounding says which are nearer
        expected, _ = listed(TripletLoss(0.5, form, triplets, normalise=False), unit, y)
        assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    gradient = torch.autograd.grad(value, single)[0]
    assert 0 < gradient.norm() < 2
    assert gradient[0].norm() < 1


@pytest.mark.parametrize(("form", "triplets"), RULES)
@pytest.mark.parametrize("scale", [2.0**66, 2.0**-66])
def test_the_length_of_rows_does_not_matter_where_its_square_does_not_fit(form, triplets, scale):
    z, y = batch(12, 3, seed=24)
    loss, plain = TripletLoss(1.0, form, triplets), z.detach().float().requires_grad_()
    scaled = (scale * plain.detach()).requires_grad_()
    value, other = loss(plain, y), loss(scaled, y)
    assert other.item() == pytest.approx(value.item(), rel=1e-6)
    assert value.item() > 0
    gradient, found = torch.autograd.grad(value, plain)[0], torch.autograd.grad(other, scaled)[0]
    assert (found.double() * scale - gradient).norm() < 1e-5 * gradient.norm()


@pytest.mark.parametrize("form", ["hinge", "soft_margin"])
@pytest.mark.parametrize(
    ("scale", "margin", "normalise", "squared"),
    [(1e3, 0.2, False, True), (1e5, 0.2, False, True), (1e8, 0.2, False, False), (1.0, 1e-8, True, False)],
)
def test_a_margin_lost_in_rounding_leaves_no_semi_hard_triplet(form, scale, margin, normalise, squared):
    z, y = batch(12, 3, seed=25, dimensions=8, scale=scale)
    single = z.detach().float().requires_grad_()
    value = TripletLoss(margin, form, "semi_hard", "active", normalise, squared)(single, y)
    assert value.item() == 0
    assert torch.equal(torch.autograd.grad(value, single)[0], torch.zeros(12, 8))


def test_equal_distances_are_not_semi_hard_whatever_the_margin():
    distances = torch.tensor([[0.0, 1e3, 1e3, 2e3]])
    same, own = torch.tensor([[True, True, False, False]]), torch.tensor([[0.0, 1e3]])
    for margin in (1e-8, 0.5):
        sums = hinge_sums(distances, same, own, torch.tensor([[False, True]]), margin, semi_hard=True)
        assert sums.chosen.item() == sums.active.item() == sums.value.item() == 0
        assert sums.slopes.abs().sum() == sums.own_slopes.abs().sum() == 0


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_sides_of_two_types_are_compared_in_the_wider(form, triplets):
    (z, y), (others, other_y) = batch(9, 3, seed=26), batch(7, 3, seed=27)
    narrow, loss = z.detach().float().requires_grad_(), TripletLoss(0.8, form, triplets)
    exact = narrow.detach().double().requires_grad_()
    expected = listed(loss, exact, y, others, other_y)[0]
    value = quiet(lambda: loss(narrow, y, others, other_y))
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    gradients = torch.autograd.grad(value, (narrow, others))
    assert [g.dtype for g in gradients] == [torch.float32, torch.float64]
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, (exact, others))):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    # and the other way round
    value = quiet(lambda: loss(others, other_y, narrow, y))
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(listed(loss, others, other_y, exact, y)[0].item(), rel=1e-6)


@pytest.mark.parametrize(("form", "triplets"), RULES)
@pytest.mark.parametrize("block", [1, 2**19])
def test_a_block_of_anchors_without_a_positive_in_the_reference(form, triplets, block):
    (z, _), (others, _) = batch(4, 1, seed=28), batch(5, 1, seed=29)
    y, other_y = torch.tensor([7, 0, 8, 1]), torch.tensor([0, 1, 1, 0, 2])
    loss = TripletLoss(0.6, form, triplets, normalise=False, block=block)
    with pytest.warns(LeftOutWarning) as caught:
        loss(z, y, others, other_y)
    assert caught[0].message.count == 2
    agree(loss, (z, others), z, y, others, other_y)


def test_hard_takes_the_first_of_equals():
    z = torch.tensor([[0.0], [2.0], [-2.0], [3.0], [-3.0]], requires_grad=True)
    loss = TripletLoss(2.0, triplets="hard", normalise=False)
    value = loss(z[:1], torch.tensor([0]), z[1:].detach(), torch.tensor([0, 0, 1, 1]))
    assert value.item() == 1
    # away from -2 would be +1: it is pulled to 2 and pushed from 3
    assert torch.autograd.grad(value, z)[0][0].item() == -1 + 1
    reference = z[1:].detach().requires_grad_()
    loss(z[:1].detach(), torch.tensor([0]), reference, torch.tensor([0, 0, 1, 1])).backward()
    assert reference.grad.flatten().tolist() == [1, 0, -1, 0]


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_the_order_of_the_batch_does_not_matter(form, triplets):
    z, y = batch(40, 5, seed=10)
    loss, shuffle = TripletLoss(0.3, form, triplets), torch.randperm(40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(z[shuffle], y[shuffle]), loss(z, y), rtol=1e-12, atol=0)
    gradients = [torch.autograd.grad(loss(z[i], y[i]), z)[0] for i in (shuffle, slice(None))]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_blocks_do_not_matter(form, triplets):
    z, y = batch(33, 6, seed=11)
    values = [TripletLoss(0.3, form, triplets, block=block)(z, y) for block in (1, 100, 2**19)]
    gradients = [torch.autograd.grad(value, z)[0] for value in values]
    for value, gradient in zip(values[1:], gradients[1:]):
        torch.testing.assert_close(value, values[0], rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_the_same_batch_gives_the_same_bits(form, triplets):
    z, y = batch(60, 4, seed=12)
    z = z.detach().float().requires_grad_()
    loss = TripletLoss(0.3, form, triplets, block=500)
    first, second = (torch.autograd.grad(loss(z, y), z)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_a_reference_holds_the_item_itself_as_another_row():
    z, y = batch(9, 2, seed=13)
    loss = TripletLoss(0.4)
    with_itself, alone = loss(z, y, z, y), loss(z, y)
    sizes = torch.bincount(y).tolist()
    triplets = [n * (n - 1) * (9 - n) for n in sizes], [n * n * (9 - n) for n in sizes]
    unit = z / z.norm(dim=1, keepdim=True)
    gap = 0.4 - (unit[:, None] - unit).norm(dim=-1)
    itself = gap.clamp(min=0)[y[:, None] != y].sum()
    assert with_itself.item() * sum(triplets[1]) == pytest.approx(alone.item() * sum(triplets[0]) + itself.item())


def test_the_reference_learns_unless_detached():
    (z, y), (others, other_y) = batch(6, 2, seed=14), batch(7, 2, seed=15)
    for form, triplets in RULES:
        value = TripletLoss(1.0, form, triplets)(z, y, others, other_y)
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(value, (z, others)))
        value = TripletLoss(1.0, form, triplets)(z.detach(), y, others, other_y)
        assert torch.autograd.grad(value, others)[0].abs().sum() > 0
        assert TripletLoss(1.0, form, triplets)(z, y, others.detach(), other_y).requires_grad


def test_soft_labels_count_as_their_most_likely_class():
    z, _ = batch(12, 3, seed=16)
    soft = torch.rand(12, 3, generator=torch.Generator().manual_seed(1)).softmax(-1)
    assert torch.equal(TripletLoss()(z, soft), TripletLoss()(z, soft.argmax(-1)))
    hard = torch.arange(12) % 3
    assert torch.equal(TripletLoss()(z, torch.nn.functional.one_hot(hard).float()), TripletLoss()(z, hard))


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_bfloat16_stays_within_two_percent(form, triplets):
    z, y = batch(48, 4, seed=17, dimensions=16)
    half = z.detach().bfloat16().requires_grad_()
    full = half.detach().float()
    loss = TripletLoss(0.5, form, triplets)
    expected = loss(full, y)
    value = loss(half, y)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=0.02)
    value.backward()
    assert half.grad.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(full, y).item() == pytest.approx(expected.item(), rel=0.02)


@pytest.mark.parametrize(("form", "triplets"), RULES)
@pytest.mark.parametrize("normalise", [True, False])
def test_nan_is_not_hidden(form, triplets, normalise):
    z = torch.randn(6, 3)
    z[2, 1] = float("nan")
    assert TripletLoss(0.5, form, triplets, normalise=normalise)(z, torch.tensor([0, 0, 1, 1, 2, 2])).isnan()


@pytest.mark.parametrize(("form", "triplets"), RULES)
def test_compiled_without_a_break_equals_eager(form, triplets):
    z, y = batch(14, 3, seed=18)
    others, other_y = batch(9, 3, seed=19)
    for extra in ((), (others, other_y)):
        loss = TripletLoss(0.4, form, triplets)
        eager = quiet(lambda loss=loss, extra=extra: loss(z, y, *extra))
        torch.compiler.reset()
        compiled = torch.compile(loss, fullgraph=True, backend="eager")(z, y, *extra)
        torch.testing.assert_close(compiled, eager, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(compiled, z)[0], torch.autograd.grad(eager, z)[0], rtol=1e-9, atol=1e-12
        )


def test_anchors_without_a_positive_are_left_out_and_counted():
    z, y = batch(5, 1, seed=20)[0], torch.tensor([0, 0, 1, 1, 2])
    with pytest.warns(LeftOutWarning, match="an anchor needs another item of its class") as caught:
        value = TripletLoss(0.5)(z, y)
    assert (caught[0].message.count, caught[0].message.of) == (1, 5)
    assert value.item() == pytest.approx(listed(TripletLoss(0.5), z, y)[0].item())


@pytest.mark.parametrize(("form", "triplets"), RULES)
@pytest.mark.parametrize("classes", [[], [0], [0, 0, 0], [0, 1, 2]])
def test_a_batch_without_any_triplet_says_so(form, triplets, classes):
    z = torch.randn(len(classes), 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="draw batches of several classes"):
        value = TripletLoss(0.5, form, triplets)(z, torch.tensor(classes, dtype=torch.long))
    assert value.item() == 0
    value.backward()
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_a_reference_without_a_match_says_so():
    z, others = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning):
        TripletLoss()(z, torch.tensor([0, 1]), others, torch.tensor([7, 8])).backward()
    assert others.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "square"}, r"form is 'square'; choose one of 'hinge', 'soft_margin'"),
        ({"triplets": "easy"}, r"triplets is 'easy'; choose one of 'all', 'semi_hard', 'hard'"),
        ({"average": "none"}, r"average is 'none'; choose one of 'all', 'active'"),
        ({"margin": float("nan")}, r"margin is nan; expected a finite number"),
        ({"margin": 0.0, "triplets": "semi_hard"}, r"margin is 0\.0; .* above 0 for semi-hard triplets"),
        ({"block": 0}, r"block is 0; it must hold at least 1 distance"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TripletLoss(**options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((torch.zeros(3), torch.zeros(3, dtype=torch.long)), r"expected floating point \(3, dimensions\)"),
        ((torch.zeros(2, 3), torch.zeros(3, dtype=torch.long)), r"shape \(2, 3\); expected floating point \(3"),
        ((torch.zeros(2, 3), torch.tensor([0, -1])), r"class -1 is negative"),
        ((torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), torch.zeros(2, 3)), r"a reference needs both"),
        (
            (torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(2, 4), torch.tensor([0, 1])),
            r"reference has 4 dimensions, and embeddings 3",
        ),
    ],
)
def test_errors_say_value_and_remedy(given, message):
    with pytest.raises(ValueError, match=message):
        TripletLoss()(*given)
