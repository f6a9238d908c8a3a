"""A folder for the hub is a model that anybody can open; its card tells of it, and nothing of a machine."""

import json

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard

from affectspace.corpora import open_corpus
from affectspace.errors import InputError
from affectspace.export import push, write_hub_folder
from affectspace.metrics import uar
from affectspace.training import Run, load_model
from affectspace.training.known import load_known


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    made = tmp_path_factory.mktemp("made") / "published"
    write_hub_folder(made, finished)
    return made


def test_it_opens_as_the_run_does_and_names_no_path(folder, finished):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "known.safetensors", "model.safetensors",
    ]  # fmt: skip
    clip = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
    for one, other in zip(load_model(folder)([clip]), load_model(finished)([clip])):
        np.testing.assert_array_equal(one, other)
    assert len(load_known(folder)) == len(load_known(finished))
    for path in folder.iterdir():
        assert b"nobody-knows-this" not in path.read_bytes()


def test_training_items_stay_at_home_where_that_is_asked_for(finished, tmp_path):
    found = write_hub_folder(tmp_path / "bare", finished, items=False)
    assert found.files == ("README.md", "config.json", "model.safetensors")
    assert found.items == 0
    assert "None. So nothing tells whether a new item is like any" in (tmp_path / "bare/README.md").read_text()


def test_front_matter_is_what_the_hub_reads(folder, finished):
    card, test = ModelCard.load(folder / "README.md").data, Run(finished).scores("test")
    assert (card.library_name, card.license, card.pipeline_tag) == ("affectspace", "other", "audio-classification")
    assert card.datasets == ["alva", "boro"]
    assert "language" not in card.to_dict()  # codes of invented languages are nobody's
    figures = {each.metric_type: each.metric_value for each in card.eval_results}
    assert figures == {"recall": round(test["uar"], 4), "f1": round(test["macro_f1"], 4)}
    assert card.model_name == "published"


def rows_of(card: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its headings."""
    lines = card.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]


def test_scores_by_corpus_and_group_are_those_of_the_predictions(folder, finished):
    run, card = Run(finished), (folder / "README.md").read_text()
    test, about = run.evaluated("test"), run.data["corpora"]
    told = {(by, group): (int(items), float(share)) for by, group, items, _, share, *_ in rows_of(
        card, "Scores by corpus and group of speakers")}  # fmt: skip
    corpora = pd.Series(test.items).str.split("/").str[0]
    for name in ("alva", "boro"):
        own = (corpora == name).to_numpy()
        expected = round(100 * uar(test.targets[own], test.probabilities[own]), 1)
        assert told["corpus", name] == (own.sum(), pytest.approx(expected))
    items = pd.concat([open_corpus(each["path"]).items for each in about])
    columns = {by for by, _ in told}
    assert columns <= {"corpus", "language", "sex", "age"}
    for column in {"language", "sex", "age"} & set(items):
        assert column in columns or items[column].nunique() <= 1
    assert "Single speakers with ten items or more (6): UAR from " in card


def test_data_raters_and_limits_are_told(folder, finished):
    card = (folder / "README.md").read_text()
    for row, about in zip(rows_of(card, "Data and licences"), Run(finished).data["corpora"]):
        assert row[:3] == [about["name"], ", ".join(about["language"]), f"{about['used']:,}"]
        assert row[4] == (about["licence"] or "not stated: ask whoever gave you the corpus")
    alphas = {
        (each["name"], dimension): own["alpha"]
        for each in Run(finished).data["corpora"]
        for dimension, own in each["agreement"].items()
    }
    told = {(row[0], row[1]): row[2] for row in rows_of(card, "Agreement of raters")}
    assert told.keys() == alphas.keys()
    for key, alpha in alphas.items():
        assert told[key].startswith("none: ") if alpha is None else float(told[key]) == pytest.approx(alpha, abs=1e-3)
    assert "Not for decisions about a person" in card
    assert "UAR lies within" in card or "is not known: " in card


def test_a_corpus_that_has_gone_is_named(finished, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    data = json.loads((copy / "data.json").read_text())
    data["corpora"][1]["path"] = str(tmp_path / "gone")
    (copy / "data.json").write_text(json.dumps(data))
    write_hub_folder(tmp_path / "out", copy)
    assert "boro was not there to be looked at" in (tmp_path / "out/README.md").read_text()


def test_what_cannot_be_published_is_refused(finished, folder, tmp_path):
    with pytest.raises(
        InputError, match=r"there is something at .*published already; choose another path, or remove it"
    ):
        write_hub_folder(folder, finished)
    with pytest.raises(InputError, match=r"is not a run folder"):
        write_hub_folder(tmp_path / "out", finished / "model")
    with pytest.raises(InputError, match="--push 'somebody' names no place on the hub; give OWNER/NAME"):
        push(folder, "somebody")
    with pytest.raises(InputError, match="--push 'a/b@main' names no place"):
        push(folder, "a/b@main")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_pushed_is_a_private_repository_with_its_very_files(hub, folder):
    assert push(folder, "tester/feelings") == f"{hub.address}/tester/feelings"
    assert hub.private == {"tester/feelings"}
    sent = hub.repositories["tester/feelings"]
    assert {name: sent[name] for name in sent if name != ".gitattributes"} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_what_the_hub_refuses_leaves_the_folder_and_says_how_to_go_on(hub, folder):
    hub.close()
    with pytest.raises(
        InputError, match=r"is written, and the hub did not take it as tester/feelings: .*hf upload tester"
    ):
        push(folder, "tester/feelings")
    assert (folder / "model.safetensors").is_file()
