"""Predict as people type it: what is printed, what machines get, exit codes, and what to type next."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic
from affectspace.media import write_audio
from affectspace.training import make_recipe, train
from affectspace.training.known import load_known

CLASSES = ("angry", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with a corpus (alva), a run on it, and one of three folds."""
    root = tmp_path_factory.mktemp("predict")
    make_synthetic(root / "alva", "alva", speakers=6, items_per_speaker=8)
    values = {
        "name": "own", "data": str(root), "corpora": [{"path": "alva"}],
        "labels": {"kind": "classes", "names": list(CLASSES)},
        "features": {"kind": "log_mel", "bands": 20, "level": -26.0, "normalise": {"scope": "item"}},
        "protocol": {"kind": "leave_one_out", "by": "session", "fold": 0, "allow": ["script"]},
        "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2},
    }  # fmt: skip
    train(make_recipe(values), root / "own", quiet=True)
    for fold in (0, 1):  # the shape of a run of several folds; which folds these are does not matter
        shutil.copytree(root / "own", root / f"folds/fold-{fold:02d}")
    return root


@pytest.fixture
def clip(finished) -> Path:
    return finished / "alva" / pd.read_csv(finished / "alva/items.csv")["audio"][0]


def noise(path: Path, seconds: float = 2.0) -> Path:
    write_audio(path, np.random.default_rng(0).normal(0, 0.1, int(seconds * 16000)).astype(np.float32), 16000)
    return path


def test_a_file_is_answered_best_first_with_its_nearest(run, finished, clip):
    code, out, err = run("predict", finished / "own", clip)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == str(clip)
    told = [re.fullmatch(r"  (\w+) +([\d.]+) %(?:  (█*))?", line) for line in lines[1:5]]
    shares = [float(each[2]) for each in told]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert [len(each[3] or "") for each in told] == pytest.approx([0.3 * share for share in shares], abs=0.6)
    assert sorted(each[1] for each in told) == sorted(CLASSES)
    assert lines[5] == "  nearest training items, by distance:"
    near = [line.split() for line in lines[6:11]]
    places = [len(each[0].partition(".")[2]) for each in near]
    assert set(places) == {places[0]}
    assert len(near[-1][0].replace(".", "").lstrip("0")) == 3  # of the farthest three digits are told
    assert [float(each[0]) for each in near] == sorted(float(each[0]) for each in near)
    assert {each[1] for each in near} == {"qaa"}
    assert {each[2] for each in near} <= {*CLASSES, "-"}
    assert all(each[3].startswith("alva/s") for each in near)
    assert "warning" not in out
    following = out.split("next:\n")[1].strip()
    assert following.startswith("affectspace embed ")
    assert run(*following.split()[1:])[0] == 0
    assert Path("embeddings.parquet").is_file()


def test_a_dash_for_a_label_or_a_language_is_explained_once(run, finished, tmp_path):
    files = sorted((finished / "alva/audio").iterdir())
    told = json.loads(run("predict", finished / "own", *files, "--json")[1])["files"]
    votes = pd.read_csv(finished / "alva/ratings.csv").query("dimension == 'emotion'").groupby("item")["value"]
    torn = {f"alva/{item}" for item, own in votes if len(own.mode()) > 1}
    nearest = {near["id"]: near["label"] for each in told for near in each["nearest"]}
    assert {item for item, label in nearest.items() if label is None} == torn & {*nearest} != set()
    note = "note: a label - is of a training item whose raters are torn: several classes are the most probable alike\n"
    with_one = [each["file"] for each in told if any(near["label"] is None for near in each["nearest"])]
    without = [each["file"] for each in told if each["file"] not in with_one]
    assert run("predict", finished / "own", *with_one)[1].count(note) == 1
    assert "note:" not in run("predict", finished / "own", without[0])[1]
    shutil.copytree(finished / "own", tmp_path / "own")
    known = load_known(tmp_path / "own")
    replace(known, languages=(None,) * len(known)).save(tmp_path / "own/model")
    out = run("predict", "own", without[0])[1]
    assert "note: a language - is of a training item whose corpus names none\n" in out
    assert note not in out


