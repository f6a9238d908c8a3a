"""Every study of real corpora is a legal one: a key that has changed its name is noticed without the corpora."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDIES = sorted(path.stem for path in (BENCHMARKS / "studies").glob("*.toml"))
STUDIES += ["zero_shot", "zero_shot_upper_bound"]


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("real_studies_bench", BENCHMARKS / "real_studies.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_study_is_run(bench):
    assert sorted(bench.NAMES) == sorted(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_legal(bench, tmp_path, name):
    bench.fill(tmp_path, tmp_path)
    study = load_study(tmp_path / f"{name}.toml")
    recipes = StudyRecipes(study, name)
    assert {
        recipes.of(entry.name, split.name).name for entry in study.recipes for split in study.splits if not entry.fuses
    }


def test_recipes_of_users_are_given_the_real_corpora(bench, tmp_path):
    bench.fill(tmp_path, tmp_path)
    for name in ("cross_language", "cross_language_log_mel"):
        recipe = tomllib.loads((tmp_path / f"{name}.toml").read_text(encoding="utf-8"))
        assert recipe["data"] == str(bench.DATA / "speech")
