"""The oracle is a loop over items and classes, with each mean taken anew from the formula."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.gaussian_manifold import GaussianManifoldLoss, class_means, gaussian_log_posterior

HARD = torch.tensor([0, 0, 0, 1, 1, 1, 1, 3, 3])  # nobody has class 2


def batch(targets=HARD, dimensions=5, scale=0.6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(len(targets), dimensions, dtype=torch.double, generator=generator) * scale
    return z.requires_grad_(), targets


def votes(items=9, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(items, classes, dtype=torch.double, generator=generator)
    rows = rows * (torch.rand(items, classes, generator=generator) < 0.6)
    rows[rows.sum(1) == 0, 0] = 1.0
    return rows / rows.sum(1, keepdim=True)


def one_hot(targets, classes):
    return torch.eye(classes, dtype=torch.double)[targets] if targets.ndim == 1 else targets.double()


def oracle(z, targets, sigma=0.5, norm_weight=1e-4, means="batch", prior=None, reference=None, reference_targets=None):
    """Items one at a time, classes one at a time, a mean added up member by member."""
    tables = [t for t in (targets, reference_targets) if t is not None]
    classes = max(t.shape[1] if t.ndim == 2 else int(t.max()) + 1 for t in tables)
    labels = one_hot(targets, classes)
    others, other_labels = (z, labels) if reference is None else (reference, one_hot(reference_targets, classes))
    errors = []
    for i in range(len(z)):
        logits, there = [], []
        for j in range(classes):
            mass, total = 0.0, torch.zeros_like(z[0])
            for k in range(len(others)):
                if means == "leave_one_out" and reference is None and k == i:
                    continue
                mass, total = mass + other_labels[k, j].item(), total + other_labels[k, j] * others[k]
            weight = {None: 1.0, "batch": mass}[prior] if not isinstance(prior, torch.Tensor) else prior[j].item()
            if mass > 0 and weight > 0:
                there.append(j)
                logits.append(-((z[i] - total / mass) ** 2).sum() / (2 * sigma**2) + math.log(weight))
        goal = labels[i, there]
        if goal.sum() <= 0.5 or len(there) < 2:
            continue
        weights = [torch.exp(each - max(logits)) for each in logits]
        posterior = torch.stack(weights) / sum(weights)
        errors.append(((posterior - goal / goal.sum()) ** 2).sum())
    return torch.stack(errors).mean() + norm_weight * (z**2).sum().sqrt()


def quiet(loss, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (LeftOutWarning, DegenerateBatchWarning))
        return loss(*args)


OPTIONS = [
    {"means": means, "prior": prior, "sigma": sigma, "norm_weight": weight}
    for means in ("batch", "leave_one_out")
    for prior in (None, "batch", torch.tensor([1.0, 2.0, 0.5, 3.0]), torch.tensor([1.0, 0.0, 0.5, 3.0]))
    for sigma, weight in ((0.5, 1e-4), (1.3, 0.2))
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "targets", [HARD, votes(), torch.tensor([0, 1, 1, 1, 2, 2, 2, 3, 3])], ids=["hard", "soft", "lone"]
)
def test_equals_the_loop_with_its_gradient(options, targets):
    z, targets = batch(targets)
    value, truth = quiet(GaussianManifoldLoss(**options), z, targets), oracle(z, targets, **options)
    assert value.item() == pytest.approx(truth.item(), abs=1e-10)
    (ours,), (theirs,) = torch.autograd.grad(value, z), torch.autograd.grad(truth, z)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("prior", [None, "batch", torch.tensor([1.0, 2.0, 0.5, 3.0])])
@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
def test_with_a_reference_the_means_are_those_of_the_reference(prior, means):
    z, targets = batch()
    reference, reference_targets = batch(votes(12, 4, seed=1), seed=1)
    value = GaussianManifoldLoss(prior=prior, means=means)(z, targets, reference, reference_targets)
    truth = oracle(z, targets, prior=prior, reference=reference, reference_targets=reference_targets)
    assert value.item() == pytest.approx(truth.item(), abs=1e-10)
    ours, theirs = (torch.autograd.grad(each, (z, reference)) for each in (value, truth))
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    assert ours[1].abs().sum() > 0


def test_a_reference_that_is_the_batch_gives_the_value_of_the_batch():
    z, targets = batch()
    loss = GaussianManifoldLoss()
    assert loss(z, targets, z.detach().clone(), targets).item() == pytest.approx(loss(z, targets).item(), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(2, 9),
    classes=st.integers(2, 4),
    seed=st.integers(0, 999),
    soft=st.booleans(),
    alone=st.booleans(),
)
def test_any_batch_equals_the_loop_or_says_that_it_teaches_nothing(items, classes, seed, soft, alone):
    generator = torch.Generator().manual_seed(seed)
    targets = votes(items, classes, seed) if soft else torch.randint(classes, (items,), generator=generator)
    z, _ = batch(targets, dimensions=3, seed=seed)
    options = {"means": "leave_one_out" if alone else "batch", "norm_weight": 0.0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = GaussianManifoldLoss(**options)(z, targets)
    value.backward()
    assert z.grad.isfinite().all()
    if any("adds nothing" in str(each.message) for each in caught):
        assert value.item() == 0
    else:
        assert value.item() == pytest.approx(oracle(z, targets, **options).item(), abs=1e-10)


@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
@pytest.mark.parametrize("targets", [HARD, votes()], ids=["hard", "soft"])
def test_gradient_and_its_gradient_in_float64(means, targets):
    z, targets = batch(targets, dimensions=3)
    loss = GaussianManifoldLoss(means=means, norm_weight=0.1, prior="batch")
    assert torch.autograd.gradcheck(lambda each: quiet(loss, each, targets), z)
    assert torch.autograd.gradgradcheck(lambda each: quiet(loss, each, targets), z)


def test_means_masses_and_posteriors_pass_the_gradient_on():
    z, _ = batch(dimensions=3)
    rows = votes().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: class_means(each, votes()), z)
    means = torch.randn(4, 3, dtype=torch.double, generator=torch.Generator().manual_seed(3)).requires_grad_()
    log_prior = rows.detach().clamp(min=0.1).log().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda *each: gaussian_log_posterior(each[0], each[1], 0.7, each[2]), (z, means, log_prior)
    )


def test_densities_multiplied_out_lose_every_gradient_where_ours_does_not():
    torch.manual_seed(0)
    z, targets = torch.randn(240, 64, requires_grad=True), torch.arange(240) % 8
    means = torch.stack([z[targets == j].mean(0) for j in range(8)])
    densities = torch.exp(-(z[:, None] - means).square().sum(-1) / (2 * 0.5**2)) / (2 * math.pi * 0.5**2) ** 32
    posterior = densities / (densities.sum(1, keepdim=True) + 1e-12)
    naive = (posterior - torch.eye(8)[targets]).square().sum(1).mean()
    (gradient,) = torch.autograd.grad(naive, z)
    assert (posterior == 0).all(1).float().mean() > 0.9
    assert torch.equal(z - gradient, z)  # no step of a rate of 1 moves anything
    (gradient,) = torch.autograd.grad(GaussianManifoldLoss(norm_weight=0.0)(z, targets), z)
    assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
@pytest.mark.parametrize("targets", [HARD.repeat(4), votes(36)], ids=["hard", "soft"])
@pytest.mark.parametrize("offset", [0.0, 1024.0])
def test_float32_keeps_its_digits_far_from_the_origin(means, targets, offset):
    z, _ = batch(targets, dimensions=64, scale=0.15)
    near = ((z.detach() * 1024).round() / 1024 + offset).float()  # exact in float32, so that only the arithmetic rounds
    results = []
    for each in (near.clone(), near.double()):
        each.requires_grad_()
        value = quiet(
            GaussianManifoldLoss(means=means, norm_weight=0.0),
            each,
            targets.to(each.dtype) if targets.ndim == 2 else targets,
        )
        results.append((value.item(), torch.autograd.grad(value, each)[0].double()))
    (value, gradient), (truth, exact) = results
    assert value == pytest.approx(truth, rel=1e-5 if offset == 0 else 1e-3)
    assert (gradient - exact).abs().max() <= (1e-5 if offset == 0 else 2e-3) * exact.abs().max()


def test_distances_of_products_would_lose_what_ours_keep_far_from_the_origin():
    torch.manual_seed(0)
    z = (torch.randn(64, 16) * 0.1 * 1024).round() / 1024 + 1024.0
    truth = torch.cdist(z.double(), z[:8].double()).square()
    by_products = torch.cdist(z, z[:8], compute_mode="use_mm_for_euclid_dist").square()
    ours = -2 * gaussian_log_posterior(z, z[:8], 1.0)
    ours = ours - ours[:, :1] + truth[:, :1]  # a log posterior is a distance up to a constant an item
    assert (by_products - truth).abs().max() > 0.5
    assert (ours - truth).abs().max() < 1e-4


def test_leaving_an_item_out_of_its_mean_is_as_exact_with_few_others_in_float32():
    rows = torch.tensor([[1.0, 0.0], [0.998, 0.002], [0.0, 1.0], [0.002, 0.998]])
    z = torch.tensor([[0.3, 1.0], [0.8, 0.1], [1.1, 0.4], [0.2, 0.9]])
    loss = GaussianManifoldLoss(means="leave_one_out")
    assert loss(z, rows).item() == pytest.approx(
        oracle(z.double(), rows.double(), means="leave_one_out").item(), rel=1e-5
    )


def test_a_hard_label_is_a_one_hot_row():
    z, targets = batch()
    for means in ("batch", "leave_one_out"):
        loss = GaussianManifoldLoss(means=means)
        assert torch.equal(loss(z, targets), loss(z, one_hot(targets, 4)))


@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
def test_neither_order_nor_a_shift_nor_the_names_of_classes_matter(means):
    z, targets = batch()
    loss = GaussianManifoldLoss(means=means, norm_weight=0.0)
    shuffle = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
    value = loss(z, targets).item()
    assert loss(z[shuffle], targets[shuffle]).item() == pytest.approx(value, abs=1e-12)
    assert loss(z + 7.0, targets).item() == pytest.approx(value, abs=1e-12)
    assert loss(z, torch.tensor([5, 0, 1, 2])[targets]).item() == pytest.approx(value, abs=1e-12)


def test_two_tight_clusters_in_closed_form():
    gap, sigma = 0.8, 0.5
    z, targets = torch.tensor([[0.0], [0.0], [gap], [gap]]), torch.tensor([0, 0, 1, 1])
    wrong = 1 / (1 + math.exp(gap**2 / (2 * sigma**2)))
    assert GaussianManifoldLoss(sigma, 0.0)(z, targets).item() == pytest.approx(2 * wrong**2)
    assert GaussianManifoldLoss(sigma, 3.0)(z, targets).item() == pytest.approx(2 * wrong**2 + 3 * gap * math.sqrt(2))


def test_uniform_posteriors_at_one_point_and_a_finite_gradient_there():
    z = torch.zeros(6, 4, requires_grad=True)
    value = GaussianManifoldLoss()(z, torch.arange(6) % 3)
    value.backward()
    assert value.item() == pytest.approx(2 / 3)
    assert z.grad.isfinite().all()


def test_the_norm_is_that_of_the_batch_and_its_gradient_the_unit_direction():
    z, targets = batch()
    (with_norm,), (without,) = (
        torch.autograd.grad(GaussianManifoldLoss(norm_weight=w)(z, targets), z) for w in (0.3, 0.0)
    )
    torch.testing.assert_close(with_norm - without, 0.3 * z.detach() / z.detach().norm())


def test_embeddings_train_into_gaussians_of_their_classes():
    torch.manual_seed(0)
    z, targets = (torch.randn(60, 4) / 4).requires_grad_(), torch.arange(60) % 3
    loss, optimizer = GaussianManifoldLoss(means="leave_one_out"), torch.optim.Adam([z], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(z, targets).backward()
        optimizer.step()
    assert loss(z, targets).item() < 0.01
    assert torch.equal(gaussian_log_posterior(z, class_means(z, targets)[0], 0.5).argmax(1), targets)


# ---- batches that teach little or nothing


def test_one_item_a_class_is_its_own_mean_which_is_told():
    torch.manual_seed(0)
    z = torch.randn(8, 64, requires_grad=True)
    with pytest.warns(
        DegenerateBatchWarning, match="each class has a single one, which is its own mean; give several items"
    ):
        value = GaussianManifoldLoss(norm_weight=1e-4)(z, torch.arange(8))
    assert value.item() == pytest.approx(1e-4 * z.norm().item())
    value.backward()
    torch.testing.assert_close(z.grad, 1e-4 * z.detach() / z.detach().norm())


def test_one_item_a_class_still_parts_items_within_a_few_sigma():
    z = torch.tensor([[0.0], [0.3]], requires_grad=True)
    value = quiet(GaussianManifoldLoss(norm_weight=0.0), z, torch.arange(2))
    value.backward()
    assert value.item() == pytest.approx(oracle(z.double(), torch.arange(2), norm_weight=0.0).item())
    assert z.grad[0] > 0 > z.grad[1]


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (torch.zeros(4, dtype=torch.long), {}, "a single class, whose posterior is 1 anywhere; mix the classes"),
        (torch.zeros(1, dtype=torch.long), {}, "a single class"),
        (
            torch.arange(4),
            {"means": "leave_one_out"},
            "no item's class is had by another item; give several items of each",
        ),
        (torch.eye(4), {"means": "leave_one_out"}, "no item's class is had by another item"),
        (torch.arange(4) % 2, {"prior": torch.tensor([0.0, 0.0, 1.0])}, "the prior of every class that is there is 0"),
        (torch.arange(4) % 2, {"prior": torch.tensor([1.0, 0.0, 1.0])}, "a single class"),
    ],
)
def test_a_batch_that_teaches_nothing_says_so_and_keeps_the_norm(targets, options, message):
    z = torch.ones(len(targets), 3, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match=message):
        value = GaussianManifoldLoss(norm_weight=0.5, **options)(z, targets)
    value.backward()
    assert value.item() == pytest.approx(0.5 * math.sqrt(3 * len(targets)))
    torch.testing.assert_close(z.grad, torch.full_like(z, 0.5 / math.sqrt(3 * len(targets))))


def test_no_items_and_an_empty_reference():
    loss, z = GaussianManifoldLoss(), torch.ones(3, 2, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item"):
        assert loss(z[:0], torch.arange(0)).item() == 0
    with pytest.warns(DegenerateBatchWarning, match="the reference holds no item; leave it out until it holds some"):
        loss(z, torch.arange(3), torch.zeros(0, 2), torch.arange(0)).backward()
    assert z.grad.isfinite().all()
    with pytest.warns(DegenerateBatchWarning, match="no item's class is in the reference"):
        loss(z, torch.zeros(3, dtype=torch.long), torch.randn(4, 2), torch.tensor([1, 1, 2, 2]))


def test_items_whose_class_nobody_else_has_are_counted_and_the_mean_is_over_the_others():
    z, targets = batch(torch.tensor([0, 1, 1, 1, 2, 2, 3]))
    with pytest.warns(
        LeftOutWarning, match="half of their label or more lies on classes that nobody else has"
    ) as caught:
        value = GaussianManifoldLoss(means="leave_one_out")(z, targets)
    assert (caught[0].message.count, caught[0].message.of) == (2, 7)
    assert value.item() == pytest.approx(oracle(z, targets, means="leave_one_out").item())
    with pytest.warns(LeftOutWarning, match="nothing in the reference has") as caught:
        GaussianManifoldLoss()(z, targets, z.detach()[:4], targets[:4])
    assert (caught[0].message.count, caught[0].message.of) == (3, 7)


def test_a_vote_for_a_class_without_a_mean_is_left_out_of_the_label_and_not_the_item():
    rows = torch.tensor([[0.8, 0.0, 0.2], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    z, _ = batch(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = GaussianManifoldLoss(means="leave_one_out", norm_weight=0.0)(z, rows)
    assert value.item() == pytest.approx(oracle(z, rows, means="leave_one_out", norm_weight=0.0).item())


@pytest.mark.parametrize("where", ["item", "reference", "left_out", "label"])
@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
def test_nan_is_not_hidden(where, means):
    z, targets = batch(torch.tensor([0, 0, 1, 1, 2]))
    z, rows, reference, others = z.detach(), one_hot(targets, 3), None, None
    if where == "reference":
        reference, others = z.clone(), rows
        reference[0, 0] = math.nan
    if where == "label":
        rows[0] = math.nan
    else:
        z[4 if where == "left_out" else 0, 0] = z[0, 0] if where == "reference" else math.nan
    assert quiet(GaussianManifoldLoss(means=means, norm_weight=0.0), z, rows, reference, others).isnan()


# ---- numbers, compilation, errors


@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
def test_the_same_batch_gives_the_same_bits(means):
    torch.manual_seed(0)
    z, targets = torch.randn(500, 16, requires_grad=True), torch.arange(500) % 7
    loss = GaussianManifoldLoss(means=means)
    (first,), (second,) = (torch.autograd.grad(loss(z, targets), z) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("means", ["batch", "leave_one_out"])
def test_bfloat16_is_computed_in_float32(means):
    torch.manual_seed(0)
    z, targets = torch.randn(32, 8).bfloat16().requires_grad_(), torch.arange(32) % 4
    loss = GaussianManifoldLoss(means=means)
    truth = loss(z.detach().float(), targets).item()
    value = loss(z, targets)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(truth, rel=1e-6)
    assert z.grad.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(z.detach().float(), targets).item() == pytest.approx(truth, rel=1e-6)
        assert gaussian_log_posterior(z.detach(), z.detach()[:4], 0.5).dtype == torch.float32
        assert class_means(z.detach(), targets)[0].dtype == torch.float32


@pytest.mark.parametrize(("means", "prior"), [("batch", None), ("leave_one_out", "batch"), ("batch", torch.ones(4))])
def test_compiles_whole_to_the_same_value_and_gradient(means, prior):
    torch.compiler.reset()
    z, targets = batch(votes() if prior is None or isinstance(prior, str) else HARD)
    loss = GaussianManifoldLoss(means=means, prior=prior)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    eager, traced = loss(z, targets), compiled(z, targets)
    assert traced.item() == pytest.approx(eager.item(), abs=1e-12)
    (a,), (b,) = torch.autograd.grad(eager, z), torch.autograd.grad(traced, z)
    torch.testing.assert_close(a, b)
    assert compiled(z, targets, z.detach(), targets).item() == pytest.approx(
        loss(z, targets, z.detach(), targets).item()
    )


def test_the_prior_is_in_the_state_and_the_options_in_the_name():
    loss = GaussianManifoldLoss(prior=torch.tensor([1.0, 3.0]))
    assert torch.equal(loss.state_dict()["prior"], torch.tensor([1.0, 3.0]))
    assert repr(loss) == "GaussianManifoldLoss(sigma=0.5, norm_weight=0.0001, means='batch', prior=given)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, r"sigma is 0\.0; a standard deviation is finite and above 0"),
        ({"norm_weight": -1.0}, r"norm_weight is -1\.0; it is finite and at least 0"),
        ({"means": "median"}, "means 'median' are unknown; choose batch or leave_one_out"),
        ({"prior": "flat"}, "prior 'flat' is unknown; choose None, batch, or a tensor"),
        (
            {"prior": torch.tensor([1.0, -1.0])},
            r"prior is \[1\.0, -1\.0\]; expected a number of 0 or more for each class",
        ),
        ({"prior": torch.zeros(2)}, "and some above 0"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianManifoldLoss(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (torch.zeros(3, 2), torch.arange(4)),
            r"embeddings: torch.float32 of shape \(3, 2\); expected floating point \(4",
        ),
        ((torch.zeros(2, 2), torch.full((2, 2), 0.3)), r"sums to 0\.6000; divide each row by its sum"),
        ((torch.zeros(2, 2), torch.arange(2), torch.zeros(2, 2)), "a reference needs both"),
        (
            (torch.zeros(2, 2), torch.arange(2), torch.zeros(2, 3), torch.arange(2)),
            "reference: 3 dimensions, and the embeddings have 2; give both as many",
        ),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianManifoldLoss()(*arguments)


def test_a_prior_tells_how_many_classes_there_are():
    with pytest.raises(ValueError, match=r"class 2 is outside 0\.\.1"):
        GaussianManifoldLoss(prior=torch.ones(2))(torch.zeros(3, 2), torch.arange(3))


def test_posterior_refuses_other_dimensions_and_no_deviation():
    with pytest.raises(ValueError, match="means: 3 dimensions, and the embeddings have 2"):
        gaussian_log_posterior(torch.zeros(1, 2), torch.zeros(2, 3), 0.5)
    with pytest.raises(ValueError, match="sigma is -1"):
        gaussian_log_posterior(torch.zeros(1, 2), torch.zeros(2, 2), -1)
