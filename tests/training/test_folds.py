"""All folds of a protocol: every item tested once, by a net that never trained on it; the answers pooled."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.metrics import uar
from affectspace.metrics.scores import LEVEL_FIGURES
from affectspace.training import folds, train, train_folds
from affectspace.training.folds import one_fold
from affectspace.training.prepare import prepare

FOLDS = {"kind": "grouped_folds", "by": "speaker", "folds": 3, "allow": ["script", "session"]}


def test_pooled_figures_are_those_of_all_answers_together(tiny, tmp_path):
    recipe = tiny(protocol=FOLDS, training={"epochs": 1})
    run = train_folds(recipe, tmp_path / "run")
    answers = run.predictions.query("split == 'test'")
    assert len(answers) == answers["item"].nunique() == 48
    truth, said = (np.stack(list(answers[column])) for column in ("target", "probabilities"))
    assert run.metrics["test"]["uar"] == pytest.approx(uar(truth, said))
    assert [fold.metrics["test"] for fold in run.folds] == run.metrics["per_fold"]
    assert run.metrics["protocol"] == "3 folds by speaker"
    assert "speaker" in run.metrics["keeps_apart"]
    for fold in run.folds:
        trained = set(fold.split.query("part != 'test'")["key"])
        assert not trained & set(fold.predictions.query("split == 'test'")["item"])


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        ({"kind": "poles", "dimension": "activation", "names": ["calm", "excited"]}, True),
        ({"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]}, False),
    ],
)
def test_figures_of_order_are_those_of_ordered_labels_in_a_run_and_over_folds(tiny, tmp_path, labels, ordered):
    run = train_folds(tiny(protocol={**FOLDS, "folds": 2}, training={"epochs": 1}, labels=labels), tmp_path / "run")
    for figures in (run.metrics["test"], *(fold.metrics["test"] for fold in run.folds)):
        assert bool(figures.keys() & LEVEL_FIGURES.keys()) == ordered
        if ordered:  # of two poles all but the rank correlation say the same
            assert figures["within_one"] == 1.0
            assert figures["mean_absolute_error"] == pytest.approx(1 - figures["accuracy"])


def test_a_fold_of_a_single_item_takes_no_part_in_the_figures_of_the_space(numbers, tmp_path):
    recipe = numbers(protocol={"kind": "leave_one_out", "by": "speaker"}, monitor={"space": True})
    path = f"{recipe.data}/mine/items.csv"
    speakers = ["a", *["b"] * 20, *["c"] * 20, *["d"] * 19]
    pd.read_csv(path).assign(speaker=speakers).to_csv(path, index=False)
    run = train_folds(recipe, tmp_path / "run", quiet=True)
    folds = [fold.metrics["test"] for fold in run.folds]
    assert ["knn_macro_f1" in figures for figures in folds] == [False, True, True, True]
    assert run.scores()["knn_macro_f1"] == pytest.approx(np.mean([fold["knn_macro_f1"] for fold in folds[1:]]))


def test_folds_go_on_where_they_were(tiny, tmp_path):
    recipe = tiny(protocol=FOLDS, training={"epochs": 1})
    train_folds(recipe, tmp_path / "run")
    first = (tmp_path / "run/metrics.json").read_bytes()
    (tmp_path / "run/metrics.json").unlink()
    (tmp_path / "run/fold-02/metrics.json").unlink()
    train_folds(recipe, tmp_path / "run", resume=True)
    assert (tmp_path / "run/metrics.json").read_bytes() == first
    with pytest.raises(InputError, match="already holds a run"):
        train_folds(recipe, tmp_path / "run")


def test_pooled_figures_are_not_taken_for_a_run(tiny, tmp_path):
    """As a study leaves them: beside the folds, without a recipe of their own."""
    recipe = tiny(protocol=FOLDS, training={"epochs": 1})
    train_folds(recipe, tmp_path / "run")
    (tmp_path / "run/recipe.toml").unlink()
    one = recipe.model_copy(update={"protocol": recipe.protocol.model_copy(update={"fold": 0})})
    for resume in (False, True):
        with pytest.raises(InputError, match=r"holds figures without their recipe\.toml; choose another folder"):
            train(one, tmp_path / "run", resume=resume)


def test_a_protocol_without_folds(tiny, tmp_path):
    with pytest.raises(InputError, match="protocol cross_corpus has no folds; train it as one run"):
        train_folds(tiny(), tmp_path / "run")


def test_a_recipe_that_is_refused_before_anything_is_trained_leaves_its_folder_to_the_mended_one(numbers, tmp_path):
    three = {"kind": "grouped_folds", "by": "speaker", "folds": 3, "validate_share": 0}
    mended = numbers(protocol=three, training={"epochs": 1, "selection": "last"})
    memory = {"kind": "triplet", "memory": 10_000}
    wrong = numbers(protocol=three, training={"epochs": 1, "selection": "last"}, terms=[memory])
    for run in (train_folds, lambda recipe, folder: train(one_fold(recipe, 0), folder)):
        folder = tmp_path / run.__name__.strip("<>")
        with pytest.raises(InputError, match="memory is 10000"):
            run(wrong, folder)
        assert [path.name for path in folder.rglob("*")] == [".lock"]
        run(mended, folder)
        with pytest.raises(InputError, match="already holds a run"):
            run(mended, folder)
        assert (folder / "recipe.toml").is_file()


def test_a_fold_that_has_trained_is_kept_where_a_later_one_is_refused(numbers, tmp_path, monkeypatch):
    def refuses(recipe, gathered):
        if recipe.protocol.fold:
            raise InputError("no more")
        return prepare(recipe, gathered)

    monkeypatch.setattr(folds, "prepare", refuses)
    with pytest.raises(InputError, match="no more"):
        train_folds(numbers(training={"epochs": 1}), tmp_path / "run")
    assert (tmp_path / "run/recipe.toml").is_file()
    assert (tmp_path / "run/fold-00/metrics.json").is_file()
