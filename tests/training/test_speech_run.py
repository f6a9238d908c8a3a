"""Runs on the hidden states of a speech model: what is learned of its layers, what is kept, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch

from affectspace.encoders import LayerMix
from affectspace.errors import InputError
from affectspace.features import PretrainedSpeech
from affectspace.space.embed import embed
from affectspace.training import load_model, make_recipe, train
from affectspace.training.predict_files import predict_files
from affectspace.training.prepare import prepare
from affectspace.training.transfer import evaluate_on


@pytest.fixture
def place(beside_model):
    return beside_model("wavlm layer")


@pytest.fixture
def recipe(place, tiny):
    """``recipe(layers=[1], encoder={"pooling": "attentive"})``: the tiny one, on hidden states."""

    def make(encoder=(), training=(), terms="ce", **features):
        return tiny(
            terms,
            data=str(place),
            features={"kind": "pretrained_speech", "source": "models/wavlm", **features},
            encoder={"kind": "layer_mix", "dimensions": 8, **dict(encoder)},
            training={"epochs": 2, **dict(training)},
            monitor={"snapshots": []},
        )

    return make


def vectors(run):
    return run.predictions.set_index("item")["embedding"]


@pytest.mark.parametrize(
    ("features", "encoder", "shape"),
    [
        ({}, {}, (4, 32)),
        ({"layers": [2]}, {"layer_norm": False}, (1, 32)),
        ({"layers": [3, 1], "pool": "none"}, {"pooling": "attentive", "dropout": 0.2}, (None, 64)),
    ],
)
def test_a_run_learns_and_its_model_answers_as_it_did(place, recipe, features, encoder, shape):
    made = recipe(encoder, **features)
    data = prepare(made)
    assert (data.clips.lengths[0] == shape[0] or shape[0] is None, data.dimensions) == (True, shape[1])
    run = train(made, place / "run", data=data, quiet=True)
    model = load_model(run.path)
    assert isinstance(model.encoder, LayerMix)
    layers = features.get("layers", [0, 1, 2, 3])
    assert [*model.recipe.features.layers] == layers
    weights = [run.scores("learned")[f"layer_weight.{layer}"] for layer in layers]
    assert len(run.scores("learned")) == len(layers)
    assert sum(weights) == pytest.approx(1)
    np.testing.assert_allclose(weights, model.encoder.mixed.weights, atol=1e-6)
    if len(layers) > 1:
        assert np.ptp(weights) > 1e-4  # they were learned
    found = embed(model, [place / "boro"], quiet=True).table.set_index("id")["vector"]
    expected = vectors(run)
    tested = [item for item in expected.index if item.startswith("boro")]
    assert len(tested) > 10
    for item in tested:
        np.testing.assert_allclose(found[item], expected[item], atol=1e-5)
    scores = evaluate_on(run, place / "boro", allow=("speaker", "session", "script", "audio"))["scores"]
    assert scores["uar"] == pytest.approx(run.metrics["test"]["uar"])


def test_a_loose_recording_is_heard_as_its_item_was(place, recipe):
    run = train(recipe(), place / "run", quiet=True)
    file = next((place / "boro/audio").glob("**/*.flac"))
    (row,) = embed(load_model(run.path), [file], quiet=True).table["vector"]
    np.testing.assert_allclose(row, vectors(run)[f"boro/{file.stem}"], atol=1e-5)
    (answer,) = predict_files(run.path, [file]).answers
    chances = run.predictions.set_index("item").loc[f"boro/{file.stem}", "probabilities"]
    np.testing.assert_allclose(answer.probabilities, chances, atol=1e-5)
    assert len(answer.nearest) == 5
    assert answer.beyond is not None
    shutil.rmtree(place / "models/wavlm")
    with pytest.raises(InputError, match=r"makes features by models/wavlm, which is not below"):
        predict_files(run.path, [file])


def test_the_card_tells_of_the_layers(place, recipe):
    run = train(recipe(layers=[0, 3]), place / "run", quiet=True)
    weights = run.scores("learned")
    card = (run.path / "model/README.md").read_text()
    told = f"0 ({weights['layer_weight.0']:.3f}), 3 ({weights['layer_weight.3']:.3f})"
    assert f"Layers of the speech model, and how much part each has: {told}\n" in card


def test_a_run_that_broke_off_goes_on_as_it_was(place, recipe, goes_on):
    goes_on(recipe({"dropout": 0.3}), place, batches=6)


def test_the_model_is_held_to_the_files_that_its_features_were_made_by(place, recipe, lay_speech_model):
    run = train(recipe(), place / "run", quiet=True)
    assert [*run.data["files_sha256"]] == ["models/wavlm"]
    assert run.data["features"] == PretrainedSpeech(place / "models/wavlm").fingerprint
    assert not list((run.path / "model").rglob("preprocessor_config.json"))
    shutil.rmtree(place / "models/wavlm")
    assert load_model(run.path).classes == ("angry", "happy", "neutral", "sad")  # of which nothing is asked yet
    with pytest.raises(InputError, match=r"makes features by models/wavlm, which is not below .*: give the folder of"):
        embed(load_model(run.path), [place / "boro"], quiet=True)
    shutil.copytree(lay_speech_model("wavlm group"), place / "models/wavlm")
    with pytest.raises(InputError, match=r"models/wavlm has changed since the model was trained"):
        embed(load_model(run.path), [place / "boro"], quiet=True)
    with pytest.raises(InputError, match=r"models/wavlm has changed since the model was trained"):
        evaluate_on(run, place / "boro", allow=("speaker", "session", "script", "audio"))


def test_a_model_of_the_hub_is_held_to_its_files(place, recipe, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "cache"))
    cache = place / "cache/models--nobody--hears"
    shutil.copytree(place / "models/wavlm", cache / "snapshots" / ("a" * 40))
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("a" * 40)
    run = train(recipe(source="nobody/hears"), place / "run", quiet=True)
    assert [*run.data["files_sha256"]] == ["hub:nobody/hears"]
    found = embed(load_model(run.path), [place / "boro"], quiet=True).table.set_index("id")["vector"]
    item = next(name for name in vectors(run).index if name.startswith("boro"))
    np.testing.assert_allclose(found[item], vectors(run)[item], atol=1e-5)


def test_other_nets_read_them_too(place, recipe):
    for features, encoder in (({}, {"kind": "mlp", "hidden": 8}), ({"pool": "none"}, {"kind": "conv_pool"})):
        values = recipe(**features).model_dump() | {"encoder": encoder, "name": encoder["kind"]}
        run = train(make_recipe(values), place / encoder["kind"], quiet=True)
        assert 0 <= run.metrics["test"]["uar"] <= 1
        assert "learned" not in run.metrics


def test_embeddings_that_f_similarity_compares_are_not_negative(place, recipe):
    with pytest.raises(InputError, match=r"f_similarity compares .*; set encoder\.non_negative = true"):
        recipe(terms="batch")
    run = train(recipe({"non_negative": True}, {"epochs": 1}, terms="batch"), place / "run", quiet=True)
    assert np.stack(vectors(run)).min() >= 0
    assert run.metrics["geometry"] == "fisher_rao"


LOG_MEL = {"kind": "log_mel"}
HEARD = {"kind": "pretrained_speech", "source": "models/wavlm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": LOG_MEL, "encoder": {"kind": "layer_mix"}},
            "encoder.kind \"layer_mix\" reads the hidden states of a speech model, and features.kind 'log_mel' gives",
        ),
        (
            {"encoder": {"kind": "layer_mix", "pooling": "attentive"}},
            'encoder.pooling = "attentive" looks at frames in time, and features.pool = "mean" keeps none; use feat',
        ),
        ({"encoder": {"kind": "conv_pool"}}, "encoder.kind 'conv_pool' reads frames in time, and features.pool = \"me"),
        ({"features": {"kind": "pretrained_speech"}}, "features.source is missing"),
        ({"features": {**HEARD, "layers": []}}, r"features.layers is \[\]; legal: a list of at least 1"),
        ({"features": {**HEARD, "layers": [-1]}}, "features.layers.0 is -1; legal: at least 0"),
        ({"features": {**HEARD, "pool": "max"}}, "features.pool is 'max'"),
        ({"augment": {"speed": [0.9, 1.1]}}, "augment changes sound before log-Mel energies are made of it, and feat"),
        ({"views": {"flip": True}}, "views are of pictures, and features.kind 'pretrained_speech' gives none"),
    ],
)
def test_what_does_not_fit_together_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        make_recipe({**recipe().model_dump(), **changes})


def test_what_only_the_model_knows_is_refused_before_anything_is_read(place, recipe, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"layers is \[7\], and .*models/wavlm has the hidden states 0 to 3; name one"):
        prepare(recipe(layers=[7]))
    with pytest.raises(InputError, match=r"nobody/none is no folder, and as a name on the hub it cannot be opened"):
        prepare(recipe(source="nobody/none"))


def test_clips_too_short_are_quarantined(place, recipe, with_short_clip):
    item = with_short_clip(place)
    told = json.loads((place / "models/wavlm/config.json").read_text())
    assert told["conv_kernel"] == [10, 8, 4]
    values = recipe().model_dump()
    values["protocol"] |= {"train": ["alva"], "test": ["boro"], "allow": ["script", "audio", "speaker", "session"]}
    data = prepare(make_recipe(values))
    (row,) = data.about["corpora"][0]["quarantine"]
    assert row["id"] == item
    assert row["reason"].startswith("0.0020 s of sound are too short: ")


def test_equal_seeds_give_equal_nets(recipe):
    from affectspace.training.model import make_encoder

    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(make_encoder(recipe(), 32, 4).state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
