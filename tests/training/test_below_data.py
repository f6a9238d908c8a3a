"""What a model needs of its run's data to embed new items: finders of faces, runs on faces, tables of words."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from affectspace.errors import InputError
from affectspace.features import Face, PixelVectors, WordVectors, finders
from affectspace.files import sha256
from affectspace.space.embed import embed
from affectspace.training import frontends, load_model, make_recipe, train
from affectspace.training.below_data import files_below
from affectspace.training.transfer import evaluate_on

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
def finder(monkeypatch, cache):
    monkeypatch.setattr(finders, "YuNetFinder", Finder)
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(cache))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")  # of all tests: features are told apart by what makes them


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


SEVERAL = {
    "visual": {"features": {**FILMED, "run": "faces"}, "net": NET},
    "lexical": {"features": {"kind": "words", "path": "words.npz"}, "net": NET},
}


def other_words(data):
    np.savez(data / "words.npz", words=np.array(["yes", "no"]), vectors=np.ones((2, 4), np.float32))


def other_net(data):
    file = data / "faces" / "model" / "model.safetensors"
    weights = load_file(file)
    save_file({**weights, "head.embedding.bias": weights["head.embedding.bias"] + 1}, file)


def other_finder(data):
    (data / "nets" / "mine.onnx").write_text("20 20 9 9")


CHANGES = {"words.npz": other_words, "faces": other_net, "nets/mine.onnx": other_finder}
TOLD = r"data/{} has changed since the model was trained, .*; restore it from a copy, or train again"


@pytest.fixture(scope="module")
def several(laid, tmp_path_factory, cache):
    """A run of several modalities, beside its data."""
    place = tmp_path_factory.mktemp("several")
    data = shutil.copytree(laid, place / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finders, "YuNetFinder", Finder)
        patched.setenv("AFFECTSPACE_CACHE", str(cache))
        return train(make_recipe({**FILMS, "data": str(data), "modalities": SEVERAL}), place / "run", quiet=True)


@pytest.fixture
def run(several, laid):
    """That run, whose data are put back afterwards."""
    data, config = several.path.parent / "data", several.path / "model" / "config.json"
    told = config.read_text()
    yield several
    shutil.rmtree(data)
    shutil.copytree(laid, data)
    config.write_text(told)


def applied(run, data):
    """What is to be refused of a model that makes features by other files."""
    allow = ("speaker", "audio", "script", "session")
    return [
        lambda: embed(load_model(run.path), [data / "films"], quiet=True),
        lambda: evaluate_on(run, data / "films", allow=allow),
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_of_several_modalities_each_file_that_is_another_than_in_training_is_refused(run, name):
    data = run.path.parent / "data"
    assert sorted(load_model(run.path).digests) == sorted(run.data["files_sha256"]) == sorted(CHANGES)
    assert run.data["files_sha256"]["words.npz"] == sha256(data / "words.npz")
    assert all(apply() for apply in applied(run, data))
    CHANGES[name](data)
    for apply in applied(run, data):
        with pytest.raises(InputError, match=TOLD.format(name)):
            apply()


@pytest.mark.parametrize("name", CHANGES)
def test_of_a_single_one_too(data, tmp_path, name):
    if name == "words.npz":
        values = {"features": {"kind": "words", "path": name}, "encoder": {"kind": "mlp", "hidden": 4}}
        run = train(make_recipe({**FILMS, "data": str(data), **values}), tmp_path / "run", quiet=True)
    else:
        run = trained(data, tmp_path / "run", run="faces")
    CHANGES[name](data)
    for apply in applied(run, data):
        with pytest.raises(InputError, match=TOLD.format(name)):
            apply()


def test_a_model_that_was_saved_without_digests_is_used_as_before(run):
    data = run.path.parent / "data"
    config = run.path / "model" / "config.json"
    told = json.loads(config.read_text())
    del told["files_sha256"]
    config.write_text(json.dumps(told))
    model = load_model(run.path)
    assert model.digests is None
    assert embedded(run, embed(model, [data / "films"], quiet=True))
    other_words(data)
    assert not embedded(run, embed(model, [data / "films"], quiet=True))
    (data / "words.npz").unlink()
    with pytest.raises(InputError, match=r"makes features by words\.npz, which is not below"):
        embed(model, [data / "films"], quiet=True)


def test_a_run_goes_on_only_by_the_files_that_it_was_begun_with(data, laid, tmp_path, broken_off):
    recipe = make_recipe({**FILMS, "data": str(data), "modalities": SEVERAL})
    broken_off(recipe, tmp_path / "run", 1)
    for name, change in CHANGES.items():
        change(data)
        with pytest.raises(
            InputError, match=rf"^{name}, of which features or the net are made, has changed since .*; restore it"
        ):
            train(recipe, tmp_path / "run", resume=True, quiet=True)
        shutil.rmtree(data)
        shutil.copytree(laid, data)
    run = train(recipe, tmp_path / "run", resume=True, quiet=True)
    assert embedded(run, embed(load_model(run.path), [data / "films"], quiet=True))


def test_a_table_of_vectors_may_get_rows_for_other_items(data, tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(12, 3)), columns=["a", "b", "c"]).assign(id=[str(row) for row in range(12)])
    table.to_parquet(data / "sound.parquet")
    vectors = {"features": {"kind": "vectors", "path": "sound.parquet"}, "net": {"kind": "linear", "hidden": [4]}}
    modalities = {"acoustic": vectors, "lexical": SEVERAL["lexical"]}
    run = train(make_recipe({**FILMS, "data": str(data), "modalities": modalities}), tmp_path / "run", quiet=True)
    assert [*load_model(run.path).digests] == ["words.npz"]
    pd.concat([table, table.assign(id=[f"more{row}" for row in range(12)])]).to_parquet(data / "sound.parquet")
    assert all(apply() for apply in applied(run, data))
    assert embedded(run, embed(load_model(run.path), [data / "films"], quiet=True))


class Reader(WordVectors):
    """Stands in for a model of texts: that of a folder is the table in it."""

    def __init__(self, source, words):
        asked = Path(source) / "vocabulary.txt"
        assert asked.is_file() or source == "nobody/reader", f"{source} is asked for on the hub"
        super().__init__(asked if asked.is_file() else HUB["words"], words)

    @property
    def hub_files(self):
        return [HUB["words"]]


class Net(PixelVectors):
    """Stands in for a model of pictures."""

    def __init__(self, source):
        assert Path(source).is_dir(), f"{source} is asked for on the hub"
        super().__init__(4)


HUB = {}


@pytest.fixture
def borrowed(data, monkeypatch):
    """The data with two folders of pretrained models, which are opened by stand-ins."""
    monkeypatch.setattr(frontends, "PretrainedText", Reader)
    monkeypatch.setattr(frontends, "PretrainedVectors", Net)
    for name in ("reader", "seer"):
        (data / "nets" / name).mkdir()
        (data / "nets" / name / "model.safetensors").write_text("the weights")
        (data / "nets" / name / "config.json").write_text("{}")
    (data / "nets" / "reader" / "vocabulary.txt").write_text("yes 0 1\nno 1 0\n")
    (data / "words.txt").write_text("yes 0 1\nno 1 0\n")
    monkeypatch.setitem(HUB, "words", data / "words.txt")
    return data


def of_sources(data, reader="nets/reader"):
    filmed = {**FILMED, "source": "nets/seer", "finder": "nets/mine.onnx"}
    text = {"features": {"kind": "pretrained_text", "source": reader}, "net": NET}
    modalities = {"visual": {"features": filmed, "net": NET}, "lexical": text}
    return make_recipe({**FILMS, "data": str(data), "modalities": modalities})


def test_folders_of_pretrained_models_that_are_gone_are_not_looked_for_on_the_hub(borrowed, tmp_path, monkeypatch):
    run = train(of_sources(borrowed), tmp_path / "run", quiet=True)
    monkeypatch.chdir(tmp_path)
    assert files_below(load_model(run.path).recipe) == ["nets/mine.onnx", "nets/seer", "nets/reader"]
    assert embedded(run, embed(load_model(run.path), [borrowed / "films"], quiet=True))
    shutil.copytree(run.path / "model", tmp_path / "lone")
    told = r"makes features by nets/mine\.onnx, nets/seer, nets/reader, which is not below"
    with pytest.raises(InputError, match=told):
        embed(load_model(tmp_path / "lone"), [borrowed / "films"], quiet=True)
    for name in ("seer", "reader"):
        (borrowed / "nets" / name).rename(borrowed / "gone")
        for apply in applied(run, borrowed):
            with pytest.raises(InputError, match=rf"makes features by nets/{name}, which is not below .*data: give"):
                apply()
        (borrowed / "gone").rename(borrowed / "nets" / name)


@pytest.mark.parametrize(
    ("file", "decides"),
    [("model.safetensors", True), ("config.json", True), ("tokenizer.json", True), ("README.md", False)],
)
def test_so_are_those_whose_weights_settings_or_vocabulary_have_changed(borrowed, tmp_path, file, decides):
    run = train(of_sources(borrowed), tmp_path / "run", quiet=True)
    (borrowed / "nets" / "reader" / file).write_text("another")
    for apply in applied(run, borrowed):
        if decides:
            with pytest.raises(InputError, match=TOLD.format("nets/reader")):
                apply()
        else:
            assert apply()


def test_a_name_on_the_hub_stays_one(borrowed, tmp_path):
    run = train(of_sources(borrowed, "nobody/reader"), tmp_path / "run", quiet=True)
    model = load_model(run.path)
    assert sorted(model.digests) == ["hub:nobody/reader", "nets/mine.onnx", "nets/seer"]
    assert embedded(run, embed(model, [borrowed / "films"], quiet=True))
    shutil.copytree(borrowed / "nets" / "reader", borrowed / "nobody" / "reader")
    for apply in applied(run, borrowed):
        with pytest.raises(InputError, match=r"by nobody/reader of the hub, and a folder of that name has since"):
            apply()


def test_what_is_published_later_under_that_name_is_refused(borrowed, tmp_path):
    run = train(of_sources(borrowed, "nobody/reader"), tmp_path / "run", quiet=True)
    (borrowed / "words.txt").write_text("yes 1 1\nno 1 0\n")
    for apply in applied(run, borrowed):
        with pytest.raises(
            InputError, match=r"^nobody/reader of the hub has changed since the model was trained, .*OFFL"
        ):
            apply()
    config = run.path / "model" / "config.json"
    told = json.loads(config.read_text())
    del told["files_sha256"]["hub:nobody/reader"]  # as models were saved before
    config.write_text(json.dumps(told))
    assert all(apply() for apply in applied(run, borrowed))


@pytest.mark.parametrize("name", ["nets/seer", "nets/mine.onnx"])
def test_a_single_modality_of_a_folder_looks_for_the_finder_beside_it(borrowed, tmp_path, name):
    run = trained(borrowed, tmp_path / "run", source="nets/seer")
    assert not (run.path / "model" / "finder.onnx").exists()
    assert embedded(run, embed(load_model(run.path), [borrowed / "films"], quiet=True))
    (borrowed / name).rename(borrowed / "gone")
    for apply in applied(run, borrowed):
        with pytest.raises(InputError, match=rf"makes features by {name}, which is not below .*data: give the folder"):
            apply()
