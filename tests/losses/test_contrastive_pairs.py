"""The oracle is a loop over the pairs, written from the formula; the rest are closed forms and invariances."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affectspace.labels.geometry import geometry
from affectspace.losses import contrastive_pairs as module
from affectspace.losses.contrastive_pairs import ContrastivePairsLoss
from affectspace.losses.degenerate import DegenerateBatchWarning

SIMILARITIES = ("same_class", "agreement", "chord", "angle", "fisher_rao")


def batch(items: int, classes: int = 3, seed: int = 0, dimensions: int = 5) -> tuple[Tensor, Tensor]:
    """Embeddings, of which one is there twice, and probabilities."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(items, dimensions, generator=generator, dtype=torch.double)
    if items > 3 and seed % 2:
        z[3] = z[1]
    return z, (torch.randn(items, classes, generator=generator, dtype=torch.double) * 2).softmax(-1)


def weight(y: Tensor, x: Tensor, similarity: str) -> Tensor:
    if similarity == "same_class":
        return (y.argmax() == x.argmax()).double()
    if similarity == "agreement":
        return (y * x).sum()
    return geometry(similarity).label_similarity(y, x) / 2


def by_loops(z, y, others=None, x=None, margin=1.0, squared=True, normalise=True, similarity="same_class") -> Tensor:
    if normalise:
        z = z / z.norm(dim=-1, keepdim=True)
        others = None if others is None else others / others.norm(dim=-1, keepdim=True)
    to, labels = (z, y) if others is None or x is None else (others, x)
    power = 2 if squared else 1
    near, far, alike, unlike = [], [], [], []
    for i in range(len(z)):
        for j in range(len(to)):
            if others is None and i == j:
                continue
            w = weight(y[i], labels[j], similarity)
            gap = z[i] - to[j]
            d = gap.norm() if (gap != 0).any() else gap.sum() * 0  # a subgradient of 0 at equal embeddings
            near.append(w * d**power)
            far.append((1 - w) * (margin - d).clamp(min=0) ** power)
            alike.append(w)
            unlike.append(1 - w)
    sides = [(near, torch.stack(alike).sum()), (far, torch.stack(unlike).sum())]
    return sum((torch.stack(costs).sum() / total if total != 0 else z.sum() * 0) for costs, total in sides)


def same(a: Tensor, b: Tensor, inputs: list[Tensor], tolerance: float = 1e-10) -> None:
    """Equal values and gradients."""
    assert a.item() == pytest.approx(b.item(), abs=tolerance, rel=tolerance)
    for one, other in zip(torch.autograd.grad(a, inputs), torch.autograd.grad(b, inputs)):
        assert torch.allclose(one, other, atol=tolerance, rtol=tolerance)


FORMS = {
    "margin": st.sampled_from([0.3, 1.0, 1.7]),
    "squared": st.booleans(),
    "normalise": st.booleans(),
    "similarity": st.sampled_from(SIMILARITIES),
}


# The formula


@settings(deadline=None, max_examples=30)
@given(items=st.integers(2, 8), seed=st.integers(0, 10_000), form=st.fixed_dictionaries(FORMS))
def test_equals_the_loops_in_value_and_gradient(items, seed, form):
    z, y = batch(items, seed=seed)
    z.requires_grad_()
    same(ContrastivePairsLoss(**form)(z, y), by_loops(z, y, **form), [z])


@settings(deadline=None, max_examples=30)
@given(items=st.integers(1, 6), rows=st.integers(1, 6), seed=st.integers(0, 10_000), form=st.fixed_dictionaries(FORMS))
def test_a_reference_equals_the_loops_and_receives_its_gradient(items, rows, seed, form):
    z, y = batch(items, seed=seed)
    r, x = batch(rows, seed=seed + 1)
    z.requires_grad_()
    r.requires_grad_()
    same(ContrastivePairsLoss(**form)(z, y, r, x), by_loops(z, y, r, x, **form), [z, r])


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("similarity", ["same_class", "chord"])
def test_gradient_in_float64(squared, similarity):
    z, y = batch(6)
    r = batch(4, seed=2)[0].requires_grad_()
    loss = ContrastivePairsLoss(1.3, squared, similarity=similarity)
    assert torch.autograd.gradcheck(lambda a: loss(a, y), z.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: loss(a, y, b, y[:4]), (z, r))


