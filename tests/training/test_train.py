"""A run folder tells all, repeats to the bit, and survives being killed at any moment."""

import importlib
import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from affectspace.errors import DivergedError, InputError, LeakError
from affectspace.training import Run, load_model, load_recipe, train
from affectspace.training.data import Data
from affectspace.training.prepare import prepare
from affectspace.training.transfer import evaluate_on


def bits(folder: Path) -> dict[str, bytes]:
    """Every file of a finished run that must not depend on its history."""
    names = (
        "metrics.json",
        "metrics.jsonl",
        "predictions.parquet",
        "model/model.safetensors",
        "recipe.toml",
        "data.json",
    )
    snapshots = sorted(folder.glob("snapshots/*.parquet"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in [*(folder / name for name in names), *snapshots]}


@pytest.mark.parametrize("terms", ["ce", "triplets", "batch"])
def test_a_seed_repeats_to_the_bit_and_another_does_not(tiny, opened, tmp_path, terms):
    train(tiny(terms), tmp_path / "a")
    train(tiny(terms), tmp_path / "b")
    assert bits(tmp_path / "a") == bits(tmp_path / "b")
    train(tiny(terms, seed=1), tmp_path / "c", data=opened(tiny(terms)))
    assert bits(tmp_path / "a")["model/model.safetensors"] != bits(tmp_path / "c")["model/model.safetensors"]


def test_in_a_pipe_lines_tell_how_far_it_is_and_nothing_where_quiet(tiny, opened, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("affectspace.features.lines.FIRST", 0.0)
    monkeypatch.setattr("affectspace.features.lines.EVERY", 0.0)
    train(tiny("ce"), tmp_path / "told", data=opened(tiny("ce")))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(": ")[2] for line in err.splitlines() if "epochs" in line] == [
        f"{n} of 3 epochs" for n in (1, 2, 3)
    ]
    train(tiny("ce"), tmp_path / "quiet", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_the_run_folder_tells_all(tiny, opened, tmp_path):
    run = train(tiny("triplets"), tmp_path / "run", data=opened(tiny("triplets")))
    epochs = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert set(epochs[0]["terms"]) == {"cross_entropy", "f_similarity"}
    final = run.metrics
    best = max(epochs, key=lambda row: row["validate"]["uar"])  # the earliest of equals
    assert final["selected_epoch"] == best["epoch"]
    assert final["validate"]["uar"] == pytest.approx(best["validate"]["uar"])
    assert final["counts"]["test"] == 24
    assert not final["transductive"]
    table = run.predictions
    assert set(table["split"]) == {"validate", "test"}
    assert np.allclose([sum(row) for row in table["probabilities"]], 1, atol=1e-5)
    split = pd.read_parquet(tmp_path / "run/split.parquet")
    train_speakers = set(split.query("part == 'train'")["speaker"])
    validate_speakers = set(split.query("part == 'validate'")["speaker"])
    assert not train_speakers & validate_speakers
    assert "torch" in (tmp_path / "run/environment.txt").read_text()


def test_the_saved_model_gives_the_saved_predictions(tiny, opened, tmp_path):
    data = opened(recipe := tiny("batch"))
    run = train(recipe, tmp_path / "run", data=data)
    model = load_model(tmp_path / "run")
    rows = data.split.test
    embeddings, probabilities = model([data.clips[row] for row in rows])
    saved = run.predictions.query("split == 'test'")
    np.testing.assert_allclose(probabilities, np.stack(list(saved["probabilities"])), atol=1e-5)
    np.testing.assert_allclose(embeddings, np.stack(list(saved["embedding"])), atol=1e-5)


def test_selection_never_sees_the_test_items(tiny, tiny_run, tmp_path):
    """Other test labels change neither the weights nor the epoch that is kept."""
    recipe = tiny()
    data = prepare(recipe)
    data.targets[data.split.test] = data.targets[data.split.test].roll(1, 1)
    train(recipe, tmp_path / "b", data=data)
    a, b = bits(tiny_run.path), bits(tmp_path / "b")
    assert a["model/model.safetensors"] == b["model/model.safetensors"]
    assert json.loads(a["metrics.json"])["selected_epoch"] == json.loads(b["metrics.json"])["selected_epoch"]
    assert a["metrics.json"] != b["metrics.json"]


def test_last_keeps_the_last_epoch(tiny, opened, tmp_path):
    run = train(tiny(training={"selection": "last"}), tmp_path / "run", data=opened(tiny()))
    assert run.metrics["selected_epoch"] == 3


def test_killed_anywhere_it_ends_with_the_same_bits(world, tmp_path, monkeypatch):
    """SIGKILL at function calls drawn at random over the whole run, those inside a checkpoint's writing included."""
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))  # features are written, too
    script = Path(__file__).with_name("kill_and_resume.py")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.kill_and_resume(str(world), tmp_path, kills=8) >= 2
    expected = bits(tmp_path / "undisturbed")
    assert list(tmp_path.glob("killed-*"))
    for folder in sorted(tmp_path.glob("killed-*")):
        assert bits(folder) == expected, folder.name


