"""An embedded item's split is the part that it had in the run, whatever its corpus publishes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.space.embed import embed
from affectspace.space.label_errors import suspects
from affectspace.space.space import Space
from affectspace.training import load_model, make_recipe, train

RECIPE = {
    "name": "parts",
    "corpora": [{"path": "faces"}],
    "labels": {"kind": "classes", "names": ["down", "up"]},
    "features": {"kind": "faces", "side": 16},
    "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 4, "fold": 0},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 1, "batch_size": 8},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Of a corpus all of whose items are published as ones to be tested."""
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "faces").mkdir()
    rng, rows = np.random.default_rng(0), []
    for number in range(40):
        light = np.linspace(40, 200, 16)[:: -1 if number % 2 else 1, None] + rng.normal(0, 12, (16, 16))
        Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(tmp_path / "faces" / f"{number}.png")
        label = ["down", "up"][number % 2]
        rows.append(
            {"id": number, "image": f"{number}.png", "speaker": f"s{number // 4}", "label": label, "split": "test"}
        )
    pd.DataFrame(rows).to_csv(tmp_path / "faces" / "items.csv", index=False)
    return train(make_recipe({**RECIPE, "data": str(tmp_path)}), tmp_path / "run", quiet=True)


def test_a_published_test_item_that_was_trained_on_is_one_of_training(run, tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 16), dtype=np.uint8)).save(tmp_path / "loose.png")
    model = load_model(run.path)
    found = embed(model, [tmp_path / "faces", tmp_path / "loose.png"], quiet=True)
    assert "split" not in found.table
    for path in (run.path, run.path / "model"):
        items = found.space(path).items.set_index("id")
        parts = run.split.set_index("key")["part"]
        assert set(parts) == {"train", "validate", "test"}
        assert items.loc[parts.index, "split"].tolist() == parts.tolist()
        assert pd.isna(items.loc[str(tmp_path / "loose.png"), "split"])
    shutil.copytree(run.path / "model", tmp_path / "away" / "model")
    assert found.space(tmp_path / "away" / "model").items["split"].isna().all()


def test_what_a_model_has_learned_by_heart_is_not_believed(run, tmp_path):
    space = embed(load_model(run.path), [tmp_path / "faces"], quiet=True).space(run.path)
    tested = space.items["split"].eq("test").to_numpy(bool)
    sure = np.where((space.items["label"] == "up").to_numpy(bool)[:, None], [0.0, 1.0], [1.0, 0.0])
    learned = Space(space.items.assign(probabilities=list(sure)), space.vectors, space.classes)
    wanted = suspects(learned, k=3, probabilities=np.where(tested[:, None], sure, np.nan))
    pd.testing.assert_frame_equal(suspects(learned, k=3), wanted)
    assert 0 < tested.sum() < len(space) / 2
