"""Several modalities: what an item lacks changes nothing, whatever lies there; hiding leaves at least one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from affectspace.encoders import Batch, LinearAutoencoder, Modality, MultimodalEncoder, Outputs, SequenceAutoencoder
from affectspace.encoders.multimodal import hidden_modalities

LENGTHS = {"acoustic": [1, 1, 0, 1, 0, 1], "visual": [4, 0, 3, 1, 0, 6], "lexical": [9, 2, 5, 0, 0, 1]}


def _net(seed: int = 0, **changes) -> MultimodalEncoder:
    torch.manual_seed(seed)
    nets = {
        "acoustic": LinearAutoencoder(7, latent=4, hidden=(6,)),
        "visual": SequenceAutoencoder(10, 5, latent=3, heads=3, blocks=1, convolutions=[(3, 2, 1, 2)]),
        "lexical": SequenceAutoencoder(8, 6, latent=5, heads=2, blocks=1, convolutions=[(4, 2, 1, 2)], hidden=(9,)),
    }
    return MultimodalEncoder(nets, classes=3, **changes)


def _batch(spoil: float | None = None) -> Batch:
    torch.manual_seed(1)
    modalities = {}
    for name, shape in {"acoustic": (6, 7), "visual": (6, 6, 10), "lexical": (6, 9, 8)}.items():
        values, lengths = torch.randn(shape), torch.tensor(LENGTHS[name])
        if spoil is not None:
            outside = torch.arange(shape[1]) >= lengths[:, None] if values.ndim == 3 else lengths == 0
            values[outside] = spoil
        modalities[name] = Modality(values, lengths)
    return Batch(torch.empty(6, 0), torch.ones(6), modalities=modalities)


def _without(batch: Batch, name: str, items: list[int]) -> Batch:
    assert batch.modalities is not None
    lengths = batch.modalities[name].lengths.clone()
    lengths[items] = 0
    modality = Modality(batch.modalities[name].values, lengths)
    return replace(batch, modalities={**batch.modalities, name: modality})


def _reconstruction_loss(net: MultimodalEncoder, batch: Batch, outputs: Outputs) -> Tensor:
    assert batch.modalities is not None
    loss = outputs.embedding.new_zeros(())
    for name, made in outputs.reconstructions.items():
        modality = batch.modalities[name]
        target, counts = net.autoencoders[name].target(modality.values, modality.lengths)
        if counts.any():
            loss = loss + (made - target)[counts].square().mean()
    return loss


def test_shapes_and_sizes():
    net = _net()
    assert net.sizes == {"embedding": 12, "acoustic": 4, "visual": 3, "lexical": 5}
    outputs = net(_batch())
    assert outputs.logits.shape == (6, 3)
    assert {name: latent.shape[1] for name, latent in outputs.layers.items()} | {
        "embedding": outputs.embedding.shape[1]
    } == net.sizes
    shapes = {name: tuple(made.shape) for name, made in outputs.reconstructions.items()}
    assert shapes == {"acoustic": (6, 7), "visual": (6, 5, 10), "lexical": (6, 6, 8)}


def test_the_embedding_is_the_latents_side_by_side_and_zeros_where_there_are_none():
    net, batch = _net(), _batch()
    outputs = net(batch)
    assert torch.equal(outputs.embedding, torch.cat([outputs.layers[name] for name in LENGTHS], -1))
    torch.testing.assert_close(outputs.logits, net.classifier[0](outputs.embedding))
    for name, lengths in LENGTHS.items():
        latent = outputs.layers[name]
        assert (latent != 0).any(-1).tolist() == [length > 0 for length in lengths]
        modality = batch.modalities[name]
        own = net.autoencoders[name].encode(modality.values, modality.lengths)
        assert torch.equal(latent[modality.present], own[modality.present])
    assert torch.equal(outputs.logits[4], net.classifier[0].bias)  # an item that has none


@pytest.mark.parametrize("spoil", [float("nan"), float("inf"), 1e30])
def test_nothing_depends_on_what_lies_where_nothing_is(spoil):
    net = _net()
    clean, spoilt = (net(_batch(value)) for value in (None, spoil))
    for before, after in zip(_tensors(clean), _tensors(spoilt)):
        assert torch.equal(before, after)
    gradients = []
    for batch in (_batch(), _batch(spoil)):
        net.zero_grad()
        outputs = net(batch)
        (outputs.logits.square().sum() + _reconstruction_loss(net, batch, outputs)).backward()
        gradients.append([parameter.grad.clone() for parameter in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients))
    assert all(gradient.isfinite().all() for gradient in gradients[1])


def _tensors(outputs: Outputs) -> list[Tensor]:
    return [outputs.embedding, outputs.logits, *outputs.layers.values(), *outputs.reconstructions.values()]


@pytest.mark.parametrize("name", LENGTHS)
def test_what_one_item_lacks_changes_no_other(name):
    net, batch = _net(), _batch()
    before, after = net(batch), net(_without(batch, name, [0, 3]))
    others = [1, 2, 4, 5]
    for whole, less in zip(_tensors(before), _tensors(after)):
        assert torch.equal(whole[others], less[others])
    for other in LENGTHS:
        assert torch.equal(before.layers[other], after.layers[other]) == (other != name)
    assert not after.layers[name][[0, 3]].any()


def test_no_gradient_reaches_the_net_of_a_modality_that_no_item_has():
    net = _net()
    batch = _without(_batch(float("nan")), "visual", list(range(6)))
    outputs = net(batch)
    (outputs.logits.square().sum() + _reconstruction_loss(net, batch, outputs)).backward()
    reached = {
        name: any(p.grad is not None and bool(p.grad.any()) for p in one.parameters()) for name, one in net.nets.items()
    }
    assert reached == {"acoustic": True, "visual": False, "lexical": True}


def test_the_order_of_items_does_not_matter():
    net, batch = _net().eval(), _batch()
    order = torch.randperm(6)
    assert batch.modalities is not None
    moved = {name: Modality(one.values[order], one.lengths[order]) for name, one in batch.modalities.items()}
    before, after = net(batch), net(replace(batch, modalities=moved))
    torch.testing.assert_close(after.logits, before.logits[order], atol=1e-6, rtol=1e-5)


def test_other_modalities_are_not_looked_at_nor_their_order():
    net, batch = _net(), _batch()
    assert batch.modalities is not None
    shuffled = dict(reversed(batch.modalities.items())) | {"other": Modality(torch.empty(6, 1), torch.ones(6))}
    assert torch.equal(net(replace(batch, modalities=shuffled)).embedding, net(batch).embedding)


def test_reconstructions_are_made_while_training_only():
    assert set(_net()(_batch()).reconstructions) == set(LENGTHS)
    assert _net().eval()(_batch()).reconstructions == {}
    assert _net(decode=False)(_batch()).reconstructions == {}


def test_evaluation_draws_nothing():
    net, batch = _net(dropout=0.5, modality_dropout=0.7), _batch()
    assert not torch.equal(net(batch).logits, net(batch).logits)
    net.eval()
    assert torch.equal(net(batch).logits, net(batch).logits)
    assert torch.equal(net(batch).embedding, _net().eval()(batch).embedding)


def test_hiding_repeats_and_leaves_the_latents_to_other_losses():
    net, batch = _net(modality_dropout=0.6), _batch()
    torch.manual_seed(5)
    first = net(batch)
    torch.manual_seed(5)
    assert torch.equal(net(batch).embedding, first.embedding)
    whole = _net()(batch)
    for name in LENGTHS:
        assert torch.equal(first.layers[name], whole.layers[name])
        assert torch.equal(first.reconstructions[name], whole.reconstructions[name])
    assert not torch.equal(first.embedding, whole.embedding)
    parts = zip(first.embedding.split([4, 3, 5], -1), first.layers.values())
    kept = torch.stack([(part == latent).all(-1) & latent.any(-1) for part, latent in parts], -1)
    hidden = torch.stack([~part.any(-1) for part in first.embedding.split([4, 3, 5], -1)], -1)
    assert torch.equal(kept, ~hidden)


def test_a_net_without_hiding_draws_as_one_that_knows_none():
    net, batch = _net(modality_dropout=0.0), _batch()
    before = torch.get_rng_state()
    net(batch)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.9, 1.0])
def test_hiding_never_hides_all_that_an_item_has(chance):
    torch.manual_seed(0)
    present = torch.rand(20_000, 3) < 0.6
    hidden = hidden_modalities(present, chance)
    assert not (hidden & ~present).any()
    has = present.sum(-1)
    shown = (present & ~hidden).sum(-1)
    assert (shown[has > 0] >= 1).all()
    assert (shown[has == 0] == 0).all()
    if chance == 1.0:
        assert (shown[has > 0] == 1).all()
    for number in (1, 2, 3):
        # each by itself, less the one of all that is shown after all
        expected = chance - chance**number / number
        rates = hidden[has == number][present[has == number]].float().mean()
        assert float(rates) == pytest.approx(expected, abs=0.02)


def test_hiding_favours_no_place():
    torch.manual_seed(0)
    shown = ~hidden_modalities(torch.ones(30_000, 3, dtype=torch.bool), 0.8)
    assert shown.float().mean(0).tolist() == pytest.approx([float(shown.float().mean())] * 3, abs=0.015)


def test_bfloat16_stays_close_and_ends_in_float32():
    net, batch = _net(), _batch(float("nan"))
    with torch.autocast("cpu", torch.bfloat16):
        low = net(batch)
    assert {tensor.dtype for tensor in _tensors(low)} == {torch.float32}
    for near, exact in zip(_tensors(low), _tensors(net(batch))):
        torch.testing.assert_close(near, exact, atol=5e-2, rtol=5e-2)
    _reconstruction_loss(net, batch, low).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_a_classifier_with_layers():
    net, batch = _net(hidden=(6, 5)), _batch()
    outputs = net(batch)
    hidden = net.classifier[2](net.classifier[0](outputs.embedding).relu()).relu()
    torch.testing.assert_close(outputs.logits, net.classifier[4](hidden))


def test_a_kept_net_answers_as_before():
    net, other = _net(0).eval(), _net(1).eval()
    assert not torch.equal(net(_batch()).logits, other(_batch()).logits)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(_batch()).logits, other(_batch()).logits)


def test_equal_seeds_give_equal_autoencoders_however_many_classes_there_are():
    torch.manual_seed(0)
    few = MultimodalEncoder({"acoustic": LinearAutoencoder(7)}, classes=2)
    torch.manual_seed(0)
    many = MultimodalEncoder({"acoustic": LinearAutoencoder(7)}, classes=9)
    assert all(torch.equal(a, b) for a, b in zip(few.nets.parameters(), many.nets.parameters()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dropout": 1.0}, r"dropout is 1\.0; it is a share in \[0, 1\)"),
        ({"modality_dropout": 1.5}, r"modality_dropout is 1\.5; it is a chance in \[0, 1\]"),
        ({"modality_dropout": float("nan")}, r"modality_dropout is nan; it is a chance"),
        ({"hidden": (0,)}, r"layer 1 is 0; give a whole number of at least 1"),
    ],
)
def test_what_cannot_be_built(changes, words):
    with pytest.raises(ValueError, match=words):
        _net(**changes)


def test_names_that_cannot_be():
    with pytest.raises(ValueError, match="modalities are none; give one or more, and 'embedding' is the name of them"):
        MultimodalEncoder({}, classes=2)
    with pytest.raises(ValueError, match="modalities are embedding; give one or more"):
        MultimodalEncoder({"embedding": LinearAutoencoder(3)}, classes=2)


def test_batches_that_lack_a_modality_as_a_whole():
    batch = _batch()
    assert batch.modalities is not None
    del batch.modalities["visual"]
    words = "the batch has no visual, only acoustic, lexical; expected acoustic, visual, lexical, with lengths of 0 "
    with pytest.raises(ValueError, match=words + "where an item lacks one"):
        _net()(batch)
    with pytest.raises(ValueError, match="the batch has no modalities; expected acoustic, visual, lexical"):
        _net()(Batch(torch.randn(2, 3), torch.ones(2)))
