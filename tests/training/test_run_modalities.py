"""What a run's folder tells of modalities: figures of every subset, of each fold and pooled."""

import json

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.training import Run, make_recipe, train_recipe

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


def test_of_several_folds_the_figures_are_the_means_and_the_items_those_of_all(run):
    assert list(run.by_modality) == SUBSETS
    assert list(run.matching) == ["acoustic+lexical"]
    for part in ("by_modality", "matching"):
        folds = [getattr(fold, part) for fold in run.folds]
        for name, figures in getattr(run, part).items():
            assert figures["items"] == sum(fold[name]["items"] for fold in folds)
            for key in figures.keys() - {"items"}:
                assert figures[key] == pytest.approx(np.mean([fold[name][key] for fold in folds]), nan_ok=True)


def test_a_run_of_one_modality_has_none_of_these(run, tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "plain"\n')
    (tmp_path / "metrics.json").write_text('{"classes": ["a", "b"]}')
    assert Run(tmp_path).by_modality == Run(tmp_path).matching == {}
    (tmp_path / "metrics.json").write_text(json.dumps({"classes": ["a", "b"], "by_modality": {"a": {"uar": "high"}}}))
    with pytest.raises(InputError, match=r"metrics\.json .*is damaged \(by_modality\.a\.uar: input should be a valid"):
        _ = Run(tmp_path).by_modality
