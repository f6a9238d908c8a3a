"""Export as people type it: what is written and printed, what is refused, and that what follows works as it says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic
from affectspace.export import open_onnx, open_torch_export
from affectspace.media import read_audio
from affectspace.training import load_model, make_recipe, train


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("export")
    make_synthetic(root / "alva", "alva", speakers=6, items_per_speaker=8)
    values = {
        "name": "own", "data": str(root), "corpora": [{"path": "alva"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "bands": 20, "level": -26.0, "normalise": {"scope": "train"}},
        "protocol": {"kind": "leave_one_out", "by": "session", "fold": 0, "allow": ["script"]},
        "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 1, "batch_size": 8},
    }  # fmt: skip
    return train(make_recipe(values), root / "own", quiet=True).path


@pytest.fixture(scope="module")
def brief(lay_duo, tmp_path_factory) -> Path:
    """A run on vectors, whose graph is exported in a moment."""
    root = tmp_path_factory.mktemp("brief")
    values = lay_duo(root, terms=[{"kind": "cross_entropy"}])
    values["features"] = values.pop("modalities")["acoustic"]["features"]
    del values["unlabelled"]
    values["encoder"] = {"kind": "mlp", "hidden": 8}
    return train(make_recipe(values), root / "own", quiet=True).path


@pytest.fixture
def clip(finished) -> Path:
    return finished.parent / "alva" / pd.read_csv(finished.parent / "alva/items.csv")["audio"][0]


def test_an_onnx_file_answers_for_a_recording_as_predict_does(run, finished, clip):
    code, out, err = run("export", finished, "--to", "onnx", "--out", "own.onnx")
    assert (code, err) == (0, "")
    assert out.startswith("own -> own.onnx (")
    assert "samples, lengths -> embedding, probabilities of angry, happy, neutral, sad" in out
    assert "the same answers as the model's: of 10 made-up items" in out
    assert "warning" not in out
    ask, _ = open_onnx(Path("own.onnx"))
    samples = read_audio(clip, 16_000)
    import torch

    _, probabilities = ask((torch.from_numpy(samples)[None], torch.tensor([len(samples)])))
    told = json.loads(run("predict", finished, clip, "--json")[1])["files"][0]["probabilities"]
    np.testing.assert_allclose(probabilities[0], list(told.values()), atol=1e-4)


def test_json_tells_machines_what_was_written_and_how_well_it_agrees(run, finished):
    code, out, _ = run("export", finished, "--to", "torch-export", "--out", "own.pt2", "--json")
    told = json.loads(out)
    assert (code, told["to"], told["sample_rate"]) == (0, "torch-export", 16_000)
    assert told["parity"]["within"] is True
    assert told["parity"]["items"] == 10
    assert open_torch_export(Path("own.pt2"))[1]["classes"] == told["classes"]


def test_a_file_that_answers_otherwise_is_warned_of(run, brief, monkeypatch):
    """By 0.001, or by NaN, which is never more than a bound, and is no answer either."""
    wrong = [1e-3, np.nan]

    def open_wrong(path):
        ask, about = open_onnx(path)

        def answer(inputs):
            embedding, probabilities = ask(inputs)
            return embedding, probabilities + np.float32(wrong[0])

        return answer, about

    monkeypatch.setattr("affectspace.export.open_onnx", open_wrong)
    code, out, err = run("export", brief, "--to", "onnx", "--out", "own.onnx")
    assert (code, err) == (0, "")
    assert (
        "warning: that is more than 0.0001 of the largest number, so check this file before you rely on it: ask" in out
    )
    assert f"compare with what affectspace predict {brief} FILE --json answers (docs/export.md)\n" in out
    wrong.pop(0)
    told = json.loads(run("export", brief, "--to", "onnx", "--out", "again.onnx", "--json")[1])
    assert told["parity"]["within"] is False


def test_a_folder_for_the_hub_is_pushed_and_predicts_by_its_name(run, hub, finished, clip):
    code, out, err = run("export", finished, "--to", "hub", "--out", "own-hub", "--push", "tester/own")
    assert code == 0, err
    assert "own-hub (README.md, config.json, known.safetensors, model.safetensors)" in out
    assert "note: known.safetensors tells ids, labels and vectors of " in out
    assert f"sent to {hub.address}/tester/own; a repository that is new is private" in out
    following = out.split("next:\n")[1].strip().replace("FILE", str(clip))
    assert following.startswith("affectspace predict hf:tester/own ")
    code, by_name, err = run(*following.split()[1:])
    assert code == 0, err
    assert by_name.split("next:")[0] == run("predict", finished, clip)[1].split("next:")[0]
    assert run("embed", "hf:tester/own", clip.parent, "--out", "own.parquet")[0] == 0
    code, _, err = run("search", "own.parquet", "--query", clip)
    assert code == 0, err
    assert load_model("own-hub").classes == load_model("hf:tester/own").classes


def test_a_model_of_several_modalities_is_a_folder_that_embeds_corpora(run, lay_duo, tmp_path):
    train(make_recipe(lay_duo(tmp_path)), tmp_path / "both", quiet=True)
    code, _, err = run("export", "both", "--to", "onnx", "--out", "both.onnx")
    assert code == 2
    assert "an item may lack any; a graph of it is not offered, so give the model itself: --to hub" in err
    code, out, err = run("export", "both", "--to", "hub", "--out", "both-hub")
    assert code == 0, err
    following = out.split("next:\n")[1].splitlines()[0].split()
    assert following == ["affectspace", "embed", "both-hub", "CORPUS"]
    code, _, err = run(*following[1:3], "duo")
    assert code == 0, err


def test_training_items_are_left_out_where_that_is_asked_for(run, finished):
    code, out, _ = run("export", finished, "--to", "hub", "--out", "bare", "--without-items", "--json")
    told = json.loads(out)
    assert (code, told["items"], told["pushed"]) == (0, 0, None)
    assert told["files"] == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--to onnx --out own.pt", "error: --out own.pt ends in '.pt'; a file of onnx ends in .onnx"),
        ("--to torch-export --out own.onnx", "ends in '.onnx'; a file of torch-export ends in .pt2"),
        ("--to onnx --out own.onnx --push a/b", "speak of a folder for the hub; choose --to hub"),
        ("--to onnx --out own.onnx --without-items", "speak of a folder for the hub; choose --to hub"),
        ("--to hub --out own --push own", "error: --push 'own' names no place on the hub; give OWNER/NAME"),
        (
            "--to onnx --out there.onnx",
            "error: there is something at there.onnx already; choose another path, or remove",
        ),
        ("--to hub --out there", "error: there is something at there already"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(run, finished, typed, told, tmp_path):
    Path("there.onnx").touch()
    Path("there").mkdir()
    code, out, err = run("export", finished, *typed.split())
    assert (code, out) == (2, "")
    assert told in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "there.onnx"]
