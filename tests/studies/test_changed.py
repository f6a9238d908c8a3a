"""A finished run counts only for the recipe, the protocol and the data that it was trained by, wherever these lie."""

import copy
import json
import os
import shutil
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.features import LogMel
from affectspace.studies import execute, open_study
from affectspace.training.dotted import put

STUDY = {
    "name": "tiny", "seeds": 1, "recipes": [{"name": "CE", "path": "recipe.toml"}], "splits": [{"name": "there"}],
}  # fmt: skip
FOLDS = {"kind": "grouped_folds", "by": "speaker", "folds": 2, "validate_share": 0.0, "allow": ["script", "session"]}
RUN = Path("runs/CE/there/seed-0")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    make_synthetic_world(root, ("alva", "boro"), speakers=4, items_per_speaker=4)
    return root


@pytest.fixture
def world(untouched, tmp_path):
    return Path(shutil.copytree(untouched, tmp_path / "world"))


@pytest.fixture(scope="module")
def run(lay_tiny, here):
    """``run(folder, world, changes, recipe)``: a study with changes to its file and recipe, trained in this process."""

    def train(folder, world, changes=None, recipe=None, **how):
        values = copy.deepcopy(STUDY)
        for key, value in (changes or {}).items():
            put(values, key, value)
        path = lay_tiny(folder, values, world, {"training.selection": "last"} | (recipe or {}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execute, "Pool", here)
            return execute.run_study(path, folder / "out", **how)

    return train


@pytest.fixture
def study(run, world, tmp_path):
    """``study({"seeds": 3}, {"training.epochs": 2}, replace=True)``: run with changes to file and recipe."""
    return partial(run, tmp_path, world)


@pytest.fixture(scope="module")
def trained(run, untouched, tmp_path_factory):
    """``trained(seeds)``: the folder of a study that is finished; not to be changed."""

    @cache
    def train(seeds):
        folder = tmp_path_factory.mktemp("trained")
        assert run(folder, untouched, {"seeds": seeds}).ran == seeds
        return folder / "out"

    return train


@pytest.fixture
def finished(trained, untouched, world, tmp_path):
    """``finished(seeds)``: a copy of it as if it had been trained on this test's own corpora."""

    def lay(seeds=1):
        shutil.copytree(trained(seeds), tmp_path / "out")
        for recipe in (tmp_path / "out/runs").rglob("recipe.toml"):
            recipe.write_text(recipe.read_text().replace(str(untouched), str(world)))

    return lay


# ---- one fold or all of them


def test_one_fold_and_all_folds_are_never_taken_for_each_other(study, tmp_path):
    one, every = ({"protocol": FOLDS | {"fold": fold}} for fold in (0, "all"))
    assert study(recipe=one).finished == 1
    single = open_study(tmp_path / "out").runs
    with pytest.raises(
        InputError, match=r"0 still hold, and 1 does not; in runs/CE/there/seed-0: it holds a run of one fold"
    ):
        study(recipe=every)
    outcome = study(recipe=every, replace=True)
    assert (outcome.finished, outcome.ran, outcome.replaced) == (2, 2, 1)
    pooled = open_study(tmp_path / "out").runs
    assert pooled["selected_epoch"].tolist() == [[1, 1]]
    assert (tmp_path / "out/replaced/1" / RUN / "model").is_dir(), "the run of one fold, whole"

    with pytest.raises(InputError, match=r"0 still hold, and 1 does not; in .*: it holds 2 folds, and"):
        study(recipe=one)
    outcome = study(recipe=one, replace=True)
    assert (outcome.finished, outcome.ran) == (1, 1)
    again = open_study(tmp_path / "out").runs
    assert again["selected_epoch"].tolist() == [1]
    assert again["uar"].tolist() == single["uar"].tolist()
    assert (tmp_path / "out/replaced/2" / RUN / "fold-01/metrics.json").is_file()


def test_folds_that_there_are_no_more_are_not_pooled(study, tmp_path):
    def recipe(folds):
        return {"protocol": FOLDS | {"folds": folds, "fold": "all"}}

    assert study(recipe=recipe(3)).finished == 3
    with pytest.raises(InputError, match="0 still hold, and 3 do not"):
        study(recipe=recipe(2))
    assert study(recipe=recipe(2), replace=True).finished == 2
    assert open_study(tmp_path / "out").runs["selected_epoch"].tolist() == [[1, 1]]
    assert json.loads((tmp_path / "out" / RUN / "metrics.json").read_text())["counts"] == {"test": 32}


def test_folds_are_pooled_anew_where_the_pooled_figures_are_older_than_theirs(study, tmp_path):
    every = {"protocol": FOLDS | {"fold": "all"}}
    study(recipe=every)
    pooled = tmp_path / "out" / RUN / "metrics.json"
    whole = pooled.read_bytes()
    pooled.write_text("{}")
    os.utime(pooled, ns=(0, 0))
    assert study(recipe=every).ran == 0
    assert pooled.read_bytes() == whole


# ---- data


def recording(world: Path) -> None:
    first, second, *_ = sorted((world / "alva/audio").iterdir())
    first.write_bytes(second.read_bytes())


@pytest.mark.parametrize("whole", [True, False])
def test_runs_on_other_recordings_do_not_hold(study, finished, world, tmp_path, whole):
    finished(2)
    if not whole:
        (tmp_path / "out" / RUN / "metrics.json").unlink()
    recording(world)
    holds = rf"0 still hold, and 2 do not; in {RUN}: recordings of corpus alva, or the features made of them, have"
    with pytest.raises(InputError, match=holds):
        study({"seeds": 2})
    outcome = study({"seeds": 2}, replace=True)
    assert (outcome.ran, outcome.finished, outcome.replaced, outcome.failures) == (2, 2, 2, [])


def test_features_of_another_front_end_do_not_hold(study, finished, monkeypatch):
    finished()
    monkeypatch.setattr(LogMel, "fingerprint", "log_mel/999")
    with pytest.raises(InputError, match="recordings of corpus alva, boro, or the features made of them, have changed"):
        study()


def test_runs_on_other_vectors_do_not_hold(study, world):
    tables = {corpus: pd.read_csv(world / corpus / "items.csv") for corpus in ("alva", "boro")}
    names = [f"{corpus}/{item}" for corpus, items in tables.items() for item in items["id"]]
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(len(names), 3)), columns=["x", "y", "z"])
    table = table.assign(id=names)
    table.to_csv(world / "vectors.csv", index=False)
    recipe = {"features": {"kind": "vectors", "path": "vectors.csv"}, "encoder": {"kind": "mlp", "hidden": 4}}
    study(recipe=recipe)
    more = pd.concat([table, table[:1].assign(id="of nobody")])
    more[::-1].to_csv(world / "vectors.csv", index=False)
    assert study(recipe=recipe).ran == 0, "other vectors and another order make no difference"
    table.assign(x=table["x"].where(table["id"] != names[-1], 9.0)).to_csv(world / "vectors.csv", index=False)
    with pytest.raises(InputError, match="recordings of corpus boro, or the features made of them, have changed"):
        study(recipe=recipe)


