"""The plan of a study is a list of runs that follows from its file and the shape of its data, and from nothing else."""

import copy
from collections import Counter
from pathlib import Path

import pytest
import tomli_w

from affectspace.studies.data import StudyData
from affectspace.studies.plan import Choice, PointNumbers, plan_final, plan_grid, plan_own
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.selection import stand_in
from affectspace.studies.study import load_study
from affectspace.training.dotted import put
from affectspace.training.recipe_file import dump_recipe, load_recipe

RECIPE = {
    "name": "base",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "classes", "names": ["angry", "sad"]},
    "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_by": "session"},
    "training": {"epochs": 9},
    "monitor": {"snapshots": [2, 5, 9]},
}
STUDY = {
    "name": "mine",
    "seeds": [3, 8],
    "recipes": [{"name": "CE", "path": "recipe.toml"}, {"name": "KL", "path": "recipe.toml"}],
    "splits": [{"name": "there"}, {"name": "and back", "set": {"protocol.train": ["boro"], "protocol.test": ["alva"]}}],
    "grid": {"recipe": "CE", "values": {"training.weight_decay": [0.0, 0.01]}, "runs": 2, "epoch": True},
}
FOLDS = {"kind": "leave_one_out", "by": "speaker"}


@pytest.fixture
def recipes(tmp_path):
    def make(changes=None, recipe=None):
        values, base = copy.deepcopy(STUDY), copy.deepcopy(RECIPE)
        for changed, table in ((values, changes or {}), (base, recipe or {})):
            for key, value in table.items():
                put(changed, key, value)
        (tmp_path / "recipe.toml").write_text(tomli_w.dumps(base))
        (tmp_path / "study.toml").write_text(tomli_w.dumps({k: v for k, v in values.items() if v is not None}))
        return StudyRecipes(load_study(tmp_path / "study.toml"))

    return make


def data(folds=(None,), inner=3):
    splits = ("there", "and back")
    return StudyData(
        dict.fromkeys(splits, folds),
        {(name, split, fold): inner for name in ("CE", "KL") for split in splits for fold in folds},
    )


def chosen(study, epoch=4, **own):
    return {
        (split.name, fold): Choice({"training.weight_decay": 0.01}, epoch, own)
        for split in study.study.splits
        for fold in (None, 0, 1)
    }


def test_the_grid_leaves_each_group_out_for_each_point_and_seed(recipes):
    runs = plan_grid(recipes(), data(), PointNumbers())
    assert len(runs) == 2 * 2 * 3 * 2  # splits, values, sessions, runs
    assert [str(run.folder) for run in runs[:3]] == [
        "grid/there/CE-0/inner-0/seed-0", "grid/there/CE-0/inner-0/seed-1", "grid/there/CE-0/inner-1/seed-0",
    ]  # fmt: skip
    assert len({run.folder for run in runs}) == len(runs)
    for run in runs:
        inner = run.settings.protocol.inner
        assert inner is not None
        assert (inner.by, inner.fold, run.settings.seed) == ("session", run.inner, run.seed)
        assert run.settings.training.selection == "last", "the study chooses, not the run"
        assert (run.settings.monitor.test_curve, run.settings.monitor.snapshots) == (False, ())
        assert run.settings.training.weight_decay == [0.0, 0.01][run.point or 0]


def test_a_chosen_epoch_ends_the_final_runs_which_then_train_on_all_training_items(recipes):
    runs = plan_final(recipes(), data(), chosen(recipes()))
    assert [str(run.folder) for run in runs[:3]] == [
        "runs/CE/there/seed-3", "runs/CE/there/seed-8", "runs/CE/and-back/seed-3",
    ]  # fmt: skip
    assert len(runs) == 2 * 2 * 2
    for run in runs:
        training = run.settings.training
        assert (training.epochs, training.selection, training.weight_decay) == (4, 4, 0.01)
        assert run.settings.protocol.validate_share == 0
        assert run.settings.monitor.snapshots == (2,)
        assert run.settings.seed == run.seed


def test_curves_go_on_to_the_end(recipes):
    study = recipes(recipe={"monitor.test_curve": True})
    training = plan_final(study, data(), chosen(study))[0].settings.training
    assert (training.epochs, training.selection) == (9, 4)


def test_without_a_chosen_epoch_the_recipe_selects_as_it_says(recipes):
    study = recipes({"grid": None})
    assert plan_grid(study, data(), PointNumbers()) == []
    settings = plan_final(study, data(), stand_in(study, data(), {}))[0].settings
    assert (settings.training.selection, settings.protocol.validate_share) == ("validation", 0.2)
    assert settings.training.epochs == 9


