"""Items of several modalities, any of which may be missing, from the table to the figures of each modality."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from affectspace.errors import InputError
from affectspace.features import VectorTable, WordVectors
from affectspace.training import make_recipe, train
from affectspace.training.gather import gather
from affectspace.training.model import load_model, make_encoder
from affectspace.training.objective import make_objective
from affectspace.training.prepare import prepare

CLASSES = ("angry", "happy", "sad")
WORDS = {"angry": "hate", "happy": "love", "sad": "cry"}
FILES = (
    "metrics.json", "metrics.jsonl", "model/model.safetensors", "predictions.parquet",
    "predictions_by_modality.parquet",
)  # fmt: skip


def lay(root: Path, items: int = 48, seed: int = 0) -> Path:
    """A corpus whose sound and words both tell the class; a third of the items lacks each, none both."""
    random = np.random.default_rng(seed)
    label = np.arange(items) % 3
    table = pd.DataFrame(
        {
            "id": [f"i{number:03}" for number in range(items)],
            "speaker": [f"s{number // 3 % 6}" for number in range(items)],
            "session": [f"d{number // 6 % 3}" for number in range(items)],
            "script": [f"i{number:03}" for number in range(items)],
            "label": [CLASSES[code] for code in label],
            "text": [f"I {WORDS[CLASSES[code]]} it number{number}" for number, code in enumerate(label)],
        }
    )
    lacks = (np.arange(items) // 3 + np.arange(items) // 18) % 3
    table.loc[lacks == 1, "text"] = None
    table.to_csv(root / "items.csv", index=False)
    heard = np.flatnonzero(lacks != 2)
    acoustic = (np.eye(3)[label] + random.normal(0, 0.2, (items, 3)))[heard]
    np.savez(root / "acoustic.npz", id=table["id"].to_numpy(str)[heard], acoustic=acoustic.astype(np.float32))
    words = ["i", "it", *WORDS.values()]
    np.savez(root / "words.npz", words=np.array(words), vectors=random.normal(size=(len(words), 8)).astype(np.float32))
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return lay(tmp_path_factory.mktemp("several"))


NET = {"kind": "sequence", "frames": 4, "heads": 2, "blocks": 1, "convolutions": [[3, 1, 1, 2]], "latent": 4}


def recipe(corpus: Path, terms=("cross_entropy", "reconstruction", "matching"), **changes):
    needs = {"matching": {"between": ["acoustic", "lexical"], "weight": 0.1}, "reconstruction": {"weight": 0.2}}
    values = {
        "name": "several",
        "data": str(corpus),
        "corpora": [{"path": "."}],
        "labels": {"kind": "classes", "names": list(CLASSES), "others": "leave_out"},
        "modalities": {
            "acoustic": {
                "features": {"kind": "vectors", "path": "acoustic.npz", "id_column": "id", "columns": ["acoustic"]},
                "net": {"kind": "linear", "hidden": [8], "latent": 4},
            },
            "lexical": {"features": {"kind": "words", "path": "words.npz", "words": 4}, "net": NET},
        },
        "protocol": {"kind": "leave_one_out", "by": "speaker", "within": "session", "fold": 0},
        "terms": [{"kind": kind, **needs.get(kind, {})} if isinstance(kind, str) else kind for kind in terms],
        "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "checkpoint_seconds": 0},
    }
    for key, change in changes.items():
        values[key] = {**values[key], **change} if isinstance(change, dict) and key in values else change
    return make_recipe(values)


def bits(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_from_the_table_to_the_figures_of_each_modality(corpus, tmp_path):
    run = train(recipe(corpus, training={"epochs": 25}), tmp_path / "run", quiet=True)
    figures = run.metrics["by_modality"]
    assert list(figures) == ["acoustic", "lexical", "acoustic+lexical"]
    tested = run.metrics["counts"]["test"]
    assert figures["acoustic"]["items"] < tested == figures["acoustic+lexical"]["items"]
    assert figures["acoustic+lexical"]["uar"] == run.metrics["test"]["uar"] > 0.8
    matching = run.metrics["matching"]["acoustic+lexical"]
    assert matching["items"] == figures["acoustic"]["items"] + figures["lexical"]["items"] - tested
    assert 0 <= matching["linear_cka"] <= 1
    (about,) = json.loads((tmp_path / "run/data.json").read_text())["corpora"]
    assert about["modalities"] == {"acoustic": 30, "lexical": 33}
    assert about["quarantine"] == []


def test_sequences_of_a_single_word_each_are_still_sequences(corpus, tmp_path):
    words = {"kind": "words", "path": "words.npz", "words": 1, "max_bad_share": 0.5}
    several = recipe(corpus)
    modalities = several.model_dump(include={"modalities"})["modalities"] | {"lexical": {"features": words, "net": NET}}
    run = train(recipe(corpus, modalities=modalities), tmp_path / "run", quiet=True)
    assert run.metrics["by_modality"]["lexical"]["items"] > 0
    values = several.model_dump(include={"name", "data", "corpora", "labels", "protocol", "training"})
    alone = make_recipe({**values, "features": words, "encoder": {"kind": "conv_pool", "channels": 4, "kernel": 3}})
    data = prepare(alone)
    assert data.batch(data.split.train[:3]).values.shape == (3, 1, 8)
    assert train(alone, tmp_path / "alone", quiet=True).metrics["counts"]["test"] > 0


def test_features_are_those_of_each_front_end(corpus):
    data = prepare(recipe(corpus))
    assert data.dimensions == {"acoustic": 3, "lexical": 8}
    held = VectorTable(corpus / "acoustic.npz", columns=("acoustic",))
    words = WordVectors(corpus / "words.npz", 4)
    for row, item in data.items.iterrows():
        acoustic, lexical = data.inputs["acoustic"].clips[row], data.inputs["lexical"].clips[row]
        there = item["id"] in held.ids
        assert acoustic.shape == (int(there), 3)
        assert not there or np.array_equal(acoustic, held.read([item["id"]])[0])
        assert np.array_equal(lexical, np.empty((0, 8)) if pd.isna(item["text"]) else words(item["text"]))


def test_each_modality_is_normalised_by_the_training_items_that_have_it(corpus):
    data = prepare(recipe(corpus))
    for name, each in data.inputs.items():
        rows = [row for row in data.split.train if each.clips.lengths[row]]
        frames = np.concatenate([each.clips[row] for row in rows])
        mean, _ = each.normaliser(0)
        assert np.allclose(mean, frames.mean(0), atol=1e-6), name


def test_a_batch_says_who_has_what(corpus):
    data = prepare(recipe(corpus))
    batch = data.training_batch(np.arange(9))
    rows = data.split.train[:9]
    assert batch.values.shape == (9, 0)
    assert batch.modalities is not None
    for name, each in batch.modalities.items():
        assert each.lengths.tolist() == data.inputs[name].clips.lengths[rows].tolist()
        assert not each.values[~each.present].any()
    hidden = data.showing(["lexical"]).batch(rows)
    assert hidden.modalities is not None
    assert not hidden.modalities["acoustic"].present.any()
    assert torch.equal(hidden.modalities["lexical"].values, batch.modalities["lexical"].values)


def test_items_that_lack_one_of_two_modalities_have_no_part_in_matching_them(corpus):
    data = prepare(chosen := recipe(corpus, terms=("cross_entropy", "matching")))
    torch.manual_seed(0)
    encoder = make_encoder(chosen, data.dimensions, 3)
    objective = make_objective(chosen, data, encoder.sizes, encoder.nets)
    rows = np.arange(len(data.split.train))
    batch = data.training_batch(rows)
    has = np.logical_and.reduce([each.present.numpy() for each in batch.modalities.values()])
    assert 0 < has.sum() < len(rows)
    _, values, _ = objective(encoder(batch), batch)
    both = data.training_batch(rows[has])
    _, alone, _ = objective(encoder(both), both)
    assert values["matching"].item() == pytest.approx(alone["matching"].item(), abs=1e-6)


def test_interrupted_it_ends_with_the_same_bits(corpus, tmp_path, broken_off):
    chosen = recipe(corpus, encoder={"kind": "multimodal", "modality_dropout": 0.3, "dropout": 0.1})
    chosen = chosen.model_copy(update={"training": chosen.training.model_copy(update={"checkpoint_steps": 1})})
    train(chosen, tmp_path / "whole", quiet=True)
    broken_off(chosen, tmp_path / "cut", 6)
    train(chosen, tmp_path / "cut", resume=True, quiet=True)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_the_saved_model_answers_as_the_run_did(corpus, tmp_path):
    run = train(chosen := recipe(corpus), tmp_path / "run", quiet=True)
    data, model = prepare(chosen), load_model(tmp_path / "run")
    rows = data.split.test
    clips = {name: [each.clips[row] for row in rows] for name, each in data.inputs.items()}
    embeddings, probabilities = model(clips)
    told = run.predictions.query("split == 'test'")
    assert np.allclose(np.stack(list(told["embedding"])), embeddings, atol=1e-6)
    assert np.allclose(np.stack(list(told["probabilities"])), probabilities, atol=1e-6)
    assert any(name.startswith("nets.lexical.") for name in load_file(tmp_path / "run/model/model.safetensors"))


def test_a_test_item_is_of_a_session_that_nobody_trains_on(corpus):
    data = prepare(recipe(corpus))
    parts = {part: set(data.items["session"].iloc[getattr(data.split, part)]) for part in ("train", "validate", "test")}
    assert parts["test"] == parts["validate"]
    assert not parts["test"] & parts["train"]
    assert set(data.items["speaker"].iloc[data.split.test]) == {"s0"}


def test_an_item_without_any_modality_is_quarantined(tmp_path):
    lay(tmp_path)
    table = pd.read_csv(tmp_path / "items.csv")
    both = int(np.flatnonzero(table["text"].notna())[-1])
    table.loc[both, ["id", "text"]] = ["nobody", None]
    table.to_csv(tmp_path / "items.csv", index=False)
    (about,) = gather(recipe(tmp_path)).about
    assert about["quarantine"] == [{"id": "nobody", "reason": "the item has none of the modalities"}]
    assert about["used"] == 47


def test_a_vector_that_is_not_finite_is_counted_and_the_item_keeps_its_words(tmp_path):
    lay(tmp_path)
    with np.load(tmp_path / "acoustic.npz") as held:
        ids, vectors = held["id"], held["acoustic"].copy()
    vectors[0, 1] = np.nan
    np.savez(tmp_path / "acoustic.npz", id=ids, acoustic=vectors)
    gathered = gather(recipe(tmp_path))
    (aside,) = gathered.about[0]["quarantine"]
    assert aside == {"id": "i000", "reason": "acoustic: column 'acoustic[1]' is nan", "without": "acoustic"}
    assert gathered.items["id"].iloc[0] == "i000"
    assert gathered.inputs["acoustic"].lengths[0] == 0 < gathered.inputs["lexical"].lengths[0]
    vectors[:5] = np.inf
    np.savez(tmp_path / "acoustic.npz", id=ids, acoustic=vectors)
    with pytest.raises(InputError, match=r"5 of 48 items of corpus .* are at fault, and a share of 0.1 is allowed"):
        gather(recipe(tmp_path))


def test_a_modality_that_no_training_item_has_is_named(tmp_path):
    lay(tmp_path)
    table = pd.read_csv(tmp_path / "items.csv")
    table.loc[table["session"] != "d0", "text"] = None
    table.to_csv(tmp_path / "items.csv", index=False)
    with np.load(tmp_path / "acoustic.npz") as held:
        ids, vectors = table["id"].to_numpy(str), np.resize(held["acoustic"], (len(table), 3))
    np.savez(tmp_path / "acoustic.npz", id=ids, acoustic=vectors)
    with pytest.raises(InputError, match=r"no training item of the split .* has the modality 'lexical'; leave \[modal"):
        prepare(recipe(tmp_path))


def test_one_class_alone_is_refused_by_name(tmp_path):
    lay(tmp_path)
    table = pd.read_csv(tmp_path / "items.csv")
    table["label"] = "angry"
    table.to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(InputError, match="class happy, sad has no training item"):
        prepare(recipe(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"kind": "log_mel"}}, "features are those of a single modality, and there are modalities"),
        (
            {"encoder": {"kind": "mlp", "modality_dropout": 0.2}},
            "encoder.kind is 'mlp', and there are modalities; recipes of several have encoder.kind = "
            '"multimodal", which is the default beside them',
        ),
        (
            {"modalities": {"visual": {"features": {"kind": "faces", "frames": 18}, "net": NET}}},
            'modalities.visual: features.kind = "faces" gives single pictures, which no autoencoder reads; use '
            '"face_sequence", which reads frames through a video, or vectors of the pictures',
        ),
        ({"augment": {"level": 3.0}}, "augment changes items of one modality alone"),
        ({"modalities": {"lexical": None}}, "modalities.lexical"),
    ],
)
def test_recipes_that_do_not_fit(corpus, changes, message):
    with pytest.raises(InputError, match=message):
        recipe(corpus, **changes)


def test_a_net_that_cannot_read_its_features_is_refused(corpus):
    entries = recipe(corpus).model_dump(mode="json", exclude_none=True)["modalities"]
    linear = {**entries["lexical"], "net": {"kind": "linear"}}
    with pytest.raises(InputError, match=r"net\.kind = .linear. reads vectors, and features.kind 'words' gives sequen"):
        recipe(corpus, modalities={"lexical": linear})
    small = {**entries["lexical"], "net": {**NET, "frames": 9, "convolutions": [[9, 9, 0, 1]]}}
    data = prepare(chosen := recipe(corpus, modalities={"lexical": small}))
    with pytest.raises(InputError, match=r"modalities\.lexical\.net: .* of 9 frames x 8 dimensions"):
        make_encoder(chosen, data.dimensions, 3)


def test_latents_of_two_sizes_match_by_dependence_alone(corpus, tmp_path):
    entries = recipe(corpus).model_dump(mode="json", exclude_none=True)["modalities"]
    other = {"lexical": {**entries["lexical"], "net": {**NET, "latent": 5}}}
    with pytest.raises(InputError, match=r"matching\.between: acoustic has 4 dimensions and lexical 5"):
        train(recipe(corpus, modalities=other), tmp_path / "run", quiet=True)
    terms = [{"kind": "cross_entropy"}, {"kind": "matching", "between": ["acoustic", "lexical"], "form": "hsic"}]
    run = train(recipe(corpus, modalities=other, terms=terms), tmp_path / "run2", quiet=True)
    assert "recall_at_1" not in run.metrics["matching"]["acoustic+lexical"]


@pytest.mark.parametrize("name", ["float", "keys", "embedding", "Lexical", "2nd"])
def test_names_that_no_modality_can_have(corpus, name):
    entries = recipe(corpus).model_dump(mode="json", exclude_none=True)["modalities"]
    with pytest.raises(InputError, match=f"'{name}' cannot name a modality"):
        recipe(corpus, modalities={name: entries["acoustic"]})


def test_a_speaker_who_lacks_a_modality_is_normalised_by_the_others(corpus):
    entries = recipe(corpus).model_dump(mode="json", exclude_none=True)["modalities"]
    for entry in entries.values():
        entry["features"]["normalise"] = {"scope": "speaker", "transductive": True}
    data = prepare(recipe(corpus, modalities=entries))
    for each in data.inputs.values():
        assert np.isfinite(each.normaliser(int(data.split.test[0]))[0]).all()
