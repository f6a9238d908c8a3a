"""The graph of a model answers as the model does, however items are padded and whatever the padding holds."""

import numpy as np
import pytest
import torch

from affectspace.errors import InputError
from affectspace.export import graph_of, made_up
from affectspace.training.model import Model


def by_model(model: Model, graph, items):
    """What the model answers of items, each alone, by its own front end."""
    found = []
    for item in items:
        if graph.reads.name == "samples":
            item = model.frontend.compute(item)
        elif graph.reads.name == "pixels":
            item = item.reshape(-1, item.shape[-1])
        found.append(model([item]))
    return [np.concatenate(each) for each in zip(*found)]


def test_answers_are_those_of_the_model_alone_and_side_by_side(lay_model, kind):
    model = lay_model(kind)
    graph = graph_of(model)
    items = made_up(model, graph)
    embedding, probabilities = by_model(model, graph, items)
    assert np.ptp(embedding, axis=0).max() > 1e-3  # the items are told apart at all
    side_by_side = graph(*graph.batch(items))
    alone = [torch.cat(each) for each in zip(*(graph(*graph.batch([item])) for item in items))]
    for found in (side_by_side, alone):
        np.testing.assert_allclose(found[0].numpy(), embedding, atol=1e-4)
        np.testing.assert_allclose(found[1].numpy(), probabilities, atol=2e-5)


@pytest.mark.parametrize("kind", ["conv_pool", "conv_pool item", "speech", "frames", "layers in time"])
@pytest.mark.parametrize("junk", [1e3, float("nan"), float("inf")])
def test_padding_has_no_part_whatever_it_holds(lay_model, kind, junk):
    model = lay_model(kind)
    graph = graph_of(model)
    items = made_up(model, graph)[:4]
    values, lengths = graph.batch(items)
    behind = torch.arange(values.shape[1]) >= lengths[:, None]
    spoilt = values.masked_fill(behind.view(*behind.shape, *[1] * (values.ndim - 2)), junk)
    for one, other in zip(graph(values, lengths), graph(spoilt, lengths)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_sub_classes_are_answered_as_their_classes(lay_model):
    model = lay_model("mlp", torch.tensor([0, 1, 1, 2]))
    graph = graph_of(model)
    items = made_up(model, graph)
    _, probabilities = by_model(model, graph, items)
    found = graph(*graph.batch(items))[1].numpy()
    assert found.shape == (len(items), 3)
    np.testing.assert_allclose(found, probabilities, atol=1e-6)


def test_inputs_are_told_by_name_and_by_what_each_axis_is(lay_model):
    told = {kind: graph_of(lay_model(kind)).reads for kind in ("speech", "mlp", "frames", "layers", "image", "rgb")}
    assert told["speech"].shape == ("items", "samples")
    assert told["speech"].inputs == ("samples", "lengths")
    assert (told["mlp"].shape, told["mlp"].inputs) == (("items", 30), ("features",))
    assert "openSMILE" in told["mlp"].before
    assert told["frames"].shape == ("items", "frames", 12)
    assert (told["layers"].shape, told["layers"].inputs) == (("items", 3, 6), ("features",))
    assert (told["image"].shape, told["image"].dtype) == (("items", 24, 24, 1), torch.uint8)
    assert told["image"].before.endswith("resized to 24 x 24 pixels, grey")
    assert told["rgb"].before.endswith("RGB")


def test_several_modalities_and_adapted_speech_models_are_refused_with_a_reason(lay_duo, tmp_path, lay_speech_model):
    from affectspace.training import make_recipe
    from affectspace.training.model import make_encoder

    several = make_recipe(lay_duo(tmp_path))
    net = make_encoder(several, {"acoustic": 4, "lexical": 5}, 3)
    with pytest.raises(InputError, match=r"reads several modalities \(acoustic, lexical\), of which an item may lack"):
        graph_of(Model(net, ("a", "b", "c"), several, {}))
    adapted = make_recipe(
        {
            "name": "adapted",
            "data": str(lay_speech_model("wav2vec2 group").parent),
            "corpora": [{"path": "mine"}],
            "labels": {"kind": "classes", "names": ["a", "b"]},
            "features": {"kind": "waveform", "normalise": {"scope": "none"}},
            "encoder": {"kind": "pretrained_speech", "source": "wav2vec2-group", "lora": {"rank": 2}},
            "protocol": {"kind": "leave_one_out", "by": "speaker"},
            "terms": [{"kind": "cross_entropy"}],
        }
    )
    with pytest.raises(InputError, match=r"adapts a speech model of others, .* give the model itself: --to hub"):
        graph_of(Model(make_encoder(adapted, 1, 2), ("a", "b"), adapted, {}))
