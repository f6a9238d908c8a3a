"""Hidden states weighed, pooled and embedded: against loops over items, layers and frames."""

import math

import pytest
import torch

from affectspace.encoders import Batch, LayerMix, MixedLayers


def net(**settings):
    torch.manual_seed(0)
    made = LayerMix(**{"width": 6, "layers": 3, "classes": 4, "dimensions": 5, **settings})
    made.mixed.double()
    with torch.no_grad():
        made.mixed.scores.copy_(torch.tensor([0.3, -1.0, 2.0]))
    return made


def states(items=4, frames=7, layers=3, width=6):
    return torch.randn(items, frames, layers, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def by_hand(mixed, items):
    """Frame by frame and layer by layer, of each item alone ``(frames, layers, width)``."""
    total = sum(math.exp(score) for score in mixed.scores.tolist())
    weights = [math.exp(score) / total for score in mixed.scores.tolist()]
    pooled = []
    for item in items:
        frames = []
        for frame in item:
            mixture = torch.zeros(item.shape[-1], dtype=torch.float64)
            for weight, state in zip(weights, frame):
                if mixed.layer_norm:
                    state = (state - state.mean()) / (state.var(correction=0) + 1e-5).sqrt()
                mixture += weight * state
            frames.append(mixture)
        if mixed.statistics is None:
            pooled.append(sum(frames) / len(frames))
            continue
        look, score = mixed.statistics.hidden, mixed.statistics.score
        scores = [float((score.weight @ torch.tanh(look.weight @ frame + look.bias))[0]) for frame in frames]
        shares = [math.exp(each) / sum(map(math.exp, scores)) for each in scores]
        mean = sum(share * frame for share, frame in zip(shares, frames))
        spread = sum(share * (frame - mean) ** 2 for share, frame in zip(shares, frames))
        pooled.append(torch.cat([mean, (spread + 1e-5).sqrt()]))
    return torch.stack(pooled)


@pytest.mark.parametrize("pooling", ["mean", "attentive"])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_frames_are_mixed_and_pooled_as_by_hand(pooling, layer_norm):
    encoder, lengths = net(frames=True, pooling=pooling, layer_norm=layer_norm), [7, 4, 1, 2]
    values = states()
    outputs = encoder(Batch(values.flatten(2), torch.tensor(lengths)))
    expected = by_hand(encoder.mixed, [item[:length] for item, length in zip(values, lengths)])
    torch.testing.assert_close(outputs.layers["features"].double(), expected, atol=1e-6, rtol=0)
    assert encoder.sizes == {"embedding": 5, "features": 6 if pooling == "mean" else 12}
    assert (outputs.embedding.shape, outputs.logits.shape) == ((4, 5), (4, 4))


@pytest.mark.parametrize("layer_norm", [True, False])
def test_of_means_the_frames_are_the_layers(layer_norm):
    encoder, values = net(layer_norm=layer_norm), states(frames=1)
    outputs = encoder(Batch(values[:, 0], torch.full((4,), 3)))
    torch.testing.assert_close(outputs.layers["features"].double(), by_hand(encoder.mixed, values), atol=1e-6, rtol=0)


def test_without_normalisation_it_does_not_matter_when_the_mean_is_taken():
    whole, values = net(frames=True, layer_norm=False), states()
    before = net(layer_norm=False)(Batch(values.mean(1), torch.full((4,), 3)))
    after = whole(Batch(values.flatten(2), torch.full((4,), 7)))
    torch.testing.assert_close(before.embedding, after.embedding)


@pytest.mark.parametrize("pooling", ["mean", "attentive"])
def test_padding_has_no_part_in_results_or_gradients(pooling):
    encoder, values = net(frames=True, pooling=pooling), states().flatten(2)
    lengths = torch.tensor([7, 4, 1, 2])
    found = []
    for padding in (0.0, math.nan):
        batch = values.clone()
        for item, length in zip(batch, lengths):
            item[length:] = padding
        batch.requires_grad_()
        encoder.zero_grad()
        outputs = encoder(Batch(batch, lengths))
        outputs.logits.square().sum().backward()
        gradients = [parameter.grad.clone() for parameter in encoder.parameters()]
        found.append([outputs.embedding, batch.grad, *gradients])
        assert not batch.grad[1, 4:].any()
    torch.testing.assert_close(*found)
    alone = encoder(Batch(values[1:2, :4], torch.tensor([4])))
    torch.testing.assert_close(alone.embedding[0], found[0][0][1])


@pytest.mark.parametrize("pooling", ["mean", "attentive"])
def test_gradients(pooling):
    mixed = MixedLayers(3, 2, pooling).double()
    with torch.no_grad():
        mixed.scores.copy_(torch.tensor([0.2, -0.4]))
    values = states(2, 3, 2, 3).requires_grad_()
    parameters = [*mixed.parameters()]
    assert torch.autograd.gradcheck(lambda states, *_: mixed(states, torch.tensor([3, 2])), (values, *parameters))


def test_a_single_frame_has_a_gradient():
    """Its deviation is 0, where a root has none."""
    values = states(1, 1, 3, 6).requires_grad_()
    MixedLayers(6, 3, "attentive").double()(values, torch.tensor([1])).sum().backward()
    assert torch.isfinite(values.grad).all()


def test_weights_begin_equal_and_can_be_read():
    assert torch.allclose(MixedLayers(6, 4).weights, torch.full((4,), 0.25))
    weights = net().mixed.weights
    assert weights.argmax() == 2
    assert float(weights.sum()) == pytest.approx(1)
    assert not weights.requires_grad


def test_low_precision_is_not_used_where_digits_would_be_lost():
    values, lengths = states().float(), torch.tensor([7, 4, 1, 2])
    mixed = MixedLayers(6, 3)
    with torch.autocast("cpu", torch.bfloat16):
        low = mixed(values, lengths)
    torch.testing.assert_close(low, mixed(values, lengths))
    assert low.dtype == torch.float32


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="pooling is 'max'; legal: mean, attentive"):
        MixedLayers(6, 3, "max")
    with pytest.raises(ValueError, match="attentive pooling needs frames, and these states are means over time"):
        LayerMix(6, 3, 4, pooling="attentive")
    with pytest.raises(ValueError, match="items have 2 layers, and this net weighs 3"):
        net()(Batch(states(layers=2)[:, 0], torch.full((4,), 2)))
    with pytest.raises(ValueError, match=r"dropout is 1; it is a share in \[0, 1\)"):
        net(dropout=1)
