"""What a study file expands to: every fault of every recipe on every split is told before anything is opened."""

import itertools
import re
import shutil
from pathlib import Path

import pytest

from affectspace.errors import InputError
from affectspace.studies.recipes import StudyRecipes, points
from affectspace.studies.study import load_study

ROOT = Path(__file__).parents[2]
ILLEGAL = [
    (
        {"recipes.1.set": {"training.epoch": 5}},
        "recipe 'KL' on split 'there' (and 1 other): training: unknown key 'epoch'; did you mean 'epochs'?",
    ),
    (
        {"splits.1.set": {"labels.dimenson": "valence"}},
        "recipe 'CE' on split 'back' (and 1 other): labels: unknown key 'dimenson'; did you mean 'dimension'?",
    ),
    (
        {"recipes.0.set": {"terms.7.weight": 1.0}},
        "recipe 'CE' on split 'there' (and 1 other): 'terms.7.weight': terms has no entry 7; it has 0..1",
    ),
    (
        {"recipes.0.set": {"name.first": 1}},
        "recipe 'CE' on split 'there' (and 1 other): 'name.first': name is 'base' and has no keys below it",
    ),
    (
        {"grid.values": {"training.weight_decay": [0.0, -1.0]}},
        "recipe 'CE' on split 'there' with training.weight_decay = -1.0 (and 5 others): training.weight_decay is",
    ),
    (
        {"recipes.1.grid": {"terms.1.weigth": [0.1]}},
        "recipe 'KL' on split 'there' with training.weight_decay = 0.0, terms.1.weigth = 0.1 (and 3 others): "
        "terms.1: unknown key 'weigth'; did you mean 'weight'?",
    ),
    (
        {"recipes.1.grid": {"training.epochs": [5, 50], "training.selection": [5, 9]}, "grid": None},
        "recipe 'KL' on split 'there' with training.epochs = 5, training.selection = 9 (and 1 other): "
        "training: selection keeps epoch 9, and training ends after epoch 5",
    ),
]


@pytest.mark.parametrize(("change", "message"), ILLEGAL, ids=[message[:40] for _, message in ILLEGAL])
def test_a_setting_that_no_recipe_knows_names_recipe_split_and_key(written, change, message):
    path = written(change)
    with pytest.raises(InputError) as caught:
        StudyRecipes(load_study(path), str(path))
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_recipes_of_one_split_are_tested_in_one_way(written):
    with pytest.raises(
        InputError, match=r"on split 'there' recipes 'CE' and 'KL' have different protocols .protocol.test"
    ):
        StudyRecipes(
            load_study(written({"recipes.1.set": {"protocol.test": ["cirin"]}, "splits": [{"name": "there"}]}))
        )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"labels.soft": False}, "labels.soft is True and False"),
        ({"labels.names": ["sad", "angry"]}, r"labels.names is \('angry', 'sad'\) and \('sad', 'angry'\)"),
        ({"labels": {"kind": "poles", "dimension": "valence"}}, "labels.kind is 'classes' and 'poles'"),
    ],
)
def test_recipes_of_one_split_answer_to_the_same_labels(written, labels, told):
    with pytest.raises(
        InputError, match=f"on split 'there' recipes 'CE' and 'KL' have different labels .{told}.*not of"
    ):
        StudyRecipes(load_study(written({"recipes.1.set": labels, "recipes.1.grid": {}})))


def test_a_recipe_has_the_recipes_settings_then_the_splits_then_those_that_are_chosen(written, tmp_path):
    path = written(
        {"recipes.0.set": {"training": {"epochs": 5, "batch_size": 8}}, "splits.1.set": {"training.epochs": 6}},
        recipe={"data": "corpora", "training": {"threads": 4}},
    )
    recipes = StudyRecipes(load_study(path))
    there, back = recipes.of("CE", "there"), recipes.of("CE", "back", {"training.batch_size": 9})
    assert (there.training.epochs, there.training.batch_size, back.training.epochs, back.training.batch_size) == (
        5,
        8,
        6,
        9,
    )
    assert there.data == str(tmp_path / "corpora")
    assert there.training.threads == 1, "the processes of a study use the cores"
    assert there.name == "CE"


def test_points_are_every_combination_once():
    values = {"a": [1, 2, 3], "b": ["x", "y"]}
    assert points(values) == [{"a": a, "b": b} for a, b in itertools.product((1, 2, 3), "xy")]
    assert points({}) == [{}]


# ---- those that come with the package


def test_the_study_of_the_documentation_is_one(tmp_path):
    page = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    block, fused = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    fused = fused.replace("functionals", "CE").replace("log-Mel", "KL")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / "study.toml").write_text(f"{block}\n{fused}")
    study = load_study(tmp_path / "study.toml")
    assert [(entry.name, entry.fuses) for entry in study.recipes] == [("CE", ()), ("KL", ()), ("both", ("CE", "KL"))]
    assert len(StudyRecipes(study).variants("KL", "to alva")) == 3 * 3


def test_the_papers_protocol_is_complete():
    study = load_study(ROOT / "recipes/paper_protocol/study.toml")
    recipes = StudyRecipes(study)
    terms = {entry.name: recipes.of(entry.name, study.splits[0].name).terms[1:] for entry in study.recipes}
    divergences = {name: [term.f for term in its] for name, its in terms.items()}
    assert divergences == {
        "CE": [], "KL": ["kl"], "RKL": ["reverse_kl"], "PS": ["pearson"], "HLG": ["squared_hellinger"],
        "JS": ["jensen_shannon"],
    }  # fmt: skip
    assert {(t.weight, t.geometry, t.pairs) for its in terms.values() for t in its} == {(10.0, "chord", "triplets")}
    assert study.grid is not None
    inner = len(points(study.grid.values)) * len(study.splits) * 6 * study.grid.runs  # sessions
    assert inner + len(study.recipes) * len(study.splits) * len(study.seeds) == 1008