def test_own_grids_are_searched_with_what_was_chosen_for_all(recipes):
    study = recipes({"recipes.1.grid": {"training.learning_rate": [1e-3, 1e-4]}})
    runs = plan_own(study, data(), chosen(study), PointNumbers())
    assert len(runs) == 2 * 2 * 3 * 2
    assert {run.recipe for run in runs} == {"KL"}
    for run in runs:
        training = run.settings.training
        assert (training.weight_decay, training.epochs, training.selection) == (0.01, 4, "last")
    final = plan_final(study, data(), chosen(study, KL={"training.learning_rate": 1e-3}))
    assert {(run.recipe, run.settings.training.learning_rate) for run in final} == {("CE", 1e-4), ("KL", 1e-3)}
    assert {run.recipe for run in plan_final(study, data(), chosen(study))} == {"CE"}, "KL has chosen nothing yet"


@pytest.mark.parametrize("curves", [False, True])
def test_inner_runs_end_with_the_epoch_that_they_keep(recipes, curves):
    watched = {"monitor.test_curve": curves}
    study = recipes({"recipes.1.grid": {"training.learning_rate": [1e-3, 1e-4]}}, watched)
    own = plan_own(study, data(), chosen(study, epoch=4), PointNumbers())
    assert {(run.settings.training.epochs, run.settings.training.selection) for run in own} == {(4, "last")}
    assert not any(run.settings.monitor.test_curve for run in own)
    study = recipes({"grid.epoch": False}, watched | {"training.selection": 5})
    shared = plan_grid(study, data(), PointNumbers())
    assert {(run.settings.training.epochs, run.settings.training.selection) for run in shared} == {(5, "last")}
    study = recipes({"grid.epoch": False}, watched)
    shared = plan_grid(study, data(), PointNumbers())
    assert {(run.settings.training.epochs, run.settings.training.selection) for run in shared} == {(9, "validation")}


def test_every_fold_is_a_question_of_its_own(recipes):
    study = recipes({"splits": [{"name": "there"}]}, {"protocol": FOLDS})
    two = StudyData({"there": (0, 1)}, {("CE", "there", fold): 3 for fold in (0, 1)})
    grid = plan_grid(study, two, PointNumbers())
    assert Counter(run.fold for run in grid) == {0: 12, 1: 12}
    assert str(grid[-1].folder) == "grid/there/fold-01/CE-1/inner-2/seed-1"
    choices = {("there", 0): Choice({}, 3), ("there", 1): Choice({}, 7)}
    final = plan_final(study, two, choices)
    assert {(run.fold, run.settings.protocol.fold, run.settings.training.selection) for run in final} == {
        (0, 0, 3), (1, 1, 7),
    }  # fmt: skip
    assert str(final[-1].folder) == "runs/KL/there/seed-8/fold-01"
    assert all(run.settings.protocol.validate_groups == 0 for run in final)
    assert {run.fold for run in plan_final(study, two, {("there", 1): Choice({}, 7)})} == {1}, "fold 0 waits"


def test_who_validates_within_the_tested_session_stays_where_it_is_once_the_epoch_is_chosen(recipes, tmp_path):
    study = recipes({"splits": [{"name": "there"}]}, {"protocol": FOLDS | {"by": "speaker", "within": "session"}})
    final = plan_final(study, StudyData({"there": (0,)}, {}), {("there", 0): Choice({}, 3)})
    for run in final:
        assert (run.settings.protocol.within, run.settings.training.selection) == ("session", 3)
        (tmp_path / "recipe.toml").write_text(dump_recipe(run.settings))
        assert load_recipe(tmp_path / "recipe.toml").same_as(run.settings)


def test_the_same_file_gives_the_same_plan(recipes):
    one, other = (plan_grid(recipes(), data(), PointNumbers()) for _ in range(2))
    assert [(run.folder, run.text) for run in one] == [(run.folder, run.text) for run in other]


def test_points_keep_their_numbers_when_values_come_and_go(recipes, tmp_path):
    numbers = PointNumbers()
    before = {run.folder: run.text for run in plan_grid(recipes(), data(), numbers)}
    numbers.write(tmp_path / "points.json")
    values = {"grid.values": {"training.weight_decay": [0.5, 0.01, 0.0]}}
    after = {
        run.folder: run.text for run in plan_grid(recipes(values), data(), PointNumbers.read(tmp_path / "points.json"))
    }
    assert {folder: after[folder] for folder in before} == before
    assert {folder.parts[2] for folder in set(after) - set(before)} == {"CE-2"}
    assert PointNumbers.read(Path("nowhere")).known == {}


def test_what_stands_in_costs_the_most_that_may_come(recipes):
    study = recipes({"recipes.1.grid": {"training.learning_rate": [1e-3, 1e-4]}})
    guess = stand_in(study, data(), {("there", None): Choice({"training.weight_decay": 0.01}, 2)})
    assert guess["there", None].epoch == 2
    assert guess["and back", None].epoch == 9
    assert guess["there", None].own == {"KL": {"training.learning_rate": 1e-3}}
    assert len(plan_final(study, data(), guess)) == 8
