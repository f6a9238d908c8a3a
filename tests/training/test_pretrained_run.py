"""Runs of recipes whose encoder others have trained: what learns, what is kept, and what is refused."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from affectspace.errors import InputError
from affectspace.training import load_model, make_recipe, train
from affectspace.training.model import make_encoder
from affectspace.training.prepare import prepare

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
SETTINGS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "size": {"shortest_edge": 32}}


@pytest.fixture
def place(tmp_path):
    """Pictures that are brighter above or below, and a tiny model with batch normalisation and random weights."""
    rng, rows = np.random.default_rng(0), ["id,image,label,split"]
    (tmp_path / "faces").mkdir()
    for number in range(24):
        light = np.linspace(40, 200, 16)[:: -1 if number % 2 else 1]
        pixels = light[:, None] + rng.normal(0, 12, (16, 16))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "faces" / f"{number}.png")
        rows.append(f"{number},{number}.png,{('down', 'up')[number % 2]},{'test' if number >= 18 else 'train'}")
    (tmp_path / "faces/items.csv").write_text("\n".join(rows) + "\n")
    if importlib.util.find_spec("transformers"):
        import transformers  # pyright: ignore[reportMissingImports]

        torch.manual_seed(0)
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
        )
        transformers.ResNetForImageClassification(config).save_pretrained(tmp_path / "tiny")
        (tmp_path / "tiny/preprocessor_config.json").write_text(json.dumps(SETTINGS))
    return tmp_path


def recipe(place, scope="train", **encoder):
    return make_recipe({
        "name": "borrowed",
        "data": str(place),
        "corpora": [{"path": "faces"}],
        "labels": {"kind": "classes", "names": ["down", "up"]},
        "features": {"kind": "faces", "side": 16, "normalise": {"scope": scope}},
        "views": {"flip": True},
        "protocol": {"kind": "published", "validate_by": "item", "validate_share": 0.25},
        "encoder": {"kind": "pretrained_image", "source": "tiny", "dimensions": 6, **encoder},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "checkpoint_seconds": 0},
    })  # fmt: skip


def weights(path):
    return {k: v for k, v in load_file(path / "model/model.safetensors").items() if k.startswith("trunk.model")}


@needs_transformers
@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_model_stays_as_it_was_and_another_learns(place, frozen):
    run = train(recipe(place, frozen=frozen), place / "run", quiet=True)
    before = {f"trunk.model.{key}": value for key, value in load_file(place / "tiny/model.safetensors").items()}
    after = weights(run.path)
    assert len(after) > 10
    assert all(torch.equal(value, before[key]) for key, value in after.items()) == frozen  # its running means too


@needs_transformers
def test_a_run_goes_on_only_by_the_weights_that_it_was_begun_with(place, broken_off):
    broken_off(recipe(place), place / "run", 1)
    weights = place / "tiny/model.safetensors"
    begun = weights.read_bytes()
    save_file({key: value + 1 for key, value in load_file(weights).items()}, weights, {"format": "pt"})
    with pytest.raises(InputError, match=r"^tiny, of which features or the net are made, has changed since .*run was"):
        train(recipe(place), place / "run", resume=True, quiet=True)
    weights.write_bytes(begun)
    run = train(recipe(place), place / "run", resume=True, quiet=True)
    assert [*run.data["files_sha256"]] == ["tiny"]
    assert load_model(run.path).digests == {}  # all weights are its own


@needs_transformers
def test_the_model_of_a_run_answers_without_its_source(place):
    run = train(recipe(place), place / "run", quiet=True)
    shutil.rmtree(place / "tiny")
    model = load_model(run.path)
    table = run.predictions.set_index("item")
    clip = model.frontend.compute(model.frontend.read(str(place / "faces/20.png"), None, None))
    vectors, chances = model([clip])
    assert np.allclose(vectors[0], table.loc["faces/20", "embedding"], atol=1e-5)
    assert np.allclose(chances[0], table.loc["faces/20", "probabilities"], atol=1e-6)
    assert str(place) not in (run.path / "model/config.json").read_text()
    assert not list((run.path / "model/pretrained").glob("*.safetensors"))


@needs_transformers
@pytest.mark.parametrize(("frozen", "told"), [(True, "kept as they were"), (False, "trained further")])
def test_the_card_names_whose_weights_they_are(place, frozen, told):
    run = train(recipe(place, source=str(place / "tiny"), frozen=frozen), place / "run", quiet=True)
    card = (run.path / "model/README.md").read_text()
    assert f"Weights of others: tiny, {told}; its licence" in card
    assert str(place) not in card


@needs_transformers
def test_what_the_model_sees_does_not_depend_on_the_normalisation(place):
    found = []
    for scope in ("train", "none"):
        data = prepare(recipe(place, scope))
        torch.manual_seed(0)
        encoder = make_encoder(recipe(place, scope), data.dimensions, 2, data.normaliser).eval()
        with torch.no_grad():
            found.append(encoder(data.batch(data.split.test)).layers["features"])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


@needs_transformers
def test_a_run_that_broke_off_goes_on_as_it_was(place, goes_on):
    goes_on(recipe(place, frozen=True), place, batches=3)


@pytest.fixture
def hub(place, monkeypatch):
    """The model in the cache of a hub that is not reached; changes what is newest there."""
    from huggingface_hub import constants  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "cache"))
    cache = place / "cache/models--nobody--tiny"
    (cache / "refs").mkdir(parents=True)

    def publish(commit, change=0.0):
        shutil.copytree(place / "tiny", cache / "snapshots" / commit)
        path = cache / "snapshots" / commit / "model.safetensors"
        moved = {k: v + change if v.is_floating_point() else v for k, v in load_file(path).items()}
        save_file(moved, path, {"format": "pt"})
        (cache / "refs/main").write_text(commit)

    return publish


@needs_transformers
def test_a_run_goes_on_with_the_commit_of_the_hub_that_it_began_with(place, hub, broken_off):
    first, second = "a" * 40, "b" * 40
    hub(first)
    named = recipe(place, source="nobody/tiny", frozen=True)
    broken_off(named, place / "run", batches=1)
    hub(second, change=0.5)
    run = train(named, place / "run", resume=True, quiet=True)
    assert run.data["pretrained_revision"] == first
    before = {f"trunk.model.{key}": value for key, value in load_file(place / "tiny/model.safetensors").items()}
    assert all(torch.equal(value, before[key]) for key, value in weights(run.path).items())
    newer = train(named, place / "newer", quiet=True)
    assert newer.data["pretrained_revision"] == second
    shutil.rmtree(place / "cache")
    assert load_model(run.path).classes == ("down", "up")
    assert "pretrained_revision" not in train(recipe(place), place / "folder", quiet=True).data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"kind": "log_mel"}, "views": {}}, 'encoder.kind "pretrained_image" reads pictures'),
        (
            {"features": {"kind": "faces", "normalise": {"scope": "item"}}},
            "a pretrained model has a normalisation of its own",
        ),
        ({"encoder": {"kind": "pretrained_image"}}, "encoder.source is missing"),
    ],
)
def test_what_does_not_fit_together_is_refused(place, changes, message):
    with pytest.raises(InputError, match=message):
        make_recipe({**recipe(place).model_dump(), **changes})


def test_without_transformers_the_remedy_is_named(place, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "transformers" else find(name))
    with pytest.raises(InputError, match=r'pretrained models need transformers.*"affectspace\[pretrained\]"'):
        train(recipe(place), place / "run", quiet=True)
