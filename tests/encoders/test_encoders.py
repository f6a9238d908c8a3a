"""Padding never changes a result; short clips, bfloat16 and NaN behave."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.encoders import MLP, Batch, ConvPool, pad

NETS = {"conv_pool": ConvPool, "mlp": MLP}


@pytest.mark.parametrize("kind", NETS)
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=5), extra=st.integers(0, 40), seed=st.integers(0, 99))
def test_padding_never_changes_a_result(kind, lengths, extra, seed):
    torch.manual_seed(seed)
    net = NETS[kind](bands=6, classes=3)
    clips = [torch.randn(n, 6) for n in lengths]
    values, true_lengths = pad(clips)
    # What lies in the padding must not matter: fill it with something that would win every maximum.
    values = torch.nn.functional.pad(values, (0, 0, 0, extra))
    inside = torch.arange(values.shape[1]) < true_lengths[:, None]
    values[~inside] = 1e3
    together = net(Batch(values, true_lengths))
    for row, clip in enumerate(clips):
        alone = net(Batch(clip[None], torch.tensor([len(clip)])))
        torch.testing.assert_close(together.embedding[row], alone.embedding[0], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(together.logits[row], alone.logits[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", NETS)
def test_embeddings_lie_in_the_orthant_that_the_geometries_need(kind):
    outputs = NETS[kind](bands=6, classes=3)(Batch(torch.randn(9, 40, 6), torch.full((9,), 40)))
    assert (outputs.embedding >= 0).all()


def test_the_maximum_is_that_of_a_plain_loop():
    net = ConvPool(bands=4, classes=2, channels=5, kernel=3, hidden=6)
    clip = torch.randn(12, 4)
    weight, bias = net.convolution.weight, net.convolution.bias
    windows = torch.stack([(weight * clip[t : t + 3].T).sum((1, 2)) + bias for t in range(10)])
    expected = net.fc1(windows.relu().amax(0)).relu()
    torch.testing.assert_close(net(Batch(clip[None], torch.tensor([12]))).embedding[0], expected)


@pytest.mark.parametrize("kind", NETS)
def test_nan_is_not_hidden(kind):
    values = torch.randn(2, 30, 6)
    values[0, 3, 2] = float("nan")
    logits = NETS[kind](bands=6, classes=3)(Batch(values, torch.tensor([30, 30]))).logits
    assert logits[0].isnan().all()
    assert not logits[1].isnan().any()


@pytest.mark.parametrize("kind", NETS)
def test_bfloat16_stays_close(kind):
    torch.manual_seed(0)
    net, batch = NETS[kind](bands=6, classes=3), Batch(torch.randn(4, 40, 6), torch.full((4,), 40))
    with torch.autocast("cpu", torch.bfloat16):
        low = net(batch).embedding.float()
    torch.testing.assert_close(low, net(batch).embedding, atol=3e-2, rtol=5e-2)


def test_dropout_outside_its_range():
    with pytest.raises(ValueError, match=r"dropout is 1\.0; it is a share in \[0, 1\)"):
        MLP(bands=3, classes=2, dropout=1.0)


def test_mlp_moves_inputs_beyond_the_limit_to_it():
    torch.manual_seed(0)
    limited, free = MLP(bands=3, classes=2, limit=2.0).eval(), MLP(bands=3, classes=2).eval()
    free.load_state_dict(limited.state_dict())
    values, lengths = torch.tensor([[1.0, -9000.0, 0.5], [-1.0, 1.5, 7.0]]), torch.ones(2)
    moved = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 1.5, 2.0]])
    assert torch.equal(limited(Batch(values, lengths)).logits, free(Batch(moved, lengths)).logits)
    assert limited(Batch(torch.full((1, 3), float("nan")), torch.ones(1))).logits.isnan().all()


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_mlp_refuses_a_limit_that_is_none(limit):
    with pytest.raises(ValueError, match="it is a magnitude above 0, such as 3, or None for no limit"):
        MLP(bands=3, classes=2, limit=limit)
