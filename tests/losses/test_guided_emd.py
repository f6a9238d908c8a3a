"""The oracles are loops from the formula; then what training with the loss keeps, learns and leaves flat."""

import copy
import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor, nn

from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.ground_distance import ClassFeatures, learned_ground_distance, relation_strength
from affectspace.losses.guided_emd import VARIANTS, GuidedEMDLoss, guided_emd

LINE = torch.tensor([[abs(i - j) / 3 for j in range(4)] for i in range(4)], dtype=torch.double)


def distributions(rows: int, classes: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, classes, generator=generator, dtype=torch.double).mul(2).softmax(-1)


def batch(items: int = 12, classes: int = 4, dimensions: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(items, classes, generator=generator)
    return logits, torch.randint(classes, (items,), generator=generator), torch.rand(items, dimensions)


def looped(p: Tensor, t: Tensor, d: Tensor, omega: float, mu: float, form: str) -> list[float]:
    values = []
    for row, shares in zip(p.tolist(), t.tolist()):
        value = 0.0
        for k, share in enumerate(shares):
            for i, probability in enumerate(row):
                distance, missing = d[i, k].item(), probability
                if form == "released":
                    distance = 1.0 if i == k else distance
                    missing = probability - (i == k)
                value += share * missing**2 * (distance**omega + mu)
        values.append(value)
    return values


@settings(deadline=None, max_examples=30)
@given(
    items=st.integers(0, 4),
    classes=st.integers(1, 5),
    variant=st.sampled_from(sorted(VARIANTS)),
    form=st.sampled_from(["paper", "released"]),
    hard=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_equals_a_loop_over_items_and_classes(items, classes, variant, form, hard, seed):
    p, t = distributions(items, classes, seed), distributions(items, classes, seed + 1)
    # not symmetric: the row is the class predicted, the column the true one
    d = torch.rand(classes, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    d.fill_diagonal_(0)
    targets = t.argmax(-1) if hard else t
    rows = torch.eye(classes, dtype=torch.double)[targets] if hard else t
    omega, mu = VARIANTS[variant]
    assert guided_emd(p, targets, d, omega, mu, form).tolist() == pytest.approx(
        looped(p, rows, d, omega, mu, form), abs=1e-10
    )


@pytest.mark.parametrize("form", ["paper", "released"])
@pytest.mark.parametrize("targets", [torch.tensor([0, 3, 1]), distributions(3, 4, 1)])
def test_gradient_in_float64(form, targets):
    p = distributions(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: guided_emd(x, targets, LINE, 2.0, -0.25, form), p)
    loss = GuidedEMDLoss(4, ground_distance=LINE, form=form).eval()
    loss.emd_weight.fill_(0.7)
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), distributions(3, 4).log().requires_grad_())


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_class_at_the_mean_distance_is_neither_rewarded_nor_charged(variant):
    omega, mu = VARIANTS[variant]
    flat = torch.full((3, 3), 0.5).fill_diagonal_(0)
    costs = guided_emd(torch.eye(3), torch.tensor([0, 0, 0]), flat, omega, mu)
    assert costs.tolist() == [mu, 0, 0]


def test_near_classes_are_rewarded_and_far_ones_charged():
    costs = guided_emd(torch.eye(4).double(), torch.zeros(4, dtype=torch.long), LINE)
    assert costs.tolist() == pytest.approx([-0.5, -1 / 6, 1 / 6, 0.5])


def test_the_released_form_is_zero_for_a_perfect_prediction_and_charges_what_the_truth_lacks():
    truth = torch.arange(4)
    assert not guided_emd(torch.eye(4).double(), truth, LINE, form="released").any()
    hesitant = 0.8 * torch.eye(4).double() + 0.05
    lacking = guided_emd(hesitant, truth, torch.zeros(4, 4), 1.0, 0.0, "released")
    assert lacking.tolist() == pytest.approx([0.15**2] * 4)


def test_a_probability_close_to_one_keeps_its_digits_in_the_released_form():
    missed = torch.tensor([[1 - 2**-20, 2**-20]])
    charged = guided_emd(missed, torch.tensor([0]), torch.zeros(2, 2), 1.0, 0.0, "released")
    assert charged.item() == pytest.approx(2**-40, rel=1e-5)


# ---- the loss


def epochs_of(loss: GuidedEMDLoss, seeds: list[int]) -> Iterator[list[Tensor]]:
    for seed in seeds:
        values = [loss(*batch(seed=10 * seed + step)) for step in range(3)]
        loss.epoch_end()
        yield values


def test_during_warm_up_it_is_cross_entropy():
    loss = GuidedEMDLoss(4, 5, warm_up=2)
    for seed, values in enumerate(epochs_of(loss, [0, 1, 2])):
        for step, value in enumerate(values):
            logits, targets, _ = batch(seed=10 * seed + step)
            same = value.item() == pytest.approx(nn.functional.cross_entropy(logits, targets).item())
            assert same == (seed < 2)


@pytest.mark.parametrize("warm_up", [1, 2, 4])
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_the_weight_is_measured_in_the_last_warm_up_epoch_and_then_kept(warm_up, variant):
    loss = GuidedEMDLoss(4, 5, variant, warm_up, ratio=3.0)
    omega, mu = VARIANTS[variant]
    for epoch, _ in enumerate(epochs_of(copy.deepcopy(loss), list(range(warm_up)))):
        before = loss.ground_distance.clone()
        batches = [batch(seed=10 * epoch + step) for step in range(3)]
        for one in batches:
            loss(*one)
        loss.epoch_end()
        assert (loss.emd_weight > 0) == (epoch == warm_up - 1)
    logits, targets = torch.cat([b[0] for b in batches]).double(), torch.cat([b[1] for b in batches])
    emd = guided_emd(logits.softmax(-1), targets, before, omega, mu).abs().mean()
    wanted = nn.functional.cross_entropy(logits, targets) / emd / 3.0
    assert loss.emd_weight.item() == pytest.approx(wanted.item(), rel=1e-5)
    kept = loss.emd_weight.item()
    for _ in epochs_of(loss, [7, 8]):
        assert loss.emd_weight.item() == kept


def test_the_distance_is_learned_anew_from_each_epoch_alone():
    loss = GuidedEMDLoss(4, 5, warm_up=1, tolerance=0.1)
    for seed in range(3):
        torch.manual_seed(seed)
        state, gatherer = torch.get_rng_state(), ClassFeatures(4, 5)
        for step in range(3):
            _, targets, features = batch(seed=10 * seed + step)
            gatherer.update(features, targets)
        torch.set_rng_state(state)
        list(epochs_of(loss, [seed]))
        centroids = gatherer.centroids()
        assert torch.equal(loss.ground_distance, learned_ground_distance(centroids, gatherer.present, 0.1))
        assert loss.strength == relation_strength(centroids)
    assert loss.epoch == 3


def test_after_warm_up_the_value_is_the_formula():
    loss = GuidedEMDLoss(4, 5, "xemd2", warm_up=1)
    list(epochs_of(loss, [0]))
    logits, targets, features = batch(seed=99)
    emd = guided_emd(logits.double().softmax(-1), targets, loss.ground_distance, 2.0, -0.25)
    wanted = nn.functional.cross_entropy(logits.double(), targets) + loss.emd_weight.item() * emd.mean()
    assert loss(logits, targets, features).item() == pytest.approx(wanted.item(), rel=1e-6)


def test_a_given_distance_stays_and_needs_no_features():
    loss = GuidedEMDLoss(4, ground_distance=LINE, warm_up=1)
    logits, targets, _ = batch()
    loss(logits, targets)
    loss.epoch_end()
    assert torch.equal(loss.ground_distance, LINE)
    assert loss.emd_weight > 0
    assert loss.strength.isnan()
    LINE_before = LINE.clone()
    loss.ground_distance.zero_()
    assert torch.equal(LINE, LINE_before)


def test_in_evaluation_nothing_is_gathered():
    loss = GuidedEMDLoss(4, 5)
    before = copy.deepcopy(loss.state_dict())
    loss.eval()
    logits, targets, features = batch()
    assert torch.equal(loss(logits, targets), loss(logits, targets, features))
    assert all(torch.equal(a, b) or a.isnan() for a, b in zip(before.values(), loss.state_dict().values()))


def test_the_value_in_training_does_not_depend_on_what_was_gathered_in_the_epoch():
    loss = GuidedEMDLoss(4, 5, warm_up=1)
    list(epochs_of(loss, [0]))
    first, again = loss(*batch(seed=5)), loss(*batch(seed=5))
    assert torch.equal(first, again)


def test_resumes_to_the_bit_in_the_middle_of_an_epoch():
    def train(loss: GuidedEMDLoss, model: nn.Module, steps: range) -> None:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            features = torch.rand(12, 5, generator=generator)
            value = loss(model(features), torch.randint(4, (12,), generator=generator), features)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            if step % 4 == 3:
                loss.epoch_end()

    for stop in (2, 6, 9, 12):
        torch.manual_seed(0)
        model, loss = nn.Linear(5, 4), GuidedEMDLoss(4, 5, warm_up=2)
        resumed, again = copy.deepcopy(model), GuidedEMDLoss(4, 5, warm_up=2)
        train(loss, model, range(stop))
        resumed.load_state_dict(copy.deepcopy(model.state_dict()))
        again.load_state_dict(copy.deepcopy(loss.state_dict()))
        train(loss, model, range(stop, 18))
        train(again, resumed, range(stop, 18))
        assert torch.equal(model.weight, resumed.weight)
        for name, tensor in loss.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name]), name