def test_a_second_derivative_is_refused():
    z, y = batch(6)
    (gradient,) = torch.autograd.grad(ContrastivePairsLoss()(z.requires_grad_(), y), z, create_graph=True)
    with pytest.raises(RuntimeError, match="this loss is differentiable once"):
        gradient.sum().backward()


# Closed forms


@pytest.mark.parametrize(("squared", "power"), [(True, 2), (False, 1)])
def test_a_pair_costs_its_distance_or_what_it_lacks_of_the_margin(squared, power):
    z = torch.tensor([[0.0, 0.0], [0.6, 0.8]])
    loss = ContrastivePairsLoss(3.0, squared, normalise=False)
    assert loss(z, torch.tensor([0, 0])).item() == pytest.approx(1)
    assert loss(z, torch.tensor([0, 1])).item() == pytest.approx(2**power)


def test_rare_positives_are_not_drowned():
    z = torch.nn.functional.normalize(torch.randn(41, 64, dtype=torch.double))
    classes = torch.arange(41).clamp(min=1)  # the first two are alike, among 40 classes
    expected = (z[0] - z[1]).square().sum()
    assert ContrastivePairsLoss(margin=1e-3)(z, classes).item() == pytest.approx(expected.item())


def test_classes_in_one_point_each_beyond_the_margin_cost_nothing():
    classes = torch.arange(4).repeat(3)
    z = torch.eye(4)[classes].requires_grad_()
    loss = ContrastivePairsLoss(1.4)(z, classes)
    loss.backward()
    assert loss == 0
    assert not z.grad.any()


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dimensions", [2, 128])
@pytest.mark.parametrize("normalise", [True, False])
def test_equal_embeddings_cost_the_margin_and_move_nobody(squared, dtype, dimensions, normalise):
    z = (100 * torch.randn(1, dimensions, dtype=dtype)).repeat(30, 1).requires_grad_()
    loss = ContrastivePairsLoss(0.7, squared, normalise)(z, torch.arange(30) % 4)
    loss.backward()
    assert loss.item() == pytest.approx(0.7 ** (2 if squared else 1), rel=1e-6)
    assert z.grad.abs().max() < 1e-7 * max(1, z.abs().max().item())


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("step", [0.0, 1e-8, 1e-5, 1e-3, 2e-3, 1e-2])
def test_nearly_equal_embeddings_have_gradients_no_steeper_than_the_formula(squared, step):
    generator = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(20, 16, generator=generator))
    z[1::2] = z[0::2] + step * torch.nn.functional.normalize(torch.randn(10, 16, generator=generator))
    z.requires_grad_()
    ContrastivePairsLoss(1.0, squared, normalise=False)(z, torch.arange(20)).backward()
    slope = 2 if squared else 1
    assert z.grad.norm(dim=-1).max() <= 1.3 * 2 * slope * 19 / (20 * 19)


def test_one_hot_labels_are_hard_labels_in_every_similarity():
    z = batch(9)[0]
    classes = torch.arange(9) % 3
    values = [
        ContrastivePairsLoss(similarity=similarity)(z, targets).item()
        for similarity in SIMILARITIES
        for targets in (classes, torch.eye(3)[classes])
    ]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-6)


