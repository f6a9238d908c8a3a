"""What the loss reaches, and what balancing the pairs buys: twelve free embeddings trained to the end.

docs/f_similarity.md derives what these tests show, and benchmarks/theorem.py prints the full table.
"""

from functools import partial

import numpy as np
import pytest
import torch

from affectspace.labels.geometry import geometry
from affectspace.losses import (
    DIVERGENCES,
    InBatchFSimilarityLoss,
    TripletFSimilarityLoss,
    balanced_pair_weights,
    f_spl,
)
from affectspace.samplers import BalancedTriplets

NAMES = list(DIVERGENCES)
TO_THE_END = {"tolerance_grad": 1e-12, "tolerance_change": 1e-14}


def soft_labels(classes: int, items: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), items))


def train(loss, rows: int = 12, dimensions: int = 16, seed: int = 0, steps: int = 70) -> torch.Tensor:
    """Free non-negative embeddings, from a random start to a minimum of ``loss``."""
    start = 0.5 + torch.rand(rows, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    free = start.requires_grad_()
    # abs rather than ReLU: entries that a long step of the line search makes negative can come back
    optimiser = torch.optim.LBFGS([free], max_iter=steps, history_size=50, line_search_fn="strong_wolfe", **TO_THE_END)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(free.abs())
        value.backward()
        return value

    optimiser.step(closure)
    return free.detach().abs()


def errors(name: str, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """S - C of every pair."""
    return geometry(name).embedding_similarity_pairs(z) - geometry(name).label_similarity_pairs(y)


def plain(name: str, f: str, y: torch.Tensor):
    """The same loss with every pair weighing the same."""
    c = geometry(name).label_similarity_pairs(y)
    return lambda z: 2 * f_spl(geometry(name).embedding_similarity_pairs(z), c, f).mean()


@pytest.mark.parametrize("f", NAMES)
@pytest.mark.parametrize(("name", "classes"), [("angle", 2), ("fisher_rao", 2), ("fisher_rao", 4)])
def test_all_balanced_pairs_reach_s_equal_c(name, classes, f):
    y = soft_labels(classes)
    loss = InBatchFSimilarityLoss(f, name)
    assert errors(name, train(lambda z: loss(z, y)), y).abs().mean() < 2e-3


@pytest.mark.parametrize("f", NAMES)
@pytest.mark.parametrize("name", ["angle", "fisher_rao"])
def test_balanced_triplets_reach_s_equal_c_on_the_pairs_they_compare(name, f):
    # Levels that lie 0.1 apart in the geometry at hand, so that keys have complements; none is
    # certain, since at C = 0 the slope of f has no bound and no optimiser comes to an end.
    level = torch.tensor([1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 8, 9], dtype=torch.double) / 10
    level = level if name == "angle" else torch.sin(level * torch.pi / 2) ** 2
    y = torch.stack([1 - level, level], 1)
    sampler = BalancedTriplets(y.numpy(), 12, name)
    triplets = torch.cat([torch.from_numpy(np.stack(t, 1)) for _ in range(6) for t in sampler])
    triplets = triplets[triplets[:, 1] >= 0]
    loss = TripletFSimilarityLoss(f, name)
    z = train(lambda z: loss(z, y, triplets))
    for partner in (1, 2):
        a, b = triplets[:, 0], triplets[:, partner]
        gap = geometry(name).embedding_similarity(z[a], z[b]) - geometry(name).label_similarity(y[a], y[b])
        assert gap.abs().mean() < 2e-3


@pytest.mark.parametrize("f", NAMES)
@pytest.mark.parametrize("classes", [2, 4])
def test_the_chord_of_graded_labels_cannot_be_reached_whatever_f(classes, f):
    y = soft_labels(classes)
    loss = InBatchFSimilarityLoss(f, "chord")
    residue = errors("chord", train(lambda z: loss(z, y)), y).abs().mean()
    assert 0.01 < residue < 0.06


# What balance does not buy, and what it does


@pytest.mark.parametrize("f", NAMES)
def test_a_geometry_that_can_be_reached_is_reached_without_balance(f):
    y = soft_labels(4)
    assert (geometry("fisher_rao").label_similarity_pairs(y) - 1).mean().abs() > 0.1
    assert errors("fisher_rao", train(plain("fisher_rao", f, y)), y).abs().mean() < 2e-3


def lopsided(items: int = 400) -> torch.Tensor:
    """Similarities of a corpus where nearly all is alike: mean 1.9."""
    draw = torch.rand(items, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    return torch.where(draw < 0.95, 2 - 0.1 * draw, 0.9 * draw)


@pytest.mark.parametrize("f", NAMES)
def test_telling_nothing_is_best_done_at_the_mean_which_balance_puts_at_neutral(f):
    c = lopsided()
    for w, mean in ((torch.full_like(c, 1 / len(c)), c.mean()), (balanced_pair_weights(c), torch.tensor(1.0).double())):
        floor = (w * f_spl(mean, c, f)).sum()
        for s in torch.linspace(0.05, 2, 14, dtype=torch.double):
            # exact for every s: what telling nothing costs, and what missing the mean costs on top
            assert (w * f_spl(s, c, f)).sum().item() == pytest.approx((floor + f_spl(s, mean, f)).item(), rel=1e-6)
        if mean == 1:  # the value that the theorem names, the f-divergence of C from the uniform distribution
            assert floor.item() == pytest.approx((w * DIVERGENCES[f].f(c)).sum().item(), rel=1e-6)


@pytest.mark.parametrize("f", NAMES)
def test_mapping_all_items_to_one_point_is_nearly_free_unless_the_pairs_balance(f):
    c, two, one = lopsided(), torch.tensor(2.0).double(), torch.tensor(1.0).double()
    free, price = f_spl(two, c.mean(), f), f_spl(two, one, f)
    assert price > 30 * free
    w = balanced_pair_weights(c)
    assert ((w * f_spl(two, c, f)).sum() - (w * f_spl(one, c, f)).sum()).item() == pytest.approx(price.item(), rel=1e-6)


def test_the_gain_of_the_paper_is_a_divergence_only_on_balanced_pairs():
    # f and f + a (t - 1) are one f-divergence; their gains C f'(S) - f*(f'(S)) agree only where C averages 1
    c = lopsided()
    s = torch.rand(len(c), generator=torch.Generator().manual_seed(1), dtype=torch.double) + 0.5

    def gain(w: torch.Tensor, a: float) -> float:
        value, slope = s * s.log() + a * (s - 1), s.log() + 1 + a
        return (w * (c * slope - (s * slope - value))).sum().item()

    w = balanced_pair_weights(c)
    assert gain(w, 5) == pytest.approx(gain(w, 0), abs=1e-9)
    uniform = torch.full_like(c, 1 / len(c))
    assert gain(uniform, 5) - gain(uniform, 0) == pytest.approx(5 * (c.mean() - 1).item(), abs=1e-9)


@pytest.mark.parametrize("f", NAMES)
@pytest.mark.parametrize("balance", [True, False])
def test_items_that_look_the_same_are_put_at_the_weighted_mean_of_their_similarity(f, balance):
    # Two points stand for twelve items, so that one number S serves all pairs across: what a net
    # does with items it cannot tell apart. For every f it is the mean of C, under the weights.
    y = torch.cat([soft_labels(2, 6, seed=1) * 0.5 + torch.tensor([0.5, 0.0]), soft_labels(2, 6, seed=2)]).double()
    looks = torch.tensor([0] * 6 + [1] * 6)
    rows, columns = torch.triu_indices(12, 12, 1)
    across = looks[rows] != looks[columns]
    c = geometry("angle").label_similarity_pairs(y)
    w = balanced_pair_weights(c) if balance else torch.full_like(c, 1 / len(c))
    loss = (lambda z: InBatchFSimilarityLoss(f, "angle")(z, y)) if balance else plain("angle", f, y)
    z = train(lambda z: loss(z[looks]), rows=2, dimensions=3)
    s = geometry("angle").embedding_similarity(z[0], z[1])
    assert s.item() == pytest.approx((w * c)[across].sum().item() / w[across].sum().item(), abs=1e-4)


@pytest.mark.parametrize("f", NAMES)
def test_out_of_reach_balance_moves_the_error_from_the_rare_side_to_the_frequent_one(f):
    balanced = InBatchFSimilarityLoss(f, "chord")
    generator = np.random.default_rng(0)
    rare, frequent = np.zeros(2), np.zeros(2)
    for seed in range(2):
        one, other = np.full(4, 0.3), np.full(4, 0.3)
        one[0] = other[1] = 6.0
        y = torch.from_numpy(np.concatenate([generator.dirichlet(one, 22), generator.dirichlet(other, 2)]))
        below = geometry("chord").label_similarity_pairs(y) < 1
        assert below.double().mean() < 0.2
        for k, loss in enumerate((plain("chord", f, y), partial(balanced, targets=y))):
            gap = errors("chord", train(loss, rows=24, seed=seed, steps=100), y).abs()
            rare[k] += gap[below].mean().item() / 2
            frequent[k] += gap[~below].mean().item() / 2
    assert rare[1] < 0.85 * rare[0]
    assert frequent[1] > frequent[0]
