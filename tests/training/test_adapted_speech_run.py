"""Runs that adapt a speech model by LoRA: what is kept of them, how they go on, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from affectspace.encoders import AdaptedSpeech
from affectspace.errors import InputError
from affectspace.space.embed import embed
from affectspace.training import load_model, make_recipe, train
from affectspace.training.keys import items_key
from affectspace.training.predict_files import predict_files
from affectspace.training.prepare import prepare
from affectspace.training.transfer import evaluate_on

ALL = ("speaker", "session", "script", "audio")


@pytest.fixture
def place(beside_model):
    return beside_model("wavlm group")


@pytest.fixture
def recipe(place, tiny):
    """``recipe(lora={"rank": 2})``: the tiny one, with a model that hears samples."""

    def make(training=(), **encoder):
        return tiny(
            data=str(place),
            features={"kind": "waveform"},
            encoder={"kind": "pretrained_speech", "source": "models/wavlm", "dimensions": 8, **encoder},
            training={"epochs": 1, **dict(training)},
            monitor={"snapshots": []},
        )

    return make


def same_vectors(run, found):
    kept, made = run.predictions.set_index("item")["embedding"], found.table.set_index("id")["vector"]
    tested = [item for item in kept.index if item.startswith("boro")]
    assert len(tested) > 10
    return all(np.allclose(made[item], kept[item], atol=1e-5) for item in tested)


@pytest.mark.parametrize("kind", ["wavlm group", "whisper"])
def test_a_run_learns_and_its_model_answers_as_it_did(place, recipe, lay_speech_model, kind):
    if kind != "wavlm group":
        shutil.rmtree(place / "models/wavlm")
        shutil.copytree(lay_speech_model(kind), place / "models/wavlm")
    run = train(recipe(layers=[1, 3], pooling="attentive", lora={"rank": 2, "alpha": 4}), place / "run", quiet=True)
    model = load_model(run.path)
    assert isinstance(model.encoder, AdaptedSpeech)
    state = load_file(run.path / "model/model.safetensors")
    adapters = {name: value for name, value in state.items() if "trunk." in name}
    assert len(adapters) == 12
    assert all(".lora_" in name for name in adapters)
    assert all(value.any() for value in state.values())  # every B has left 0
    assert {*run.scores("learned")} == {"layer_weight.1", "layer_weight.3"}
    assert same_vectors(run, embed(model, [place / "boro"], quiet=True))
    file = next((place / "boro/audio").glob("**/*.flac"))
    (answer,) = predict_files(run.path, [file]).answers
    chances = run.predictions.set_index("item").loc[f"boro/{file.stem}", "probabilities"]
    np.testing.assert_allclose(answer.probabilities, chances, atol=1e-5)
    assert set(answer.distances) == {"embedding", "features"}
    scores = evaluate_on(run, place / "boro", allow=ALL)["scores"]
    assert scores["uar"] == pytest.approx(run.metrics["test"]["uar"])


def test_a_run_that_broke_off_goes_on_as_it_was(place, recipe, goes_on):
    goes_on(recipe({"epochs": 2}, dropout=0.3), place, batches=6)


def test_a_run_goes_on_only_by_the_model_that_it_was_begun_with(place, recipe, broken_off, lay_speech_model):
    broken_off(recipe(), place / "run", 1)
    shutil.rmtree(place / "models/wavlm")
    shutil.copytree(lay_speech_model("wavlm layer"), place / "models/wavlm")
    with pytest.raises(InputError, match=r"^models/wavlm, of which features or the net are made, has changed since"):
        train(recipe(), place / "run", resume=True, quiet=True)


def test_the_model_of_a_run_needs_the_one_that_it_adapts(place, recipe, lay_speech_model, tmp_path, monkeypatch):
    run = train(recipe(), place / "run", quiet=True)
    config = json.loads((run.path / "model/config.json").read_text())
    assert config["base"]["revision"] is None
    assert len(config["base"]["sha256"]) == 64
    assert config["recipe"]["encoder"]["source"] == "models/wavlm"
    assert str(place) not in json.dumps(config)
    shutil.copytree(run.path / "model", tmp_path / "lone")
    monkeypatch.chdir(tmp_path / "lone")
    with pytest.raises(InputError, match=r"this model adapts models/wavlm, which is not below .*lone: give the folder"):
        load_model(tmp_path / "lone")
    shutil.rmtree(place / "models/wavlm")
    with pytest.raises(InputError, match=r"this model adapts models/wavlm, which is not below .*: give the folder of"):
        load_model(run.path)
    shutil.copytree(lay_speech_model("wavlm layer"), place / "models/wavlm")
    with pytest.raises(InputError, match=r"models/wavlm has changed since this model was trained to adapt it; restore"):
        load_model(run.path)


def test_one_of_the_hub_is_opened_at_the_commit_of_training(place, recipe, lay_speech_model, broken_off, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "cache"))
    cache = place / "cache/models--nobody--hears"
    (cache / "refs").mkdir(parents=True)

    def publish(kind, commit):
        shutil.copytree(lay_speech_model(kind), cache / "snapshots" / commit)
        (cache / "refs/main").write_text(commit)

    publish("wavlm group", "a" * 40)
    made = recipe(source="nobody/hears")
    broken_off(made, place / "run", batches=1)
    publish("wavlm layer", "b" * 40)
    run = train(made, place / "run", resume=True, quiet=True)
    assert run.data["pretrained_revision"] == "a" * 40
    assert json.loads((run.path / "model/config.json").read_text())["base"]["revision"] == "a" * 40
    assert same_vectors(run, embed(load_model(run.path), [place / "boro"], quiet=True))
    shutil.rmtree(cache / "snapshots" / ("a" * 40))
    with pytest.raises(InputError, match="nobody/hears is no folder, and as a name on the hub it cannot be opened"):
        load_model(run.path)


def test_in_low_precision_the_card_names_whose_weights_they_are_too(place, recipe):
    low = recipe({"precision": "bf16-mixed"}, source=str(place / "models/wavlm"), lora={"rank": 3})
    run = train(low, place / "run", quiet=True)
    assert all(value.dtype == torch.float32 for value in load_file(run.path / "model/model.safetensors").values())
    card = (run.path / "model/README.md").read_text()
    assert (
        "Weights of others: wavlm, kept as they were, with adapters (LoRA) of rank 3 beside them; its licence" in card
    )
    assert "Layers of the speech model, and how much part each has: 0 (0.2" in card
    assert str(place) not in card


def test_clips_that_the_model_cannot_hear_are_set_aside(place, recipe, with_short_clip, monkeypatch):
    item = with_short_clip(place)
    values = recipe().model_dump()
    values["protocol"] |= {"allow": [*ALL]}
    (row,) = prepare(make_recipe(values)).about["corpora"][0]["quarantine"]
    assert (row["id"], row["reason"]) == (
        item, "0.0020 s of sound are too short: the model needs 0.0103 s; leave it out",
    )  # fmt: skip
    monkeypatch.setattr("affectspace.training.frontends.LONGEST", 0.2)
    told = r"sound are too long: the model is given 0\.2 s at most; divide it into parts, in a corpus by start and end"
    with pytest.raises(InputError, match=told):
        prepare(make_recipe(values))


def test_who_hears_decides_which_items_there_are(recipe, place):
    shutil.copytree(place / "models/wavlm", place / "models/other")
    assert items_key(recipe()) != items_key(recipe(source="models/other"))
    assert items_key(recipe()) == items_key(recipe(lora={"rank": 3}))


HEARS = {"kind": "pretrained_speech", "source": "models/wavlm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": {"kind": "log_mel"}},
            "encoder.kind \"pretrained_speech\" hears samples, and features.kind 'log_mel' gives none; use features.k",
        ),
        (
            {"features": HEARS},
            "features.kind 'pretrained_speech' gives none; use features.kind = \"waveform\", or for hidden states",
        ),
        (
            {"encoder": {"kind": "conv_pool"}},
            "features.kind \"waveform\" gives samples, which encoder.kind 'conv_pool' cannot read; use encoder.kin",
        ),
        (
            {"features": {"kind": "waveform", "normalise": {"scope": "train"}}},
            "normalise.scope is 'train', and a model that hears samples prepares them by itself; legal: \"none\"",
        ),
        ({"encoder": {"kind": "pretrained_speech"}}, "encoder.source is missing"),
        ({"encoder": {**HEARS, "lora": {"rank": 0}}}, "encoder.lora.rank is 0; legal: at least 1"),
        ({"encoder": {**HEARS, "lora": {"ranks": 2}}}, "encoder.lora: unknown key 'ranks'; did you mean 'rank'?"),
        ({"encoder": {**HEARS, "layers": []}}, r"encoder.layers is \[\]; legal: a list of at least 1"),
        ({"augment": {"speed": [0.9, 1.1]}}, "augment changes sound before log-Mel energies are made of it, and feat"),
        ({"terms": [{"kind": "f_similarity", "pairs": "batch"}]}, r"f_similarity .* set encoder\.non_negative = true"),
    ],
)
def test_what_does_not_fit_together_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        make_recipe({**recipe().model_dump(), **changes})


def test_no_autoencoder_reads_samples(recipe):
    net = {"kind": "sequence", "frames": 3, "heads": 1, "blocks": 1, "convolutions": [[3, 2, 1, 4]], "latent": 4}
    modalities = {name: {"features": {"kind": "waveform"}, "net": net} for name in ("heard", "again")}
    values = {key: value for key, value in recipe().model_dump().items() if key not in ("features", "encoder")}
    with pytest.raises(InputError, match=r'features\.kind = "waveform" gives samples, which no autoencoder reads; use'):
        make_recipe({**values, "modalities": modalities})


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"layers": [0]}, r"encoder: layers is \[0\], below which there is no block to adapt; name a higher one too"),
        ({"layers": [8]}, r"layers is \[8\], and .*wavlm has the hidden states 0 to 3; name one or more of them"),
    ],
)
def test_layers_that_it_cannot_have(place, recipe, encoder, message):
    with pytest.raises(InputError, match=message):
        train(recipe(**encoder), place / "run", quiet=True)
    assert not (place / "run/recipe.toml").exists()