def far_apart(labels: Tensor, similarity: str) -> float:
    z = torch.nn.functional.normalize(torch.randn(len(labels), 16, generator=torch.Generator().manual_seed(1)))
    return ContrastivePairsLoss(similarity=similarity)(z, labels).item()


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("items", [6, 12, 40])
def test_labels_without_a_common_class_are_not_alike_to_the_last_bit(similarity, dtype, items):
    for labels in (torch.arange(items), torch.eye(items, dtype=dtype)):
        assert far_apart(labels, similarity) == pytest.approx(far_apart(labels, "same_class"), abs=1e-6)
    for z in batch(items)[0].float(), batch(items)[0]:  # wider embeddings do not make labels exact
        expected = ContrastivePairsLoss()(z, torch.arange(items)).item()
        value = ContrastivePairsLoss(similarity=similarity)(z, torch.eye(items, dtype=dtype))
        assert value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("similarity", ["agreement", "chord", "angle", "fisher_rao"])
@pytest.mark.parametrize("sum_of_a_row", [1.0, 1 - 9e-5, 1 + 9e-5])
def test_soft_labels_without_a_common_class_have_no_alike_side(similarity, sum_of_a_row):
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(16, 4, generator=generator)
    shares = sum_of_a_row * shares / shares.sum(1, keepdim=True)
    nothing = torch.zeros(8, 4)
    one, other = torch.cat([shares[:8], nothing], 1), torch.cat([nothing, shares[8:]], 1)
    z, r = torch.randn(2, 8, 16, generator=generator)
    loss = ContrastivePairsLoss(similarity=similarity)(z, one, r, other)
    expected = ContrastivePairsLoss()(z, torch.zeros(8).long(), r, torch.ones(8).long())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("similarity", ["chord", "angle", "fisher_rao"])
def test_labels_that_are_equal_but_for_rounding_have_no_unlike_side(similarity):
    p = torch.tensor([0.3, 0.7]).expand(8, 2) * (1 + torch.arange(8)[:, None] * 6e-8)
    z = torch.randn(8, 4)
    same_label = ContrastivePairsLoss()(z, torch.zeros(8).long())
    assert ContrastivePairsLoss(similarity=similarity)(z, p).item() == pytest.approx(same_label.item(), rel=1e-5)


@pytest.mark.parametrize("share", [1e-3, 1e-6, 1e-9, 1e-12])
def test_a_weight_that_all_pairs_have_cancels_however_small(share):
    def everybody(a: Tensor, b: Tensor) -> Tensor:
        return a.new_full((len(a), len(b)), share)

    z, y = batch(256)
    loss, exact = ContrastivePairsLoss(similarity=everybody), z.clone().requires_grad_()
    expected = loss(exact, y)
    expected.backward()
    narrow = z.float().requires_grad_()
    value = loss(narrow, y.float())
    value.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    assert (narrow.grad - exact.grad).norm() < 1e-5 * exact.grad.norm()


def test_class_indices_are_only_compared_and_may_be_as_large_as_they_are():
    z, ids = batch(12)[0], torch.arange(12) % 3
    far = torch.tensor([5, 2**40, 2**62])[ids]  # one-hot rows of these would not fit any memory
    for similarity in ("same_class", "agreement", "chord", "angle", "fisher_rao"):
        loss = ContrastivePairsLoss(similarity=similarity)
        assert torch.equal(loss(z, far), loss(z, ids))
        assert torch.equal(loss(z, far, z[:5], far[:5]), loss(z, ids, z[:5], ids[:5]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.int8])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_any_whole_numbers_are_classes(dtype, similarity):
    z, ids = batch(6)[0], torch.arange(6) % 3
    loss = ContrastivePairsLoss(similarity=similarity)
    assert torch.equal(loss(z, ids.to(dtype)), loss(z, ids))


def test_labels_of_two_types_are_compared_in_the_wider():
    z, y = batch(6)
    loss = ContrastivePairsLoss(similarity="agreement")
    assert loss(z, y.float(), z[:4], y[:4]).item() == pytest.approx(loss(z, y, z[:4], y[:4]).item(), abs=1e-6)


