"""From a space or a corpus to Label Studio and back, as people type it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora.corrections import FILE, read_corrections
from affectspace.space import Space


@pytest.fixture
def corpus(tmp_path):
    """Forty sentences of two classes; the space has them apart, and item 3 is labelled as the other class."""
    rows = np.arange(40)
    labels = np.where(rows < 20, "happy", "sad").astype(object)
    labels[3] = "sad"
    table = pd.DataFrame({"id": [f"i{row}" for row in rows], "label": labels, "text": [f"words {row}" for row in rows]})
    folder = tmp_path / "toy"
    folder.mkdir()
    table.to_csv(folder / "items.csv", index=False)
    vectors = np.random.default_rng(0).normal(0, 0.3, (40, 2)) + np.stack([rows // 20 * 5, rows * 0], 1)
    items = table.assign(id="toy/" + table["id"], split=np.where(rows % 2, "train", "test"))
    Space(items, vectors, ("happy", "sad")).save(tmp_path / "toy.parquet")
    return folder


def answered(tasks, chosen):
    for task, choice in zip(tasks, chosen):
        result = [{"type": "choices", "from_name": "answer", "to_name": "text", "value": {"choices": [choice]}}]
        told = {"completed_by": 1, "created_at": "2026-11-23T01:00:00Z", "result": result, "was_cancelled": False}
        task["annotations"] = [told]
    Path("export.json").write_text(json.dumps(tasks))


def test_the_label_in_doubt_comes_first_and_its_correction_comes_back(run, corpus):
    code, out, err = run("label-studio", "export", "toy.parquet", "--out", "tasks.json", "--count", 5)
    assert code == 0, err
    assert "5 tasks, 1 with a suggestion (1 of labels in doubt) -> tasks.json" in out
    tasks = json.loads(Path("tasks.json").read_text())
    first = tasks[0]
    assert (first["data"]["item"], first["data"]["label"], first["data"]["suggested"]) == ("toy/i3", "sad", "happy")
    page = ElementTree.parse("tasks.xml")
    assert [choice.get("value") for choice in page.iter("Choice")] == ["happy", "sad", "none of these"]
    answered(tasks, ["happy", *(task["data"]["label"] for task in tasks[1:4])])
    code, out, err = run("label-studio", "import", "export.json", "--corpus", "toy")
    assert code == 0, err
    assert "5 tasks, 4 answers: 1 corrected, 3 confirmed, 0 there already" in out
    assert "left out: 1 task: not annotated yet" in out
    (held,) = read_corrections(corpus / FILE).latest.values()
    assert (held.item, held.old, held.new, held.by) == ("toy/i3", "sad", "happy", "user 1")
    told = json.loads(run("label-studio", "import", "export.json", "--corpus", "toy", "--json")[1])
    assert (told["corrected"], told["confirmed"], told["already"]) == (0, 0, 4)
    assert json.loads(run("agreement", "toy", "--json")[1])["corrections"]["confirmed"] == 3


def test_what_to_type_next_names_the_corpus(run, corpus, tmp_path):
    following = "next:\n  affectspace label-studio import EXPORT.json --corpus "
    assert run("label-studio", "export", "toy", "--out", "t.json")[1].endswith(f"{following}toy\n")
    space = Space.open(tmp_path / "toy.parquet")
    items = space.items.assign(corpus="toy")
    Space(items, space.vectors, space.classes, {"corpora": {"toy": str(corpus)}}).save(tmp_path / "of.parquet")
    assert run("label-studio", "export", "of.parquet", "--out", "t.json")[1].endswith(f"{following}{corpus}\n")
    assert run("label-studio", "export", "toy.parquet", "--out", "t.json")[1].endswith(f"{following}CORPUS\n")
    corpus.rename(tmp_path / "elsewhere")
    assert run("label-studio", "export", "of.parquet", "--out", "t.json")[1].endswith(f"{following}CORPUS\n")


def test_disagreement_is_told_and_ends_with_1(run, corpus):
    run("label-studio", "export", "toy", "--out", "tasks.json")
    tasks = json.loads(Path("tasks.json").read_text())
    answered(tasks, ["sad"])
    tasks[0]["annotations"].append({**tasks[0]["annotations"][0], "completed_by": 2})
    tasks[0]["annotations"][1]["result"] = [{"type": "choices", "from_name": "answer", "value": {"choices": ["happy"]}}]
    Path("export.json").write_text(json.dumps(tasks))
    code, out, _ = run("label-studio", "import", "export.json", "--corpus", "toy")
    assert code == 1
    assert (
        "not written: toy/i0: the annotators disagree: user 1 'sad', user 2 'happy'; let one of them look again" in out
    )
    assert not read_corrections(corpus / FILE).entries


def test_a_corpus_is_exported_with_the_labels_that_hold(run, corpus):
    run("label-studio", "export", "toy", "--out", "tasks.json", "--count", 1)
    tasks = json.loads(Path("tasks.json").read_text())
    answered(tasks, ["sad"])
    run("label-studio", "import", "export.json", "--corpus", "toy")
    told = json.loads(run("label-studio", "export", "toy", "--out", "tasks.json", "--json")[1])
    assert (told["tasks"], told["suggested"], told["media"], told["classes"]) == (40, 0, ["text"], ["happy", "sad"])
    assert json.loads(Path("tasks.json").read_text())[0]["data"]["label"] == "sad"


def test_recordings_that_are_gone_are_told(run, tmp_path):
    there = tmp_path / "mine/1.wav"
    there.parent.mkdir()
    there.write_bytes(b"")
    gone = tmp_path / "mine/2.wav"
    items = pd.DataFrame({"id": ["a/1", "a/2"], "audio": [str(there), str(gone)], "label": ["sad", "happy"]})
    Space(items, np.eye(2), ("happy", "sad")).save(tmp_path / "heard.parquet")
    out = run("label-studio", "export", "heard.parquet", "--out", "t.json")[1]
    assert f"note: 1 of 2 files are gone, such as {gone}, so nobody can answer their tasks; put the corpus back" in out
    assert json.loads(run("label-studio", "export", "heard.parquet", "--out", "t.json", "--json")[1])["gone"] == 1


def test_what_has_no_label_gets_what_the_model_says(run, tmp_path):
    items = pd.DataFrame({"id": ["a/1", "a/2"], "text": ["x", "y"], "probabilities": [[0.2, 0.8], [0.9, 0.1]]})
    Space(items, np.eye(2), ("happy", "sad")).save(tmp_path / "bare.parquet")
    code, _, err = run("label-studio", "export", "bare.parquet", "--out", "t.json")
    assert code == 0, err
    told = [
        (task["data"]["suggested"], task["predictions"][0]["score"]) for task in json.loads(Path("t.json").read_text())
    ]
    assert told == [("sad", pytest.approx(0.8)), ("happy", pytest.approx(0.9))]


def test_labels_in_doubt_are_told_apart_from_what_has_no_label(run, corpus, tmp_path):
    """An item whose raters are tied has no label either, and yet votes that can be in doubt."""
    toy = Space.open(tmp_path / "toy.parquet")
    votes = [None if row in (9, 11) else list(np.eye(3)[label]) for row, label in enumerate(toy.labels)]
    votes[7] = [0.0, 0.5, 0.5]
    items = toy.items.assign(target=votes, probabilities=[[0.5, 0.5, 0.0]] * 40)
    items.loc[[7, 9, 11], "label"] = None
    Space(items, toy.vectors, ("happy", "sad", "bored")).save(tmp_path / "tied.parquet")
    doubted = json.loads(run("discover", "tied.parquet", "--errors", "--json")[1])["suspects"]["count"]
    assert doubted == 2
    out = run("label-studio", "export", "tied.parquet", "--out", "t.json")[1]
    assert "40 tasks, 4 with a suggestion (2 of labels in doubt, 2 of items without a label, by the model) -> t." in out
    told = json.loads(run("label-studio", "export", "tied.parquet", "--out", "t.json", "--json")[1])
    assert (told["suggested"], told["in_doubt"]) == (4, 2)
    assert "40 tasks, 0 with a suggestion -> t.json" in run("label-studio", "export", "toy", "--out", "t.json")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["export", "toy", "--out", "t.csv"], "--out t.csv ends in '.csv'; tasks are JSON, so end it in .json"),
        (["export", "toy", "--out", "t.json", "--count", "0"], "--count is 0; legal: at least 1"),
        (
            ["export", "nowhere", "--out", "t.json"],
            "there is nothing at nowhere; name a space, a finished run folder or",
        ),
        (["export", "toy", "--out", "t.json", "--where", "label=sad"], "--where chooses items of a space"),
        (["exprt"], "there is no command 'exprt'; did you mean export? legal: export, import"),
        (["import", "none.json", "--corpus", "toy"], "none.json cannot be read (No such file or directory)"),
    ],
)
def test_faults_are_told(run, corpus, words, told):
    code, _, err = run("label-studio", *words)
    assert code == 2
    assert told in err
