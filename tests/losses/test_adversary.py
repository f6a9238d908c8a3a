"""The oracles are plain autograd and torch's own cross-entropy; a small training shows the purpose."""

import math
import warnings

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from affectspace.losses.adversary import AdversaryLoss, reversal_schedule, reverse_gradient
from affectspace.losses.degenerate import DegenerateBatchWarning, LeftOutWarning

GROUPS = torch.tensor([0, 2, 1, 1, 0, 2])


def setting(dtype=torch.double):
    torch.manual_seed(0)
    return torch.randn(6, 4, dtype=dtype, requires_grad=True), AdversaryLoss(4, 3, hidden=5).to(dtype)


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 2, torch.tensor(0.3), torch.tensor(2.0, dtype=torch.double)])
def test_the_value_is_kept_and_the_gradient_reversed(coefficient):
    z, _ = setting()
    (plain,) = torch.autograd.grad(z.sin().sum(), z)
    turned = reverse_gradient(z, coefficient)
    assert torch.equal(turned, z)
    (gradient,) = torch.autograd.grad(turned.sin().sum(), z)
    torch.testing.assert_close(gradient, -float(coefficient) * plain)


def test_reversed_twice_is_the_ordinary_gradient_times_both():
    z, _ = setting()
    (gradient,) = torch.autograd.grad(reverse_gradient(reverse_gradient(z, 0.5), 3.0).sum(), z)
    torch.testing.assert_close(gradient, torch.full_like(z, 1.5))