def test_machines_are_told_the_same_and_all_of_it(run, finished, clip, tmp_path):
    files = [clip, noise(tmp_path / "noise.flac"), tmp_path / "gone.wav"]
    code, out, err = run("predict", finished / "own", *files, "--json")
    assert (code, err) == (1, "")
    told = json.loads(out)
    voice, noisy = told["files"]
    assert [each["file"] for each in told["files"]] == [str(path) for path in files[:2]]
    assert told["unread"] == [{"file": str(files[2]), "reason": f"there is nothing at {files[2]}; check the path"}]
    assert told["classes"] == list(voice["probabilities"]) == list(CLASSES)
    assert voice["probabilities"][voice["prediction"]] == max(voice["probabilities"].values())
    assert (voice["far"], voice["far_by"]) == (False, [])
    assert noisy["far"]
    assert noisy["far_by"]
    for by in ("embedding", "features"):
        assert (noisy["distances"][by] > told["far"]["thresholds"][by]) == (by in noisy["far_by"])
    assert set(voice["nearest"][0]) == {"id", "language", "label", "distance"}
    assert voice["distances"]["embedding"] == voice["nearest"][4]["distance"]  # to the fifth, which is judged
    assert told["far"]["meaning"].startswith("An item lies far from all training data where its nearest training item")
    assert told["known"]["items"] == told["known"]["trained_on"] > 0
    assert told["notes"] == []
    code, out, err = run("predict", finished / "own", clip, "--json")
    assert (code, json.loads(out)["files"][0]["probabilities"]) == (0, pytest.approx(voice["probabilities"], abs=1e-6))


def test_the_share_of_false_alarms_is_told_in_digits_that_mean_something(run, finished, clip, tmp_path):
    shutil.copytree(finished / "own", tmp_path / "own")
    known = load_known(tmp_path / "own")
    for held, told in ((0.040000000000000036, 0.04), (1 / 49, 0.0204)):
        replace(known, far=replace(known.far, false_alarms=held)).save(tmp_path / "own/model")
        assert json.loads(run("predict", "own", clip, "--json")[1])["far"]["false_alarms"] == told


def test_a_file_unlike_all_others_is_warned_of(run, finished, clip, tmp_path):
    code, out, err = run("predict", finished / "own", clip, noise(tmp_path / "noise.flac"))
    assert code == 0, err
    first, second = out.split("\n\n")[:2]
    assert "warning" not in first
    words = "  warning: it lies far from all training data, so do not rely on this answer: "
    (warned,) = [line for line in second.splitlines() if line.startswith(words)]
    assert re.search(r"[\d.]+ in its features \(rarely above [\d.]+\)", warned)
    assert f"affectspace evaluate {finished / 'own'} --corpus CORPUS" in out
    code, out, err = run("predict", finished / "own/model", tmp_path / "noise.flac")  # which evaluate could not read
    assert (code, "warning" in out, "evaluate" in out) == (0, True, False)


def test_some_that_cannot_be_read_and_none_that_can(run, finished, clip, tmp_path):
    noise(tmp_path / "short.flac", 0.1)
    (tmp_path / "folder").mkdir()
    (tmp_path / "f ü").mkdir()
    code, out, err = run("predict", finished / "own", "short.flac", clip, "folder", "f ü")
    assert (code, err) == (1, "")
    assert out.startswith(str(clip))
    assert "left out: short.flac is 0.1 s long, too short to hear an expression in; legal: 0.3 to 60 s" in out
    assert "left out: folder is a folder, and each file is named by itself here, such as folder/*; a whole" in out
    assert (
        "left out: f ü is a folder, and each file is named by itself here, such as 'f ü'/*; a whole folder is put into "
        "a table by: affectspace embed RUN 'f ü'\n"
    ) in out
    for more in ((), ("--json",)):
        code, out, err = run("predict", finished / "own", "short.flac", "folder", *more)
        assert (code, out) == (2, "")
        assert err.startswith("error: none of the 2 files can be used; the first: short.flac is 0.1 s long")


def test_a_model_without_its_items_says_how_to_get_neighbours(run, finished, clip, tmp_path):
    shutil.copytree(finished / "own", tmp_path / "old")
    (tmp_path / "old/model/known.safetensors").unlink()
    code, out, err = run("predict", "old", clip)
    assert code == 0, err
    assert "nearest" not in out.split("note:")[0]
    assert (
        "note: This model keeps no training items (it was exported without them, as by --without-items, saved before "
        "models kept any, or trained only to choose settings), so nothing tells which are near, or that a file is like "
        "none of them; ask the run that it was exported from, or export that with its items; else train again, or "
    ) in out
    embed, search = (line.split() for line in out.split("next:\n")[1].splitlines())
    assert run(*(str(finished / "alva") if word == "CORPUS" else word for word in embed[1:]))[0] == 0
    code, found, err = run(*search[1:])
    assert code == 0, err
    assert "alva/s01-00" in found
    told = json.loads(run("predict", "old", clip, "--json")[1])
    assert (told["known"], told["far"], told["files"][0]["far"], told["files"][0]["nearest"]) == (None, None, None, [])


