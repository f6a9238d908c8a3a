"""The network that finds faces goes where the model goes, and no other takes its place."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.errors import InputError
from affectspace.features import Face, finders
from affectspace.files import sha256
from affectspace.space.embed import embed
from affectspace.training import load_model, make_recipe, model, train
from affectspace.training.transfer import evaluate_on

RECIPE = {
    "name": "found",
    "corpora": [{"path": "photos"}],
    "labels": {"kind": "classes", "names": ["down", "up"]},
    "features": {"kind": "faces", "side": 16, "finder": "nets/mine.onnx"},
    "protocol": {"kind": "published", "validate_by": "item", "validate_share": 0.25},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 1, "batch_size": 8},
}


class Finder:
    """Finds a face where its file says."""

    def __init__(self, path, find="largest"):
        self.face = Face(*map(float, Path(path).read_text().split()), 1.0)
        self.fingerprint = f"stand-in {sha256(path)}"

    def __call__(self, pixels):
        return [self.face]


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(finders, "YuNetFinder", Finder)
    root = tmp_path / "data"
    (root / "nets").mkdir(parents=True)
    (root / "nets" / "mine.onnx").write_text("4 4 20 20")
    for name in ("photos", "others"):
        (root / name).mkdir()
        rng, rows = np.random.default_rng(ord(name[0])), []
        for number in range(24):
            pixels = rng.integers(0, 255, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
            split = "test" if number >= 16 else "train"
            label = ["down", "up"][number % 2]
            rows.append({"id": f"{name}{number}", "image": f"{number}.png", "label": label, "split": split})
        pd.DataFrame(rows).to_csv(root / name / "items.csv", index=False)
    return root


def test_a_model_finds_faces_by_its_own_copy_wherever_it_lies(data, tmp_path, monkeypatch):
    run = train(make_recipe({**RECIPE, "data": str(data)}), tmp_path / "run", quiet=True)
    features = run.data["features"]
    kept = run.predictions.query("split == 'test'").set_index("item")["embedding"]
    (data / "nets" / "mine.onnx").write_text("20 20 9 9")  # another of that name, and one where the command is run
    shutil.move(tmp_path / "run", tmp_path / "moved")
    (tmp_path / "finder.onnx").write_text("20 20 9 9")
    monkeypatch.chdir(tmp_path)
    loaded = load_model("moved")
    assert loaded.frontend.fingerprint == features
    found = embed(loaded, [data / "photos"], quiet=True).table.set_index("id")["vector"]
    assert all(np.allclose(found[item], vector, atol=1e-5) for item, vector in kept.items())
    about = evaluate_on(type(run)(tmp_path / "moved"), data / "others")
    assert about["items"] == 24
    assert str(data) not in (tmp_path / "moved" / "model" / "config.json").read_text()


def test_another_network_is_refused(data, tmp_path):
    run = train(make_recipe({**RECIPE, "data": str(data)}), tmp_path / "run", quiet=True)
    kept = run.path / "model" / "finder.onnx"
    kept.write_text("20 20 9 9")
    with pytest.raises(InputError, match="is not the network that found the faces the model was trained on"):
        load_model(run.path)
    kept.unlink()
    with pytest.raises(InputError, match=r"was saved without finder\.onnx"):
        load_model(run.path)


def test_a_network_that_changes_during_training_is_told(data, tmp_path, monkeypatch):
    save = model.keep_finder

    def changed(recipe, folder):
        (data / "nets" / "mine.onnx").write_text("20 20 9 9")
        return save(recipe, folder)

    monkeypatch.setattr(model, "keep_finder", changed)
    with pytest.raises(InputError, match=r"mine\.onnx is not what it was when training began"):
        train(make_recipe({**RECIPE, "data": str(data)}), tmp_path / "run", quiet=True)
