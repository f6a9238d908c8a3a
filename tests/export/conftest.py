"""Models of every kind of net and features with weights at random, so that nothing need be trained."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectspace.export import Graph, graph_of, write_onnx
from affectspace.features import Normaliser
from affectspace.training import make_recipe
from affectspace.training.model import Model, make_encoder

CLASSES = ("angry", "happy", "sad")
CORPUS = {
    "name": "random",
    "corpora": [{"path": "mine"}],
    "labels": {"kind": "classes", "names": list(CLASSES)},
    "protocol": {"kind": "leave_one_out", "by": "speaker"},
    "terms": [{"kind": "cross_entropy"}],
}
# features, encoder, dimensions of a frame, scope of the normaliser, what else the recipe says
KINDS = {
    "conv_pool": ({"kind": "log_mel", "bands": 20}, {"kind": "conv_pool", "channels": 8, "hidden": 8}, 20, "train", {}),
    "conv_pool item": (
        {"kind": "log_mel", "bands": 20, "level": -26.0}, {"kind": "conv_pool", "channels": 8, "hidden": 8}, 20, "item",
        {},
    ),
    "speech": (
        {"kind": "log_mel", "level": -26.0}, {"kind": "speech", "width": 8, "depth": 1, "dimensions": 4}, 40, "train",
        {},
    ),
    "mlp": ({"kind": "functionals"}, {"kind": "mlp", "hidden": 8, "limit": 3.0}, 30, "corpus", {}),
    "frames": (
        {"kind": "words", "path": "words.npz"}, {"kind": "conv_pool", "channels": 8, "hidden": 8, "kernel": 4}, 12,
        "none", {},
    ),
    "image": (
        {"kind": "faces", "side": 24}, {"kind": "image", "net": "quick_resnet18", "dimensions": 4}, 1, "train",
        {"views": {"crop": 22, "flip": True}},
    ),
    "layers": (
        {"kind": "pretrained_speech", "source": "mine", "layers": [0, 1, 4]}, {"kind": "layer_mix", "dimensions": 4}, 6,
        "none", {},
    ),
    "layers in time": (
        {"kind": "pretrained_speech", "source": "mine", "layers": [0, 1], "pool": "none"},
        {"kind": "layer_mix", "dimensions": 4, "pooling": "attentive"}, 12, "none", {},
    ),
    "rgb": (
        {"kind": "faces", "side": 32, "colour": "rgb"}, {"kind": "image", "net": "alexnet", "width": 0.1}, 3, "train",
        {},
    ),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    """Each kind of model, one after the other."""
    return request.param


@pytest.fixture(scope="session")
def lay_model():
    """``lay_model("mlp")``: such a model; with ``parents=torch.tensor([0, 1, 1, 2])`` one of sub-classes."""

    def lay(kind: str, parents: torch.Tensor | None = None) -> Model:
        features, encoder, dimensions, scope, more = KINDS[kind]
        recipe = make_recipe(CORPUS | {"features": features, "encoder": encoder} | more)
        random = np.random.default_rng(0)
        clips = [random.normal(3.0, 2.0, (40, dimensions)) for _ in range(4)]
        normaliser = Normaliser.fit(clips, scope, [0, 1, 2], ["mine"] * 4)
        torch.manual_seed(0)
        net = make_encoder(recipe, dimensions, len(CLASSES) if parents is None else len(parents), normaliser)
        for each in net.modules():  # as after training, where no batch normalisation is as it began
            if isinstance(each, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(each.running_mean, -0.1, 0.1)
                torch.nn.init.uniform_(each.running_var, 0.5, 1.5)
        return Model(net.eval(), CLASSES, recipe, {"features": normaliser}, parents)

    return lay


@pytest.fixture(scope="session")
def lay_onnx(lay_model, tmp_path_factory):
    """``lay_onnx("speech")``: such a model, its graph, its file and the metadata that came back; each written once."""

    @functools.cache
    def lay(kind: str) -> tuple[Model, Graph, Path, dict[str, Any]]:
        model, path = lay_model(kind), tmp_path_factory.mktemp("onnx") / "model.onnx"
        graph = graph_of(model)
        return model, graph, path, write_onnx(path, model, graph)

    return lay


@pytest.fixture
def lay_pretrained(tmp_path):
    """``lay_pretrained("vit")``: a model on a net of others, as small as can be, which sees 32 pixels."""
    import json

    import transformers

    def lay(family: str) -> Model:
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
            patch_size=8,
        )  # fmt: skip
        folder = tmp_path / "data" / family
        transformers.AutoModel.from_config(config).save_pretrained(folder)
        settings = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "size": {"shortest_edge": 32}}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        recipe = make_recipe(
            CORPUS
            | {"data": str(folder.parent), "features": {"kind": "faces", "side": 24}}
            | {"encoder": {"kind": "pretrained_image", "source": family}}
        )
        normaliser = Normaliser.fit([np.random.default_rng(0).uniform(0, 255, (576, 1))] * 2, "train", [0, 1])
        net = make_encoder(recipe, 1, len(CLASSES), normaliser)
        return Model(net.eval(), CLASSES, recipe, {"features": normaliser})

    return lay


# ---- a run to be published


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A run on recordings of three invented languages, tested on speakers of two; a folder "nobody/knows-this"."""
    from affectspace.corpora import make_synthetic
    from affectspace.training import train

    root = tmp_path_factory.mktemp("nobody-knows-this")
    for name in ("alva", "boro"):
        make_synthetic(root / name, name, speakers=6, items_per_speaker=12)
    values = {
        "name": "published", "data": str(root), "corpora": [{"path": "alva"}, {"path": "boro"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "bands": 20, "level": -26.0, "normalise": {"scope": "item"}},
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 2, "fold": 0, "allow": ["script", "session"]},
        "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2},
    }  # fmt: skip
    return train(make_recipe(values), root / "run", quiet=True).path
