"""The embeddings of a run of one's own as vectors of the faces of another's videos."""

import copy
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from affectspace.errors import InputError, MediaError
from affectspace.features import Faces
from affectspace.training import make_recipe, train
from affectspace.training.frontends import make_frontend
from affectspace.training.run_vectors import RunVectors

SIDE = 16
RECIPE = {
    "name": "faces",
    "corpora": [{"path": "crops"}],
    "labels": {"kind": "classes", "names": ["down", "up"]},
    "features": {"kind": "faces", "side": SIDE},
    "views": {"crop": 12, "flip": True},
    "protocol": {"kind": "published", "validate_by": "item", "validate_share": 0.25},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 1, "batch_size": 8, "checkpoint_seconds": 100},
}
FILMED = {
    "name": "filmed",
    "corpora": [{"path": "films"}],
    "labels": {"kind": "classes", "names": ["down", "up"]},
    "features": {"kind": "face_sequence", "run": "faces", "side": SIDE},
    "protocol": {"kind": "published"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two dozen crops of noise, and a run that was trained on them."""
    root = tmp_path_factory.mktemp("data")
    (root / "crops").mkdir()
    rng, rows = np.random.default_rng(0), []
    for number in range(24):
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE), dtype=np.uint8)).save(root / "crops" / f"{number}.png")
        split = "test" if number >= 16 else "train"
        rows.append({"id": str(number), "image": f"{number}.png", "label": ["down", "up"][number % 2], "split": split})
    pd.DataFrame(rows).to_csv(root / "crops" / "items.csv", index=False)
    train(make_recipe({**copy.deepcopy(RECIPE), "data": str(root)}), root / "faces", quiet=True)
    return root


def crops_of(data):
    """All pictures, uint8 ``(24, side, side, 1)``."""
    faces = Faces(SIDE)
    return np.stack([faces.restore(faces(data / "crops" / f"{number}.png")) for number in range(24)])


def test_crops_get_the_embeddings_that_the_run_itself_has_predicted(data):
    vectors = RunVectors(data / "faces")
    made = vectors(crops_of(data))
    assert made.dtype == np.float32
    assert made.shape == (24, vectors.dimensions) == (24, 6)
    told = pd.read_parquet(data / "faces" / "predictions.parquet").set_index("item")["embedding"]
    assert len(told) >= 8
    for item, expected in told.items():
        assert made[int(str(item).removeprefix("crops/"))] == pytest.approx(np.array(expected), abs=1e-5)
    assert np.ptp(made, axis=0).min() > 0


def test_equal_to_the_bit_again_and_by_the_folder_of_the_model(data):
    first = RunVectors(data / "faces")(crops_of(data))
    assert np.array_equal(first, RunVectors(data / "faces")(crops_of(data)))
    assert np.array_equal(first, RunVectors(data / "faces" / "model")(crops_of(data)))
    assert RunVectors(data / "faces" / "model").fingerprint == RunVectors(data / "faces").fingerprint


def test_its_fingerprint_follows_the_weights_and_not_the_place(data, tmp_path):
    shutil.copytree(data / "faces", tmp_path / "moved")
    first, moved = RunVectors(data / "faces"), RunVectors(tmp_path / "moved")
    assert moved.fingerprint == first.fingerprint
    assert str(data) not in first.fingerprint
    before = moved(crops_of(data))
    file = tmp_path / "moved" / "model" / "model.safetensors"
    weights = load_file(file)
    weights["head.embedding.bias"] = weights["head.embedding.bias"] + 1
    save_file(weights, file)
    again = RunVectors(tmp_path / "moved")  # of the same place, in the same process
    assert again.fingerprint != first.fingerprint
    assert again(crops_of(data)) == pytest.approx(before + 1, abs=1e-5)


def test_it_goes_to_workers_without_its_net(data):
    vectors = RunVectors(data / "faces")
    made = vectors(crops_of(data))
    sent = pickle.dumps(vectors)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)(crops_of(data)), made)


def test_in_a_crop_no_face_is_looked_for_again(data, tmp_path):
    pytest.importorskip("skimage")
    with pytest.raises(MediaError, match="no face"):  # noise shows none
        Faces(SIDE, finder="cascade").compute(np.repeat(crops_of(data)[0], 3, axis=2))
    shutil.copytree(data / "faces", tmp_path / "looks")
    config = tmp_path / "looks" / "model" / "config.json"
    told = config.read_text()
    assert told.count('"kind": "faces",') == 1
    config.write_text(told.replace('"kind": "faces",', '"kind": "faces", "finder": "cascade",'))
    made, looks = RunVectors(data / "faces"), RunVectors(tmp_path / "looks")
    assert np.array_equal(looks(crops_of(data)), made(crops_of(data)))


@pytest.mark.parametrize(
    ("shape", "given"), [((2, 24, 24, 1), "side 24 in grey"), ((2, SIDE, SIDE, 3), "side 16 in rgb")]
)
def test_crops_that_the_net_was_not_trained_on_are_refused(data, shape, given):
    told = rf"faces reads faces of side 16 in grey, and these are of {given}; set side and colour of the features alike"
    with pytest.raises(InputError, match=told):
        RunVectors(data / "faces")(np.zeros(shape, np.uint8))


def test_a_folder_without_a_run_of_faces_is_refused(lay_duo, tmp_path):
    with pytest.raises(InputError, match=r"there is no model in .*nowhere; give a finished run's folder"):
        _ = RunVectors(tmp_path / "nowhere").fingerprint
    train(make_recipe(lay_duo(tmp_path)), tmp_path / "run", quiet=True)
    for asked in ("fingerprint", "dimensions"):
        with pytest.raises(InputError, match=r'run reads no faces; give a run with features\.kind = "faces"'):
            getattr(RunVectors(tmp_path / "run"), asked)
    (tmp_path / "run" / "model" / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"the model in .*run.* is damaged"):
        _ = RunVectors(tmp_path / "run").fingerprint


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"run": "../faces"}, r"path '\.\./faces' leaves its root"),
        ({"run": "link"}, r"path 'link' leaves its root"),
        ({"run": "/faces"}, r"path '/faces' is absolute"),
        ({"side": 24}, r"reads faces of side 16 in grey, and these are of side 24 in grey"),
        ({"colour": "rgb"}, r"reads faces of side 16 in grey, and these are of side 16 in rgb"),
        ({"run": "crops"}, r"there is no model in .*crops; give a finished run's folder"),
    ],
)
def test_a_recipe_of_it_is_refused_before_a_video_is_read(data, tmp_path, features, message):
    pytest.importorskip("av")
    pytest.importorskip("skimage")
    if features.get("run") == "link":
        (data / "link").symlink_to(tmp_path)
    values = {**FILMED, "data": str(data), "features": {**FILMED["features"], **features}}
    with pytest.raises(InputError, match=message):
        make_frontend(make_recipe(values))