def test_processes_that_add_up_what_they_gathered_agree_with_one_that_saw_all():
    one, two, both = (GuidedEMDLoss(4, 5, warm_up=1) for _ in range(3))
    for seed in range(4):
        everything = batch(seed=seed)
        (one if seed % 2 else two)(*everything)
        both(*everything)
    for ours, theirs in zip(one.gathered(), two.gathered()):
        ours += theirs
    one.epoch_end()
    both.epoch_end()
    assert torch.equal(one.ground_distance, both.ground_distance)
    assert one.emd_weight.item() == pytest.approx(both.emd_weight.item(), rel=1e-6)


def test_an_absent_class_is_neutral_in_the_next_epoch():
    loss = GuidedEMDLoss(5, 5, warm_up=1)
    logits, targets, features = batch(classes=5)
    loss(logits, targets.clamp(max=3), features)
    loss.epoch_end()
    assert loss.ground_distance[4].tolist() == [0.5, 0.5, 0.5, 0.5, 0.0]


def test_features_get_no_gradient_from_here():
    logits, targets, features = batch()
    features.requires_grad_()
    GuidedEMDLoss(4, 5)(logits.requires_grad_(), targets, features).backward()
    assert features.grad is None
    assert logits.grad is not None


def test_order_of_the_batch_does_not_matter():
    logits, targets, features = batch()
    shuffle = torch.randperm(12)
    loss = GuidedEMDLoss(4, 5, warm_up=1)
    list(epochs_of(loss, [0]))
    value = loss(logits, targets, features)
    assert loss(logits[shuffle], targets[shuffle], features[shuffle]).item() == pytest.approx(value.item(), rel=1e-6)


