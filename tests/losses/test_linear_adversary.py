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
