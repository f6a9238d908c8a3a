"""Every study of real corpora is a legal one: a key that has changed its name is noticed without the corpora."""

import importlib.util
from pathlib import Path

import pytest

from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDIES = sorted(path.stem for path in (BENCHMARKS / "studies").glob("*.toml"))


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("real_studies_bench", BENCHMARKS / "real_studies.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_study_is_run(bench):
    assert sorted(bench.NAMES) == STUDIES


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_legal(bench, tmp_path, name):
    for path in [*(BENCHMARKS / "studies").glob("*.toml"), *(BENCHMARKS / "studies/recipes").glob("*.toml")]:
        bench.fill(path, tmp_path / path.relative_to(BENCHMARKS / "studies"), tmp_path)
    study = load_study(tmp_path / f"{name}.toml")
    recipes = StudyRecipes(study, name)
    assert {recipes.of(entry.name, split.name).name for entry in study.recipes for split in study.splits}