def test_an_item_that_is_not_finite_stops_the_run_and_is_named(tiny, tmp_path, monkeypatch):
    recipe = tiny()
    data = prepare(recipe)
    row = data.split.train[0]
    whole = Data.batch

    def poisoned(self, rows):
        batch = whole(self, rows)
        batch.values[np.asarray(rows) == row] = float("nan")
        return batch

    monkeypatch.setattr(Data, "batch", poisoned)
    key = data.items["key"].iloc[row]
    with pytest.raises(DivergedError, match=f"not finite in epoch 1.*the features of {key} are not finite"):
        train(recipe, tmp_path / "run", data=data)
    about = json.loads((tmp_path / "run/diverged/batch.json").read_text())
    assert key in about["items"]
    assert load_file(tmp_path / "run/diverged/batch.safetensors")["values"].isnan().any()


def test_a_loss_that_explodes_is_told_with_a_remedy(tiny, opened, tmp_path):
    recipe = tiny()
    heavy = tuple(term.model_copy(update={"weight": 3e38}) for term in recipe.terms)
    with pytest.raises(DivergedError, match=r"lower training\.learning_rate or set training\.clip_gradient") as caught:
        train(recipe.model_copy(update={"terms": heavy}), tmp_path / "run", data=opened(recipe))
    assert caught.value.exit_code == 3


def test_a_weight_that_is_lost_in_the_very_last_step_is_told(tiny, opened, tmp_path, monkeypatch):
    steps = 0
    whole = torch.optim.Adam.step

    def poisoned(self, *arguments):
        nonlocal steps
        whole(self, *arguments)
        steps += 1
        if steps == 12:
            self.param_groups[0]["params"][0].data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.Adam, "step", poisoned)
    recipe = tiny(training={"batch_size": 4})
    with pytest.raises(DivergedError, match="a weight or gradient is not finite in epoch 3, step 12"):
        train(recipe, tmp_path / "run", data=opened(recipe))


def test_data_that_changed_are_refused_on_going_on(tiny, world, tmp_path, monkeypatch):
    moved = tmp_path / "world"
    shutil.copytree(world, moved)
    recipe = tiny().model_copy(update={"data": str(moved)})
    module = importlib.import_module("affectspace.training.train")

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "snapshot_table", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "run")
    items = (moved / "alva/items.csv").read_text()
    (moved / "alva/items.csv").write_text(items.replace("angry", "sad"))
    with pytest.raises(InputError, match=r"the tables of corpus alva have changed since .* was begun; restore it"):
        train(recipe, tmp_path / "run", resume=True)
    (moved / "alva/items.csv").write_text(items)
    files = sorted((moved / "alva/audio").iterdir())
    first = files[0].read_bytes()
    files[0].write_bytes(files[1].read_bytes())
    with pytest.raises(InputError, match="recordings of corpus alva, or the features made of them, have changed"):
        train(recipe, tmp_path / "run", resume=True)
    files[0].write_bytes(first)
    train(recipe, tmp_path / "run", resume=True)
    train(recipe, tmp_path / "fresh")
    assert bits(tmp_path / "run") == bits(tmp_path / "fresh")


def test_a_run_goes_on_with_data_that_were_moved_and_not_with_other_vectors(tiny, world, tmp_path):
    here, moved = (Path(shutil.copytree(world, tmp_path / name)) for name in ("here", "moved"))
    names = [f"{c}/{item}" for c in ("alva", "boro") for item in pd.read_csv(world / c / "items.csv")["id"]]
    vectors = pd.DataFrame({"id": names, "x": np.arange(len(names)) % 7.0})
    for place in (here, moved):
        vectors.to_csv(place / "moved.csv", index=False)
    recipe = tiny(features={"kind": "vectors", "path": "moved.csv"}, encoder={"kind": "mlp", "hidden": 4})
    elsewhere = recipe.model_copy(update={"data": str(moved)})
    train(recipe.model_copy(update={"data": str(here)}), tmp_path / "run")
    (tmp_path / "run/metrics.json").unlink()
    assert train(elsewhere, tmp_path / "run", resume=True).finished
    (tmp_path / "run/metrics.json").unlink()
    vectors.assign(x=0.5).to_csv(moved / "moved.csv", index=False)
    with pytest.raises(InputError, match="recordings of corpus alva, boro, or the features made of them, have changed"):
        train(elsewhere, tmp_path / "run", resume=True)


