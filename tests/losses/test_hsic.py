"""The oracle is the definition as sums over two, three and four items; gradients are those of the matrix form."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses import gaussian_kernels
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.hsic import HSICLoss, hsic


def sides(items: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(items, 3, dtype=torch.double, generator=random)
    noise = torch.randn(items, 4, dtype=torch.double, generator=random)
    return x.requires_grad_(), (x.detach()[:, [0, 1, 2, 2]] + noise).requires_grad_()


def labels_of(items: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(items, 3, dtype=torch.double, generator=torch.Generator().manual_seed(seed)).softmax(-1)
    return rows.requires_grad_()


def gaussian(points: torch.Tensor, bandwidth: float | None, kernels: int) -> torch.Tensor:
    squared = (points[:, None] - points[None]).square().sum(-1)
    n = len(points)
    middle = squared.detach().sum() / (n * (n - 1)) if bandwidth is None else bandwidth
    return torch.stack([(-squared / (middle * 2.0 ** (j - kernels // 2))).exp() for j in range(kernels)]).mean(0)


def over_different_items(k: torch.Tensor, l: torch.Tensor) -> float:  # noqa: E741
    """Means over all tuples of different items: E k_ij l_ij + E k_ij l_qr - 2 E k_ij l_iq."""
    n = range(len(k))
    two = [k[i, j] * l[i, j] for i, j in itertools.permutations(n, 2)]
    three = [k[i, j] * l[i, q] for i, j, q in itertools.permutations(n, 3)]
    four = [k[i, j] * l[q, r] for i, j, q, r in itertools.permutations(n, 4)]
    return sum(two) / len(two) + sum(four) / len(four) - 2 * sum(three) / len(three)


def matrix_form(k: torch.Tensor, l: torch.Tensor, unbiased: bool) -> torch.Tensor:  # noqa: E741
    n = len(k)
    if not unbiased:
        h = torch.eye(n, dtype=k.dtype) - 1 / n
        return (k @ h @ l @ h).trace() / (n - 1) ** 2
    k, l = (m * (1 - torch.eye(n, dtype=k.dtype)) for m in (k, l))  # noqa: E741
    product = k @ l
    grand = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return (product.trace() + grand - 2 / (n - 2) * product.sum()) / (n * (n - 3))


@pytest.mark.parametrize("of_labels", [False, True])
@pytest.mark.parametrize("items", [4, 7])
def test_unbiased_is_the_mean_over_all_tuples_of_different_items(items, of_labels):
    x, y = sides(items)
    y = labels_of(items) if of_labels else y
    k, l = gaussian(x, None, 5), y @ y.T if of_labels else gaussian(y, None, 5)  # noqa: E741
    value = hsic(x, y, kernel_y="labels" if of_labels else "gaussian")
    assert value.item() == pytest.approx(over_different_items(k.detach(), l.detach()).item(), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(4, 30), kernels=st.integers(1, 6), unbiased=st.booleans(), of_labels=st.booleans(),
    widths=st.sampled_from([(None, None), (2.0, None), (0.5, 9.0)]), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_value_and_gradients_equal_the_matrix_form(items, kernels, unbiased, of_labels, widths, seed):
    x, y = sides(items, seed)
    if of_labels:
        y, widths = labels_of(items, seed), (widths[0], None)
    value = hsic(
        x, y, kernel_y="labels" if of_labels else "gaussian", kernels=kernels,
        bandwidth_x=widths[0], bandwidth_y=widths[1], unbiased=unbiased,
    )  # fmt: skip
    l = y @ y.T if of_labels else gaussian(y, widths[1], kernels)  # noqa: E741
    expected = matrix_form(gaussian(x, widths[0], kernels), l, unbiased)
    assert value.item() == pytest.approx(expected.item(), abs=1e-12)
    for ours, theirs in zip(torch.autograd.grad(value, [x, y]), torch.autograd.grad(expected, [x, y])):
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernels", [1, 5])
def test_gradient_in_float64(kernels, unbiased):
    def loss(x, y):
        return hsic(x, y, kernels=kernels, bandwidth_x=2.0, bandwidth_y=3.0, unbiased=unbiased)

    assert torch.autograd.gradcheck(loss, sides(6))


@pytest.mark.parametrize("of_labels", [False, True])
@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernels", [1, 2, 5])
@pytest.mark.parametrize("pairs", [1, 1000])
def test_blocks_do_not_matter(pairs, kernels, unbiased, of_labels, monkeypatch):
    x, y = sides(50)
    y = labels_of(50) if of_labels else y
    kind = "labels" if of_labels else "gaussian"
    whole = hsic(x, y, kernel_y=kind, kernels=kernels, unbiased=unbiased)
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    blocks = hsic(x, y, kernel_y=kind, kernels=kernels, unbiased=unbiased)
    assert blocks.item() == pytest.approx(whole.item(), abs=1e-14)
    for a, b in zip(torch.autograd.grad(whole, [x, y]), torch.autograd.grad(blocks, [x, y])):
        assert torch.allclose(a, b, atol=1e-15)


def test_two_classes_in_two_points_in_closed_form():
    """K and L both are 1 within and 0 across two halves: tr(K H L H) = n^2 / 4."""
    x, speaker = torch.tensor([[0.0], [0.0], [1e3], [1e3]]), torch.tensor([0, 0, 1, 1])
    value = hsic(x, speaker, kernel_y="labels", bandwidth_x=1.0, unbiased=False)
    assert value.item() == pytest.approx(16 / 4 / 9)


def test_hard_labels_are_one_hot_rows():
    x, classes = sides(9)[0], torch.tensor([0, 1, 2, 0, 1, 2, 2, 2, 0])
    assert torch.equal(hsic(x, classes, kernel_y="labels"), hsic(x, torch.eye(3)[classes], kernel_y="labels"))


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("pairs", [1, 2**18])
def test_class_indices_are_only_compared_and_may_be_as_large_as_they_are(unbiased, pairs, monkeypatch):
    monkeypatch.setattr(gaussian_kernels, "PAIRS_PER_BLOCK_ON_CPU", pairs)
    x, ids = sides(40)[0], torch.arange(40) % 3
    far = torch.tensor([5, 2**40, 2**62])[ids]  # one-hot rows of these would not fit any memory
    value, expected = (hsic(x, y, kernel_y="labels", unbiased=unbiased) for y in (far, torch.eye(3).double()[ids]))
    assert value.item() == pytest.approx(expected.item(), abs=1e-14)
    gradients = [torch.autograd.grad(each, x)[0] for each in (value, expected)]
    assert torch.allclose(*gradients, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.int8])
def test_any_whole_numbers_are_labels(dtype):
    x, ids = sides(9)[0], torch.arange(9) % 3
    assert torch.equal(hsic(x, ids.to(dtype), kernel_y="labels"), hsic(x, ids, kernel_y="labels"))


@pytest.mark.parametrize("kernels", [1, 5])
@pytest.mark.parametrize("of_labels", [False, True])
def test_sides_of_different_width_are_computed_in_the_wider(kernels, of_labels):
    x, y = sides(9)
    y, kind = (labels_of(9), "labels") if of_labels else (y, "gaussian")
    exact = hsic(x.float().double(), y, kernel_y=kind, kernels=kernels)
    value = hsic(x.float(), y, kernel_y=kind, kernels=kernels)
    assert value.item() == pytest.approx(exact.item(), abs=1e-14)
    by_x, by_y = torch.autograd.grad(value, [x, y])
    assert torch.isfinite(by_x).all()
    assert torch.isfinite(by_y).all()
    assert hsic(x, y.float(), kernel_y=kind, kernels=kernels).dtype == torch.float64


@pytest.mark.parametrize("apart", [10.0, 100.0, 1e3, 1e4])
@pytest.mark.parametrize("kind", ["gaussian", "labels"])
@pytest.mark.parametrize("kernels", [1, 5])
def test_clusters_many_bandwidths_apart_keep_their_digits_in_float32(apart, kind, kernels):
    x, y = (0.3 * side.detach().float() for side in sides(32))
    x[:16, 0] += apart
    y = torch.arange(32) // 8 if kind == "labels" else y
    options = {"kernel_y": kind, "kernels": kernels, "bandwidth_x": 0.18}
    narrow, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    value = hsic(narrow, y, **options)
    expected = hsic(wide, y if kind == "labels" else y.double(), **options)
    value.backward()
    expected.backward()
    assert value.dtype == narrow.grad.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert (narrow.grad - wide.grad).norm() < 1e-4 * wide.grad.norm()


def test_options_are_given_by_name():
    x, y = sides(6)
    with pytest.raises(TypeError, match="positional argument"):
        hsic(x, y, "gaussian")
    with pytest.raises(TypeError, match="positional argument"):
        HSICLoss("labels", 3)


def test_biased_is_never_negative_and_unbiased_averages_zero_of_independent_sides():
    biased = torch.stack([hsic(sides(8, s)[0], sides(8, s + 500)[1], unbiased=False) for s in range(100)])
    unbiased = torch.stack([hsic(sides(8, s)[0], sides(8, s + 500)[1]) for s in range(100)])
    assert (biased > 0).all()
    assert (unbiased < 0).any()
    assert unbiased.mean().abs() < 3 * unbiased.std() / 10


def test_it_sees_which_row_belongs_to_which():
    x, y = sides(60)
    shuffled = [hsic(x, y[torch.randperm(60, generator=torch.Generator().manual_seed(s))]) for s in range(20)]
    assert hsic(x, y) > 3 * max(shuffled)


def test_one_order_for_both_sides_does_not_matter():
    x, y = sides(20)
    order = torch.randperm(20)
    assert hsic(x[order], y[order]).item() == pytest.approx(hsic(x, y).item(), abs=1e-14)


def test_sides_may_be_exchanged():
    x, y = sides(20)
    assert hsic(y, x).item() == pytest.approx(hsic(x, y).item(), abs=1e-14)


def test_rotating_moving_and_scaling_a_side_changes_nothing():
    x, y = sides(20)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.double)).Q
    assert hsic(x, 9 * y @ rotation - 4).item() == pytest.approx(hsic(x, y).item(), abs=1e-13)


def test_embeddings_forget_a_speaker():
    random = torch.Generator().manual_seed(0)
    speaker = torch.arange(40) % 2
    x = torch.randn(40, 3, generator=random)
    x[:, 0] += 3 * speaker
    x.requires_grad_()
    optimizer, before = torch.optim.Adam([x], 0.05), hsic(x, speaker, kernel_y="labels").item()
    for _ in range(60):
        optimizer.zero_grad()
        HSICLoss("labels")(x, speaker).backward()
        optimizer.step()
    assert before > 0.03
    assert hsic(x, speaker, kernel_y="labels") < 0.1 * before


def test_gradient_reaches_both_sides_or_the_one_that_asks_for_it():
    x, y = sides(12)
    both = torch.autograd.grad(hsic(x, y), [x, y])
    assert torch.equal(torch.autograd.grad(hsic(x, y.detach()), x)[0], both[0])
    assert torch.equal(torch.autograd.grad(hsic(x.detach(), y), y)[0], both[1])
    assert not hsic(x.detach(), y.detach()).requires_grad
    assert hsic(x.detach(), y.detach()) == hsic(x, y)


def test_float32_is_close_to_float64():
    x, y = sides(300)
    assert hsic(x.float(), y.float()).item() == pytest.approx(hsic(x, y).item(), rel=1e-4)


def test_bfloat16_inputs_are_computed_in_float32_and_get_their_gradient_back_in_bfloat16():
    x, y = (side.detach().bfloat16().requires_grad_() for side in sides(20))
    value = hsic(x, y)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(hsic(x.float(), y.float()).item(), rel=0.02)
    assert torch.autograd.grad(value, x)[0].dtype == torch.bfloat16


def test_autocast_changes_nothing():
    x, y = (side.float() for side in sides(20))
    with torch.autocast("cpu", torch.bfloat16):
        inside = HSICLoss()(x, y)
    assert torch.equal(inside, HSICLoss()(x, y))


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_not_hidden(side, unbiased):
    pair = list(sides(6))
    pair[side] = torch.where(torch.arange(6)[:, None] == 2, torch.nan, pair[side])
    assert hsic(pair[0], pair[1], unbiased=unbiased).isnan()


@pytest.mark.parametrize("unbiased", [True, False])
def test_a_side_of_equal_points_depends_on_nothing(unbiased):
    x, y = torch.full((6, 2), 3.0, requires_grad=True), sides(6)[1].float()
    value = hsic(x, y, unbiased=unbiased)
    assert abs(value.item()) < 1e-6
    assert not torch.autograd.grad(value, x)[0].any()


@pytest.mark.parametrize(("items", "unbiased", "least"), [(0, True, 4), (3, True, 4), (1, False, 2), (0, False, 2)])
def test_too_few_items_give_zero_on_the_graph_and_say_so(items, unbiased, least):
    x, y = sides(items)
    with pytest.warns(DegenerateBatchWarning, match=f"it has {items} items; dependence needs at least {least}"):
        value = hsic(x, y, unbiased=unbiased)
    value.backward()
    assert value == 0
    assert not x.grad.any()
    assert not y.grad.any()


def test_a_batch_of_one_label_gives_zero_on_the_graph_and_says_so():
    x, _ = sides(5)
    with pytest.warns(DegenerateBatchWarning, match="all items have the same label; use batches that mix them"):
        value = hsic(x, torch.full((5,), 3), kernel_y="labels")
    value.backward()
    assert value == 0


def test_class_indices_compile_without_a_graph_break():
    torch.compiler.reset()
    compiled = torch.compile(HSICLoss("labels"), fullgraph=True, backend="eager")
    x, ids = sides(9)[0], torch.arange(9) % 3
    assert torch.equal(compiled(x, ids), HSICLoss("labels")(x, ids))


@pytest.mark.parametrize("kind", ["gaussian", "labels"])
def test_compiles_without_a_graph_break(kind):
    torch.compiler.reset()
    loss = HSICLoss(kind)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    x, y = sides(9)
    y = labels_of(9) if kind == "labels" else y
    value, expected = compiled(x, y), loss(x, y)
    assert torch.equal(value, expected)
    for a, b in zip(torch.autograd.grad(value, [x, y]), torch.autograd.grad(expected, [x, y])):
        assert torch.equal(a, b)


def test_the_module_tells_its_options():
    told = "HSICLoss(kernel_y='labels', kernels=3, bandwidth_x=2.0, bandwidth_y=None, unbiased=True)"
    assert repr(HSICLoss("labels", kernels=3, bandwidth_x=2.0)) == told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_y": "linear"}, "kernel_y is 'linear'; choose 'gaussian' for embeddings or 'labels'"),
        ({"kernel_y": "labels", "bandwidth_y": 2.0}, r"bandwidth_y is 2\.0, but the kernel of labels has none"),
        ({"bandwidth_x": -1.0}, r"a bandwidth is -1\.0; expected a number above 0"),
        ({"kernels": 2.0}, r"kernels is 2\.0; expected a whole number, 1 to 10"),
        ({"kernel_y": 2.0}, r"kernel_y is 2\.0; choose 'gaussian' for embeddings or 'labels'"),
        ({"kernels": 0}, "kernels is 0; expected 1 to 10"),
    ],
)
def test_errors_of_options_say_value_and_remedy(options, message):
    with pytest.raises(ValueError, match=message):
        HSICLoss(**options)
    with pytest.raises(ValueError, match=message):
        hsic(torch.zeros(5, 2), torch.zeros(5, 2), **options)


@pytest.mark.parametrize(
    ("x", "y", "kind", "message"),
    [
        (torch.zeros(5), torch.zeros(5, 2), "gaussian", r"x: torch.float32 of shape \(5,\)"),
        (torch.zeros(5, 2), torch.zeros(4, 2), "gaussian", r"y: .* shape \(4, 2\); expected floating point \(5, dim"),
        (
            torch.zeros(5, 2),
            torch.tensor([0, 1]),
            "labels",
            r"y: 2 labels for 5 items; expected one for each",
        ),
        (torch.zeros(5, 2), torch.full((5, 2), 0.7), "labels", r"sums to 1\.4000; divide each row by its sum"),
    ],
)
def test_errors_of_shapes_say_value_and_remedy(x, y, kind, message):
    with pytest.raises(ValueError, match=message):
        hsic(x, y, kernel_y=kind)


def test_labels_that_nobody_shares_teach_nothing_and_say_so():
    with pytest.warns(DegenerateBatchWarning, match="each item has a label of its own"):
        assert HSICLoss("labels")(torch.randn(6, 3), torch.arange(6)) == 0


def test_labels_given_as_embeddings_are_told_where_they_belong():
    with pytest.raises(ValueError, match='labels need kernel_y="labels"'):
        HSICLoss()(torch.randn(6, 3), torch.arange(6))
