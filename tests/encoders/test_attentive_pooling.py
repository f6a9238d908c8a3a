"""Attentive statistics against a loop over the frames of each clip."""

import pytest
import torch
from torch import nn

from affectspace.encoders import AttentiveStatistics, pad
from affectspace.encoders.attentive_pooling import EPS

torch.set_num_threads(1)


def example(lengths=(7, 1, 4), dimensions=3, beyond=0.0, dtype=torch.double):
    torch.manual_seed(0)
    pooling = AttentiveStatistics(dimensions, hidden=5).to(dtype)
    frames, lengths = pad([torch.randn(n, dimensions, dtype=dtype) for n in lengths])
    inside = torch.arange(frames.shape[1]) < lengths[:, None]
    frames[~inside] = beyond
    return pooling, frames, inside


@pytest.mark.parametrize("beyond", [0.0, 1e3, float("nan"), float("inf")])
def test_it_is_the_loop_over_the_frames_whatever_lies_behind_them(beyond):
    pooling, frames, inside = example(beyond=beyond)
    found = pooling(frames, inside)
    for clip, seen, own in zip(frames, inside, found):
        scores = [pooling.score.weight[0] @ torch.tanh(pooling.hidden(frame)) for frame in clip[seen]]
        weights = [score.exp() / sum(each.exp() for each in scores) for score in scores]
        mean = sum(weight * frame for weight, frame in zip(weights, clip[seen]))
        variance = sum(weight * (frame - mean) ** 2 for weight, frame in zip(weights, clip[seen]))
        torch.testing.assert_close(own, torch.cat([mean, (variance + EPS).sqrt()]))


def test_gradient_in_float64():
    pooling, frames, inside = example()
    frames.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: pooling(x, inside), (frames, *pooling.parameters()))


def test_no_gradient_reaches_what_lies_behind_the_end():
    pooling, frames, inside = example(beyond=9.0)
    frames.requires_grad_()
    pooling(frames, inside).square().sum().backward()
    assert not frames.grad[~inside].any()
    assert frames.grad[inside].any(-1).all()


def test_a_single_frame_is_its_mean_and_has_a_finite_gradient():
    pooling, frames, inside = example(lengths=(1,))
    frames.requires_grad_()
    found = pooling(frames, inside)
    torch.testing.assert_close(found[0, :3], frames[0, 0])
    torch.testing.assert_close(found[0, 3:], torch.full((3,), EPS, dtype=torch.double).sqrt())
    found.sum().backward()
    assert frames.grad.isfinite().all()


def test_a_frame_that_scores_far_above_the_others_is_all_that_counts():
    pooling = AttentiveStatistics(1, hidden=1)
    with torch.no_grad():
        for parameter, value in (
            (pooling.hidden.weight, 100.0),
            (pooling.hidden.bias, -500.0),
            (pooling.score.weight, 50.0),
        ):
            parameter.fill_(value)  # tanh is 1 above 5, and -1 below
    found = pooling(torch.tensor([[[1.0], [9.0], [-3.0]]]), torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(found, torch.tensor([[9.0, EPS**0.5]]))


def test_under_autocast_it_stays_in_float32():
    pooling, frames, inside = example(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        low = pooling(frames.bfloat16(), inside)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, pooling(frames.bfloat16().float(), inside))


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="hidden is 0; give a whole number of at least 1"):
        AttentiveStatistics(3, hidden=0)
    assert isinstance(AttentiveStatistics(3).hidden, nn.Linear)
