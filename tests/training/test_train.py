"""A run folder tells all, repeats to the bit, and survives being killed at any moment."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from affectspace.errors import DivergedError, InputError
from affectspace.training import Run, load_model, train
from affectspace.training.data import Data, prepare


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
def test_a_seed_repeats_to_the_bit_and_another_does_not(tiny, tmp_path, terms):
    train(tiny(terms), tmp_path / "a")
    train(tiny(terms), tmp_path / "b")
    assert bits(tmp_path / "a") == bits(tmp_path / "b")
    train(tiny(terms, seed=1), tmp_path / "c")
    assert bits(tmp_path / "a")["model/model.safetensors"] != bits(tmp_path / "c")["model/model.safetensors"]


def test_the_run_folder_tells_all(tiny, tmp_path):
    run = train(tiny("triplets"), tmp_path / "run")
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


def test_the_saved_model_gives_the_saved_predictions(tiny, tmp_path):
    recipe = tiny("batch")
    run = train(recipe, tmp_path / "run")
    data, model = prepare(recipe), load_model(tmp_path / "run")
    rows = data.split.test
    embeddings, probabilities = model([data.clips[row] for row in rows])
    saved = run.predictions.query("split == 'test'")
    np.testing.assert_allclose(probabilities, np.stack(list(saved["probabilities"])), atol=1e-5)
    np.testing.assert_allclose(embeddings, np.stack(list(saved["embedding"])), atol=1e-5)


def test_selection_never_sees_the_test_items(tiny, tmp_path):
    """Other test labels change neither the weights nor the epoch that is kept."""
    recipe = tiny()
    train(recipe, tmp_path / "a")
    data = prepare(recipe)
    data.targets[data.split.test] = data.targets[data.split.test].roll(1, 1)
    train(recipe, tmp_path / "b", data=data)
    a, b = bits(tmp_path / "a"), bits(tmp_path / "b")
    assert a["model/model.safetensors"] == b["model/model.safetensors"]
    assert json.loads(a["metrics.json"])["selected_epoch"] == json.loads(b["metrics.json"])["selected_epoch"]
    assert a["metrics.json"] != b["metrics.json"]


def test_last_keeps_the_last_epoch(tiny, tmp_path):
    assert train(tiny(training={"selection": "last"}), tmp_path / "run").metrics["selected_epoch"] == 3


def test_killed_anywhere_it_ends_with_the_same_bits(tiny, world, tmp_path):
    """SIGKILL at function calls drawn at random over the whole run, those inside a checkpoint's writing included."""
    script = Path(__file__).with_name("kill_and_resume.py")
    done = subprocess.run(
        [sys.executable, str(script), str(world), str(tmp_path), "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == 20
    assert told["inside_checkpoint"] > 0
    expected = bits(tmp_path / "undisturbed")
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


def test_a_rate_that_explodes_is_told_with_a_remedy(tiny, tmp_path):
    with pytest.raises(DivergedError, match=r"lower training\.learning_rate or set training\.clip_gradient"):
        train(tiny(training={"learning_rate": 1e30, "epochs": 5}), tmp_path / "run")


def test_a_folder_in_use_is_left_alone(tiny, tmp_path):
    train(tiny(), tmp_path / "run")
    before = bits(tmp_path / "run")
    with pytest.raises(InputError, match="already holds a run; go on with it by: affectspace train --resume"):
        train(tiny(), tmp_path / "run")
    with pytest.raises(InputError, match="the recipe differs from the one"):
        train(tiny(seed=3), tmp_path / "run", resume=True)
    assert isinstance(train(tiny(), tmp_path / "run", resume=True), Run)
    assert bits(tmp_path / "run") == before


def test_a_class_without_training_items(tiny, tmp_path):
    recipe = tiny(labels={"kind": "classes", "names": ["angry", "happy", "neutral", "sad", "bored"], "soft": False})
    with pytest.raises(InputError, match=r"class bored has no training item; leave it out of labels\.names"):
        train(recipe, tmp_path / "run")


def test_a_disk_that_fills_up_leaves_nothing_half_written(tiny, tmp_path, monkeypatch):
    import affectspace.training.checkpoint as checkpoint

    written = []

    def full(tensors, path):
        written.append(path)
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        train(tiny(), tmp_path / "run")
    assert written
    assert not list((tmp_path / "run/checkpoints").iterdir())
    monkeypatch.undo()
    train(tiny(), tmp_path / "run", resume=True)
    train(tiny(), tmp_path / "fresh")
    assert bits(tmp_path / "run") == bits(tmp_path / "fresh")


def test_bfloat16_trains(tiny, tmp_path):
    run = train(tiny("batch", training={"precision": "bf16-mixed"}), tmp_path / "run")
    weights = load_file(tmp_path / "run/model/model.safetensors")
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in weights.values())
    assert run.metrics["test"]["uar"] > 0


def test_more_items_than_pairs_can_be_looked_at(tiny, tmp_path, monkeypatch):
    import affectspace.training.evaluate as evaluate

    monkeypatch.setattr(evaluate, "PAIRED_ITEMS", 10)
    run = train(tiny(), tmp_path / "run")
    assert -1 <= run.metrics["test"]["similarity_rho"] <= 1
    assert run.metrics["counts"]["test"] == 24