def test_a_function_that_is_not_symmetric_counts_as_its_mean_both_ways():
    z, y = batch(7)
    z.requires_grad_()

    def first_share(a: Tensor, b: Tensor) -> Tensor:
        return a[:, :1].expand(-1, len(b))

    def mean(a: Tensor, b: Tensor) -> Tensor:
        return (a[:, :1] + b[:, 0]) / 2

    same(ContrastivePairsLoss(similarity=first_share)(z, y), ContrastivePairsLoss(similarity=mean)(z, y), [z])


# Invariances


def test_order_of_the_batch_does_not_matter():
    z, y = batch(10)
    shuffle = torch.randperm(10)
    loss = ContrastivePairsLoss()
    assert loss(z, y).item() == pytest.approx(loss(z[shuffle], y[shuffle]).item(), abs=1e-12)


@pytest.mark.parametrize("side", [1, 2, 3, 5])
@pytest.mark.parametrize("similarity", ["same_class", "fisher_rao", lambda a, b: (a[:, :1] + b[:, 1]) / 2])
def test_the_size_of_a_tile_does_not_matter(monkeypatch, side, similarity):
    z, y = batch(11, seed=1)
    z.requires_grad_()
    loss = ContrastivePairsLoss(similarity=similarity)
    whole = loss(z, y), loss(z, y, z.flip(0)[:7], y.flip(0)[:7])
    monkeypatch.setattr(module, "side_of_tile", lambda _: side)
    for a, b in zip(whole, (loss(z, y), loss(z, y, z.flip(0)[:7], y.flip(0)[:7]))):
        same(a, b, [z])


def test_far_from_the_origin_float32_keeps_its_digits():
    z, y = batch(20)
    far, exact = (100 + z).float(), ContrastivePairsLoss(1.5, normalise=False)((100 + z).float().double(), y)
    assert ContrastivePairsLoss(1.5, normalise=False)(far, y).item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("noise", "tolerance"), [(1e-2, 1e-4), (1e-3, 5e-4), (1e-4, 5e-3)])
def test_near_pairs_keep_their_digits_in_float32(squared, normalise, noise, tolerance):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(64, 32, generator=generator)
    z[1::2] = z[::2] + noise * torch.randn(32, 32, generator=generator)
    gradients = []
    for each in (z.clone().requires_grad_(), z.double().requires_grad_()):
        ContrastivePairsLoss(1.0 if normalise else 8.0, squared, normalise)(each, torch.arange(64)).backward()
        gradients.append(each.grad.double())
    assert (gradients[0] - gradients[1]).norm() < tolerance * gradients[1].norm()


@pytest.mark.parametrize("items", [10, 900])
def test_the_same_to_the_bit_each_time(items):
    z, y = batch(items)
    grads = []
    for _ in range(2):
        a = z.float().requires_grad_()
        ContrastivePairsLoss()(a, y).backward()
        grads.append(a.grad)
    assert torch.equal(*grads)


def test_without_a_gradient_the_value_is_the_same():
    z, y = batch(9)
    with_graph = ContrastivePairsLoss()(z.requires_grad_(), y)
    with torch.no_grad():
        assert torch.equal(ContrastivePairsLoss()(z, y), with_graph.detach())


def test_a_detached_reference_has_none():
    z, y = batch(5)
    r = batch(5, seed=2)[0]
    ContrastivePairsLoss()(z.requires_grad_(), y, r, y).backward()
    assert r.grad is None


# Degenerate batches


@pytest.mark.parametrize("items", [0, 1])
def test_a_batch_without_pairs_warns_and_is_zero_on_the_graph(items):
    z = torch.randn(items, 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="there is no pair of items; use larger batches"):
        loss = ContrastivePairsLoss()(z, torch.zeros(items).long())
    loss.backward()
    assert loss == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


