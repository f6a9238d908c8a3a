"""Planted leaks are found, every one; a clean corpus and a clean split are accused of nothing."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.corpora import make_synthetic, make_synthetic_world
from affectspace.media import read_audio, write_audio


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """Four speakers in two sessions, six items each; the first three say the first script, the others the second."""
    root = tmp_path_factory.mktemp("world") / "alva"
    make_synthetic(root, speakers=4, items_per_speaker=6)
    return root


@pytest.fixture
def alva(untouched, tmp_path):
    """``alva(extra=rows)``: the corpus in the folder ``alva``, with scripts that a speaker shares with nobody."""

    def lay(**changes):
        items = pd.read_csv(untouched / "items.csv", dtype=str)
        items["script"] = items["speaker"]
        items["text"] = None
        for item, cells in changes.pop("cells", {}).items():
            items.loc[items["id"] == item, list(cells)] = list(cells.values())
        (tmp_path / "alva").mkdir()
        shutil.copytree(untouched / "audio", tmp_path / "alva/audio")
        extra = pd.DataFrame(changes.pop("extra", []))
        pd.concat([items, extra]).to_csv(tmp_path / "alva/items.csv", index=False)
        (tmp_path / "alva/corpus.toml").write_bytes((untouched / "corpus.toml").read_bytes())
        (tmp_path / "alva/ratings.csv").write_bytes((untouched / "ratings.csv").read_bytes())
        return items

    return lay


def parts(items, tested=("s03", "s04")):
    """Those of the second session are tested."""
    return items.assign(part=np.where(items["speaker"].isin(tested), "test", "train"))[["id", "part"]]


def test_a_clean_corpus_and_a_clean_split_are_accused_of_nothing(run, alva, tmp_path):
    items = alva()
    code, out, _ = run("audit", "alva")
    assert code == 0
    assert out.startswith("alva: 24 items, speakers: 4, recordings: 24\nno recording is a copy of another\n")
    assert "affectspace audit alva --split LISTS.csv" in out
    parts(items).to_csv(tmp_path / "lists.csv", index=False)
    code, out, _ = run("audit", "alva", "--split", "lists.csv")
    assert code == 0
    assert "the split: train 12, test 12; no leak\n" in out
    assert "note" not in out
    assert "next:\n  affectspace train RECIPE.toml" in out


def test_every_planted_leak_is_found_and_no_other(run, alva, tmp_path):
    """A speaker and a script on two sides, a recording coded anew, one at another level, and one that is the same."""
    names = {"x0": "x0.ogg", "x1": "x1.flac", "x2": "x2.flac"}
    items = alva(
        cells={"s04-05": {"speaker": "s01", "session": "x"}, "s04-04": {"script": "s02"}},
        extra=[{"id": name, "speaker": name, "session": name, "audio": file} for name, file in names.items()],
    )
    samples = [read_audio(tmp_path / f"alva/audio/s0{speaker}-00.flac") for speaker in (1, 2, 3)]
    soundfile.write(tmp_path / "alva/x0.ogg", samples[0], 16000)
    write_audio(tmp_path / "alva/x1.flac", samples[1] / 5, 16000)
    write_audio(tmp_path / "alva/x2.flac", samples[2], 16000)
    split = parts(items)
    split.loc[split["id"] == "s04-05", "part"] = "test"
    split = pd.concat([split, pd.DataFrame({"id": ["x0", "x1", "x2"], "part": ["test", "test", "train"]})])
    split.to_csv(tmp_path / "lists.csv", index=False)
    code, out, _ = run("audit", "alva", "--split", "lists.csv", "--json")
    told = json.loads(out)
    assert code == 1
    [fold] = told["folds"]
    found = {leak["group"]: (leak["groups"], leak["items"], leak["example"]) for leak in fold["leaks"]}
    assert found == {
        "speaker": (1, [6, 1], ["alva/s01-00", "alva/s04-05"]),
        "script": (1, [6, 1], ["alva/s02-00", "alva/s04-04"]),
        "audio": (1, [1, 1], ["alva/x2", "alva/s03-00"]),
        "near_audio": (2, [2, 2], ["alva/s01-00", "alva/x0"]),
    }
    assert all(leak["parts"] == ["train", "test"] for leak in fold["leaks"])
    assert told["unnamed"] == {"speaker": 0, "session": 0, "script": 3, "near_audio": 0}
    code, out, _ = run("audit", "alva", "--split", "lists.csv")
    assert code == 1
    assert "the split: train 13, test 14; 4 leaks\n  - 1 speaker is in both train (6 items) and test (1 item)" in out
    assert (
        "2 recordings are in both train (2 items) and test (2 items) as near-identical copies, which differ in" in out
    )
    assert (
        "note: 3 of these 27 items have no script; leaks by it cannot be seen there; fill the column 'script', where "
        "it is known\n"
    ) in out
    assert "next:\n  affectspace audit alva   (lists the copies)\n" in out
    code, out, _ = run("audit", "alva")
    assert code == 0
    assert "6 of 27 recordings are copies of others, in 3 groups: 1 identical, 2 near-identical\n" in out
    assert "  near-identical, though of another speaker and session and label: alva/s01-00, alva/x0\n" in out
    assert "3 of these groups have several speakers, so a split by speaker may leak: remove all but one" in out


def test_copies_of_two_corpora_whose_labels_mean_one_are_not_told_to_differ_in_them(run, alva, tmp_path):
    alva()
    labels = {"haus": ["happiness", "anger", "calm"], "saal": ["Freude", "Trauer", "calm"]}
    for name, own in labels.items():
        (tmp_path / name).mkdir()
        for take in range(3):
            shutil.copy(tmp_path / f"alva/audio/s0{take + 1}-00.flac", tmp_path / name / f"{take}.flac")
        rows = [f"{take},{take}.flac,v{take},{label}" for take, label in enumerate(own)]
        (tmp_path / name / "items.csv").write_text("\n".join(["id,audio,speaker,label", *rows]) + "\n")
    (tmp_path / "saal/corpus.toml").write_text('[label_map]\nFreude = "happy"\nTrauer = "sad"\ncalm = ""\n')
    code, out, _ = run("audit", "haus", "saal")
    assert code == 0
    assert "  identical, though of another corpus: haus/0, saal/0\n" in out
    assert "  identical, though of another corpus and label: haus/1, saal/1\n" in out
    assert "  identical, though of another corpus: haus/2, saal/2\n" in out


def test_folds_are_told_one_by_one(run, alva, tmp_path):
    items = alva()
    clean, leaky = parts(items), parts(items, ("s02", "s03"))  # which parts both sessions
    pd.concat([clean.assign(fold="1"), leaky.assign(fold="2")]).to_parquet(tmp_path / "lists.parquet")
    code, out, _ = run("audit", "alva", "--split", "lists.parquet")
    assert code == 1
    assert "fold 1: train 12, test 12; no leak\nfold 2: train 12, test 12; 1 leak\n  - 2 sessions are in both" in out
    assert "; give all items of a session the same part, or accept it by --allow session\n" in out
    assert "1 of 2 folds leak: session in 1\n" in out
    wide = clean.rename(columns={"part": "fold1"}).assign(fold2=leaky["part"])
    wide[wide["id"] != "s01-00"].to_csv(tmp_path / "wide.csv", index=False)
    code, out, _ = run("audit", "alva", "--split", "wide.csv")
    assert (code, "fold2: train 11, test 12; 1 leak\n" in out) == (1, True)
    assert "note: 1 of 24 items are in no part\n" in out


def test_what_is_allowed_is_told_and_is_no_leak(run, alva, tmp_path):
    """As by a recipe's allow: scripts that cross are counted, and the exit code is of what else crosses."""
    items = alva(cells={"s04-04": {"script": "s02"}})
    clean, leaky = parts(items), parts(items, ("s02", "s03"))  # which parts both sessions
    pd.concat([clean.assign(fold="1"), leaky.assign(fold="2")]).to_csv(tmp_path / "lists.csv", index=False)
    clean.to_csv(tmp_path / "one.csv", index=False)
    assert run("audit", "alva", "--split", "one.csv")[0] == 1
    code, out, _ = run("audit", "alva", "--split", "one.csv", "--allow", "script")
    assert code == 0
    told = "  - allowed: 1 script is in both train (6 items) and test (1 item), such as 'alva/s02' ('alva/s02-00' and "
    assert f"the split: train 12, test 12; no leak, 1 allowed\n{told}'alva/s04-04')\n" in out
    assert (
        "next:\n  affectspace train RECIPE.toml   (docs/audit.md tells how a recipe takes this split, and its protocol "
        'needs allow = ["script"])\n'
    ) in out
    code, out, _ = run("audit", "alva", "--split", "lists.csv", "--allow", "script", "audio")
    assert code == 1
    assert "1 of 2 folds leak: session in 1; allowed: script in 2\n" in out
    code, out, _ = run("audit", "alva", "--split", "lists.csv", "--allow", "script", "--allow", "session", "--json")
    assert code == 0
    one, two = json.loads(out)["folds"]
    assert one["leaks"] == two["leaks"] == []
    assert [(leak["group"], leak["groups"]) for leak in one["allowed"] + two["allowed"]] == [
        ("script", 1), ("session", 2), ("script", 1),
    ]  # fmt: skip
    assert one["allowed"][0]["told"] == f"{told.removeprefix('  - allowed: ')}'alva/s04-04')"