def test_labels_that_are_no_classes_are_told_by_embed(run, finished, tmp_path):
    shutil.copytree(finished / "alva", tmp_path / "alva")
    (tmp_path / "alva/ratings.csv").unlink()
    items = pd.read_csv("alva/items.csv")
    items.loc[:2, "label"] = ["calm", "calm", "wild"]
    items.to_csv("alva/items.csv", index=False)
    code, out, err = run("embed", finished / "own", "alva", "--out", "own.parquet")
    assert (code, err) == (0, "")
    note = (
        "3 labels of alva are none of the model's classes (calm 2, wild 1): their items have "
        "no label in the space, where other_label keeps them; "
    )
    assert f"note: {note}if they mean one of angry, happy, neutral, sad, say so under [label_map] in" in out
    assert out.endswith("\n  affectspace explore own.parquet\n")
    assert pd.read_parquet("own.parquet")["label"].isna().sum() == 3
    code, out, _ = run("embed", finished / "own", "alva", "--out", "own.parquet", "--json")
    assert json.loads(out)["notes"][0].startswith(note)


def test_a_file_that_is_named_twice_is_answered_twice_and_embedded_once(run, finished, clip):
    told = json.loads(run("predict", finished / "own", clip, clip, "--json")[1])["files"]
    assert told[0] == told[1]
    code, out, _ = run("predict", finished / "own", clip, clip)
    assert (code, out.count(f"{clip}\n  ")) == (0, 2)
    following = out.split("next:\n")[1].strip()
    assert following.count(str(clip)) == 1
    assert run(*following.split()[1:])[0] == 0


def test_many_files_are_not_all_repeated_in_the_next_command(run, finished):
    files = sorted((finished / "alva/audio").iterdir())[:6]
    told = run("predict", finished / "own", *files)[1]
    assert f"embed {finished / 'own'} {finished / 'alva/audio'} --out embeddings.parquet" in told


def test_a_file_before_the_run_and_a_link_are_told_with_what_to_do(run, finished, clip):
    swapped = run("predict", clip, finished / "own")
    typed = f"affectspace predict {finished / 'own'} {clip}"
    assert swapped == (2, "", f"error: {clip} is a file and {finished / 'own'} a run, which comes first: {typed}")
    told = run("predict", finished / "own", "http://example.org/a.wav")[2]
    assert told.endswith("http://example.org/a.wav is a link, and links are not opened; download it and name the file")


def test_what_is_no_model_and_no_file_is_told(run, finished, clip):
    assert "name what to predict: affectspace predict RUN clip.wav" in run("predict", finished / "own")[2]
    assert "there is no model in nowhere; give a finished run's folder" in run("predict", "nowhere", clip)[2]
    code, out, err = run("predict", finished / "folds", clip)
    assert (code, out) == (2, "")
    assert f"holds one model a fold; name one of them, such as {finished / 'folds/fold-00'}" in err
    assert run("predict", finished / "folds/fold-01", clip)[0] == 0
    (finished / "own/model/known.safetensors").rename(finished / "kept")
    (finished / "own/model/known.safetensors").write_bytes(b"junk")
    code, out, err = run("predict", finished / "own", clip)
    (finished / "kept").replace(finished / "own/model/known.safetensors")
    assert (code, out) == (2, "")
    assert "known.safetensors is damaged" in err


def test_a_study_in_place_of_a_run_is_told_with_one_of_its_runs(run, finished, clip, tmp_path):
    shutil.copytree(finished / "own", tmp_path / "mine/runs/ce/alva/seed-0")
    (tmp_path / "mine/study.toml").write_text("")
    told = "error: mine is a study of several runs; name one of them, such as mine/runs/ce/alva/seed-0"
    assert run("predict", "mine", clip) == run("embed", "mine", clip) == (2, "", told)
    assert run("predict", told.rpartition(" ")[2], clip)[0] == 0


def test_of_several_modalities_made_of_sound_the_next_command_is_one_that_there_is(run, finished):
    """Items of such a model are embedded through corpora alone."""
    pytest.importorskip("opensmile")
    voice = {"kind": "functionals", "set": "eGeMAPSv02"}
    values = {
        "name": "both", "data": str(finished), "corpora": [{"path": "alva"}],
        "labels": {"kind": "classes", "names": list(CLASSES)},
        "modalities": {
            name: {"features": {**voice, "level": level}, "net": {"kind": "linear", "hidden": [], "latent": 4}}
            for name, level in (("loud", -16.0), ("soft", -36.0))
        },
        "protocol": {"kind": "leave_one_out", "by": "session", "fold": 0, "allow": ["script"]},
        "encoder": {"kind": "multimodal"},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 1, "batch_size": 8},
    }  # fmt: skip
    train(make_recipe(values), finished / "both", quiet=True)
    near = finished / "alva" / pd.read_csv(finished / "alva/items.csv")["audio"].iloc[-1]  # trained on
    code, out, err = run("predict", finished / "both", near)
    assert (code, err) == (0, "")
    assert "note:" not in out
    command = f"affectspace embed {finished / 'both'} CORPUS --out embeddings.parquet"
    assert out.split("next:\n")[1].strip() == command
    words = [str(finished / "alva") if word == "CORPUS" else word for word in command.split()[1:]]
    assert run(*words)[0] == 0
