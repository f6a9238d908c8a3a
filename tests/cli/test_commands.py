"""The commands as people type them: bad input gets a sentence and an exit code, and good items go on."""

import errno
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.corpora import make_synthetic, make_synthetic_world

RECIPE = """
name = "own"
data = "."
[[corpora]]
path = "mine"
[labels]
kind = "classes"
names = ["angry", "happy", "neutral", "sad"]
[features]
kind = "log_mel"
normalise = { scope = "item" }
[protocol]
kind = "leave_one_out"
by = "session"
fold = 0
allow = ["script"]
[encoder]
kind = "conv_pool"
channels = 8
hidden = 8
[training]
epochs = 2
batch_size = 16
"""


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    root = tmp_path_factory.mktemp("voices") / "mine"
    make_synthetic(root, "alva", name="mine", speakers=6, items_per_speaker=8)
    return root


@pytest.fixture
def mine(voices, tmp_path):
    """A corpus of one's own below the working folder, free to be spoilt, and a recipe beside it."""
    shutil.copytree(voices, tmp_path / "mine")
    (tmp_path / "own.toml").write_text(RECIPE)
    return tmp_path / "mine"


def test_planted_faults_are_found_and_training_goes_on_with_the_rest(run, tmp_path):
    truth = make_synthetic(tmp_path / "mine", "alva", name="mine", speakers=6, items_per_speaker=12, faults="all")
    (tmp_path / "own.toml").write_text(RECIPE)
    code, out, _ = run("check", "mine", "--json")
    found = {(fault["item"], fault["problem"]) for fault in json.loads(out)["faults"]}
    from affectspace.corpora.planted import FAULTS

    planted = {(row.id, FAULTS[row.fault].problem) for row in truth.faults.itertuples()}
    assert code == 1
    assert found == planted
    code, out, err = run("train", "own.toml", "features.level=-26.0", "features.max_bad_share=0.2")
    assert code == 0, err
    (line,) = [line for line in out.splitlines() if "set aside" in line]
    assert re.match(
        r"\d+ of \d+ items are used; set aside: \d+ x .*All are named in runs/own/data.json, and by: aff", line
    )
    code, out, _ = run("train", "--resume", "runs/own", "--json")
    unused = json.loads(out)["unused"]
    code, out, _ = run("report", "runs/own")
    page = Path("runs/own/report.html").read_text(encoding="utf-8")
    about = json.loads(Path("runs/own/data.json").read_text())
    told = {row["id"] for row in about["corpora"][0]["quarantine"]}
    used = {"sample-rate", "identical-audio"}  # told by check, and trained on all the same
    expected = set(truth.faults["id"][~truth.faults["fault"].isin(used)])
    assert told == expected
    assert sum(unused["set_aside"].values()) + unused["ratings"] == len(about["corpora"][0]["quarantine"])
    assert unused["used"] == about["corpora"][0]["used"]
    assert all(item in page for item in expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trainig.epochs=3", "own.toml: unknown key 'trainig'; did you mean 'training'?"),
        ("training.epoch=3", "own.toml: training: unknown key 'epoch'; did you mean 'epochs'?"),
        ("training.epochs=-1", "training.epochs is -1; legal: at least 1"),
        ('labels.names=["angry","happy","sad"]', "outside the classes angry, happy, sad; map them to a class"),
        ('labels.names=["angry","happy","neutral","sad","bored"]', "class bored has no training item"),
        ("corpora.0.path=nowhere", "there is no corpus at"),
        ("labels.dimension=emotoin", "emotion"),
        ("protocol.fold=9", "fold is 9; there are 3 sessions, so legal are 0..2"),
        ("protocol.allow=[]", 'or accept it and say so with allow = ["script"] in [protocol]'),
        ("corpora.0.adapter=iemocpa", "did you mean 'iemocap'?"),
    ],
)
def test_a_recipe_that_cannot_be(run, mine, change, message):
    code, _, err = run("train", "own.toml", change)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert not (Path("runs/own") / "metrics.json").exists()


def test_a_corpus_with_one_speaker_in_a_speaker_independent_protocol(run, mine):
    items = pd.read_csv(mine / "items.csv").assign(speaker="anna")
    items.to_csv(mine / "items.csv", index=False)
    code, _, err = run("train", "own.toml", "protocol.by=speaker")
    assert code == 2
    assert "1 speaker" in err


