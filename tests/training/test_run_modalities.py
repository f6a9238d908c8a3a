"""What a run's folder tells of modalities: figures of every subset, of each fold and pooled."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from affectspace.errors import InputError
from affectspace.training import Run, make_recipe, train_recipe
from affectspace.training.folds import pool_folds

SUBSETS = ["acoustic", "lexical", "acoustic+lexical"]


@pytest.fixture(scope="module")
def run(lay_duo, tmp_path_factory):
    root = tmp_path_factory.mktemp("duo")
    values = lay_duo(root)
    values["protocol"]["fold"] = "all"
    return train_recipe(make_recipe(values), root / "run", quiet=True)


def test_every_subset_of_modalities_has_figures_of_the_items_that_have_any_of_it(run):
    assert [list(fold.by_modality) for fold in run.folds] == [SUBSETS] * 2
    tested = sum(fold.metrics["counts"]["test"] for fold in run.folds)
    told = {name: sum(fold.by_modality[name]["items"] for fold in run.folds) for name in SUBSETS}
    assert told["acoustic"] < told["acoustic+lexical"] == tested
    for fold in run.folds:
        whole = fold.by_modality["acoustic+lexical"]
        assert {key: whole[key] for key in fold.scores()} == pytest.approx(fold.scores())


def test_of_several_folds_the_figures_are_of_all_answers_together(run):
    assert list(run.by_modality) == SUBSETS
    assert run.pools_modalities
    whole = run.by_modality["acoustic+lexical"]
    assert {key: whole[key] for key in run.scores()} == pytest.approx(run.scores())
    for name, figures in run.by_modality.items():
        answers = pd.concat([fold.shown for fold in run.folds]).query(f"shown == {name!r}")
        assert figures["items"] == len(answers) == answers["item"].nunique()
        told = np.stack(list(answers["target"])).argmax(1), np.stack(list(answers["probabilities"])).argmax(1)
        assert figures["macro_f1"] == pytest.approx(f1_score(*told, average="macro"))
        assert figures["accuracy"] == pytest.approx((told[0] == told[1]).mean())


def test_how_modalities_match_is_the_mean_of_the_folds_since_each_has_its_own_space(run):
    folds = [fold.matching["acoustic+lexical"] for fold in run.folds]
    figures = run.matching["acoustic+lexical"]
    assert figures["items"] == sum(fold["items"] for fold in folds)
    assert figures["folds"] == 2
    for key in figures.keys() - {"items", "folds"}:
        assert figures[key] == pytest.approx(np.mean([fold[key] for fold in folds]), nan_ok=True)


def test_of_folds_that_kept_no_answers_the_figures_are_means_and_the_run_says_so(run, tmp_path):
    folder = tmp_path / "before"
    shutil.copytree(run.path, folder)
    (folder / "fold-01" / "predictions_by_modality.parquet").unlink()
    before = pool_folds(make_recipe(run.recipe), folder)
    assert not before.pools_modalities
    for name, figures in before.by_modality.items():
        folds = [fold.by_modality[name] for fold in run.folds]
        assert figures["items"] == sum(fold["items"] for fold in folds)
        assert figures["uar"] == pytest.approx(np.mean([fold["uar"] for fold in folds]))


def test_subsets_and_pairs_stand_in_the_recipes_order_and_recall_among_no_more_than_k_is_left_out(tmp_path):
    (tmp_path / "recipe.toml").write_text("[modalities]\nb = {}\na = {}\nc = {}\n")
    figures = {"recall_at_1": 0.5, "chance_recall_at_1": 0.25, "recall_at_5": 1.0, "chance_recall_at_5": 1.0}
    metrics = {
        "classes": ["x", "y"],
        "by_modality": {name: {"uar": 0.5} for name in ("a+c", "b+a+c", "c", "b+a", "a", "b")},
        "matching": dict.fromkeys(("a+c", "b+c", "b+a"), figures),
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    run = Run(tmp_path)
    assert list(run.by_modality) == ["b", "a", "c", "b+a", "a+c", "b+a+c"]
    assert list(run.matching) == ["b+a", "b+c", "a+c"]
    assert run.matching["a+c"] == {"recall_at_1": 0.5, "chance_recall_at_1": 0.25}


def test_a_run_of_one_modality_has_none_of_these(run, tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "plain"\n')
    (tmp_path / "metrics.json").write_text('{"classes": ["a", "b"]}')
    assert Run(tmp_path).by_modality == Run(tmp_path).matching == {}
    (tmp_path / "metrics.json").write_text(json.dumps({"classes": ["a", "b"], "by_modality": {"a": {"uar": "high"}}}))
    with pytest.raises(InputError, match=r"metrics\.json .*is damaged \(by_modality\.a\.uar: input should be a valid"):
        _ = Run(tmp_path).by_modality
