"""The oracle is a loop over the pairs; the rest are invariances and what degenerate batches do."""

import warnings
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from affectspace.labels.geometry import GEOMETRIES, geometry
from affectspace.losses import (
    DIVERGENCES,
    DegenerateBatchWarning,
    InBatchFSimilarityLoss,
    TripletFSimilarityLoss,
    balanced_pair_weights,
    f_spl,
    pair_similarity,
)
from affectspace.losses.pair_blocks import blocks_of_pairs


def batch(items: int, classes: int = 4, seed: int = 0, dimensions: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z = torch.rand(items, dimensions, generator=generator, dtype=torch.double)
    y = torch.rand(items, classes, generator=generator, dtype=torch.double) ** 3
    return z, y / y.sum(-1, keepdim=True)


class OwnF(nn.Module):
    """A convex f with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.bend = nn.Parameter(torch.tensor(1.0))

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.bend.exp() * (t - 1) ** 2 + t**4


# Weights


@settings(deadline=None, max_examples=200)
@given(
    values=st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]), st.floats(0, 2)), max_size=40),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_weights_balance_whenever_it_can_be_done(values, dtype):
    c = torch.tensor(values, dtype=dtype)
    w = balanced_pair_weights(c)
    near = 16 * torch.finfo(dtype).eps
    sides = (c - 1 > near).any().item(), (c - 1 < -near).any().item()
    assert (w >= 0).all()
    if len(values) and sides[0] == sides[1]:
        assert w.sum().item() == pytest.approx(1, abs=1e-5 if dtype == torch.float32 else 1e-12)
        assert abs((w * (c - 1)).sum().item()) < 4 * near
    else:
        assert not w.any()


def test_one_factor_a_side_and_neutral_pairs_as_they_were():
    c = torch.tensor([2.0, 1.5, 1.0, 0.9, 0.1, 1.0, 1.2], dtype=torch.double)
    w = balanced_pair_weights(c) * len(c)
    assert torch.allclose(w[c == 1], torch.ones(2).double())
    for side in (c > 1, c < 1):
        assert torch.allclose(w[side], w[side][0].expand(int(side.sum())))
    assert (w[c > 1][0] / w[c < 1][0]).item() == pytest.approx((0.1 + 0.9) / (1 + 0.5 + 0.2))


def test_pairs_that_balance_already_are_left_alone():
    assert torch.allclose(balanced_pair_weights(torch.tensor([2.0, 0.0, 1.0, 1.5, 0.5])), torch.full((5,), 0.2))


def test_pairs_outside_the_mask_have_no_weight_and_no_say():
    c, mask = torch.tensor([[2.0, 0.5], [1.5, 2.0]]), torch.tensor([[False, True], [True, False]])
    assert torch.equal(balanced_pair_weights(c, mask)[mask], balanced_pair_weights(c[mask]))
    assert not balanced_pair_weights(c, mask)[~mask].any()


def test_noise_of_rounding_on_neutral_pairs_is_not_a_side():
    c = torch.tensor([1 + 1e-7, 1 - 1e-7, 1.0])
    assert torch.allclose(balanced_pair_weights(c), torch.full((3,), 1 / 3))
    assert not balanced_pair_weights(torch.tensor([2.0, 1 - 1e-7])).any()


# Values


@pytest.mark.parametrize("geo", GEOMETRIES)
@pytest.mark.parametrize("f", [*DIVERGENCES, torch.square])
def test_in_batch_equals_a_loop_over_the_pairs(f, geo):
    z, y = batch(7)
    these = geometry(geo)
    pairs = [(i, j) for i in range(7) for j in range(i)]
    c = [these.label_similarity(y[i], y[j]).item() for i, j in pairs]
    above, below = sum(max(x - 1, 0) for x in c), sum(max(1 - x, 0) for x in c)
    weights = [below if x > 1 else above for x in c]
    losses = [f_spl(these.embedding_similarity(z[i], z[j]), torch.tensor(x).double(), f) for (i, j), x in zip(pairs, c)]
    expected = 2 * sum(w * loss.item() for w, loss in zip(weights, losses)) / sum(weights)
    assert InBatchFSimilarityLoss(f, geo)(z, y).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("geo", GEOMETRIES)
def test_triplets_equal_a_loop(geo):
    z, y = batch(6)
    triplets = torch.tensor([[0, 1, 2], [3, 3, 4], [5, 0, 1], [0, 2, 2]])
    these = geometry(geo)
    expected = 0.0
    for a, *partners in triplets.tolist():
        for b in partners:
            expected += f_spl(these.embedding_similarity(z[a], z[b]), these.label_similarity(y[a], y[b])).item()
    assert TripletFSimilarityLoss("kl", geo)(z, y, triplets).item() == pytest.approx(expected / 4, rel=1e-9)


def test_the_two_forms_agree_where_the_triplets_are_all_the_pairs():
    # two classes, two items each: 2 pairs at C = 2 and 4 at C = 0, each anchor's triplets uniform over them
    z, y = batch(4)[0], torch.tensor([0, 0, 1, 1])
    triplets = torch.tensor([[a, a ^ 1, d] for a in range(4) for d in ((2, 3) if a < 2 else (0, 1))])
    in_batch, by_triplets = InBatchFSimilarityLoss("pearson")(z, y), TripletFSimilarityLoss("pearson")(z, y, triplets)
    assert in_batch.item() == pytest.approx(by_triplets.item(), rel=1e-6)


def test_class_indices_are_one_hot_rows():
    z, y = batch(6)[0], torch.tensor([0, 2, 2, 1, 0, 1])
    assert torch.equal(InBatchFSimilarityLoss()(z, y), InBatchFSimilarityLoss()(z, torch.eye(3)[y]))


def test_a_reference_pairs_each_item_with_each_of_its_rows():
    z, y = batch(5)
    w, v = batch(4, seed=1)
    w.requires_grad_()
    these = geometry("angle")
    c, s = these.label_similarity_matrix(y, v), these.embedding_similarity_matrix(z, w)
    loss = InBatchFSimilarityLoss("kl", "angle")(z, y, w, v)
    assert loss.item() == pytest.approx(2 * (balanced_pair_weights(c) * f_spl(s, c)).sum().item())
    loss.backward()
    assert w.grad is not None
    assert w.grad.any()


def test_a_reference_may_have_other_hard_labels():
    z, w = batch(3)[0], batch(3, seed=1)[0]
    loss = InBatchFSimilarityLoss()(z, torch.tensor([0, 1, 0]), w, torch.tensor([0, 1, 4]))
    assert loss.isfinite()


# Gradients


@pytest.mark.parametrize("geo", GEOMETRIES)
@pytest.mark.parametrize("f", [*DIVERGENCES, lambda t: t**4])
def test_gradient_in_float64(f, geo):
    z, y = batch(5)
    z.requires_grad_()
    w, v = batch(4, seed=1)
    triplets = torch.tensor([[0, 1, 2], [3, 2, 4]])
    in_batch, by_triplets = InBatchFSimilarityLoss(f, geo), TripletFSimilarityLoss(f, geo)
    assert torch.autograd.gradcheck(lambda z: in_batch(z, y), z)
    assert torch.autograd.gradcheck(lambda z, w: in_batch(z, y, w, v), (z, w.requires_grad_()))
    assert torch.autograd.gradcheck(lambda z: by_triplets(z, y, triplets), z)


@pytest.mark.parametrize("f", DIVERGENCES)
@pytest.mark.parametrize("geo", GEOMETRIES)
def test_gradient_is_finite_at_both_ends_of_both_similarities(f, geo):
    z = torch.eye(2)[[0, 0, 1, 1]].requires_grad_()  # S is 2 or 0, and so is C, in every combination
    InBatchFSimilarityLoss(f, geo)(z, torch.tensor([0, 1, 1, 0])).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_your_own_f_trains_and_so_do_its_parameters():
    z, y = batch(8)
    z = z.float().requires_grad_()
    loss = InBatchFSimilarityLoss(OwnF(), "fisher_rao")
    assert [name for name, _ in loss.named_parameters()] == ["f.bend"]
    optimiser = torch.optim.Adam([z], lr=0.02)
    first = loss(z.relu(), y).item()
    for _ in range(150):
        optimiser.zero_grad()
        loss(z.relu(), y).backward()
        optimiser.step()
    assert loss(z.relu(), y).item() < first / 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_that_is_its_own_reference_gets_the_gradients_of_both_its_uses(dtype):
    z, y = batch(9)
    z = z.to(dtype).requires_grad_()
    item, row = z.detach().clone().requires_grad_(), z.detach().clone().requires_grad_()
    loss = InBatchFSimilarityLoss("kl", "angle")
    loss(z, y, z, y).backward()
    loss(item, y, row, y).backward()
    assert z.grad is not None
    assert item.grad is not None
    assert row.grad is not None
    assert torch.allclose(z.grad, item.grad + row.grad, rtol=1e-5, atol=1e-7)
    assert torch.allclose(item.grad, row.grad, rtol=1e-4, atol=1e-6)  # every pair is there both ways round


# Blocks


@pytest.fixture
def in_blocks(monkeypatch):
    """``in_blocks(pairs)``: from now on so few pairs are held at once."""

    def change(pairs: int) -> None:
        monkeypatch.setattr(pair_similarity, "blocks_of_pairs", partial(blocks_of_pairs, pairs=pairs))

    return change


@pytest.mark.parametrize("form", ["in batch", "reference"])
@pytest.mark.parametrize("geo", GEOMETRIES)
@pytest.mark.parametrize("f", ["kl", "jensen_shannon", lambda t: t**4])
def test_small_blocks_equal_one_block(in_blocks, f, geo, form):
    loss, tables = InBatchFSimilarityLoss(f, geo), [*batch(13), *(batch(8, seed=1) if form == "reference" else ())]
    loss(*(each.requires_grad_() for each in tables)).backward()
    whole = [loss(*tables).item(), *(each.grad.clone() for each in tables)]
    for pairs in (1, 20, 70):
        in_blocks(pairs)
        for each in tables:
            each.grad = None
        value = 3 * loss(*tables)
        value.backward()
        assert value.item() == pytest.approx(3 * whole[0], rel=1e-12)
        with torch.no_grad():
            assert loss(*tables).item() == pytest.approx(whole[0], rel=1e-12)
        for each, truth in zip(tables, whole[1:]):
            assert torch.allclose(each.grad, 3 * truth, rtol=1e-9, atol=1e-12)


def test_gradient_in_blocks_in_float64(in_blocks):
    in_blocks(12)
    (z, y), (w, v) = batch(7), batch(4, seed=1)
    loss = InBatchFSimilarityLoss("pearson", "fisher_rao")
    assert torch.autograd.gradcheck(lambda z: loss(z, y), z.requires_grad_())
    assert torch.autograd.gradcheck(lambda z, w: loss(z, y, w, v), (z, w.requires_grad_()))


@pytest.mark.parametrize("module", [True, False])
def test_what_your_own_f_uses_gets_its_gradient_in_blocks_too(in_blocks, module):
    (z, y), own = batch(9), OwnF().double()
    loss = InBatchFSimilarityLoss(own if module else own.forward)
    loss(z, y).backward()
    assert own.bend.grad is not None
    truth, own.bend.grad = own.bend.grad, None
    in_blocks(20)
    loss(z, y).backward()
    assert own.bend.grad is not None
    assert own.bend.grad.item() == pytest.approx(truth.item(), rel=1e-12)


def test_blocks_show_nan_and_pairs_that_cannot_balance_as_one_block_does(in_blocks):
    in_blocks(10)
    z, y = batch(8)
    broken, unknown = z.clone(), y.clone()
    broken[1, 2] = unknown[2] = float("nan")
    assert InBatchFSimilarityLoss()(broken, y).isnan()
    assert InBatchFSimilarityLoss()(z, unknown).isnan()
    assert InBatchFSimilarityLoss()(z, y, broken, y).isnan()
    with pytest.warns(DegenerateBatchWarning, match=r"no pair lies below neutral similarity \(2.00 to 2.00\)"):
        assert InBatchFSimilarityLoss()(z.requires_grad_(), torch.zeros(8, dtype=torch.long)).item() == 0


def test_hundreds_of_items_stay_within_rounding_in_float32(in_blocks):
    z, y = batch(300, dimensions=32)
    low, truth = z.float().requires_grad_(), z.requires_grad_()
    loss = InBatchFSimilarityLoss("kl", "fisher_rao")
    loss(truth, y).backward()
    in_blocks(5000)
    value = loss(low, y)
    value.backward()
    assert value.item() == pytest.approx(loss(truth, y).item(), rel=1e-6)
    assert low.grad is not None
    assert truth.grad is not None
    assert (low.grad - truth.grad).norm() < 1e-5 * truth.grad.norm()


@pytest.mark.parametrize("pairs", [100, 10**6])
def test_bfloat16_embeddings_stay_close_to_the_same_numbers_in_float32(in_blocks, pairs):
    in_blocks(pairs)
    z, y = batch(40, dimensions=16)
    low = z.to(torch.bfloat16).requires_grad_()
    wide = low.detach().float().requires_grad_()
    value, truth = InBatchFSimilarityLoss()(low, y), InBatchFSimilarityLoss()(wide, y)
    value.backward()
    truth.backward()
    assert value.item() == pytest.approx(truth.item(), rel=1e-6)
    assert low.grad is not None
    assert wide.grad is not None
    assert low.grad.dtype == torch.bfloat16
    assert (low.grad - wide.grad).norm() < 0.02 * wide.grad.norm()


# Invariances


@pytest.mark.parametrize("form", ["in batch", "reference"])
def test_the_order_of_the_batch_does_not_matter(form):
    z, y = batch(9)
    shuffle = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    loss = InBatchFSimilarityLoss("jensen_shannon")
    others = () if form == "in batch" else batch(4, seed=1)
    assert loss(z[shuffle], y[shuffle], *others).item() == pytest.approx(loss(z, y, *others).item(), rel=1e-12)


def test_the_same_batch_gives_the_same_bits():
    z, y = batch(30)
    results = []
    for _ in range(3):
        leaf = z.float().requires_grad_()
        loss = InBatchFSimilarityLoss("reverse_kl", "fisher_rao")(leaf, y)
        results.append((loss, torch.autograd.grad(loss, leaf)[0]))
    assert all(torch.equal(a, b) for result in results[1:] for a, b in zip(result, results[0]))


@pytest.mark.parametrize("f", [*DIVERGENCES, torch.square])
def test_bfloat16_autocast_stays_close_to_float32(f):
    torch.manual_seed(0)
    layer, x, y = nn.Linear(20, 32), torch.randn(24, 20), batch(24)[1]
    loss, triplets = InBatchFSimilarityLoss(f), torch.randint(24, (30, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = layer(x).relu()
        assert z.dtype == torch.bfloat16
        low = loss(z, y), TripletFSimilarityLoss(f)(z, y, triplets)
    z = layer(x).relu()
    for got, truth in zip(low, (loss(z, y), TripletFSimilarityLoss(f)(z, y, triplets))):
        assert got.dtype == truth.dtype
        assert got.item() == pytest.approx(truth.item(), rel=0.02)


@pytest.mark.parametrize("f", ["kl", lambda t: t**4])
def test_compiles_as_one_graph(f):
    z, y = batch(6)
    z.requires_grad_()
    for loss, rest in (
        (InBatchFSimilarityLoss(f, "fisher_rao"), ()),
        (InBatchFSimilarityLoss(f, "chord"), batch(4, seed=1)),
        (TripletFSimilarityLoss(f), (torch.tensor([[0, 1, 2]]),)),
    ):
        torch.compiler.reset()
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        expected, got = loss(z, y, *rest), compiled(z, y, *rest)
        assert torch.allclose(got, expected)
        assert torch.allclose(torch.autograd.grad(got, z)[0], torch.autograd.grad(expected, z)[0])


# Degenerate input


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.zeros(3, dtype=torch.long), r"no pair lies below neutral similarity \(2.00 to 2.00\)"),
        (torch.arange(3), r"no pair lies above neutral similarity \(0.00 to 0.00\)"),
        (torch.zeros(1, dtype=torch.long), "there is no pair of items; use a batch of at least two"),
        (torch.zeros(0, dtype=torch.long), "there is no pair of items"),
    ],
)
def test_pairs_that_cannot_balance_warn_and_give_a_zero_with_a_graph(targets, message):
    z = torch.rand(len(targets), 4).requires_grad_()
    with pytest.warns(DegenerateBatchWarning, match=message):
        loss = InBatchFSimilarityLoss()(z, targets)
    assert loss.item() == 0
    loss.backward()
    assert z.grad is not None
    assert not z.grad.any()


def test_no_triplets_warn_and_give_a_zero_with_a_graph():
    z, y = batch(3)
    with pytest.warns(DegenerateBatchWarning, match="there is no triplet"):
        loss = TripletFSimilarityLoss()(z.requires_grad_(), y, torch.zeros(0, 3, dtype=torch.long))
    loss.backward()
    assert z.grad is not None
    assert not z.grad.any()


def test_only_neutral_pairs_balance_without_a_warning():
    z, y = torch.rand(2, 3), torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert InBatchFSimilarityLoss("pearson")(z, y).item() > 0


def test_nan_is_not_hidden():
    z, y = batch(4)
    broken = z.clone()
    broken[1, 2] = float("nan")
    unknown = y.clone()
    unknown[2] = float("nan")
    triplets = torch.tensor([[0, 1, 2]])
    for loss in (
        InBatchFSimilarityLoss()(broken, y),
        InBatchFSimilarityLoss()(z, unknown),
        InBatchFSimilarityLoss()(z, y, broken, y),
        TripletFSimilarityLoss()(broken, y, triplets),
        TripletFSimilarityLoss()(z, unknown, triplets),
    ):
        assert loss.isnan()
    with pytest.warns(DegenerateBatchWarning):
        assert InBatchFSimilarityLoss()(broken, torch.zeros(4, dtype=torch.long)).isnan()


def test_a_dead_embedding_does_not_spoil_the_others():
    z, y = batch(5)
    z[2] = 0
    z.requires_grad_()
    for f in DIVERGENCES:
        (gradient,) = torch.autograd.grad(InBatchFSimilarityLoss(f)(z, y), z)
        assert gradient.isfinite().all()
        assert not gradient[2].any()
        assert gradient[0].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z, y: InBatchFSimilarityLoss("tv"), "'tv' is unknown; choose one of kl"),
        (lambda z, y: InBatchFSimilarityLoss("kl", "sphere"), "'sphere' is unknown; choose one of chord"),
        (lambda z, y: TripletFSimilarityLoss(lambda t: -t.square()), "f is not convex"),
        (lambda z, y: InBatchFSimilarityLoss()(z - 1, y), r"entries of 0 or more: put a ReLU"),
        (lambda z, y: InBatchFSimilarityLoss()(z[:3], y), r"embeddings: torch.float64 of shape \(3, 6\); expected fl"),
        (lambda z, y: InBatchFSimilarityLoss()(z, y * 2), r"sums to 2\.0000"),
        (lambda z, y: InBatchFSimilarityLoss()(z, y, z), r"give the two, or neither"),
        (
            lambda z, y: InBatchFSimilarityLoss()(z, y, z, y[:, :2]),
            r"or probabilities \(items, 4\)",
        ),
        (lambda z, y: InBatchFSimilarityLoss()(z, y, z[:2], y), r"reference: torch.float64 of shape \(2, 6\); ex"),
        (lambda z, y: TripletFSimilarityLoss()(z, y, torch.tensor([[0, 1, -1]])), r"names row -1 of a batch of 4"),
        (lambda z, y: TripletFSimilarityLoss()(z, y, torch.tensor([[0, 1, 4]])), r"row 4 of a batch of 4; legal are"),
        (lambda z, y: TripletFSimilarityLoss()(z, y, torch.tensor([0, 1, 2])), r"shape \(3,\); expected integers"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call(*batch(4))