def test_broken_recordings_are_named_and_others_go_on(run, mine):
    items = pd.read_csv(mine / "items.csv")
    paths = [mine / path for path in items["audio"][:4]]
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[: len(whole) // 2])
    paths[1].write_bytes(b"")
    paths[2].write_text("no sound")
    stereo = np.random.default_rng(0).normal(0, 0.1, (96000, 2))
    soundfile.write(paths[3], stereo, 96000)
    code, out, err = run("train", "own.toml", "--json")
    assert code == 0, err
    assert json.loads(out)["counts"] is not None
    assert isinstance(json.loads(out)["notes"], list)
    quarantine = json.loads(Path("runs/own/data.json").read_text())["corpora"][0]["quarantine"]
    assert [row["id"] for row in quarantine] == items["id"][:3].tolist()
    code, out, _ = run("embed", "runs/own", *paths, "mine/audio", "--out", "v.parquet")
    assert code == 0
    assert out.count("left out:") == 3 + 3  # as named, and again as found in the folder
    table = pd.read_parquet("v.parquet")
    assert list(table.columns) == ["id", "vector", "probabilities", "prediction", "audio"]
    assert np.allclose([sum(row) for row in table["probabilities"]], 1, atol=1e-5)
    assert all(Path(path).is_file() for path in table["audio"])


def test_an_embedded_corpus_is_a_space_with_its_labels_and_its_model(run, mine):
    from affectspace.space import Space

    assert run("train", "own.toml", "training.epochs=1")[0] == 0
    assert run("embed", "runs/own", "mine", "--out", "v.parquet")[0] == 0
    space, trained = Space.open("v.parquet"), Space.open("runs/own").where("split=test")
    about = {"model": "runs/own", "recipe": "own", "features": trained.about["features"]}
    assert space.about == {**about, "corpora": {"mine": str(mine.resolve())}}
    assert len(space) == 48
    assert space.items["speaker"].notna().all()
    again = space.take(pd.Index(space.items["id"]).get_indexer(trained.items["id"]))
    assert np.allclose(again.targets, trained.targets, atol=1e-6)
    assert np.allclose(again.vectors, trained.vectors, atol=1e-4)
    assert again.items["audio"].tolist() == trained.items["audio"].tolist()


def test_more_broken_files_than_are_allowed_stop_the_run(run, mine):
    for path in sorted((mine / "audio").iterdir())[:10]:
        path.write_bytes(b"")
    code, _, err = run("train", "own.toml")
    assert code == 2
    assert "10 of 48 items of corpus mine are at fault, and a share of 0.1 is allowed (features.max_bad_share)" in err


def test_a_manifest_in_latin_1_and_one_with_a_byte_order_mark(run, mine):
    text = (mine / "items.csv").read_text().replace("s01,", "Jürgen,")
    (mine / "items.csv").write_bytes(text.encode("latin-1"))
    code, _, err = run("check", "mine")
    assert code == 2
    assert "items.csv is not UTF-8 (byte 0xfc in line 2); save it as UTF-8" in err
    (mine / "items.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    code, out, _ = run("check", "mine", "--no-media")
    assert code == 0
    assert "no faults" in out


def test_a_disk_that_fills_up(run, mine, monkeypatch):
    whole = Path.write_bytes

    def full(path, content):
        if path.suffix == ".safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = run("train", "own.toml")
    assert code == 1
    assert "No space left on device" in err
    assert "free some space" in err
    assert not list(Path("runs/own").rglob("*.safetensors"))  # nothing half-written
    assert not list(Path("runs/own").rglob("*.partial"))
    monkeypatch.undo()


def test_no_run_no_model_no_media(run, mine):
    assert run("train") == (
        2,
        "",
        "error: name one recipe, or one run folder with --resume: affectspace train RECIPE.toml",
    )
    told = "error: --resume goes on with the run's own recipe and folder; leave out recipe, overrides and --out"
    assert run("train", "--resume", "mine", "training.epochs=5") == (2, "", told)
    assert "holds no run" in run("train", "--resume", "mine")[2]
    assert "there is no model in mine" in run("embed", "mine", "mine")[2]
    assert "name at least one run folder" in run("evaluate")[2]
    assert "name at least one run folder" in run("report")[2]
    assert "there is no run folder nowhere" in run("report", "nowhere")[2]
    assert run("trian")[0] == 2


def test_a_trained_run_is_evaluated_on_strangers_only(run, tmp_path):
    make_synthetic_world(tmp_path, ("alva", "boro"), speakers=6, items_per_speaker=8)
    (tmp_path / "own.toml").write_text(RECIPE.replace('"mine"', '"alva"'))
    assert run("train", "own.toml")[0] == 0
    code, out, _ = run("evaluate", "runs/own", "--corpus", "boro", "--json")
    assert code == 0
    told = json.loads(out)
    assert [*told] == ["runs"]
    assert [(row["run"], row["items"]) for row in told["runs"]] == [("runs/own", 48)]
    code, out, _ = run("evaluate", "runs/own", "--json")
    own = json.loads(out)
    assert [*own] == ["runs"]
    assert own["runs"] == [{"run": "runs/own", **json.loads(Path("runs/own/metrics.json").read_text())}]
    code, _, err = run("evaluate", "runs/own", "--corpus", "alva")
    assert code == 2
    assert "this corpus is no test of runs/own" in err
    assert "--allow speaker" in err
    code, _, err = run("evaluate", "runs/own", "--corpus", "boro", "--allow", "speker")
    assert code == 2
    assert "speker" in err
    items = pd.read_csv("boro/items.csv")
    (Path("boro") / items["audio"][0]).unlink()
    items.assign(label=items["label"].where(items.index != 1)).to_csv("boro/items.csv", index=False)
    pd.read_csv("boro/ratings.csv").query("item != @items.id[1]").to_csv("boro/ratings.csv", index=False)
    code, out, err = run("evaluate", "runs/own", "--corpus", "boro")
    assert code == 0, err
    first = out.splitlines()[0]
    assert first.startswith("runs/own on boro: 46 items of 48; 1 left out (")
    assert f"1 set aside (such as {items['id'][0]}: " in first
    code, _, err = run("embed", "runs/own", "nothing.wav")
    assert code == 2
    assert "there is nothing at nothing.wav" in err


def test_all_folds_are_trained_pooled_and_reported(run, mine):
    code, out, err = run("train", "own.toml", 'protocol.fold="all"', "training.epochs=1", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["folds"] == 3
    assert told["counts"]["test"] == 48  # each item once
    assert run("report", "runs/own")[0] == 0
    assert "one model a fold" in run("embed", "runs/own", "mine")[2]
    assert run("embed", "runs/own/fold-00", "mine")[0] == 0


def test_doctor(run):
    code, out, _ = run("doctor", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["well"]
    found = {each["what"]: each for each in told["findings"]}
    assert found["pictures"]["found"].startswith("pillow ")
    assert {"videos", "face finder cascade", "face finder YuNet", "Ray", "SLURM", "Milvus", "stores"} <= found.keys()


def test_check_tells_the_most_of_many_faults_and_what_is_no_fault(run, mine):
    for path in (mine / "audio").iterdir():
        path.unlink()
    code, out, _ = run("check", "mine")
    assert code == 1
    assert "... and 8 more; --json tells all" in out
    assert "48 faults: 48 x missing-file" in out
    items = pd.read_csv(mine / "items.csv").drop(columns="speaker")
    items.to_csv(mine / "items.csv", index=False)
    code, out, _ = run("check", "mine", "--json")
    assert json.loads(out)["notes"][1:] == [  # behind the note of the corpus itself
        "no item names its speaker, so no split can keep speakers apart; add a column speaker"
    ]


def test_the_range_of_ages_is_finite_and_those_that_are_not_are_faults(run, tmp_path):
    ages = [*range(-3, 40), "inf"]
    (tmp_path / "items.csv").write_text("id,text,label\n" + "".join(f"{k},words,{age}\n" for k, age in enumerate(ages)))
    code, out, _ = run("check", tmp_path)
    assert code == 1
    assert "labels: 44 of 44 values, numbers from -3 to 39" in out
    assert "1 fault: 1 x infinite" in out


def test_a_protocol_by_groups_that_nobody_named(run, mine):
    items = pd.read_csv(mine / "items.csv").drop(columns="session")
    items.to_csv(mine / "items.csv", index=False)
    code, _, err = run("train", "own.toml", 'protocol.fold="all"')
    assert code == 2
    assert "48 of 48 items have no session" in err
    assert not (Path("runs/own") / "recipe.toml").exists()


def test_a_table_of_scores_is_whole_in_a_narrow_terminal(run, mine, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = run("train", "own.toml")
    assert code == 0
    assert all(heading in out for heading in ("UAR %", "chance", "sim ρ", "valid.", "epoch"))


def test_vectors_are_written_as_parquet_only(run, mine):
    assert "ends in '.csv'; vectors are written as Parquet" in run("embed", "mine", "mine", "--out", "v.csv")[2]
