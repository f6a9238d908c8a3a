"""The oracles are loops over classes and entries; the rest are truths in closed form."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.losses.ground_distance import NEUTRAL, ClassFeatures, learned_ground_distance, relation_strength


def points(classes: int, dimensions: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(classes, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def looped(a: torch.Tensor, there: list[bool], tolerance: float | None) -> list[list[float]]:
    """Ranks by counting, ties by half where there is a tolerance, straight from the definition."""
    n, known = len(a), [i for i, present in enumerate(there) if present]
    far = [[math.dist(x, y) for y in a.tolist()] for x in a.tolist()]
    pairs = [far[i][j] for i in known for j in known if i != j]
    floor = None if tolerance is None else tolerance * sum(pairs) / max(len(pairs), 1)

    def rank(i: int, j: int) -> float:
        if floor is None:
            return sum(far[i][k] < far[i][j] for k in known)
        others = [k for k in known if k not in (i, j)]
        ties = sum(abs(far[i][k] - far[i][j]) <= floor for k in others)
        return 1 + sum(far[i][k] < far[i][j] - floor for k in others) + ties / 2

    def entry(i: int, j: int) -> float:
        if i == j:
            return 0.0
        return (rank(i, j) + rank(j, i)) / 2 / len(known) if there[i] and there[j] else NEUTRAL

    return [[entry(i, j) for j in range(n)] for i in range(n)]


@settings(deadline=None, max_examples=30)
@given(
    there=st.lists(st.booleans(), min_size=1, max_size=7),
    tolerance=st.sampled_from([None, 0.0, 0.1, 0.4, 3.0]),
    seed=st.integers(0, 10_000),
)
def test_equals_counting_entry_by_entry(there, tolerance, seed):
    a = points(len(there), seed=seed)
    learned = learned_ground_distance(a, torch.tensor(there), tolerance)
    assert torch.allclose(learned, torch.tensor(looped(a, there, tolerance), dtype=torch.double), atol=1e-10)
    assert torch.equal(learned, learned.mT)
    assert not learned.diagonal().any()
    assert ((learned >= 0) & (learned < 1)).all()


@pytest.mark.parametrize("tolerance", [None, 0.0, 0.3])
def test_the_mean_distance_between_classes_is_neutral(tolerance):
    learned = learned_ground_distance(points(9), tolerance=tolerance)
    assert learned.sum().item() / (9 * 8) == pytest.approx(NEUTRAL)


def test_without_equal_entries_a_tolerance_of_zero_is_the_papers_rule():
    assert torch.equal(learned_ground_distance(points(9)), learned_ground_distance(points(9), tolerance=0.0))


def test_classes_on_a_line_are_ordered():
    learned = learned_ground_distance(torch.arange(6.0)[:, None].pow(1.1))
    for row in range(6):
        assert learned[row, row:].diff().gt(0).all()
        assert learned[row, : row + 1].diff().lt(0).all()


def test_within_a_tolerance_classes_without_relations_stay_flat():
    """Equal distances, moved by less than the tolerance, give one number for all pairs, exactly."""
    a = 10 * torch.eye(8, dtype=torch.double) + 0.05 * points(8, 8)
    flat = torch.full((8, 8), NEUTRAL, dtype=torch.double).fill_diagonal_(0)
    assert torch.equal(learned_ground_distance(a, tolerance=0.05), flat)
    assert not torch.equal(learned_ground_distance(a), flat)


def test_by_the_papers_rule_the_least_difference_spreads_over_all_ranks():
    learned = learned_ground_distance(torch.eye(8, dtype=torch.double) + 1e-9 * points(8, 8))
    assert learned[learned > 0].std() > 0.15


@pytest.mark.parametrize("tolerance", [0.1, 0.3, 0.5])
def test_a_tolerance_never_turns_an_order_round(tolerance):
    line = torch.arange(8.0)[:, None]
    learned = learned_ground_distance(line, tolerance=tolerance)
    for row in range(8):
        assert learned[row, row:].diff().ge(0).all()
        assert learned[row, : row + 1].diff().le(0).all()
    assert learned[0, 7] > learned[0, 3] > learned[0, 1]


def test_classes_may_be_in_any_order():
    a, shuffle = points(7), torch.randperm(7, generator=torch.Generator().manual_seed(0))
    for tolerance in (None, 0.2):
        learned = learned_ground_distance(a, tolerance=tolerance)
        assert torch.equal(learned_ground_distance(a[shuffle], tolerance=tolerance), learned[shuffle][:, shuffle])


@pytest.mark.parametrize("tolerance", [None, 0.2])
def test_scaling_and_moving_all_centroids_changes_nothing(tolerance):
    a = points(7)
    moved = 4 * a + 1
    assert torch.equal(learned_ground_distance(a, tolerance=tolerance), learned_ground_distance(moved, None, tolerance))


def test_absent_classes_are_neutral_and_do_not_count_in_the_ranks():
    a, there = points(6), torch.tensor([True, True, False, True, True, False])
    learned = learned_ground_distance(a, there)
    assert torch.equal(learned[there][:, there], learned_ground_distance(a[there]))
    assert (learned[2, [0, 1, 3, 4, 5]] == NEUTRAL).all()
    nobody = learned_ground_distance(a, torch.zeros(6, dtype=torch.bool))
    assert torch.equal(nobody, torch.full((6, 6), NEUTRAL, dtype=torch.double).fill_diagonal_(0))


def test_nan_is_not_hidden():
    a = points(4)
    a[1, 0] = math.nan
    assert learned_ground_distance(a)[1].isnan().all()
    assert learned_ground_distance(a)[:, 1].isnan().all()
    assert learned_ground_distance(a, tolerance=0.1).sum(-1).isnan().all()
    assert relation_strength(a).isnan()


def test_relation_strength_is_the_deviation_of_the_distances():
    a = points(5)
    far = torch.tensor([[math.dist(x, y) for y in a.tolist()] for x in a.tolist()])
    assert relation_strength(a).item() == pytest.approx(far.std(correction=0).item(), rel=1e-6)
    off = torch.tensor([far[i, j] for i in range(5) for j in range(5) if i != j])
    assert relation_strength(a, diagonal=False).item() == pytest.approx(off.std(correction=0).item(), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 8, 100])
def test_with_the_diagonal_equally_far_classes_have_a_strength_and_without_none(classes):
    a = torch.eye(classes, dtype=torch.double)
    assert relation_strength(a).item() == pytest.approx(math.sqrt(2) * math.sqrt(classes - 1) / classes)
    assert relation_strength(a, diagonal=False).item() == pytest.approx(0, abs=1e-12)


def test_strength_leaves_absent_classes_out_and_is_zero_without_a_pair():
    a, there = points(4), torch.tensor([True, False, True, True])
    assert relation_strength(a, there) == relation_strength(a[there])
    for diagonal in (True, False):
        assert relation_strength(a[:1], diagonal=diagonal) == 0
        assert relation_strength(a, torch.zeros(4, dtype=torch.bool), diagonal) == 0


# ---- gathering


def gathered(features: torch.Tensor, targets: torch.Tensor, classes: int) -> torch.Tensor:
    sums, counts = [[0.0] * features.shape[1] for _ in range(classes)], [0.0] * classes
    rows = torch.eye(classes)[targets] if targets.ndim == 1 else targets
    for feature, shares in zip(features.tolist(), rows.tolist()):
        size = sum(abs(x) for x in feature)
        for k, share in enumerate(shares):
            counts[k] += share
            for d, x in enumerate(feature):
                sums[k][d] += share * (x / size if size else 0)
    return torch.tensor([[x / (c or 1) for x in row] for row, c in zip(sums, counts)], dtype=torch.double)


@settings(deadline=None, max_examples=25)
@given(batches=st.lists(st.integers(0, 5), max_size=4), hard=st.booleans(), seed=st.integers(0, 10_000))
def test_centroids_equal_a_loop_over_items(batches, hard, seed):
    gatherer = ClassFeatures(3, 4, dtype=torch.double)
    everything, labels = [torch.zeros(0, 4).double()], [torch.zeros(0).long() if hard else torch.zeros(0, 3).double()]
    for step, items in enumerate(batches):
        features = points(items, 4, seed + step)
        features[: items // 3] = 0
        targets = torch.randint(3, (items,)) if hard else points(items, 3, seed - step - 1).softmax(-1)
        gatherer.update(features, targets)
        everything.append(features)
        labels.append(targets)
    wanted = gathered(torch.cat(everything), torch.cat(labels), 3)
    assert torch.allclose(gatherer.centroids(), wanted, atol=1e-12)
    assert torch.equal(gatherer.present, gatherer.counts > 0)


def test_rows_of_zeros_stay_zero_and_count():
    gatherer = ClassFeatures(2, 2)
    gatherer.update(torch.tensor([[0.0, 0.0], [0.0, -3.0]]), torch.tensor([0, 0]))
    assert gatherer.centroids().tolist() == [[0.0, -0.5], [0.0, 0.0]]
    assert gatherer.present.tolist() == [True, False]


def test_two_gatherers_add_up_to_one():
    one, two, both = ClassFeatures(3, 4), ClassFeatures(3, 4), ClassFeatures(3, 4)
    for seed, gatherer in enumerate((one, two)):
        batch = points(6, 4, seed).float(), torch.tensor([0, 1, 1, 2, 0, 0])
        gatherer.update(*batch)
        both.update(*batch)
    one.sums += two.sums
    one.counts += two.counts
    assert torch.equal(one.centroids(), both.centroids())


def test_state_is_saved_and_forgotten_on_demand():
    gatherer, other = ClassFeatures(3, 4), ClassFeatures(3, 4)
    gatherer.update(points(6, 4), torch.tensor([0, 1, 1, 2, 0, 0]))
    other.load_state_dict(gatherer.state_dict())
    assert torch.equal(gatherer.centroids(), other.centroids())
    gatherer.reset()
    assert not gatherer.present.any()
    assert not gatherer.centroids().any()


def test_gathering_takes_no_gradient_and_any_precision():
    gatherer = ClassFeatures(2, 3)
    features = points(4, 3).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gatherer.update(features, torch.tensor([0, 1, 1, 0]))
    wide = ClassFeatures(2, 3)
    wide.update(features.detach().double(), torch.tensor([0, 1, 1, 0]))
    assert torch.allclose(gatherer.centroids(), wide.centroids(), rtol=1e-5)
    assert not gatherer.sums.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ClassFeatures(0, 3), "there are 0 classes and 3 dimensions; expected 1 or more of each"),
        (lambda: ClassFeatures(2, 3).update(torch.zeros(2, 4), torch.tensor([0, 1])), "have 4 dimensions; there were"),
        (lambda: ClassFeatures(2, 3).update(torch.zeros(1, 3), torch.tensor([0, 1])), r"expected floating point \(2,"),
        (lambda: ClassFeatures(2, 3).update(torch.zeros(1, 3), torch.tensor([2])), r"class 2 is outside 0\.\.1"),
        (lambda: ClassFeatures(2, 3).bfloat16().update(torch.zeros(1, 3), torch.tensor([1])), "cast to torch.bfloat16"),
        (lambda: learned_ground_distance(torch.zeros(3)), r"centroids: .* shape \(3,\)"),
        (lambda: learned_ground_distance(torch.eye(3), torch.ones(2).bool()), r"present has shape \(2,\); expected"),
        (lambda: learned_ground_distance(torch.eye(3), tolerance=-0.1), r"tolerance is -0\.1; expected a share"),
        (lambda: relation_strength(torch.eye(3), torch.ones(2).bool()), r"present has shape \(2,\); expected \(3,\)"),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