def test_a_hard_label_is_a_one_hot_row():
    hard, soft = GuidedEMDLoss(4, 5, warm_up=1), GuidedEMDLoss(4, 5, warm_up=1)
    for seed in range(3):
        logits, targets, features = batch(seed=seed)
        value = hard(logits, targets, features)
        assert torch.equal(value, soft(logits, torch.eye(4)[targets], features))
        hard.epoch_end()
        soft.epoch_end()


def test_bfloat16_is_worked_on_in_float32():
    loss = GuidedEMDLoss(4, 5, warm_up=1)
    list(epochs_of(loss, [0]))
    logits, targets, features = batch(items=64)
    wanted = loss(logits.bfloat16().double(), targets, features).item()
    narrow = logits.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(narrow, targets, features.bfloat16())
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(wanted, rel=1e-5)
    assert narrow.grad is not None
    assert narrow.grad.dtype == torch.bfloat16


def test_probabilities_that_underflow_keep_a_finite_loss_and_their_gradient():
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    loss = GuidedEMDLoss(2, 5)(logits, torch.tensor([1]), torch.rand(1, 5))
    loss.backward()
    assert loss.item() == pytest.approx(1000)
    assert logits.grad is not None
    assert logits.grad.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize("form", ["paper", "released"])
def test_compiles_as_one_graph_in_training_and_gathers_the_same(form):
    eager, compiled = (GuidedEMDLoss(4, 5, warm_up=1, form=form) for _ in range(2))
    traced = torch.compile(compiled, fullgraph=True, backend="eager")
    for seed in range(3):
        one = batch(seed=seed)
        assert torch.allclose(traced(*one), eager(*one))
        eager.epoch_end()
        compiled.epoch_end()
        assert torch.equal(eager.ground_distance, compiled.ground_distance)
        assert torch.equal(eager.emd_weight, compiled.emd_weight)