def test_speakers_of_one_name_in_two_corpora_or_languages_are_told(run, tmp_path):
    make_synthetic_world(tmp_path, ("alva", "boro"), speakers=2, items_per_speaker=2)
    code, out, _ = run("audit", "alva", "boro")
    assert code == 0
    assert "2 of 2 speakers of alva bear the name of one of boro, such as 's01': if they are the same people, do" in out
    items = pd.read_csv(tmp_path / "boro/items.csv", dtype=str)
    items.assign(speaker=["t1", "t1", "t1", "t2"], language=["qab", "qab", "qac", "qab"]).to_csv(
        tmp_path / "boro/items.csv", index=False
    )
    code, out, _ = run("audit", "alva", "boro", "--json")
    assert (code, json.loads(out)["namesakes"]) == (
        0, [{"one": "boro (qab)", "other": "boro (qac)", "speakers": 1, "of": 2, "example": "t1"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name at least one corpus: affectspace audit CORPUS"),
        (["alva", "alva"], "two corpora are named 'alva'; give one of them another name in its corpus.toml"),
        (["alva", "--allow", "script"], "error: --allow speaks of a split; name its list with --split"),
        (
            ["alva", "--split", "odd.csv", "--allow", "script", "speker"],
            "error: there is no kind of group to allow, 'speker'; did you mean 'speaker'? legal: speaker, session, "
            "script, audio, near_audio",
        ),
        (["alva", "--split", "no.csv"], "there is no table no.csv; give the path of a CSV or Parquet file"),
        (
            ["alva", "--split", "head.csv"],
            "error: head.csv has a header (id, fold, part) and no rows below it; write a row for each item and fold, "
            "with the id of the item and its part",
        ),
        (["alva", "--split", "empty.csv"], "error: empty.csv is empty; the first line of a table names its columns"),
        (
            ["alva", "--split", "odd.csv"],
            "1 of 1 ids of odd.csv are of no item of alva, such as 's01-01x' in row 1 (did",
        ),
    ],
)
def test_input_of_no_use_is_told_before_anything_is_heard(run, alva, tmp_path, monkeypatch, words, told):
    alva()
    (tmp_path / "odd.csv").write_text("id,part\ns01-01x,train\n")
    (tmp_path / "head.csv").write_text("id,fold,part\n")
    (tmp_path / "empty.csv").write_text("")
    monkeypatch.setattr("affectspace.training.heard.extract", lambda *_: pytest.fail("is heard"))
    code, out, error = run("audit", *words)
    assert (code, out) == (2, "")
    assert told in error


def test_words_alone_are_audited_by_their_groups(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/items.csv").write_text("id,text,speaker\n1,one,x\n2,two,y\n3,one,z\n")
    (tmp_path / "lists.csv").write_text("id,part\n1,train\n2,train\n3,test\n")
    code, out, _ = run("audit", "mine", "--split", "lists.csv")
    assert code == 1
    assert "  - 1 script is in both train (1 item) and test (1 item), such as" in out
    assert "note: 3 of these 3 items have no session; leaks by it cannot be seen there; fill the column "
    assert "leaks by it cannot be seen there; fill the column 'session', where it is known\n" in out
    assert "there are no recordings to compare" in run("audit", "mine")[1]