@pytest.mark.parametrize("squared", [True, False])
def test_a_side_without_pairs_leaves_the_other(squared):
    z = batch(6)[0]
    one_hot = torch.eye(6, dtype=torch.double)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for classes in (torch.zeros(6).long(), torch.arange(6)):
            expected = by_loops(z, one_hot[classes], squared=squared).item()
            assert ContrastivePairsLoss(squared=squared)(z, classes).item() == pytest.approx(expected)
            assert expected > 0


@pytest.mark.parametrize("similarity", ["same_class", "chord"])
def test_nan_is_not_hidden(similarity):
    z = torch.randn(6, 3)
    z[5, 0] = torch.nan
    classes = torch.tensor([0, 0, 1, 1, 2, 3])
    loss = ContrastivePairsLoss(similarity=similarity)
    assert loss(z, classes).isnan()
    assert loss(z, classes, torch.randn(4, 3), torch.arange(4)).isnan()
    assert loss(torch.randn(4, 3), torch.arange(4), z, classes).isnan()


def test_a_label_of_nan_shows_in_the_loss():
    y = torch.eye(2)[[0, 0, 1, 1]]
    y[3] = torch.nan
    assert ContrastivePairsLoss(similarity="agreement")(torch.randn(4, 3), y).isnan()


# Types


@pytest.mark.parametrize("squared", [True, False])
def test_bfloat16_within_two_percent(squared):
    z, y = batch(32, dimensions=16)
    z, y = z.bfloat16(), y.float()
    loss, wide = ContrastivePairsLoss(squared=squared), z.float().requires_grad_()
    exact = loss(wide, y)
    exact.backward()
    narrow = z.clone().requires_grad_()
    value = loss(narrow, y)
    value.backward()
    assert (value.dtype, narrow.grad.dtype) == (torch.float32, torch.bfloat16)
    assert value.item() == pytest.approx(exact.item(), rel=0.02)
    assert torch.allclose(narrow.grad.float(), wide.grad, atol=0.02 * wide.grad.abs().max().item())
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(z.float(), y).item() == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "soft", "reference"),
    [
        ({}, False, False),
        ({"similarity": "fisher_rao"}, False, True),
        ({"similarity": "chord", "squared": False, "normalise": False}, True, True),
    ],
)
def test_compiled_without_a_graph_break_it_is_the_same(arguments, soft, reference):
    torch.compiler.reset()
    z, y = batch(8)
    targets = y if soft else torch.arange(8) % 3
    more = (z.flip(0), targets.flip(0)) if reference else ()
    loss = ContrastivePairsLoss(**arguments)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    z.requires_grad_()
    same(compiled(z, targets, *more), loss(z, targets, *more), [z], 1e-12)


# Errors


@pytest.mark.parametrize("margin", [0.0, -1.0, math.inf, math.nan])
def test_a_margin_out_of_range_is_refused(margin):
    with pytest.raises(ValueError, match=rf"margin is {margin}; expected a distance above 0"):
        ContrastivePairsLoss(margin)


@pytest.mark.parametrize(
    ("similarity", "more", "message"),
    [
        (lambda a, b: 2 * a @ b.T, (), r"similarity made 2; expected weights of being alike in \[0, 1\]"),
        (lambda a, b: -a @ b.T, (), r"similarity made -1; expected weights of being alike in \[0, 1\]"),
        ("same_class", (torch.zeros(4, 2),), r"a reference needs both its embeddings and its targets"),
        ("same_class", (torch.zeros(2, 3), torch.zeros(2).long()), r"reference has 3 dimensions, and embeddings 2"),
        ("cosine", (), r"similarity 'cosine' is unknown; choose one of same_class, agreement"),
    ],
)
def test_errors_say_value_and_remedy(similarity, more, message):
    with pytest.raises(ValueError, match=message):
        ContrastivePairsLoss(similarity=similarity)(torch.ones(4, 2), torch.tensor([0, 0, 1, 1]), *more)
