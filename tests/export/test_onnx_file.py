"""An ONNX file answers as its model does, is whole by itself, and tells what it needs and nothing of this machine."""

import importlib.util

import onnx
import pytest
import torch

from affectspace.errors import InputError
from affectspace.export import graph_of, made_up, open_onnx, parity, write_onnx
from affectspace.export.onnx_file import MOST


@pytest.mark.parametrize("kind", ["conv_pool item", "speech", "image", "mlp"])
def test_a_file_answers_as_the_model_at_every_length(lay_onnx, kind):
    model, graph, path, about = lay_onnx(kind)
    ask, told = open_onnx(path)
    assert told == about
    assert (told["classes"], told["format"]) == (["angry", "happy", "sad"], 1)
    found = parity(model, graph, ask, made_up(model, graph))
    assert found.items == 10
    assert max(found.embedding, found.probabilities) < 1e-4
    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"]  # no weights beside it
    whole = path.read_bytes()
    assert b"/export/" not in whole
    assert b"site-packages" not in whole
    proto = onnx.load(path)
    axes = [
        [place.dim_param or place.dim_value for place in each.type.tensor_type.shape.dim] for each in proto.graph.input
    ]
    assert axes == [list(graph.reads.shape), *([["items"]] if graph.reads.lengths else [])]
    assert [each.name for each in proto.graph.output] == ["embedding", "probabilities"]
    assert {each.domain for each in proto.opset_import} == {""}  # operators of the standard alone


def test_a_model_of_pictures_by_others_is_a_graph_with_its_own_resizing(lay_pretrained, tmp_path):
    model = lay_pretrained("vit")
    graph, path = graph_of(model), tmp_path / "model.onnx"
    write_onnx(path, model, graph)
    found = parity(model, graph, open_onnx(path)[0], made_up(model, graph))
    assert max(found.embedding, found.probabilities) < 1e-4
    assert found.largest > 0.1


def test_what_a_file_of_recordings_needs_is_in_it(lay_model):
    from affectspace.export.about import about_graph

    model = lay_model("conv_pool item")
    told = about_graph(model, graph_of(model))
    assert told["sample_rate"] == 16_000
    assert told["inputs"] == {"samples": ["items", "samples"], "lengths": ["items"]}
    assert told["before"] == "a recording is decoded, mixed to one channel and brought to 16,000 samples a second"
    assert told["normalisation"] == "item: each item is given its own mean and scale"
    functionals = lay_model("mlp")
    told = about_graph(functionals, graph_of(functionals))
    assert "commercial" in told["features_licence"]
    assert "as one of a corpus nobody knows" in told["normalisation"]


def test_missing_packages_and_nets_too_large_are_refused(lay_model, tmp_path, monkeypatch):
    model = lay_model("mlp")
    graph = graph_of(model)
    monkeypatch.setattr(type(graph), "state_dict", lambda self: {"weight": torch.empty(MOST, device="meta")})
    with pytest.raises(InputError, match=r"weights take 8.0 GB, and one ONNX file holds 2; choose --to torch-export"):
        write_onnx(tmp_path / "model.onnx", model, graph)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name))
    with pytest.raises(InputError, match=r'ONNX needs onnxscript, not installed; pip install "affectspace\[onnx\]"'):
        write_onnx(tmp_path / "model.onnx", model, graph)
    assert not list(tmp_path.iterdir())