def test_nan_is_not_hidden():
    logits, targets, features = batch()
    loss = GuidedEMDLoss(4, 5)
    assert loss(logits * math.nan, targets, features).isnan()
    assert guided_emd(logits * math.nan, targets, LINE).isnan().all()
    with pytest.raises(ValueError, match="some losses of epoch 1 were infinite or NaN; leave such steps out"):
        loss.epoch_end()
    loss = GuidedEMDLoss(4, 5)
    loss(logits, targets, features * math.nan)
    with pytest.raises(ValueError, match="some features of epoch 1 were infinite or NaN"):
        loss.epoch_end()


def test_no_items_warn_and_give_a_zero_with_a_graph():
    logits = torch.zeros(0, 4, requires_grad=True)
    with pytest.warns(DegenerateBatchWarning, match="it holds no item"):
        value = GuidedEMDLoss(4, 5)(logits, torch.zeros(0, dtype=torch.long), torch.zeros(0, 5))
    value.backward()
    assert value.item() == 0


def zero_cost() -> None:
    loss = GuidedEMDLoss(2, ground_distance=torch.zeros(2, 2), warm_up=1)
    loss.mu = 0.0
    loss(torch.zeros(1, 2), torch.tensor([0]))
    loss.epoch_end()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GuidedEMDLoss(4), "give the features' dimensions to learn a ground distance, or a ground_distance"),
        (lambda: GuidedEMDLoss(4, 5, "xemd3"), "variant is 'xemd3'; choose one of 'xemd1', 'xemd2'"),
        (lambda: GuidedEMDLoss(4, 5, form="other"), "form is 'other'; choose one of 'paper', 'released'"),
        (lambda: GuidedEMDLoss(4, 5, warm_up=0), "warm_up is 0; the weight is measured in the last of 1 or more"),
        (lambda: GuidedEMDLoss(4, 5, ratio=0), "ratio is 0; expected a number above 0"),
        (lambda: GuidedEMDLoss(4, 5, tolerance=-1), "tolerance is -1; expected a share"),
        (lambda: GuidedEMDLoss(3, ground_distance=LINE), r"ground_distance has shape \(4, 4\); expected \(3, 3\)"),
        (lambda: GuidedEMDLoss(4, ground_distance=3 * LINE), r"goes from 0\.0000 to 3\.0000; divide by its largest"),
        (lambda: GuidedEMDLoss(4, ground_distance=LINE + 0 * math.nan), "goes from nan to nan"),
        (lambda: GuidedEMDLoss(2, ground_distance=torch.ones(2, 2)), "not 0 between each class and itself; set its"),
        (lambda: GuidedEMDLoss(4, 5)(*batch()[:2]), "training learns the ground distance from features; give what"),
        (lambda: GuidedEMDLoss(3, 5)(*batch()), "logits have 4 classes; there were to be 3"),
        (lambda: GuidedEMDLoss(4, 6)(*batch()), "features have 5 dimensions; there were to be 6"),
        (lambda: GuidedEMDLoss(4, 5)(torch.zeros(3, 4), torch.tensor([0])), r"\(3, 4\) for targets of shape \(1,\)"),
        (lambda: GuidedEMDLoss(4, 5)(torch.zeros(1, 4), torch.tensor([4]), torch.rand(1, 5)), "class 4 is outside"),
        (lambda: GuidedEMDLoss(4, ground_distance=LINE).bfloat16()(*batch()), "the loss was cast to torch.bfloat16"),
        (lambda: GuidedEMDLoss(4, 5).epoch_end(), "no item was gathered since the last epoch_end"),
        (zero_cost, "the EMD term of every item was 0"),
        (lambda: guided_emd(torch.eye(3), torch.arange(3), LINE), r"has shape \(4, 4\); expected \(3, 3\)"),
        (lambda: guided_emd(torch.eye(4), torch.arange(4), LINE, omega=0.0), r"omega is 0\.0; an exponent"),
        (lambda: guided_emd(torch.eye(4), torch.arange(4), LINE, form="other"), "form is 'other'; choose one of"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- what training finds (benchmarks/planted_order.py has the whole experiment)


def learn(means: Tensor, seed: int, tolerance: float | None = None) -> tuple[Tensor, float]:
    """D off the diagonal after six epochs of a small net, and the spread of the distances it was made from."""
    classes, dimensions = means.shape
    torch.manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(dimensions, dimensions)).Q
    targets = torch.arange(800) % classes
    inputs = means[targets] @ turn + 0.7 * torch.randn(800, dimensions)
    body, head = nn.Sequential(nn.Linear(dimensions, 32), nn.ReLU()), nn.Linear(32, classes)
    loss = GuidedEMDLoss(classes, 32, tolerance=tolerance)
    optimiser = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.03, momentum=0.9)
    spread = math.nan
    for _ in range(6):
        for rows in torch.randperm(800).split(32):
            features = body(inputs[rows])
            optimiser.zero_grad()
            loss(head(features), targets[rows], features).backward()
            optimiser.step()
        assert loss.features is not None
        spread = relation_strength(loss.features.centroids(), diagonal=False).item()
        loss.epoch_end()
    return loss.ground_distance[~torch.eye(classes, dtype=torch.bool)], spread


def test_a_planted_order_is_found_and_no_common_relation_where_there_is_none():
    along = torch.linspace(0, 0.75 * torch.pi, 8)
    ordered = torch.zeros(8, 16)
    ordered[:, 0], ordered[:, 1], ordered[:, 2] = 4 * along.cos(), 4 * along.sin(), along
    unrelated = 3 * torch.eye(16)[:8]
    steps = [abs(i - j) for i, j in itertools.product(range(8), repeat=2) if i != j]
    found = [learn(ordered, seed) for seed in range(3)]
    accidents = [learn(unrelated, seed) for seed in range(3)]
    assert all(spearmanr(d, steps).statistic > 0.95 for d, _ in found)
    assert max(spread for _, spread in accidents) < min(spread for _, spread in found) / 2
    alike = [spearmanr(a, b).statistic for (a, _), (b, _) in itertools.combinations(accidents, 2)]
    assert abs(sum(alike) / len(alike)) < 0.4
    flat, _ = learn(unrelated, 0, tolerance=0.3)
    assert flat.std() < 0.1 * accidents[0][0].std()
