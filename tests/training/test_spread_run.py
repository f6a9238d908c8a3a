"""A run whose features are spread over several disks is to the bit the run of features in one file."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affectspace.features import spread, value_files
from affectspace.space.embed import embed
from affectspace.training import dump_recipe, load_model, train
from affectspace.training.frontends import cache_folder, cache_folders
from affectspace.training.prepare import prepare

SAME = ("metrics.json", "metrics.jsonl", "predictions.parquet", "model/model.safetensors", "recipe.toml", "data.json")


def bits(folder):
    snapshots = sorted(path.relative_to(folder) for path in folder.glob("snapshots/*.parquet"))
    return {str(name): (folder / name).read_bytes() for name in (*SAME, *snapshots)}


@pytest.fixture
def disks(monkeypatch):
    """``disks(a, b)``: features are kept there, in files of about three clips that take turns."""

    def use(*folders):
        for folder in folders:
            folder.mkdir(exist_ok=True)
        monkeypatch.setenv("AFFECTSPACE_CACHE", os.pathsep.join(map(str, folders)))
        monkeypatch.setattr(value_files, "FILE_BYTES", 60_000)
        monkeypatch.setattr(spread, "free_bytes", lambda folder: 10**9 - len([*folder.rglob("values*.npy")]))

    return use


@pytest.mark.parametrize(("scope", "count"), [("item", 2), ("speaker", 3), ("train", 3)])
def test_training_and_embedding_are_the_same_to_the_bit(tiny, world, tmp_path, monkeypatch, disks, scope, count):
    recipe = tiny("triplets", features={"kind": "log_mel", "bands": 20, "normalise": {"scope": scope}})
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "one"))
    train(recipe, tmp_path / "whole", quiet=True)
    expected = embed(load_model(tmp_path / "whole"), [world / "boro"], quiet=True).table
    assert {path.name for path in (tmp_path / "one").rglob("values*.npy")} == {"values.npy"}

    folders = [tmp_path / name for name in "abc"[:count]]
    disks(*folders)
    train(recipe, tmp_path / "spread", quiet=True)
    found = embed(load_model(tmp_path / "spread"), [world / "boro"], quiet=True).table
    assert all(len(list(folder.rglob("values*.npy"))) > 3 for folder in folders)
    assert bits(tmp_path / "spread") == bits(tmp_path / "whole")
    assert np.stack(found["vector"]).tobytes() == np.stack(expected["vector"]).tobytes()
    assert found["id"].tolist() == expected["id"].tolist()

    disks(*folders[::-1])
    before = sorted(path for folder in folders for path in folder.glob("*/*"))
    train(recipe, tmp_path / "again", quiet=True)
    assert bits(tmp_path / "again") == bits(tmp_path / "whole")
    assert sorted(path for folder in folders for path in folder.glob("*/*")) == before


FEATURES = """
import hashlib, sys
from affectspace.training.prepare import prepare
from affectspace.training.recipe_file import load_recipe

clips = prepare(load_recipe(sys.argv[1]), quiet=True).clips
print(*(hashlib.sha256(clips[row].tobytes()).hexdigest() for row in range(len(clips))))
"""


def test_another_process_finds_them_by_the_variable(tiny, tmp_path, disks):
    recipe = tiny("ce")
    folders = [tmp_path / "a", tmp_path / "b"]
    disks(*folders)
    clips = prepare(recipe, quiet=True).clips
    before = sorted(path for folder in folders for path in folder.glob("*/*"))
    (tmp_path / "recipe.toml").write_text(dump_recipe(recipe))
    command = [sys.executable, "-c", FEATURES, str(tmp_path / "recipe.toml")]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert found == [hashlib.sha256(clips[row].tobytes()).hexdigest() for row in range(len(clips))]
    assert sorted(path for folder in folders for path in folder.glob("*/*")) == before


@pytest.mark.parametrize(
    ("chosen", "folders"),
    [("/a", ["/a"]), ("/:/tmp", ["/", "/tmp"]), (":/b:", ["/b"]), (":", ["/home/.cache/affectspace"])],
)
def test_the_variable_names_folders_as_path_does(monkeypatch, chosen, folders):
    monkeypatch.setenv("AFFECTSPACE_CACHE", chosen)
    monkeypatch.setenv("HOME", "/home")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folders() == [Path(folder) for folder in folders]
    assert cache_folder() == Path(folders[0])
