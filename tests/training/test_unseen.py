"""Corpora of which training saw nothing: figures for each, of numbers and of the space, whatever is learned besides."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.cli.tell import item_notes
from affectspace.metrics import scores, value_scores
from affectspace.neighbours import space_figures
from affectspace.report import write_report
from affectspace.training import train
from affectspace.training.prepare import prepare
from affectspace.training.recipe_protocol import Inner
from affectspace.training.remarks import remarks

UNSEEN = ("other", "third", "lone")


@pytest.fixture
def apart(numbers):
    """``apart(*unseen)``: bins of ``mine`` as it is published, tested on corpora of 12, 7 and 1 items as well."""
    root = Path(numbers().data)
    mine, rest = (pd.read_csv(root / name / "items.csv") for name in ("mine", "other"))
    mine.assign(split=["train", "train", "validate", "test"] * 15).to_csv(root / "mine" / "items.csv", index=False)
    for name, rows in zip(UNSEEN, (slice(0, 12), slice(12, 19), slice(19, 20))):
        (root / name).mkdir(exist_ok=True)
        rest[rows].to_csv(root / name / "items.csv", index=False)

    def make(*unseen):
        return numbers(
            corpora=[{"path": name} for name in ("mine", *unseen)],
            protocol={"kind": "published", "unseen": unseen, "allow": ["speaker"]},
            monitor={"space": True},
        )

    return make


def test_each_has_figures_of_its_own_numbers_levels_and_space(apart, tmp_path):
    run = train(apart(*UNSEEN), tmp_path / "run", quiet=True)
    answers = run.predictions.assign(corpus=lambda table: table["item"].str.partition("/")[0])
    known = answers.query("split == 'train'")
    space = [np.stack(list(known[name])) for name in ("embedding", "target")]
    assert sorted(run.unseen) == sorted(UNSEEN)
    for corpus, found in run.unseen.items():
        own = answers.query("split == 'unseen' and corpus == @corpus")
        targets, chances, vectors = (np.stack(list(own[name])) for name in ("target", "probabilities", "embedding"))
        expected = scores(targets, chances, ordered=True) | value_scores(own["value"], own["predicted_value"])
        if corpus != "lone":
            expected |= space_figures(vectors, targets, 4, *space, k_nn=run.neighbours[0])
        assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    source = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f"{corpus}, unseen" in source for corpus in UNSEEN)


def test_a_single_item_is_measured_but_makes_no_space(apart, tmp_path):
    found = train(apart("lone"), tmp_path / "run", quiet=True).unseen["lone"]
    assert found["value_mean_absolute_error"] >= 0
    assert np.isnan(found["value_r2"])
    assert not any(name.startswith(("knn", "map", "nmi")) for name in found)


def test_speakers_of_an_unseen_corpus_who_bear_the_names_of_trained_ones_are_told(apart, tmp_path, capsys):
    recipe = apart("other")
    path = Path(recipe.data) / "other" / "items.csv"
    table = pd.read_csv(path)
    table["speaker"] = table["speaker"].str.replace("other0", "mine0").replace("other1", "mine1")
    table.to_csv(path, index=False)
    run = train(recipe, tmp_path / "run", quiet=True)
    expected = {"corpus": "other", "train": "mine", "speakers": 2, "of": 6, "example": "mine0"}
    assert json.loads((run.path / "data.json").read_text())["namesakes"] == [expected]
    told = "2 of 6 speakers of other bear the name of a speaker of mine"
    assert [told in sentence for sentence in remarks(run)].count(True) == 1
    assert told in write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    item_notes([run])
    assert told in capsys.readouterr().out


def test_levels_are_cut_without_them(apart):
    assert prepare(apart(*UNSEEN)).cut == prepare(apart()).cut


def test_runs_that_choose_settings_answer_nothing_about_them(apart):
    recipe = apart(*UNSEEN)
    inner = recipe.model_copy(
        update={"protocol": recipe.protocol.model_copy(update={"inner": Inner(by="item", fold=0)})}
    )
    assert prepare(inner).split.sizes == {"train": 44, "validate": 1, "test": 0}