def test_a_start_that_failed_does_not_hold_the_folder(tiny, opened, tmp_path):
    with pytest.raises(InputError, match=r"training\.device is 'cuda', and this machine has none"):
        train(tiny(training={"device": "cuda"}), tmp_path / "run")
    train(tiny(training={"epochs": 1}), tmp_path / "run", data=opened(tiny()))


@pytest.mark.parametrize("scope", ["corpus", "speaker"])
def test_a_saved_model_normalises_groups_as_training_did(tiny, tmp_path, world, scope):
    """Transductive statistics of the test corpus are part of the model, and evaluating it anew finds them."""
    normalise = {"scope": scope, "transductive": True}
    recipe = tiny("batch", features={"kind": "log_mel", "bands": 20, "normalise": normalise})
    run = train(recipe, tmp_path / "run")
    assert run.metrics["transductive"]
    again = evaluate_on(run, world / "boro")
    assert again["scores"] == pytest.approx(run.metrics["test"], abs=1e-5)


def test_transductive_is_told_only_where_something_was_seen(tiny, tmp_path):
    """Every corpus has training items here, so none is normalised by what is tested."""
    protocol = {"kind": "grouped_folds", "folds": 3, "fold": 0, "by": "session", "allow": ["script"]}
    features = {"kind": "log_mel", "normalise": {"scope": "corpus", "transductive": True}}
    world_of_six = prepare(tiny(features=features, protocol=protocol))
    assert not world_of_six.protocol["transductive"]


def test_a_run_knows_the_scripts_that_it_was_trained_on(tiny_run, world, tmp_path):
    shutil.copytree(world / "alva", tmp_path / "copy")
    (tmp_path / "copy/corpus.toml").write_text((world / "alva/corpus.toml").read_text().replace('"alva"', '"copy"'))
    with pytest.raises(LeakError, match=r"(?s)is no test of .*--allow script --allow audio$") as told:
        evaluate_on(tiny_run, tmp_path / "copy")
    first, *facts, last = str(told.value).splitlines()
    assert first == (
        f"this corpus is no test of {tiny_run.path}: it shares with alva, of which training knows, what is told "
        "here; choose another corpus"
    )
    assert last.startswith("a score on it is none of a test, and for other ends is shown by: --allow ")
    audio = next(fact for fact in facts if " recordings are in both" in fact)
    assert re.search(r", such as 'alva/[\w-]+' and 'copy/[\w-]+'$", audio)
    with pytest.raises(
        LeakError, match=r"is no test of .*: training knows alva itself; choose a corpus that is none of"
    ):
        evaluate_on(tiny_run, world / "alva")
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        evaluate_on(tiny_run, world / "boro", allow=("speeker",))


def test_vectors_of_two_corpora_are_kept_apart(tiny, world, tmp_path):
    ids = pd.read_csv(world / "alva/items.csv")["id"].tolist()
    vectors = np.random.default_rng(0).normal(size=(len(ids), 3))
    table = pd.DataFrame(vectors, columns=["x", "y", "z"])
    table.assign(id=ids).to_csv(tmp_path / "bare.csv", index=False)
    both = [table.assign(id=[f"{corpus}/{item}" for item in ids]) for corpus in ("alva", "boro")]
    pd.concat(both).to_csv(tmp_path / "qualified.csv", index=False)

    def recipe(name):
        features = {"kind": "vectors", "path": str(tmp_path / name)}
        return tiny(features=features, encoder={"kind": "mlp", "hidden": 4})

    with pytest.raises(
        InputError, match="would share the vector 's01-00'; name the vectors of several corpora corpus/id"
    ):
        prepare(recipe("bare.csv"))
    assert len(prepare(recipe("qualified.csv")).items) == 48


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{}"])
def test_a_damaged_model_is_told(tiny_run, tmp_path, name, content):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    (tmp_path / "run/model" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"the model in .* is damaged"):
        load_model(tmp_path / "run")


