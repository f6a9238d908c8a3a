"""A study file says what is wrong with it before anything is opened or trained, in the user's own words."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import dump_study, load_study, slug

BOTH = {"name": "both", "fuses": ["CE", "KL"]}


def beside(*entries):
    """Two recipes that are trained, and others."""
    return {"recipes": [*({"name": name, "path": "recipe.toml"} for name in ("CE", "KL")), *entries]}


BAD = [
    ({"seedz": 3}, "unknown key 'seedz'; did you mean 'seeds'? legal: name, seeds, baseline, recipes, splits, grid"),
    ({"recipes.0.sett": {}}, "recipes.0: unknown key 'sett'; did you mean 'set'? legal: name, path, set, grid, fuses"),
    ({"grid.value": {}}, "grid: unknown key 'value'; did you mean 'values'? legal: recipe, values, runs, by, epoch"),
    ({"seeds": None}, "seeds is missing"),
    ({"seeds": 0}, "seeds: 0 is neither a count of seeds, at least 1, nor a list of seeds"),
    ({"seeds": []}, "seeds: the list is empty; give a count such as 10, or at least one seed"),
    ({"seeds": [4, 4, 1, 0, 1]}, "seeds: 4, 1 are named more than once; a seed counts once"),
    ({"seeds": [0, -1]}, "seeds: -1 is no seed; seeds are whole numbers from 0"),
    ({"recipes": []}, "recipes: the list is empty; a study needs at least one"),
    ({"splits": []}, "splits: the list is empty; a study needs at least one"),
    ({"recipes.1.name": "CE"}, "2 recipes are named 'CE'; give each a name of its own"),
    ({"splits.1.name": "there"}, "2 splits are named 'there'; give each a name of its own"),
    (
        {"splits.0.name": "a > b", "splits.1.name": "a < b"},
        "splits 'a > b' and 'a < b' would share the folder 'a---b'; let them differ in letters or digits",
    ),
    (
        {"splits.0.name": ""},
        "splits.0.name: '' has no letter and no digit; a name, from which a folder is called, needs",
    ),
    ({"recipes.0.name": "->"}, "recipes.0.name: '->' has no letter and no digit"),
    ({"name": "a\nb"}, "name: 'a\\nb' has the character '\\n', which does not print; leave it out"),
    ({"name": 3}, "name is 3; legal: a text"),
    (
        {"recipes.0.name": "Ärger", "recipes.1.name": "Arger", "grid": None},
        "recipes 'Ärger' and 'Arger' would share the folder 'arger'; let them differ in letters or digits",
    ),
    ({"seeds": [0, 2**63]}, f"seeds: {2**63} is no seed; seeds are whole numbers from 0 to {2**63 - 1}"),
    ({"seeds": -3}, "seeds: -3 is neither a count of seeds, at least 1, nor a list of seeds"),
    ({"seeds": [True]}, "seeds: True is no seed"),
    ({"recipes": None}, "recipes is missing"),
    ({"recipes": None, "splits": None}, "recipes is missing"),
    ({"splits": {"name": "there"}}, "splits is {'name': 'there'}; legal: a list of tables, [[splits]]"),
    ({"grid.epoch": "yes!"}, "grid.epoch is 'yes!'; legal: true or false"),
    ({"grid.by": "sesion"}, "grid.by is 'sesion'; did you mean 'session'? legal: 'speaker', 'session'"),
    ({"grid": 3}, "grid is 3; it is a table with keys of its own"),
    ({"baseline": "KLL"}, "baseline 'KLL' is none of the recipes; did you mean 'KL'? legal: CE, KL"),
    ({"grid.recipe": "KLL"}, "grid.recipe 'KLL' is none of the recipes; did you mean 'KL'? legal: CE, KL"),
    ({"grid": {"values": {"a": [1]}}}, "grid: recipe is missing: name the recipe whose inner runs choose among values"),
    ({"grid": {"recipe": "CE"}}, "grid: there is nothing to choose; give values, or epoch = true, or leave recipe out"),
    (
        {"grid.values": {"training.weight_decay": [0.0, 0.1, 0.1]}},
        "grid.values: training.weight_decay has 0.1 more than once; each value is tried once",
    ),
    (
        {"grid.values": {"training.weight_decay": []}},
        "grid.values: training.weight_decay has no values to try; give at least one, or leave it out",
    ),
    (
        {"recipes.1.grid": {"training": {"epochs": 3}}},
        "recipes.1.grid: training.epochs is 3; give a list of the values",
    ),
    ({"splits.0.name": "There", "splits.1.name": "there"}, "splits 'There' and 'there' would share the folder 'there'"),
    ({"splits.0.name": "points.json"}, "split 'points.json' would have the folder of a file of the study; choose"),
    (
        {"grid": {"epoch": True}},
        "grid: epoch = true has no recipe that chooses the epoch for all: those with a grid of their own would train",
    ),
    (
        {"grid.values": {"protocol.train": [["alva"], ["boro"]]}},
        "grid.values ranges over protocol.train, by which scores would be of other items or labels; make splits of",
    ),
    (
        {"recipes.1.grid": {"labels": [{"kind": "classes", "names": ["angry", "sad"]}]}},
        "recipe 'KL' has a grid over labels, by which scores would be of other items or labels",
    ),
    ({"recipes.1.grid": {"seed": [1, 2]}}, "recipe 'KL' has a grid over seed, by which scores would be of other"),
    ({"recipes.1.grid": {"data": ["a", "b"]}}, "recipe 'KL' has a grid over data, by which scores would be of other"),
    ({"recipes.1.grid": {"corpora": [[]]}}, "recipe 'KL' has a grid over corpora, by which scores would be of other"),
    (
        {"grid.values": {"training": [{"epochs": 5}]}},
        "grid.values ranges over training.epochs, and epoch = true chooses the epoch; leave one of them out",
    ),
    (
        {"recipes.1.grid": {"training.selection": ["last", 3]}},
        "recipe 'KL' has a grid over training.selection, and epoch = true chooses the epoch; leave one of them out",
    ),
    (
        {"recipes.1.grid": {"monitor.test_curve": [True, False]}},
        "recipe 'KL' has a grid over monitor.test_curve, which changes no score; leave it out",
    ),
    (
        {"recipes.1.grid": {"training.weight_decay": [0.1]}},
        "recipe 'KL' has a grid over training.weight_decay, and grid.values chooses training.weight_decay for all",
    ),
    (
        {"recipes.1.grid": {"terms": [[{"kind": "cross_entropy"}]]}, "grid.values": {"terms.0.weight": [1.0]}},
        "recipe 'KL' has a grid over terms, and grid.values chooses terms.0.weight for all recipes; leave one of them",
    ),
    (
        {"recipes.1.grid": {"encoder.hidden": [8]}, "grid.values": {"encoder": [{"kind": "mlp"}]}},
        "recipe 'KL' has a grid over encoder.hidden, and grid.values chooses encoder for all recipes; leave one of",
    ),
    ({"grid.runs": 0}, "grid.runs is 0; legal: at least 1"),
    ({"recipes.1": {"name": "KL"}}, "recipes.1: recipe 'KL' has no path; give that of a recipe, or fuses, which names"),
    (beside(BOTH | {"fuses": []}), "recipes.2.fuses: nothing is named; a fusion takes at least two recipes of"),
    (beside(BOTH | {"fuses": ["CE"]}), "recipes.2.fuses: only 'CE' is named; a fusion takes at least two"),
    (beside(BOTH | {"fuses": "CE"}), "recipes.2.fuses is 'CE'; legal: a list, in [ ]"),
    (beside(BOTH | {"fuses": ["KL", "KL"]}), "recipes.2.fuses: 'KL' is named more than once; each weighs alike"),
    (
        beside(BOTH | {"fuses": ["CE", "KLL"]}),
        "recipe 'both': fuses 'KLL' is none of the recipes; did you mean 'KL'? legal: CE, KL",
    ),
    (
        beside(BOTH, {"name": "all", "fuses": ["CE", "both"]}),
        "recipe 'all': fuses 'both' is not trained itself, as it fuses CE and KL; legal: CE, KL",
    ),
    (
        beside(BOTH | {"fuses": ["CE", "both"]}),
        "recipe 'both': fuses 'both' is not trained itself, as it fuses CE and both; legal: CE, KL",
    ),
    (
        beside(BOTH) | {"baseline": "both"},
        "baseline 'both' is not trained itself, as it fuses CE and KL; legal: CE, KL",
    ),
    (
        beside(BOTH) | {"grid.recipe": "both"},
        "grid.recipe 'both' is not trained itself, as it fuses CE and KL; legal: CE, KL",
    ),
    (
        beside(BOTH | {"set": {"training.epochs": 3}}),
        "recipes.2: recipe 'both' fuses others, and so trains nothing to which set could apply; leave it out",
    ),
    (
        beside(BOTH | {"path": "recipe.toml", "grid": {"terms.1.weight": [1.0]}}),
        "recipes.2: recipe 'both' fuses others, and so trains nothing to which path and grid could apply; leave them",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_a_fault_of_the_study_names_key_value_and_what_is_legal(written, change, message):
    path = written(change)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_faults_of_one_kind_are_told_in_one_message(written):
    with pytest.raises(
        InputError, match=r"2 recipes are named 'CE'.*; 2 splits are named 'there'.*; baseline 'x' is none"
    ):
        load_study(written({"recipes.1.name": "CE", "splits.1.name": "there", "baseline": "x"}))
    path = written({"recipes.0.path": "a.toml", "recipes.1.path": "b.toml"})
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value) == f"{path}: there are no recipes a.toml, b.toml; paths are relative to the study file"


def test_a_file_that_is_not_there_or_no_toml(tmp_path):
    with pytest.raises(
        InputError, match=r"there is no study .*nowhere.toml; a study is a TOML file, and some lie in recipes/studies/"
    ):
        load_study(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(InputError, match=r"bad.toml is not valid TOML: "):
        load_study(tmp_path / "bad.toml")


def test_a_resolved_study_is_read_back_equal_from_anywhere(written, tmp_path):
    study = load_study(written({"recipes.0.set": {"data": "media"}}))
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/study.toml").write_text(dump_study(study))
    assert load_study(tmp_path / "deep/er/study.toml") == study
    assert study.seeds == (0, 1, 2)
    assert study.baseline == "CE"
    assert study.recipes[0].path == str(tmp_path / "recipe.toml")
    assert study.recipes[0].set["data"] == str(tmp_path / "media")


def test_what_is_fused_is_read_back_and_stands_for_no_recipe(written, tmp_path):
    fused = {"name": "both", "fuses": ["base", "again"]}
    entries = [fused, {"path": "recipe.toml"}, {"name": "again", "path": "recipe.toml"}]
    study = load_study(written({"recipes": entries, "splits": None, "grid": None}))
    (tmp_path / "resolved.toml").write_text(dump_study(study))
    assert load_study(tmp_path / "resolved.toml") == study
    assert [entry.name for entry in study.recipes] == ["both", "base", "again"]
    assert [entry.name for entry in study.trained] == ["base", "again"]
    assert (study.baseline, study.splits[0].name) == ("base", "alva to boro")
    assert StudyRecipes(study).of("again", "alva to boro").name == "again"


def test_names_that_are_not_given(written):
    study = load_study(written({"splits": None, "recipes": [{"path": "recipe.toml"}], "grid": None, "seeds": [7, 3]}))
    assert [entry.name for entry in study.recipes] == ["base"]
    assert [entry.name for entry in study.splits] == ["alva to boro"]
    assert (study.baseline, study.seeds) == ("base", (7, 3))


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        ({"kind": "grouped_folds", "by": "item", "fold": 0}, "fold 1 of 5 by item"),
        ({"kind": "grouped_folds", "by": "session", "folds": 3}, "3 folds by session"),
        ({"kind": "leave_one_out", "fold": 3}, "leave one speaker out, fold 4"),
        ({"kind": "leave_one_out", "by": "session"}, "leave one session out"),
        ({"kind": "published"}, "published split"),
    ],
)
def test_a_split_without_a_name_is_called_after_what_is_tested(written, protocol, name):
    path = written({"splits": None, "grid": None, "recipes": [{"path": "recipe.toml"}]}, {"protocol": protocol})
    assert [entry.name for entry in load_study(path).splits] == [name]


def test_a_slug_is_a_name_of_one_folder():
    assert slug("a/b \\ ..ü") == "a-b---..u"
    assert slug("../up") == "up"


@given(st.text(), st.text(string.printable))
def test_folders_of_names_are_safe_and_those_of_ascii_stay_what_they_are(name, text):
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._+-]*)?", slug(name))
    assert slug("a" + text) == re.sub(r"[^A-Za-z0-9._+-]", "-", "a" + text)


def test_names_are_those_that_people_give(written):
    names = ["α = 10", "β = 10", "Ärger", "f-SPL (α=1)", "(f-SPL)", "中文", "Øre", "10 %"]
    entries = [{"name": name, "path": "recipe.toml"} for name in names]
    study = load_study(written({"name": "Gefühle, überall", "recipes": entries, "grid": None}))
    assert [entry.name for entry in study.recipes] == names
    folders = ["alpha---10", "beta---10", "Arger", "f-SPL--alpha-1-", "f-SPL-", "4e2d6587", "ore", "10--"]
    assert [slug(name) for name in names] == folders
    recipes = StudyRecipes(study)
    assert [recipes.of(name, "there").name for name in names] == folders, "which a recipe may be called"


def test_a_recipe_is_no_study(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\n[[corpora]]\npath = "a"\n')
    with pytest.raises(InputError, match="is a recipe, and a study names recipes; train it by: affectspace train "):
        load_study(path)


def test_a_count_of_seeds_that_nobody_means(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('name = "x"\nseeds = 99999999999999999999\n[[recipes]]\npath = "r.toml"\n')
    (tmp_path / "r.toml").write_text('name = "r"\n')
    with pytest.raises(InputError, match="is more seeds than any study needs; give at most 10,000, or a list"):
        load_study(path)
