"""Against pytorch-metric-learning: equal where it can count, and what happens where it cannot."""

import pytest
import torch

pytest.importorskip("pytorch_metric_learning")

from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.triplet import TripletLoss

MARGIN = 0.3
MINERS = {
    "all": None,
    "semi_hard": lambda distance: TripletMarginMiner(MARGIN, type_of_triplets="semihard", distance=distance),
    "hard": lambda distance: BatchHardMiner(distance=distance),
}


def batch(items: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(items, 8, dtype=torch.double, generator=draw, requires_grad=True)
    return embeddings, torch.randint(classes, (items,), generator=draw)


@pytest.mark.parametrize("form", ["hinge", "soft_margin"])
@pytest.mark.parametrize("triplets", ["all", "semi_hard", "hard"])
@pytest.mark.parametrize("average", ["all", "active"])
@pytest.mark.parametrize(("normalise", "squared"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("with_reference", [False, True])
def test_equal_in_value_and_gradient(form, triplets, average, normalise, squared, with_reference):
    distance = LpDistance(normalize_embeddings=normalise, power=2 if squared else 1)
    reducer = MeanReducer() if average == "all" else None
    peer = TripletMarginLoss(MARGIN, smooth_loss=form == "soft_margin", distance=distance, reducer=reducer)
    ours = TripletLoss(MARGIN, form, triplets, average, normalise, squared)
    z, y = batch(24, 4, seed=1)
    others, other_y = batch(18, 4, seed=2)
    extra = (others, other_y) if with_reference else ()
    mined = MINERS[triplets] and MINERS[triplets](distance)(z, y, *extra)
    expected = peer(z, y, mined, *extra)
    value = ours(z, y, *extra)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    leaves = (z, others) if with_reference else (z,)
    for mine, theirs in zip(torch.autograd.grad(value, leaves), torch.autograd.grad(expected, leaves)):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-12)


def test_a_batch_without_triplets_is_a_silent_zero_there_and_told_here():
    z, y = batch(6, 1, seed=3)
    assert TripletMarginLoss(MARGIN)(z, y).item() == 0
    with pytest.warns(DegenerateBatchWarning):
        assert TripletLoss(MARGIN)(z, y).item() == 0


def test_their_list_of_triplets_takes_24_bytes_each_and_ours_none():
    _, y = batch(32, 4, seed=4)
    listed = get_all_triplets_indices(y)
    triplets = len(listed[0])
    assert triplets * 24 == sum(column.numel() * column.element_size() for column in listed)
    # 8 classes of 1024 items: 1.4 TB, where ours holds blocks of distances
    assert 8192 * 1023 * 7168 * 24 > 1.4e12


def test_more_triplets_than_an_int32_counts_are_a_mean_as_any():
    y = torch.arange(2600) % 2
    assert torch.iinfo(torch.int32).max < 2600 * 1299 * 1300
    angle = torch.where(y == 0, 0.0, torch.pi / 3)
    z = torch.stack([angle.cos(), angle.sin()], 1)
    assert TripletLoss(1.25)(z, y).item() == pytest.approx(0.25, rel=1e-5)