def test_the_gradient_of_the_gradient_is_reversed_too():
    z, _ = setting()
    (gradient,) = torch.autograd.grad((reverse_gradient(z, 2.0) ** 3).sum(), z, create_graph=True)
    torch.testing.assert_close(gradient, -6 * z**2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("coefficient", [0.5, torch.tensor(0.5)])
def test_types_are_kept_under_autocast_too(dtype, coefficient):
    z = torch.randn(3, 2, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        turned = reverse_gradient(z, coefficient)
    turned.sum().backward()
    assert turned.dtype == z.grad.dtype == dtype
    assert torch.equal(z.grad, torch.full_like(z, -0.5))


def test_the_schedule_is_the_logistic_one():
    assert reversal_schedule(0) == 0
    for p in (0.05, 0.1, 0.5, 0.9, 1.0):
        assert reversal_schedule(p) == pytest.approx(2 / (1 + math.exp(-10 * p)) - 1, abs=1e-12)
        assert reversal_schedule(p, steepness=3) == pytest.approx(2 / (1 + math.exp(-3 * p)) - 1, abs=1e-12)
    assert reversal_schedule(1.0, steepness=1e300) == 1.0


@pytest.mark.parametrize("coefficient", [0.0, 0.7, torch.tensor(0.7, dtype=torch.double)])
def test_the_net_gets_the_gradient_of_cross_entropy_and_the_embeddings_its_negative(coefficient):
    z, adversary = setting()
    parameters = list(adversary.parameters())
    value = adversary(z, GROUPS, coefficient)
    truth = nn.functional.cross_entropy(adversary.outer(adversary.inner(z).relu()), GROUPS)
    assert value.item() == pytest.approx(truth.item(), abs=1e-10)
    to_embeddings, *to_net = torch.autograd.grad(value, [z, *parameters])
    plain, *plain_to_net = torch.autograd.grad(truth, [z, *parameters])
    torch.testing.assert_close(to_net, plain_to_net)
    torch.testing.assert_close(to_embeddings, -float(coefficient) * plain)


def test_logits_are_not_reversed():
    z, adversary = setting()
    value = nn.functional.cross_entropy(adversary.logits(z), GROUPS)
    (plain,) = torch.autograd.grad(value, z)
    (turned,) = torch.autograd.grad(adversary(z, GROUPS), z)
    torch.testing.assert_close(turned, -plain)
    assert torch.autograd.gradcheck(lambda each: nn.functional.cross_entropy(adversary.logits(each), GROUPS), z)


def test_unknown_groups_are_left_out_and_counted():
    z, adversary = setting()
    groups = torch.tensor([0, -1, 1, -1, 0, 2])
    with pytest.warns(LeftOutWarning, match="their group is unknown") as caught:
        value = adversary(z, groups)
    assert (caught[0].message.count, caught[0].message.of) == (2, 6)
    assert value.item() == pytest.approx(adversary(z[groups >= 0], groups[groups >= 0]).item())
    (gradient,) = torch.autograd.grad(value, z)
    assert gradient.any(1).tolist() == (groups >= 0).tolist()


@pytest.mark.parametrize(("groups", "message"), [([-1, -1], "no item's group is known"), ([], "it holds no item")])
def test_nobody_known_says_so_and_the_net_still_has_a_gradient(groups, message):
    z, adversary = setting()
    with pytest.warns(DegenerateBatchWarning, match=message):
        value = adversary(z[: len(groups)], torch.tensor(groups, dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert not any(each.grad.any() for each in adversary.parameters())


def test_order_of_the_batch_does_not_matter():
    z, adversary = setting()
    shuffle = torch.tensor([3, 1, 5, 0, 2, 4])
    assert adversary(z[shuffle], GROUPS[shuffle]).item() == pytest.approx(adversary(z, GROUPS).item(), abs=1e-12)


@pytest.mark.parametrize("group", [0, -1])
def test_nan_is_not_hidden(group):
    z, adversary = setting()
    z = z.detach().clone()
    z[0, 0] = math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        assert adversary(z, torch.tensor([group, 2, 1, 1, 0, 2])).isnan()


def test_bfloat16_is_computed_in_the_type_of_the_net():
    z, adversary = setting(torch.float32)
    low = z.detach().bfloat16().requires_grad_()
    truth = adversary(low.detach().float(), GROUPS).item()
    value = adversary(low, GROUPS)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(truth, rel=1e-6)
    assert low.grad.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert adversary(low.detach().float(), GROUPS).item() == pytest.approx(truth, rel=1e-6)
    assert adversary.bfloat16()(low, GROUPS).dtype == torch.float32


@pytest.mark.parametrize("coefficient", [0.5, torch.tensor(0.5)])
def test_compiles_whole(coefficient):
    torch.compiler.reset()
    z, adversary = setting(torch.float32)
    groups = torch.tensor([0, -1, 1, 1, 0, 2])
    compiled = torch.compile(adversary, fullgraph=True, backend="eager")
    (traced,) = torch.autograd.grad(compiled(z, groups, coefficient), z)
    with pytest.warns(LeftOutWarning):
        value = adversary(z, groups, coefficient)
    torch.testing.assert_close(traced, torch.autograd.grad(value, z)[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled(z, groups, coefficient).item() == pytest.approx(value.item(), rel=1e-6)


def test_an_encoder_against_it_forgets_the_speaker_and_keeps_the_class():
    """Four inputs tell the class and four the speaker; a linear probe reads each from the embeddings."""
    generator = torch.Generator().manual_seed(0)
    y, speakers = torch.randint(4, (800,), generator=generator), torch.randint(4, (800,), generator=generator)
    x = torch.cat([torch.eye(4)[y], torch.eye(4)[speakers]], 1) + 0.2 * torch.randn(800, 8, generator=generator)

    def probed(with_adversary):
        torch.manual_seed(0)
        encoder, head, adversary = nn.Linear(8, 4), nn.Linear(4, 4), AdversaryLoss(4, 4, hidden=32)
        learners = [{"params": [*encoder.parameters(), *head.parameters()]}]
        optimizer = torch.optim.Adam([*learners, {"params": adversary.parameters(), "lr": 0.02}], lr=0.005)
        for step in range(300):
            z = encoder(x)
            value = nn.functional.cross_entropy(head(z), y)
            if with_adversary:
                value = value + adversary(z, speakers, reversal_schedule(step / 300))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        with torch.no_grad():
            z = encoder(x)
            accuracy = (adversary.logits(z).argmax(1) == speakers).float().mean().item()
        z = ((z - z.mean(0)) / z.std()).numpy()
        return *(LogisticRegression().fit(z[:400], t[:400]).score(z[400:], t[400:]) for t in (y, speakers)), accuracy

    y_without, speaker_without, _ = probed(False)
    y_with, speaker_with, accuracy = probed(True)
    assert min(y_without, y_with) > 0.95
    assert speaker_without > 0.5
    assert speaker_with < 0.35
    assert accuracy < 0.45


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reverse_gradient(torch.zeros(2), -1.0), r"coefficient is -1\.0; it is finite and at least 0"),
        (lambda: reverse_gradient(torch.zeros(2), torch.ones(2)), r"coefficient has shape \(2,\); expected a single"),
        (lambda: reversal_schedule(1.5), r"progress is 1\.5; it is the share of training that is over, from 0 to 1"),
        (lambda: reversal_schedule(-0.1), r"progress is -0\.1"),
        (lambda: reversal_schedule(math.nan), "progress is nan"),
        (lambda: reversal_schedule(0.5, steepness=0), "steepness is 0; it is finite and above 0"),
        (lambda: AdversaryLoss(4, 1), "classes is 1; at least 2"),
        (
            lambda: AdversaryLoss(4, 3)(torch.zeros(2, 4), torch.tensor([0, 3])),
            r"group 3 is outside 0\.\.2, and -1 for",
        ),
        (lambda: AdversaryLoss(4, 3)(torch.zeros(2, 4), torch.tensor([0, -2])), "group -2 is outside"),
        (lambda: AdversaryLoss(4, 3)(torch.zeros(2, 4), torch.zeros(2)), r"groups: torch.float32 of shape \(2,\)"),
        (lambda: AdversaryLoss(4, 3)(torch.zeros(3, 4), torch.tensor([0, 1])), r"expected floating point \(2, dimens"),
        (lambda: AdversaryLoss(4, 3)(torch.zeros(1, 5), torch.tensor([0])), "5 dimensions; the adversary takes 4"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.bool])
def test_groups_of_any_whole_numbers(dtype):
    loss, rows = AdversaryLoss(4, 2), torch.randn(3, 4)
    assert torch.equal(loss(rows, torch.tensor([0, 1, 1], dtype=dtype)), loss(rows, torch.tensor([0, 1, 1])))