def test_a_folder_in_use_is_left_alone(tiny, tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    before = bits(tmp_path / "run")
    with pytest.raises(InputError, match="already holds a run; go on with it by: affectspace train --resume"):
        train(tiny(), tmp_path / "run")
    with pytest.raises(
        InputError, match=r"the recipe differs from the one .* was begun with \(seed was 0, is 3\); choose another f"
    ):
        train(tiny(seed=3), tmp_path / "run", resume=True)
    assert isinstance(train(tiny(), tmp_path / "run", resume=True), Run)
    assert bits(tmp_path / "run") == before


def test_a_class_without_training_items(tiny, tmp_path):
    recipe = tiny(labels={"kind": "classes", "names": ["angry", "happy", "neutral", "sad", "bored"], "soft": False})
    with pytest.raises(
        InputError, match=r"class bored has no training item in the split 'alva -> boro'; leave it out of labels\.names"
    ):
        train(recipe, tmp_path / "run")


def test_a_disk_that_fills_up_leaves_nothing_half_written(tiny, tiny_run, opened, tmp_path, monkeypatch):
    module = importlib.import_module("affectspace.training.checkpoint")
    whole, written = Path.write_bytes, []

    def full(path, content):
        written.append(path)
        whole(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        train(tiny(), tmp_path / "run", data=opened(tiny()))
    assert written
    assert not list((tmp_path / "run/checkpoints").iterdir())
    monkeypatch.undo()
    train(tiny(), tmp_path / "run", resume=True, data=opened(tiny()))
    assert bits(tmp_path / "run") == bits(tiny_run.path)


def test_bfloat16_trains(tiny, opened, tmp_path):
    recipe = tiny("batch", training={"precision": "bf16-mixed"})
    run = train(recipe, tmp_path / "run", data=opened(recipe))
    train(recipe, tmp_path / "again", data=opened(recipe))
    assert bits(tmp_path / "run") == bits(tmp_path / "again")
    weights = load_file(tmp_path / "run/model/model.safetensors")
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in weights.values())
    plain = train(tiny("batch"), tmp_path / "plain", data=opened(recipe))
    assert run.metrics["test"]["jensen_shannon"] == pytest.approx(plain.metrics["test"]["jensen_shannon"], abs=0.02)


def test_more_items_than_pairs_can_be_looked_at(tiny, opened, tmp_path, monkeypatch):
    import affectspace.training.evaluate as evaluate

    monkeypatch.setattr(evaluate, "PAIRED_ITEMS", 10)
    run = train(tiny(), tmp_path / "run", data=opened(tiny()))
    assert -1 <= run.metrics["test"]["similarity_rho"] <= 1
    assert run.metrics["counts"]["test"] == 24


def test_relative_data_mean_the_same_from_any_folder(tiny, world, tmp_path, monkeypatch):
    monkeypatch.chdir(world.parent)
    recipe = tiny().model_copy(update={"data": world.name})
    train(recipe, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    again = load_recipe(tmp_path / "run/recipe.toml")
    assert again.data == str(world)
    assert train(again, "run", resume=True).finished


def test_poles_lie_where_the_corpus_says_that_its_scale_ends(tiny, world, tmp_path):
    labels = {"kind": "poles", "dimension": "activation", "names": ["calm", "excited"]}
    whole = prepare(tiny(labels=labels)).targets
    copy = tmp_path / "world"
    shutil.copytree(world, copy)
    for name in ("alva", "boro"):
        card = (copy / name / "corpus.toml").read_text()
        (copy / name / "corpus.toml").write_text(card.replace("high = 5", "high = 9"))
    wider = prepare(tiny(labels=labels).model_copy(update={"data": str(copy)})).targets
    torch.testing.assert_close(wider[:, 1], whole[:, 1] / 2)  # r - 1 over 8 in place of 4
    for name in ("alva", "boro"):
        card = tomllib.loads((copy / name / "corpus.toml").read_text())
        (copy / name / "corpus.toml").write_text(f'name = "{card["name"]}"')
    with pytest.raises(InputError, match=r"corpus alva declares no scale for 'activation'; add \[scales\.activation\]"):
        prepare(tiny(labels=labels).model_copy(update={"data": str(copy)}))
    ends = labels | {"low": 1, "high": 5}
    torch.testing.assert_close(prepare(tiny(labels=ends).model_copy(update={"data": str(copy)})).targets, whole)


def test_a_run_that_diverged_does_not_send_its_user_in_a_circle(tiny, opened, tmp_path):
    recipe = tiny()
    heavy = tuple(term.model_copy(update={"weight": 3e38}) for term in recipe.terms)
    with pytest.raises(DivergedError):
        train(recipe.model_copy(update={"terms": heavy}), tmp_path / "run", data=opened(recipe))
    with pytest.raises(InputError, match="holds a run that diverged; mend its recipe, then remove the folder"):
        train(recipe, tmp_path / "run")
