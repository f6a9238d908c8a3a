"""The oracle is a loop over the anchors, written from the formula; the rest are closed forms and invariances."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affectspace.labels.geometry import geometry
from affectspace.losses import log_sum_exp as log_sum_exp_module
from affectspace.losses import positives
from affectspace.losses.contrastive import SupervisedContrastiveLoss
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning

SIMILARITIES = ("same_class", "agreement", "chord", "angle", "fisher_rao")


def batch(items: int, classes: int = 3, seed: int = 0, dimensions: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, probabilities and groups."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(items, dimensions, generator=generator, dtype=torch.double)
    y = (torch.randn(items, classes, generator=generator, dtype=torch.double) * 2).softmax(-1)
    return z, y, torch.randint(3, (items,), generator=generator)


def weight(y: Tensor, x: Tensor, similarity: str) -> float:
    if similarity == "same_class":
        return float(y.argmax() == x.argmax())
    if similarity == "agreement":
        return float(sum(a * b for a, b in zip(y.tolist(), x.tolist())))
    return max(float(geometry(similarity).label_similarity(y, x)) - 1, 0)


def by_loops(z, w, temperature, others=None, normalise=True) -> Tensor | None:
    """L from the formula; w is a table of weights whose diagonal is not looked at within a batch."""
    if normalise:
        z = z / z.norm(dim=-1, keepdim=True)
        others = None if others is None else others / others.norm(dim=-1, keepdim=True)
    to = z if others is None else others
    losses = []
    for i in range(len(z)):
        rest = [k for k in range(len(to)) if others is not None or k != i]
        total = sum(float(w[i][j]) for j in rest)
        if total > 0:
            denominator = torch.logsumexp(torch.stack([z[i] @ to[k] / temperature for k in rest]), 0)
            terms = [float(w[i][j]) * (z[i] @ to[j] / temperature - denominator) for j in rest]
            losses.append(-torch.stack(terms).sum() / total)
    return torch.stack(losses).mean() if losses else None


def table(y, x, similarity, groups=None, other_groups=None, across=1.0, factor=None) -> list[list[float]]:
    rows = []
    for i in range(len(y)):
        row = [weight(y[i], x[j], similarity) for j in range(len(x))]
        if groups is not None:
            row = [w if groups[i] == other_groups[j] else across * w for j, w in enumerate(row)]
        rows.append(row if factor is None else [w * float(factor[i, j]) for j, w in enumerate(row)])
    return rows


def ours(*args, loss=None, **kwargs) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        return (loss or SupervisedContrastiveLoss())(*args, **kwargs)


def same(a: Tensor, b: Tensor, inputs: list[Tensor], tolerance: float = 1e-10) -> None:
    """Equal values and gradients."""
    assert a.item() == pytest.approx(b.item(), abs=tolerance, rel=tolerance)
    for one, other in zip(torch.autograd.grad(a, inputs), torch.autograd.grad(b, inputs)):
        assert torch.allclose(one, other, atol=tolerance, rtol=tolerance)


# The formula


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(2, 9),
    seed=st.integers(0, 10_000),
    similarity=st.sampled_from(SIMILARITIES),
    temperature=st.sampled_from([0.005, 0.1, 2.0]),
    across=st.sampled_from([1.0, 0.0, 0.3, 4.0]),
    normalise=st.booleans(),
    weighted=st.booleans(),
)
def test_equals_the_loops_in_value_and_gradient(items, seed, similarity, temperature, across, normalise, weighted):
    z, y, groups = batch(items, seed=seed)
    z.requires_grad_()
    factor = torch.rand(items, items, dtype=torch.double) if weighted else None
    expected = by_loops(z, table(y, y, similarity, groups, groups, across, factor), temperature, normalise=normalise)
    loss = SupervisedContrastiveLoss(temperature, similarity, across, normalise)
    if expected is None:
        with pytest.warns(DegenerateBatchWarning):
            assert loss(z, y, groups=groups, pair_weights=factor) == 0
        return
    same(ours(z, y, groups=groups, pair_weights=factor, loss=loss), expected, [z], 1e-10)


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(1, 6),
    rows=st.integers(1, 8),
    seed=st.integers(0, 10_000),
    similarity=st.sampled_from(SIMILARITIES),
    across=st.sampled_from([1.0, 0.0, 3.0]),
    normalise=st.booleans(),
)
def test_a_reference_equals_the_loops_and_receives_its_gradient(items, rows, seed, similarity, across, normalise):
    z, y, groups = batch(items, seed=seed)
    r, x, other_groups = batch(rows, seed=seed + 1)
    z.requires_grad_()
    r.requires_grad_()
    expected = by_loops(z, table(y, x, similarity, groups, other_groups, across), 0.2, r, normalise)
    loss = SupervisedContrastiveLoss(0.2, similarity, across, normalise)
    if expected is None or rows == 1:  # one row to choose is no choice
        with pytest.warns(DegenerateBatchWarning):
            assert loss(z, y, r, x, groups=groups, reference_groups=other_groups) == 0
        return
    computed = ours(z, y, r, x, groups=groups, reference_groups=other_groups, loss=loss)
    same(computed, expected, [z, r])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_gradient_in_float64(similarity):
    z, y, groups = batch(7, seed=3)
    r = batch(4, seed=4)[0].requires_grad_()
    loss = SupervisedContrastiveLoss(0.3, similarity, across_groups=2.0)
    assert torch.autograd.gradcheck(lambda a: ours(a, y, groups=groups, loss=loss), z.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda a, b: ours(a, y, b, y[:4], groups=groups, reference_groups=groups[:4], loss=loss), (z, r)
    )


def test_a_second_derivative_is_refused():
    z, y, _ = batch(6)
    (gradient,) = torch.autograd.grad(ours(z.requires_grad_(), y), z, create_graph=True)
    with pytest.raises(RuntimeError, match="this loss is differentiable once"):
        gradient.sum().backward()


# Closed forms


@pytest.mark.parametrize("temperature", [0.001, 0.01, 0.1, 1.0])
def test_equal_embeddings_cost_the_logarithm_of_the_others(temperature):
    loss = SupervisedContrastiveLoss(temperature)(torch.ones(9, 4), torch.arange(9) % 2)
    assert loss.item() == pytest.approx(math.log(8), abs=1e-3 if temperature < 0.01 else 1e-5)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_orthogonal_classes_of_two_cost_what_the_other_classes_leave(temperature):
    classes = torch.arange(4).repeat(2)
    loss = SupervisedContrastiveLoss(temperature)(torch.eye(4)[classes], classes)
    assert loss.item() == pytest.approx(math.log1p(6 * math.exp(-1 / temperature)), rel=1e-4, abs=3e-6)


def test_a_batch_of_one_class_still_spreads():
    z = batch(5)[0].requires_grad_()
    loss = SupervisedContrastiveLoss()(z, torch.zeros(5, dtype=torch.long))
    loss.backward()
    assert loss > math.log(4)
    assert z.grad is not None
    assert z.grad.abs().max() > 0


def test_one_hot_labels_are_hard_labels_in_every_similarity():
    z, _, groups = batch(12)
    classes = torch.arange(12) % 3
    values = [
        ours(z, targets, groups=groups, loss=SupervisedContrastiveLoss(0.1, similarity, 2.0)).item()
        for similarity in SIMILARITIES
        for targets in (classes, torch.eye(3)[classes])
    ]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-6)


def test_a_function_as_similarity_is_what_its_table_says():
    z, y, _ = batch(8)
    agreement = SupervisedContrastiveLoss(similarity="agreement")(z, y)
    assert torch.equal(SupervisedContrastiveLoss(similarity=lambda a, b: a @ b.T)(z, y), agreement)
    kept = torch.ones(8, 8)
    SupervisedContrastiveLoss(similarity=lambda a, b: kept)(z, y)
    assert torch.equal(kept, torch.ones(8, 8))  # somebody's own table is left as it was


def test_only_other_groups_or_only_the_own_count_at_the_extremes():
    z, _, _ = batch(6)
    classes, groups = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 0, 1, 0, 1, 1])
    same_group = (groups[:, None] == groups).double()
    alone = ours(z, classes, groups=groups, loss=SupervisedContrastiveLoss(across_groups=0.0))
    assert alone.item() == pytest.approx(ours(z, classes, pair_weights=same_group).item(), abs=1e-12)
    across = ours(z, classes, groups=groups, loss=SupervisedContrastiveLoss(across_groups=1e9))
    assert across.item() == pytest.approx(ours(z, classes, pair_weights=1 - same_group).item(), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
def test_the_two_ways_through_the_pairs_agree(temperature):
    z = torch.nn.functional.normalize(batch(40)[0])
    v = torch.rand(40, 1, dtype=torch.double)
    for a, b in zip(
        log_sum_exp_module.log_sum_exp(z, None, v, temperature, True),
        log_sum_exp_module.log_sum_exp_within(z, v, temperature, True),
    ):
        assert torch.allclose(a, b, atol=1e-12)


# Invariances


def test_order_of_the_batch_does_not_matter():
    z, y, groups = batch(10)
    shuffle = torch.randperm(10)
    loss = SupervisedContrastiveLoss(across_groups=3.0)
    a = ours(z, y, groups=groups, loss=loss)
    assert a.item() == pytest.approx(ours(z[shuffle], y[shuffle], groups=groups[shuffle], loss=loss).item(), abs=1e-12)


def test_names_of_classes_and_groups_do_not_matter():
    z, _, groups = batch(10)
    classes = torch.arange(10) % 3
    loss = SupervisedContrastiveLoss(across_groups=3.0)
    a = ours(z, classes, groups=groups, loss=loss)
    names = torch.tensor([10**12, 7, 10**15])
    b = ours(z, names[classes], groups=-names[groups], loss=loss)
    assert torch.equal(a, b)


@pytest.mark.parametrize("side", [1, 2, 3, 5])
@pytest.mark.parametrize("temperature", [0.01, 0.1])
@pytest.mark.parametrize("similarity", ["same_class", "agreement"])
def test_the_size_of_a_tile_does_not_matter(monkeypatch, side, temperature, similarity):
    z, y, groups = batch(11)
    z.requires_grad_()
    loss = SupervisedContrastiveLoss(temperature, similarity, across_groups=2.0)
    whole = (
        ours(z, y, groups=groups, loss=loss),
        ours(z, y, z.flip(0), y.flip(0), loss=SupervisedContrastiveLoss(temperature)),
    )
    for module in (log_sum_exp_module, positives):
        monkeypatch.setattr(module, "side_of_tile", lambda _: side)
    pieces = (
        ours(z, y, groups=groups, loss=loss),
        ours(z, y, z.flip(0), y.flip(0), loss=SupervisedContrastiveLoss(temperature)),
    )
    for a, b in zip(whole, pieces):
        same(a, b, [z])


def test_length_does_not_matter_unless_it_is_asked_to():
    z, y, _ = batch(6)
    scaled = z * torch.logspace(-30, 30, 6, dtype=torch.double)[:, None]
    assert ours(scaled, y).item() == pytest.approx(ours(z, y).item(), abs=1e-9)
    own_length = SupervisedContrastiveLoss(1.0, normalise=False)
    assert ours(2 * z, y, loss=own_length) != ours(z, y, loss=own_length)


@pytest.mark.parametrize("items", [10, 900])
def test_the_same_to_the_bit_each_time(items):
    z, y, _ = batch(items)
    grads = []
    for _ in range(2):
        a = z.float().requires_grad_()
        ours(a, y).backward()
        grads.append(a.grad)
    assert torch.equal(*grads)


def test_without_a_gradient_the_value_is_the_same():
    z, y, _ = batch(9)
    with_graph = ours(z.requires_grad_(), y)
    with torch.no_grad():
        assert torch.equal(ours(z, y), with_graph.detach())
    assert not ours(z.detach(), y).requires_grad


def test_a_detached_reference_has_none():
    z, y, _ = batch(5)
    r = batch(5, seed=1)[0]
    ours(z.requires_grad_(), y, r, y).backward()
    assert r.grad is None
    ours(z.detach(), y, r.requires_grad_(), y).backward()
    assert r.grad is not None


# Degenerate batches


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("items", [0, 1, 2, 5])
def test_a_batch_without_positives_warns_and_is_zero_on_the_graph(items, similarity):
    z = torch.randn(items, 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="this batch adds nothing"):
        loss = SupervisedContrastiveLoss(similarity=similarity)(z, torch.eye(5)[torch.arange(items)])
    loss.backward()
    assert loss == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_an_empty_reference_teaches_nothing():
    with pytest.warns(DegenerateBatchWarning):
        SupervisedContrastiveLoss()(
            torch.randn(3, 2), torch.tensor([0, 0, 1]), torch.zeros(0, 2), torch.tensor([]).long()
        )


def test_items_without_positives_are_left_out_and_counted_but_stay_in_the_denominators():
    z = batch(5)[0]
    with pytest.warns(LeftOutWarning, match="no other item is alike") as caught:
        loss = SupervisedContrastiveLoss()(z, torch.tensor([0, 0, 1, 2, 3]))
    assert (caught[0].message.count, caught[0].message.of) == (3, 5)
    unit = z / z.norm(dim=-1, keepdim=True)
    s = (unit @ unit.T / 0.1).fill_diagonal_(-math.inf)
    assert loss.item() == pytest.approx((s[:2].logsumexp(-1) - s[0, 1]).mean().item(), abs=1e-10)


def test_a_batch_with_all_positives_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SupervisedContrastiveLoss()(torch.randn(6, 3), torch.arange(6) % 3)


@pytest.mark.parametrize("similarity", ["same_class", "agreement"])
@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 0.1, 1e6])
def test_finite_in_float32_at_any_temperature(temperature, similarity):
    z = torch.randn(20, 4)
    z[1], z[2], z[3] = z[0], -z[0], 0
    z.requires_grad_()
    loss = SupervisedContrastiveLoss(temperature, similarity)(z, torch.arange(20) % 4)
    loss.backward()
    assert loss.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_votes_that_hardly_overlap_give_finite_gradients():
    votes = torch.tensor([[1.0, 1e-40], [1.0, 1e-40], [1e-42, 1.0]])
    z = torch.randn(3, 4, requires_grad=True)
    ours(z, votes, loss=SupervisedContrastiveLoss(similarity="agreement")).backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("similarity", ["same_class", "agreement"])
@pytest.mark.parametrize("temperature", [0.001, 0.1])
def test_nan_is_not_hidden(temperature, similarity):
    z = torch.randn(6, 3)
    z[5, 0] = torch.nan
    classes = torch.tensor([0, 0, 1, 1, 2, 3])
    loss = SupervisedContrastiveLoss(temperature, similarity)
    assert ours(z, classes, loss=loss).isnan()
    assert ours(z, classes, torch.randn(4, 3), torch.arange(4), loss=loss).isnan()
    assert ours(torch.randn(4, 3), torch.arange(4), z, classes, loss=loss).isnan()
    with pytest.warns(DegenerateBatchWarning):
        assert loss(z, torch.arange(6)).isnan()


def test_a_label_of_nan_shows_in_the_loss():
    y = torch.eye(2)[[0, 0, 1, 1]]
    y[3] = torch.nan
    assert ours(torch.randn(4, 3), y, loss=SupervisedContrastiveLoss(similarity="agreement")).isnan()


# Types


@pytest.mark.parametrize("similarity", ["same_class", "agreement"])
def test_bfloat16_within_two_percent(similarity):
    z, y, _ = batch(32, dimensions=16)
    z, y = z.bfloat16(), y.float()
    loss, wide = SupervisedContrastiveLoss(similarity=similarity), z.float().requires_grad_()
    exact = ours(wide, y, loss=loss)
    exact.backward()
    narrow = z.clone().requires_grad_()
    value = ours(narrow, y, loss=loss)
    value.backward()
    assert (value.dtype, narrow.grad.dtype) == (torch.float32, torch.bfloat16)
    assert value.item() == pytest.approx(exact.item(), rel=0.02)
    assert torch.allclose(narrow.grad.float(), wide.grad, atol=0.02 * wide.grad.abs().max().item())
    with torch.autocast("cpu", torch.bfloat16):
        assert ours(z.float(), y, loss=loss).item() == pytest.approx(exact.item(), rel=0.02)


def test_a_reference_in_another_precision_is_compared_in_the_better_one():
    z, y, _ = batch(5)
    a, b = z.float().requires_grad_(), z.clone().requires_grad_()
    loss = ours(a, y, b, y)
    loss.backward()
    assert (loss.dtype, a.grad.dtype, b.grad.dtype) == (torch.float64, torch.float32, torch.float64)


# torch.compile


@pytest.mark.parametrize(
    ("arguments", "soft", "reference"),
    [
        ({}, False, False),
        ({"across_groups": 2.0}, False, True),
        ({"similarity": "agreement", "temperature": 0.001}, True, False),
    ],
)
def test_compiled_without_a_graph_break_it_is_the_same(arguments, soft, reference):
    torch.compiler.reset()
    z, y, groups = batch(8)
    targets = y if soft else torch.arange(8) % 3
    more = (z.flip(0), targets.flip(0)) if reference else ()
    known = {"groups": groups, **({"reference_groups": groups.flip(0)} if reference else {})}
    loss = SupervisedContrastiveLoss(**arguments)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    z.requires_grad_()
    same(compiled(z, targets, *more, **known), ours(z, targets, *more, loss=loss, **known), [z], 1e-12)


def test_compiled_a_batch_without_positives_is_still_zero():
    torch.compiler.reset()
    z = torch.randn(4, 3, requires_grad=True)
    loss = torch.compile(SupervisedContrastiveLoss(), fullgraph=True, backend="eager")(z, torch.arange(4))
    loss.backward()
    assert loss == 0
    assert torch.equal(z.grad, torch.zeros(4, 3))


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, r"temperature is 0\.0; expected a number above 0, 0\.07 to 0\.1"),
        ({"temperature": math.nan}, r"temperature is nan; expected a number above 0"),
        ({"across_groups": -1.0}, r"across_groups is -1\.0; expected a factor of 0 or more"),
        (
            {"similarity": "cosine"},
            r"similarity 'cosine' is unknown; choose one of same_class, agreement, chord, angle",
        ),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SupervisedContrastiveLoss(**arguments)


@pytest.mark.parametrize(
    ("settings_", "arguments", "message"),
    [
        ({"across_groups": 2.0}, {}, r"across_groups is 2\.0 and there are no groups; give them, or set it to 1"),
        ({}, {"groups": torch.zeros(3).long()}, r"groups: torch\.int64 of shape \(3,\); expected integers \(4,\)"),
        ({}, {"groups": torch.zeros(4)}, r"groups: torch\.float32 of shape \(4,\); expected integers \(4,\)"),
        ({}, {"reference_groups": torch.zeros(4).long()}, r"groups of the items and of a reference come together"),
        ({}, {"reference": torch.zeros(4, 2)}, r"a reference needs both its embeddings and its targets"),
        (
            {},
            {"reference": torch.zeros(2, 3), "reference_targets": torch.zeros(2).long()},
            r"reference has 3 dimensions, and embeddings 2",
        ),
        ({}, {"pair_weights": torch.ones(4, 3)}, r"pair_weights have shape \(4, 3\); expected \(4, 4\), a row an item"),
        ({}, {"pair_weights": -torch.ones(4, 4)}, r"a pair weighs -1 as a positive; weights are 0 or more"),
        ({}, {"pair_weights": torch.ones(4, 4, requires_grad=True)}, r"receive none from this loss; detach them"),
        ({"similarity": lambda a, b: a @ b.T - 1}, {}, r"a pair weighs -1 as a positive; weights are 0 or more"),
        ({"similarity": lambda a, b: a}, {}, r"similarity made shape \(4, 2\); expected \(4, 4\), a row an item"),
    ],
)
def test_errors_say_value_and_remedy(settings_, arguments, message):
    with pytest.raises(ValueError, match=message):
        SupervisedContrastiveLoss(**settings_)(torch.ones(4, 2), torch.tensor([0, 0, 1, 1]), **arguments)


def test_embeddings_and_targets_must_be_as_many():
    with pytest.raises(
        ValueError, match=r"embeddings: torch\.float32 of shape \(3, 2\); expected floating point \(2, "
    ):
        SupervisedContrastiveLoss()(torch.ones(3, 2), torch.tensor([0, 1]))
