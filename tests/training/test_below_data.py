"""What a model needs of its run's data to embed new items: finders of faces, runs on faces, tables of words."""

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
from affectspace.training import load_model, make_recipe, train
from affectspace.training.below_data import files_below

av = pytest.importorskip("av")

SIDE = 16
LABELS = {"kind": "classes", "names": ["down", "up"]}
FACES = {
    "name": "faces",
    "corpora": [{"path": "crops"}],
    "labels": LABELS,
    "features": {"kind": "faces", "side": SIDE},
    "protocol": {"kind": "published", "validate_share": 0},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 1, "batch_size": 8, "selection": "last", "checkpoint_seconds": 100},
}
FILMED = {"kind": "face_sequence", "side": SIDE, "frames": 3, "pixels": 4, "finder": "nets/mine.onnx"}
FILMS = {
    "name": "films",
    "corpora": [{"path": "films"}],
    "labels": LABELS,
    "protocol": {
        "kind": "grouped_folds", "by": "speaker", "folds": 3, "fold": 0, "validate_share": 0, "allow": ["script"],
    },
    "training": {"epochs": 1, "batch_size": 4, "selection": "last", "checkpoint_seconds": 100},
}  # fmt: skip
NET = {"kind": "sequence", "frames": 3, "heads": 1, "blocks": 1, "convolutions": [[3, 2, 1, 4]], "latent": 4}


class Finder:
    """Finds a face where its file says."""

    def __init__(self, path, find="largest"):
        self.face = Face(*map(float, Path(path).read_text().split()), 1.0)
        self.fingerprint = f"stand-in {sha256(path)}"

    def __call__(self, pixels):
        return [self.face]


@pytest.fixture(autouse=True)
def finder(monkeypatch, tmp_path):
    monkeypatch.setattr(finders, "YuNetFinder", Finder)
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A dozen films and crops of noise, a table of words, a finder, and a run that was trained on the crops."""
    root, rng = tmp_path_factory.mktemp("laid"), np.random.default_rng(0)
    for name in ("films", "crops", "nets"):
        (root / name).mkdir()
    (root / "nets" / "mine.onnx").write_text("4 4 20 20")
    films, crops = [], []
    for number in range(12):
        with av.open(str(root / "films" / f"{number}.mp4"), "w") as out:
            stream = out.add_stream("mpeg4", rate=3)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 48, 48, "yuv420p", 2_000_000
            for _ in range(3):
                pixels = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            out.mux(stream.encode(None))
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE), dtype=np.uint8)).save(root / "crops" / f"{number}.png")
        label, part = ["down", "up"][number % 2], "test" if number >= 8 else "train"
        text, speaker = ["no no", "yes no yes"][number % 2], f"s{number // 2 % 3}"
        films.append({"id": number, "video": f"{number}.mp4", "text": text, "label": label, "speaker": speaker})
        crops.append({"id": number, "image": f"{number}.png", "label": label, "split": part})
    pd.DataFrame(films).to_csv(root / "films" / "items.csv", index=False)
    pd.DataFrame(crops).to_csv(root / "crops" / "items.csv", index=False)
    np.savez(root / "words.npz", words=np.array(["yes", "no"]), vectors=rng.normal(size=(2, 4)).astype(np.float32))
    train(make_recipe({**FACES, "data": str(root)}), root / "faces", quiet=True)
    return root


@pytest.fixture
def data(laid, tmp_path):
    return shutil.copytree(laid, tmp_path / "data")


def trained(data, where, **features):
    encoder = {"kind": "conv_pool", "channels": 4, "kernel": 3, "hidden": 4}
    values = {**FILMS, "data": str(data), "features": {**FILMED, **features}, "encoder": encoder}
    return train(make_recipe(values), where, quiet=True)


def embedded(run, found):
    """Whether every vector of the run's own items came out again."""
    kept = run.predictions.set_index("item")["embedding"]
    made = found.table.set_index("id")["vector"]
    return len(made) == 12 and all(np.allclose(made[item], vector, atol=1e-5) for item, vector in kept.items())


def test_a_model_of_films_finds_faces_by_its_own_copy_wherever_it_lies(data, tmp_path, monkeypatch):
    run = trained(data, tmp_path / "run")
    shutil.copytree(run.path / "model", tmp_path / "lone")
    (data / "nets" / "mine.onnx").write_text("20 20 9 9")
    (tmp_path / "finder.onnx").write_text("20 20 9 9")  # where the command is run
    monkeypatch.chdir(tmp_path)
    for folder in (run.path, tmp_path / "lone"):
        assert embedded(run, embed(load_model(folder), [data / "films"], quiet=True))
    (tmp_path / "lone" / "finder.onnx").unlink()
    with pytest.raises(InputError, match=r"was saved without finder\.onnx"):
        load_model(tmp_path / "lone")


def test_one_that_sees_by_a_run_finds_that_and_the_finder_below_the_data_of_its_own(data, tmp_path, monkeypatch):
    run = trained(data, tmp_path / "run", run="faces")
    assert files_below(load_model(run.path).recipe) == ["faces", "nets/mine.onnx"]
    monkeypatch.chdir(tmp_path)
    assert embedded(run, embed(load_model(run.path), [data / "films"], quiet=True))
    assert not (run.path / "model" / "finder.onnx").exists()
    (data / "faces").rename(data / "gone")
    with pytest.raises(InputError, match=r"makes features by faces, which is not below .*data: give the folder of its"):
        embed(load_model(run.path), [data / "films"], quiet=True)
    shutil.copytree(run.path / "model", tmp_path / "lone")
    with pytest.raises(InputError, match=r"makes features by faces, nets/mine\.onnx, which is not below"):
        embed(load_model(tmp_path / "lone"), [data / "films"], quiet=True)


def test_of_several_modalities_all_that_is_missing_is_named(data, tmp_path, monkeypatch):
    modalities = {
        "visual": {"features": {**FILMED, "run": "faces"}, "net": NET},
        "lexical": {"features": {"kind": "words", "path": "words.npz"}, "net": NET},
    }
    run = train(make_recipe({**FILMS, "data": str(data), "modalities": modalities}), tmp_path / "run", quiet=True)
    monkeypatch.chdir(tmp_path)
    model = load_model(run.path)
    assert files_below(model.recipe) == ["faces", "nets/mine.onnx", "words.npz"]
    assert embedded(run, embed(model, [data / "films"], quiet=True))
    for name in ("nets/mine.onnx", "words.npz", "faces"):
        (data / name).rename(data / "gone")
        told = rf"makes features by {name}, which is not below .*data: give the folder of its run, .* or put the files"
        with pytest.raises(InputError, match=told):
            embed(model, [data / "films"], quiet=True)
        (data / "gone").rename(data / name)
    shutil.copytree(run.path / "model", tmp_path / "lone")
    with pytest.raises(InputError, match=r"makes features by faces, nets/mine\.onnx, words\.npz, which is not below"):
        embed(load_model(tmp_path / "lone"), [data / "films"], quiet=True)