def test_runs_on_a_corpus_that_has_changed_do_not_hold(study, finished, world):
    finished(2)
    table = world / "alva/ratings.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"0 still hold, and 2 do not; .*: the tables of corpus alva have changed"):
        study({"seeds": 2})


# ---- what makes no difference


def test_the_same_data_elsewhere_are_the_same(study, world, tmp_path):
    study({"seeds": 2})
    (tmp_path / "out" / RUN / "metrics.json").unlink()
    shutil.copytree(world, tmp_path / "elsewhere")
    shutil.rmtree(world)
    outcome = study({"seeds": 2}, {"data": str(tmp_path / "elsewhere")})
    assert (outcome.ran, outcome.finished, outcome.failures) == (1, 2, []), "one goes on, one is finished"


def test_other_data_elsewhere_under_another_name_do_not_hold(study, finished, world, tmp_path):
    finished()
    shutil.copytree(world, tmp_path / "elsewhere")
    card = tmp_path / "elsewhere/alva/corpus.toml"
    card.write_text(card.read_text().replace('"alva"', '"other"'))
    with pytest.raises(InputError, match="0 still hold, and 1 does not"):
        study(recipe={"data": str(tmp_path / "elsewhere"), "protocol.train": ["other"]})


def test_a_setting_that_the_run_did_not_know_has_its_default(study, finished, tmp_path):
    finished()
    path = tmp_path / "out" / RUN / "recipe.toml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(("length_pool", "checkpoint_seconds"))))
    (tmp_path / "out" / RUN / "metrics.json").unlink()
    assert study().ran == 1, "it goes on"
    path.write_text("".join(line for line in lines if not line.startswith(("length_pool", "checkpoint_seconds"))))
    assert study().ran == 0


def test_runs_of_before_hashes_were_kept_hold(study, finished, tmp_path):
    finished()
    path = tmp_path / "out" / RUN / "data.json"
    about = json.loads(path.read_text())
    for corpus in about["corpora"]:
        del corpus["items_sha256"]
    path.write_text(json.dumps(about))
    assert study().ran == 0


def test_other_versions_are_told(study, finished, tmp_path):
    finished()
    path = tmp_path / "out" / RUN / "environment.txt"
    text = path.read_text()
    (name,) = (line for line in text.splitlines() if line.startswith("torch "))
    path.write_text(text.replace(name, "torch 1.0"))
    outcome = study({"seeds": 2})
    assert outcome.ran == 1
    assert outcome.versions == {"torch": ["1.0", name.split()[1]]}
