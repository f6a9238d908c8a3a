"""The oracle is Pillai's trace by numpy of all items at once; a small training shows the purpose."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from affectspace.losses.adversary import AdversaryLoss, reversal_schedule
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning
from affectspace.losses.linear_adversary import RIDGE, LinearAdversaryLoss
from affectspace.metrics import group_probe

CLASSES, WIDTH = 3, 4


def items(count=24, seed=0, dtype=torch.double):
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(CLASSES, (count,), generator=generator)
    groups[:6] = torch.arange(6) % CLASSES
    z = torch.randn(count, WIDTH, generator=generator, dtype=torch.double) + torch.eye(CLASSES, WIDTH)[groups] + 3
    return z.to(dtype), groups


def adversary(memory=1024, dtype=torch.double):
    return LinearAdversaryLoss(WIDTH, CLASSES, memory).to(dtype)


def pillai(z, groups, weights=None) -> float:
    """By the definition, of items that count as much as their weights."""
    z, groups = np.asarray(z, float), np.asarray(groups)
    weights = np.ones(len(z)) if weights is None else np.asarray(weights)
    centre = weights @ z / weights.sum()
    scatter = sum(w * np.outer(row - centre, row - centre) for w, row in zip(weights, z))
    between = np.zeros_like(scatter)
    for group in np.unique(groups):
        own = weights * (groups == group)
        mean = own @ z / own.sum()
        between += own.sum() * np.outer(mean - centre, mean - centre)
    ridged = scatter + RIDGE * np.diag(np.diag(scatter))
    return np.trace(np.linalg.solve(ridged, between)) / min(CLASSES - 1, z.shape[1])


def test_of_a_first_batch_it_is_pillais_trace():
    z, groups = items()
    for loss in (adversary(), adversary(memory=0), adversary().eval()):
        assert loss(z, groups).item() == pytest.approx(pillai(z, groups), abs=1e-10)


def test_batches_together_are_all_items_at_once_older_ones_faded():
    loss, parts = adversary(memory=50), [items(seed=seed) for seed in range(3)]
    values = [loss(z, groups).item() for z, groups in parts]
    every, names = (torch.cat(column) for column in zip(*parts))
    weights = np.exp(-np.repeat([48, 24, 0], 24) / 50)
    assert values[2] == pytest.approx(pillai(every, names, weights), abs=1e-10)
    assert values[1] == pytest.approx(pillai(every[:48], names[:48], weights[24:]), abs=1e-10)


def test_groups_that_a_batch_lacks_are_remembered():
    loss = adversary()
    (z, groups), (more, _) = items(), items(seed=1)
    loss(z, groups)
    weights = np.exp(-np.repeat([24, 0], 24) / 1024)
    alone = torch.zeros(24, dtype=torch.long)
    assert loss(more, alone).item() == pytest.approx(
        pillai(torch.cat([z, more]), torch.cat([groups, alone]), weights), abs=1e-9
    )


def test_the_gradient_of_a_batch_is_as_large_as_though_it_were_all_items():
    (z, groups), (earlier, names) = items(), items(seed=1)
    loss = adversary()
    loss(earlier, names)
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z, groups), z)
    kept, step = math.exp(-24 / 1024), 1e-5
    weights = np.repeat([kept, 1.0], 24)
    for row, column in ((0, 0), (7, 2), (23, 3)):
        moved = [z.detach().clone() for _ in range(2)]
        moved[0][row, column] += step
        moved[1][row, column] -= step
        up, down = (pillai(torch.cat([earlier, each]), torch.cat([names, groups]), weights) for each in moved)
        assert gradient[row, column].item() == pytest.approx((up - down) / (2 * step) * (1 + kept), abs=1e-7)


def test_gradients_in_float64():
    z, groups = items(12)
    loss = adversary().eval()
    assert torch.autograd.gradcheck(lambda each: loss(each, groups), z.requires_grad_())


def test_units_offsets_and_what_never_varies_change_nothing():
    z, groups = items()
    value = adversary()(z, groups).item()
    units = torch.tensor([1e-3, 1.0, 50.0, -7.0], dtype=torch.double)
    assert adversary()(z * units - 20, groups).item() == pytest.approx(value, abs=1e-9)
    still = torch.cat([z, torch.full((24, 1), 2.0)], 1)  # says nothing
    assert LinearAdversaryLoss(WIDTH + 1, CLASSES).double()(still, groups).item() == pytest.approx(value, abs=1e-9)


def test_shrinking_hides_nothing():
    """No dimension has a gradient towards being smaller, or larger."""
    z, groups = items()
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(adversary()(z, groups), z)
    apart = z.detach() - z.detach().mean(0)
    torch.testing.assert_close((gradient * apart).sum(0), torch.zeros(WIDTH, dtype=torch.double), atol=1e-12, rtol=0)
    torch.testing.assert_close(gradient.sum(0), torch.zeros(WIDTH, dtype=torch.double), atol=1e-12, rtol=0)


def test_it_is_0_where_means_agree_and_below_1_where_groups_are_points():
    groups = torch.arange(6) % 3
    z = torch.eye(3, WIDTH).double()[groups]
    assert 0.6 < adversary()(z, groups).item() < 1
    same = torch.tensor([[1.0, 0, 2, 0], [-1, 0, -2, 0]]).double().repeat_interleave(3, 0)
    assert adversary()(same, groups).item() == pytest.approx(0, abs=1e-12)


def test_evaluation_remembers_nothing():
    loss = adversary()
    loss(*items())
    before = {name: each.clone() for name, each in loss.state_dict().items()}
    loss.eval()
    assert loss(*items(seed=1)) == loss(*items(seed=1))
    assert all(torch.equal(before[name], each) for name, each in loss.state_dict().items())


def test_what_it_remembers_goes_on_to_the_bit():
    whole = adversary()
    whole(*items())
    resumed = adversary()
    resumed.load_state_dict(whole.state_dict())
    assert torch.equal(whole(*items(seed=1)), resumed(*items(seed=1)))


def test_logits_are_those_of_linear_discriminant_analysis():
    z, groups = items(200)
    loss = adversary()
    assert not loss.logits(z).any()  # before it was shown anything
    loss(z, groups)
    means = torch.stack([z[groups == g].mean(0) for g in range(CLASSES)])
    inside = z - means[groups]
    scatter = (z - z.mean(0)).square().sum(0).diag()
    inverse = torch.linalg.inv((inside.T @ inside + RIDGE * scatter) / len(z))
    truth = z @ inverse @ means.T - 0.5 * ((means @ inverse) * means).sum(1)
    # an offset of all logits of an item is none of its answer
    torch.testing.assert_close(loss.logits(z).softmax(-1), truth.softmax(-1))


def test_a_group_never_seen_is_never_told():
    loss = LinearAdversaryLoss(WIDTH, CLASSES + 1).double()
    z, groups = items()
    loss(z, groups)
    assert loss.logits(z)[:, CLASSES].tolist() == [-math.inf] * 24


def test_unknown_groups_are_left_out_and_counted():
    z, groups = items()
    z.requires_grad_()
    some = groups.clone()
    some[[3, 9]] = -1
    loss, other = adversary(), adversary()
    with pytest.warns(LeftOutWarning, match="their group is unknown") as caught:
        value = loss(z, some)
    assert (caught[0].message.count, caught[0].message.of) == (2, 24)
    assert value.item() == pytest.approx(other(z[some >= 0], some[some >= 0]).item(), abs=1e-12)
    for mine, its in zip(loss.buffers(), other.buffers()):
        torch.testing.assert_close(mine, its)
    (gradient,) = torch.autograd.grad(value, z)
    assert gradient.any(1).tolist() == (some >= 0).tolist()


@pytest.mark.parametrize(
    ("rows", "groups", "message"),
    [
        (torch.randn(2, WIDTH), [-1, -1], "no item's group is known"),
        (torch.randn(0, WIDTH), [], "it holds no item"),
        (torch.randn(3, WIDTH), [1, 1, 1], "there is one group alone; use batches with several of each"),
        (torch.randn(2, WIDTH), [0, 1], "there is one item of each group; use"),
        (torch.ones(4, WIDTH), [0, 1, 0, 1], "all embeddings are alike"),
    ],
)
def test_what_teaches_nothing_says_so(rows, groups, message):
    rows = rows.requires_grad_()
    with pytest.warns(DegenerateBatchWarning, match=message):
        value = adversary(dtype=torch.float32)(rows, torch.tensor(groups, dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert not rows.grad.any()


@pytest.mark.parametrize("group", [0, -1])
def test_nan_is_not_hidden(group):
    z, groups = items()
    z[8, 0] = math.nan
    groups[8] = group
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        assert adversary()(z, groups).isnan()


def test_bfloat16_and_autocast():
    z, groups = items(dtype=torch.bfloat16)
    truth = adversary()(z.double(), groups).item()
    z.requires_grad_()
    value = adversary(dtype=torch.float32)(z, groups)
    value.backward()
    assert value.dtype == torch.float32
    assert z.grad.dtype == torch.bfloat16
    assert value.item() == pytest.approx(truth, rel=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert adversary(dtype=torch.float32)(z.detach().float(), groups).item() == pytest.approx(truth, rel=1e-5)


def test_compiled_it_remembers_too():
    torch.compiler.reset()
    plain, traced = adversary(dtype=torch.float32), adversary(dtype=torch.float32)
    compiled = torch.compile(traced, fullgraph=True, backend="eager")
    for seed in range(3):
        z, groups = items(seed=seed, dtype=torch.float32)
        z.requires_grad_()
        (mine,) = torch.autograd.grad(compiled(z, groups), z)
        (its,) = torch.autograd.grad(plain(z, groups), z)
        torch.testing.assert_close(mine, its)
    torch.testing.assert_close(traced.scatter, plain.scatter)


def planted(seed):
    """Of 4 classes and 10 speakers, each a direction of its own, in noise; the last 300 items are only tested on."""
    generator = torch.Generator().manual_seed(seed)
    speakers, y = torch.arange(1000) % 10, torch.randint(4, (1000,), generator=generator)
    directions = torch.randn(14, 30, generator=generator)
    return (
        directions[y] + 1.5 * directions[4 + speakers] + 1.2 * torch.randn(1000, 30, generator=generator),
        y,
        speakers,
    )


def trained(seed, hide):
    """How well the speakers are told afterwards, and the classes of new items; ``hide(z, speakers, progress)``."""
    x, y, speakers = planted(seed)
    torch.manual_seed(seed)
    body, head = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()), nn.Linear(32, 4)
    hide, learners = hide()
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters(), *learners], 2e-3)
    for step in range(200):
        rows = torch.randperm(700)[:96]
        z = body(x[rows])
        optimizer.zero_grad()
        (nn.functional.cross_entropy(head(z), y[rows]) + hide(z, speakers[rows], step / 200)).backward()
        optimizer.step()
    with torch.no_grad():
        z = body(x)
    told = group_probe(z[:700].numpy(), speakers[:700].numpy())
    return told.uar, (head(z[700:]).argmax(1) == y[700:]).float().mean().item()


def none():
    return lambda z, speakers, progress: 0.0, []


def linear():
    loss = LinearAdversaryLoss(32, 10, memory=1000)
    return lambda z, speakers, progress: loss(z, speakers), []


def reversed_gradient():
    loss = AdversaryLoss(32, 10)
    return lambda z, speakers, progress: loss(z, speakers, reversal_schedule(progress)), loss.parameters()


@pytest.mark.parametrize("seed", range(2))
def test_a_net_against_it_hides_speakers_from_a_fresh_classifier_and_keeps_the_class(seed):
    speakers, classes = trained(seed, none)
    hidden, kept = trained(seed, linear)
    lagging, _ = trained(seed, reversed_gradient)
    assert speakers > 0.6
    assert hidden < 0.2  # chance is 0.1
    assert kept > classes - 0.02
    assert classes > 0.9
    assert lagging > 0.6  # a classifier trained at the rate of the net is fooled, and the speakers still there


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LinearAdversaryLoss(4, 1), "classes is 1; at least 2"),
        (lambda: LinearAdversaryLoss(0, 2), "dimensions is 0; at least 1"),
        (lambda: LinearAdversaryLoss(4, 2, memory=-1), "memory is -1; at least 0"),
        (lambda: adversary()(torch.zeros(2, 4), torch.tensor([0, 3])), r"group 3 is outside 0\.\.2, and -1 for"),
        (lambda: adversary()(torch.zeros(2, 4), torch.tensor([0, -2])), "group -2 is outside"),
        (lambda: adversary()(torch.zeros(2, 4), torch.zeros(2)), r"groups: torch.float32 of shape \(2,\)"),
        (lambda: adversary()(torch.zeros(3, 4), torch.tensor([0, 1])), r"expected floating point \(2, dimens"),
        (lambda: adversary()(torch.zeros(1, 5), torch.tensor([0])), "5 dimensions; the adversary takes 4"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.bool])
def test_groups_of_any_whole_numbers(dtype):
    rows, groups = torch.randn(4, WIDTH), torch.tensor([0, 1, 1, 0])
    assert torch.equal(LinearAdversaryLoss(4, 2)(rows, groups.to(dtype)), LinearAdversaryLoss(4, 2)(rows, groups))


@pytest.mark.parametrize("group", [0, -1])
def test_a_batch_that_is_not_finite_is_told_and_not_remembered(group):
    z, groups = items()
    loss, other = adversary(), adversary()
    broken, of = z.clone(), groups.clone()
    broken[0], of[0] = math.nan, group
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        assert loss(broken, of).isnan()
    assert torch.equal(loss(z, groups), other(z, groups))


# ---- given the class: what it tells is partialled out

KINDS = 3


def votes(count=24, seed=0, dtype=torch.double):
    """Rows of probabilities, some of them certain."""
    rows = torch.rand(count, KINDS, generator=torch.Generator().manual_seed(40 + seed), dtype=torch.double) ** 3
    rows[::3] = torch.eye(KINDS, dtype=torch.double)[rows[::3].argmax(1)]
    return (rows / rows.sum(1, keepdim=True)).to(dtype)


def given(memory=1024, dtype=torch.double):
    return LinearAdversaryLoss(WIDTH, CLASSES, memory, target_classes=KINDS).to(dtype)


def partial_pillai(z, groups, targets, weights=None) -> float:
    """By least squares: what groups explain of embeddings beside the targets, of what targets alone leave."""
    z, groups, targets = np.asarray(z, float), np.asarray(groups), np.asarray(targets, float)
    root = np.sqrt(np.ones(len(z)) if weights is None else weights)[:, None]

    def left(*columns):
        design, y = np.concatenate([np.ones((len(z), 1)), *columns], 1) * root, z * root
        rest = y - design @ np.linalg.lstsq(design, y, rcond=1e-9)[0]
        return rest.T @ rest

    alone, both = left(targets), left(targets, np.eye(CLASSES)[groups])
    return np.trace(np.linalg.solve(alone + RIDGE * np.diag(np.diag(alone)), alone - both)) / min(CLASSES - 1, WIDTH)


def test_given_the_class_it_is_what_groups_explain_beside_it():
    z, groups = items()
    hard = votes().argmax(1)
    for targets, rows in ((votes(), votes()), (hard, torch.eye(KINDS)[hard])):
        found = given()(z, groups, targets).item()
        assert found == pytest.approx(partial_pillai(z, groups, rows), abs=1e-9)
        assert found != pytest.approx(pillai(z, groups), abs=1e-3)


def test_given_the_class_batches_together_are_all_items_at_once():
    loss, parts = given(memory=50), [(*items(seed=seed), votes(seed=seed)) for seed in range(3)]
    values = [loss(*part).item() for part in parts]
    every = [torch.cat(column) for column in zip(*parts)]
    weights = np.exp(-np.repeat([48, 24, 0], 24) / 50)
    assert values[2] == pytest.approx(partial_pillai(*every, weights), abs=1e-9)


def test_one_class_for_all_is_no_class():
    z, groups = items()
    found = LinearAdversaryLoss(WIDTH, CLASSES, target_classes=1).double()(z, groups, torch.zeros(24, dtype=torch.long))
    assert found.item() == pytest.approx(adversary()(z, groups).item(), abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.double, torch.float32])
def test_groups_that_only_their_class_tells_cost_nothing(dtype):
    """Each class has a place, each group its own share of the classes, and within a class groups lie alike."""
    classes = torch.tensor([0] * 12 + [1] * 12)
    groups = torch.tensor([0] * 8 + [1] * 4 + [0] * 4 + [1] * 8)
    z = torch.eye(2, WIDTH)[classes] * 5 + 100
    z[:, 2] += torch.tensor([1.0, -1.0]).repeat(12)
    loss = LinearAdversaryLoss(WIDTH, CLASSES, target_classes=2).to(dtype)
    rows = z.to(dtype).requires_grad_()
    value = loss(rows, groups, classes)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert rows.grad.abs().max() < 1e-5
    assert adversary(dtype=dtype)(z.to(dtype), groups).item() > 0.04  # without the class it asks to hide the class


@pytest.mark.parametrize("dtype", [torch.double, torch.float32])
def test_of_groups_of_one_class_each_those_within_a_class_are_told_apart(dtype):
    groups = torch.arange(24) % CLASSES
    classes = torch.tensor([0, 0, 1])[groups]
    z, _ = items(dtype=dtype)
    value = LinearAdversaryLoss(WIDTH, CLASSES, target_classes=2).to(dtype)(z, groups, classes).item()
    assert value == pytest.approx(partial_pillai(z, groups, torch.eye(2)[classes]), abs=1e-5)


def test_given_the_class_gradients_are_right_and_order_and_unknown_groups_change_nothing():
    z, groups = items(12)
    targets = votes(12)
    assert torch.autograd.gradcheck(lambda each: given().eval()(each, groups, targets), z.clone().requires_grad_())
    value, order = given()(z, groups, targets).item(), torch.randperm(12, generator=torch.Generator().manual_seed(1))
    assert given()(z[order], groups[order], targets[order]).item() == pytest.approx(value, abs=1e-9)
    names = torch.tensor([2, 0, 1])
    assert given()(z, names[groups], targets[:, names]).item() == pytest.approx(value, abs=1e-9)
    more = [torch.cat([each, each[:3]]) for each in (z, targets)]
    with pytest.warns(LeftOutWarning):
        found = given()(more[0], torch.cat([groups, torch.full((3,), -1)]), more[1]).item()
    assert found == pytest.approx(value, abs=1e-9)


def test_given_the_class_what_it_remembers_goes_on_to_the_bit_and_logits_know_no_class():
    whole, resumed, plain = given(), given(), adversary()
    whole(*items(), votes())
    plain(*items())
    torch.testing.assert_close(whole.logits(items()[0]), plain.logits(items()[0]))
    resumed.load_state_dict(whole.state_dict())
    later = (*items(seed=1), votes(seed=1))
    assert torch.equal(whole(*later), resumed(*later))


def test_embeddings_that_are_points_of_their_classes_say_so():
    _, groups = items()
    classes = votes().argmax(1)
    rows = torch.eye(KINDS, WIDTH)[classes].requires_grad_()
    with pytest.warns(DegenerateBatchWarning, match="all embeddings of a class are alike"):
        value = given(dtype=torch.float32)(rows, groups, classes)
    value.backward()
    assert not rows.grad.any()


def test_nan_in_a_target_or_an_embedding_is_told_and_not_remembered():
    (z, groups), targets = items(), votes()
    loss, broken = given(), z.clone()
    broken[3, 1] = math.nan
    assert loss(broken, groups, targets).isnan()
    unknown = targets.clone()
    unknown[5] = math.nan
    assert loss(z, groups, unknown).isnan()
    assert torch.equal(loss(z, groups, targets), given()(z, groups, targets))


def test_in_a_net_of_half_precision_it_remembers_in_full():
    z, groups = items(dtype=torch.float32)
    for half in (torch.bfloat16, torch.float16):
        loss, plain = given(dtype=torch.float32), given(dtype=torch.float32)
        for each in (loss, plain):
            each(z, groups, votes(dtype=torch.float32))
        loss.to(half)
        assert {buffer.dtype for buffer in loss.buffers()} == {torch.float32}
        assert torch.equal(loss.scatter, plain.scatter)
        rows = z.to(half).requires_grad_()
        value = loss(rows, groups, votes(dtype=torch.float32))
        assert value.dtype == torch.float32
        assert torch.equal(value, plain(rows.detach().float(), groups, votes(dtype=torch.float32)))
    assert {buffer.dtype for buffer in given(dtype=torch.float32).double().buffers()} == {torch.double}


def test_given_the_class_it_is_traced_too():
    torch.compiler.reset()
    plain, traced = given(dtype=torch.float32), given(dtype=torch.float32)
    compiled = torch.compile(traced, fullgraph=True, backend="eager")
    for seed in range(2):
        part = (*items(seed=seed, dtype=torch.float32), votes(seed=seed, dtype=torch.float32))
        torch.testing.assert_close(compiled(*part), plain(*part))


def test_targets_without_classes_and_classes_without_targets_are_refused():
    z, groups = items()
    with pytest.raises(ValueError, match="target_classes is 0 and targets are given; give both, or neither"):
        adversary()(z, groups, votes())
    with pytest.raises(ValueError, match="target_classes is 3 and there are none; give both, or neither"):
        given()(z, groups)
    with pytest.raises(ValueError, match=r"expected floating point \(7, dimensions\)"):
        given()(z, groups, votes(7))
    with pytest.raises(ValueError, match="target_classes is -1; at least 0"):
        LinearAdversaryLoss(WIDTH, CLASSES, target_classes=-1)
