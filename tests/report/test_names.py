"""Runs side by side are called as briefly as tells them apart, and no two of them alike."""

import pytest

from affectspace.report import write_report
from affectspace.training.run import Run
from affectspace.training.runs import model_names, open_runs, run_names


@pytest.fixture
def place(make_run):
    """``place("study/CE/to cirin/seed-0", "CE", seed=0)``: runs that lie in one tree."""
    root = make_run("root", items=20, epochs=1, snapshots=()).parent

    def make(folder: str, name: str, seed: int, structure: float = 0.6) -> Run:
        source = make_run("run", name, seed=seed, structure=structure, items=20, epochs=1, snapshots=())
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        return Run(source.rename(root / folder))

    return make


def test_names_of_recipes_are_enough_where_they_differ(place):
    assert run_names([place("s/CE/one/seed-0", "CE", 0), place("s/KL/one/seed-0", "KL", 0)]) == ("CE", "KL")


def test_seeds_tell_runs_of_one_recipe_apart(place):
    runs = [place("s/CE/one/seed-0", "CE", 0), place("s/CE/one/seed-1", "CE", 1), place("s/KL/one/seed-0", "KL", 0)]
    assert run_names(runs) == ("CE (seed 0)", "CE (seed 1)", "KL")
    assert model_names(runs[:2]) == {"CE": [0, 1]}


def test_folders_do_where_seeds_do_not_and_without_what_they_share(place):
    runs = [place("s/CE/one/seed-0", "same", 0), place("s/KL/one/seed-0", "same", 0, structure=0.2)]
    assert run_names(runs) == ("same (CE)", "same (KL)")
    assert model_names(runs) == {"same (CE)": [0], "same (KL)": [1]}


def test_seeds_do_not_hide_that_two_models_differ(place):
    runs = [place("s/a/seed-0", "CE", 0), place("s/b/seed-1", "CE", 1, structure=0.2)]
    assert run_names(runs) == ("CE (a/seed-0)", "CE (b/seed-1)")
    assert model_names([*runs, place("s/a/seed-1", "CE", 1)]) == {"CE (a)": [0, 2], "CE (b/seed-1)": [1]}


def test_a_folder_that_is_named_twice_counts_once(place):
    run = place("s/a/seed-0", "CE", 0)
    assert len(open_runs([run.path, run.path.parent / "seed-0"])) == 1


def test_models_of_one_name_do_not_replace_each_other(place, tmp_path):
    runs = [
        place(f"s/{folder}/one/seed-{seed}", "same", seed, structure)
        for folder, structure in (("CE", 0.2), ("KL", 0.6))
        for seed in (0, 1)
    ]
    assert run_names(runs) == ("same (CE/seed-0)", "same (CE/seed-1)", "same (KL/seed-0)", "same (KL/seed-1)")
    assert model_names(runs) == {"same (CE)": [0, 1], "same (KL)": [2, 3]}
    assert "2 of same (CE), 2 of same (KL)" in write_report(runs, tmp_path).read_text(encoding="utf-8")
