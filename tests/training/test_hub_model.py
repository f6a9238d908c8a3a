"""A model by its name on the hub: what is fetched, what is refused, and that nothing is asked where nobody said so."""

import json
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from affectspace.errors import InputError
from affectspace.training import hub_model, load_model, train
from affectspace.training.known import load_known


@pytest.fixture(scope="module")
def model(finished_tiny):
    """The files of a model, as a repository has them, and others beside them."""
    files = {path.name: path.read_bytes() for path in (finished_tiny / "model").iterdir() if path.is_file()}
    return files | {"pytorch_model.bin": b"a pickle", "run.py": b"print('code')", "notes/more.txt": b"more"}


@pytest.fixture(scope="module")
def finished_tiny(tmp_path_factory):
    from affectspace.corpora import make_synthetic
    from affectspace.training import make_recipe

    root = tmp_path_factory.mktemp("tiny")
    make_synthetic(root / "alva", "alva", speakers=6, items_per_speaker=8)
    values = {
        "name": "tiny", "data": str(root), "corpora": [{"path": "alva"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
        "protocol": {"kind": "leave_one_out", "by": "session", "fold": 0, "allow": ["script"]},
        "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 1, "batch_size": 8},
    }  # fmt: skip
    return train(make_recipe(values), root / "run", quiet=True).path


def forget():
    hub_model._fetched.cache_clear()


def test_a_model_opens_by_its_name_and_only_its_own_files_are_fetched(hub, model, finished_tiny):
    hub.repositories["tester/feelings"] = model
    clip = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
    for one, other in zip(load_model("hf:tester/feelings")([clip]), load_model(finished_tiny)([clip])):
        np.testing.assert_array_equal(one, other)
    assert len(load_known("hf:tester/feelings")) == len(load_known(finished_tiny))
    fetched = {path.rsplit("/", 1)[1] for path in hub.asked if "/resolve/" in path}
    assert fetched == {"README.md", "config.json", "model.safetensors", "known.safetensors"}
    commit = hub.commit("tester/feelings")
    assert hub_model.model_folder(f"hf:tester/feelings@{commit}") == hub_model.model_folder("hf:tester/feelings")


def test_offline_it_opens_from_the_cache_alone(hub, model, monkeypatch):
    hub.repositories["tester/feelings"] = model
    kept = hub_model.model_folder("hf:tester/feelings")
    forget()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert hub_model.model_folder("hf:tester/feelings") == kept
    assert load_model("hf:tester/feelings").classes == ("angry", "happy", "neutral", "sad")
    with pytest.raises(InputError, match=r"^tester/other is not on this machine, and the hub cannot be asked for it"):
        load_model("hf:tester/other")
    assert not hub.asked


def test_without_the_hub_it_opens_from_the_cache_too(hub, model):
    hub.repositories["tester/feelings"] = model
    kept = hub_model.model_folder("hf:tester/feelings")
    forget()
    hub.close()
    assert hub_model.model_folder("hf:tester/feelings") == kept
    with pytest.raises(InputError, match=r"tester/other is not on this machine, .* connect once, or give a folder"):
        load_model("hf:tester/other")


def test_a_face_finder_lies_in_the_folder_itself_and_not_behind_a_link(hub, model):
    hub.repositories["tester/faces"] = model | {"finder.onnx": b"a network"}
    folder = hub_model.model_folder("hf:tester/faces")
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert (folder / "finder.onnx").read_bytes() == b"a network"
    forget()
    assert hub_model.model_folder("hf:tester/faces") == folder


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"pytorch_model.bin": b"a pickle"}, r"is no model of affectspace \(its config.json is missing or another's\)"),
        ({"config.json": b'{"model_type": "wav2vec2"}', "model.safetensors": b""}, r"is no model of affectspace"),
        ({"config.json": b"[1]"}, r"is no model of affectspace"),
    ],
)
def test_models_of_others_are_refused(hub, files, told):
    hub.repositories["tester/others"] = files
    with pytest.raises(InputError, match=rf"^tester/others {told}"):
        load_model("hf:tester/others")


def test_weights_that_are_a_pickle_are_refused_and_never_fetched(hub, model):
    hub.repositories["tester/pickled"] = {name: each for name, each in model.items() if name != "model.safetensors"}
    with pytest.raises(InputError, match=r"has no model.safetensors, and other formats .* pickles, may run code"):
        load_model("hf:tester/pickled")
    assert not [path for path in hub.asked if path.endswith(".bin")]


def test_damaged_files_and_newer_formats_are_told_as_those_of_a_folder(hub, model):
    hub.repositories["tester/damaged"] = model | {"model.safetensors": save({"x": np.zeros(2)})}
    with pytest.raises(InputError, match=r"the model in .* is damaged"):
        load_model("hf:tester/damaged")
    config = json.loads(model["config.json"]) | {"format": 99}
    hub.repositories["tester/newer"] = model | {"config.json": json.dumps(config).encode()}
    with pytest.raises(InputError, match=r"is of model format 99, and this affectspace reads 1; upgrade it"):
        load_model("hf:tester/newer")


def test_names_that_lead_nowhere_are_told(hub, model):
    hub.repositories["tester/feelings"] = model
    with pytest.raises(InputError, match=r"^the hub knows no model tester/nothing, or it is private; check the name"):
        load_model("hf:tester/nothing")
    with pytest.raises(InputError, match=r"^tester/feelings has no revision older; give a branch, a tag or a commit"):
        load_model("hf:tester/feelings@older")
    with pytest.raises(InputError, match=r"^'hf:feelings' names no model; on the hub one is hf:OWNER/NAME"):
        load_model("hf:feelings")
    with pytest.raises(InputError, match=r"can be no model on the hub"):
        load_model("hf:tester/feel--..ings")


def test_a_path_that_is_mistyped_asks_nobody(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"there is no model in runs/mine; .* or hf:OWNER/NAME of one on the hub"):
        load_model("runs/mine")
    assert not hub.asked


def test_without_huggingface_hub_a_name_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'the hub needs huggingface_hub, .* pip install "affectspace\[hub\]"'):
        load_model("hf:tester/feelings")
