"""Vectors of crops of faces: small pictures, and models of others."""

import importlib.util
import json
import pickle

import numpy as np
import pytest
import torch

from affectspace.encoders.pretrained_images import PretrainedTrunk
from affectspace.errors import InputError
from affectspace.features import PixelVectors, PretrainedVectors
from affectspace.features.crops import fit_square, in_colour

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


def crops(channels):
    return np.random.default_rng(0).integers(0, 256, (3, 24, 24, channels), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_grey_small_and_between_nought_and_one(channels):
    made = PixelVectors(side=8)(crops(channels))
    assert made.dtype == np.float32
    assert made.shape == (3, PixelVectors(side=8).dimensions) == (3, 64)
    for crop, vector in zip(crops(channels), made, strict=True):
        small = fit_square(in_colour(crop, "grey"), 8)
        assert np.array_equal(vector, (small[..., 0] / 255).astype(np.float32).ravel())
    assert made.min() >= 0
    assert made.max() <= 1


def test_pixels_of_their_own_size_are_kept():
    assert np.array_equal(PixelVectors(24)(crops(1)) * 255, crops(1).reshape(3, -1))
    with pytest.raises(InputError, match="side is 0; a picture has at least 1 pixel a side"):
        PixelVectors(0)


def save_resnet(folder, seed=0):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
    )
    transformers.ResNetForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 32}}))


@needs_transformers
def test_a_model_of_others_gives_what_its_classifier_reads(tmp_path):
    save_resnet(tmp_path)
    vectors = PretrainedVectors(tmp_path)
    for channels in (1, 3):
        made = vectors(crops(channels))
        with torch.no_grad():
            images = torch.from_numpy(crops(channels)).permute(0, 3, 1, 2)
            expected = PretrainedTrunk(tmp_path, channels).eval()(images)
        assert np.array_equal(made, expected.numpy())
        assert made.shape == (3, vectors.dimensions) == (3, 16)


@needs_transformers
def test_its_fingerprint_follows_the_weights_and_not_the_place(tmp_path):
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        (tmp_path / name).mkdir()
        save_resnet(tmp_path / name, seed)
    first, same, other = (PretrainedVectors(tmp_path / name) for name in "abc")
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert len(pickle.dumps(first)) < 1000
    save_resnet(tmp_path / "b", seed=1)  # in its place, in the same process
    assert PretrainedVectors(tmp_path / "b").fingerprint == other.fingerprint


@needs_transformers
def test_of_one_on_the_hub_the_files_that_decide_its_answers_are_told(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cache = tmp_path / "models--nobody--seer"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs/main").write_text("a" * 40)
    folder = cache / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    save_resnet(folder)
    (folder / "README.md").write_text("of what it was trained on")
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert PretrainedVectors("nobody/seer").hub_files == [folder / name for name in names]
    assert PretrainedVectors(folder).hub_files == []
