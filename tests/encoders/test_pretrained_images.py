"""Pretrained image models: what they see, what they give, and what is refused."""

import importlib.util
import json

import pytest
import torch
from torch import nn

from affectspace.encoders import Batch, pretrained_images
from affectspace.encoders.pretrained_images import PretrainedImages, PretrainedTrunk
from affectspace.errors import InputError

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
OWN = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "resample": 2}
VIT = OWN | {"size": {"height": 32, "width": 32}}
RESNET = OWN | {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}


def save(folder, kind: str, settings: dict | None):
    """A tiny model with random weights, saved with its classifier of five classes as people publish them."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if kind == "vit":
        config = transformers.ViTConfig(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32,
            patch_size=8, num_labels=5,
        )  # fmt: skip
        model = transformers.ViTForImageClassification(config)
    else:
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
        )
        model = transformers.ResNetForImageClassification(config)
    model.eval().save_pretrained(folder)
    if settings is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return model


@needs_transformers
@pytest.mark.parametrize(("kind", "settings", "features"), [("vit", VIT, 24), ("resnet", RESNET, 16)])
def test_features_are_what_the_models_own_classifier_reads(tmp_path, kind, settings, features):
    model = save(tmp_path, kind, settings)
    trunk = PretrainedTrunk(tmp_path, channels=3).eval()
    assert trunk.features == features
    grey = torch.rand(2, 3, 32, 32) * 255
    seen = (
        torch.nn.functional.interpolate(grey, (40, 40), mode="bilinear", antialias=True) if kind == "resnet" else grey
    )
    seen = seen[:, :, 4:36, 4:36] if kind == "resnet" else seen
    mean, std = (torch.tensor(OWN[name])[:, None, None] for name in ("image_mean", "image_std"))
    with torch.no_grad():
        expected = model(pixel_values=(seen / 255 - mean) / std).logits
        torch.testing.assert_close(model.classifier(_features_of(trunk, grey, kind)), expected, atol=1e-4, rtol=1e-4)


def _features_of(trunk, grey, kind):
    features = trunk(grey)
    return features[..., None, None] if kind == "resnet" else features


@needs_transformers
def test_of_a_model_that_classifies_nothing_the_tokens_are_averaged(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.SiglipVisionConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    model = transformers.SiglipVisionModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT | {"do_normalize": False}))
    trunk, grey = PretrainedTrunk(tmp_path, channels=3).eval(), torch.rand(2, 3, 32, 32) * 255
    with torch.no_grad():
        expected = model(pixel_values=grey / 255).last_hidden_state.mean(1)
        torch.testing.assert_close(trunk(grey), expected, atol=1e-5, rtol=1e-5)


@needs_transformers
def test_normalisation_of_the_corpus_is_undone(tmp_path):
    save(tmp_path, "vit", VIT)
    plain = PretrainedTrunk(tmp_path, channels=3).eval()
    mean, scale = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
    normalised = PretrainedTrunk(tmp_path, channels=3, mean=mean, scale=scale).eval()
    grey = torch.rand(2, 3, 48, 48) * 255
    values = (grey - torch.tensor(mean)[:, None, None]) / torch.tensor(scale)[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(normalised(values), plain(grey), atol=1e-4, rtol=1e-4)


@needs_transformers
def test_grey_images_are_seen_by_all_channels(tmp_path):
    save(tmp_path, "vit", VIT)
    grey, colour = (PretrainedTrunk(tmp_path, channels=channels).eval() for channels in (1, 3))
    images = torch.rand(2, 1, 48, 48) * 255
    with torch.no_grad():
        torch.testing.assert_close(grey(images), colour(images.expand(-1, 3, -1, -1)))


@needs_transformers
def test_the_encoder_learns_in_bfloat16(tmp_path):
    save(tmp_path, "resnet", RESNET)
    encoder = PretrainedImages(tmp_path, channels=1, classes=3, dimensions=6, non_negative=True)
    batch = Batch(torch.randn(4, 48 * 48, 1), torch.full((4,), 48 * 48))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = encoder(batch)
    assert encoder.sizes == {"embedding": 6, "features": 16}
    assert outputs.embedding.dtype == outputs.logits.dtype == torch.float32
    assert (outputs.embedding >= 0).all()
    assert outputs.layers["features"].shape == (4, 16)
    outputs.logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


@needs_transformers
def test_a_model_in_half_precision_is_taken_in_float32(tmp_path):
    save(tmp_path, "resnet", RESNET).half().save_pretrained(tmp_path)
    for weights in (True, False):
        trunk = PretrainedTrunk(tmp_path, channels=3, weights=weights)
        assert {value.dtype for value in trunk.state_dict().values() if value.is_floating_point()} == {torch.float32}
        assert trunk(torch.rand(2, 3, 32, 32)).dtype == torch.float32


@needs_transformers
def test_weights_that_are_damaged_or_of_another_architecture(tmp_path):
    save(tmp_path, "resnet", RESNET)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    whole = config.read_text()
    config.write_text(json.dumps({**json.loads(whole), "hidden_sizes": [8, 24]}))
    with pytest.raises(InputError, match="cannot be opened as a model with safetensors"):
        PretrainedTrunk(tmp_path, channels=3)
    config.write_text(whole)
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(InputError, match=r"cannot be opened as a model with safetensors: .*invalid header"):
        PretrainedTrunk(tmp_path, channels=3)


@needs_transformers
@pytest.mark.parametrize("wrong", [{"image_mean": [0.1, 0.2]}, {"image_std": "x"}, {"size": "big"}])
def test_settings_that_no_picture_can_be_seen_by(tmp_path, wrong):
    save(tmp_path, "resnet", {**RESNET, **wrong})
    with pytest.raises(
        InputError, match=r"cannot see pictures as its preprocessor_config\.json says: .*image processor"
    ):
        PretrainedTrunk(tmp_path, channels=3)


@needs_transformers
def test_a_model_without_safetensors_is_refused(tmp_path):
    save(tmp_path, "vit", VIT)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="has no safetensors, and other formats of weights may run code"):
        PretrainedTrunk(tmp_path, channels=3)


@needs_transformers
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"has no preprocessor_config\.json; save the model's image processor beside it"),
        ("{", r"is not JSON"),
        ("[1]", r"holds list, not a table of settings"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path, content, message):
    save(tmp_path, "vit", None)
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        PretrainedTrunk(tmp_path, channels=3)


@needs_transformers
def test_channels_that_the_model_cannot_see(tmp_path):
    save(tmp_path, "vit", VIT)
    with pytest.raises(InputError, match=r"images have 2 channels, and .* sees 3; give images of 1 or 3"):
        PretrainedTrunk(tmp_path, channels=2)


@needs_transformers
def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; give one with a saved model"):
        PretrainedTrunk(tmp_path / "nowhere", channels=3)
    with pytest.raises(InputError, match=r"there is no folder \./nowhere"):
        PretrainedTrunk("./nowhere", channels=3)


def test_without_transformers_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[pretrained\]"'):
        PretrainedTrunk(tmp_path, channels=3)


class NormalisedTrunk(nn.Module):
    """Stands in for a model of others, with statistics that training moves."""

    features = 3

    def __init__(self, *settings):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images):
        return self.norm(images).mean((2, 3))


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_model_learns_nothing_from_when_it_is_made(monkeypatch, frozen):
    monkeypatch.setattr(pretrained_images, "PretrainedTrunk", NormalisedTrunk)
    encoder = PretrainedImages("any", 3, 2, frozen=frozen)
    assert encoder.training
    assert encoder.head.training
    assert encoder.trunk.training is not frozen
    before = encoder.trunk.norm.running_mean.clone()
    encoder(Batch(torch.rand(4, 256, 3) + 5, torch.full((4,), 256)))
    assert torch.equal(before, encoder.trunk.norm.running_mean) is frozen
