"""A study's folder in place of a run's is told with one of its runs."""

import pytest

from affectspace.errors import InputError
from affectspace.training.study_folder import refuse_study


def laid(folder, *runs):
    """A study with these finished runs."""
    (folder / "runs").mkdir(parents=True)
    (folder / "study.toml").write_text("")
    for run in runs:
        (folder / "runs" / run / "model").mkdir(parents=True)
        (folder / "runs" / run / "model/config.json").write_text("{}")
        (folder / "runs" / run / "metrics.json").write_text("{}")
    return folder


def refused(folder):
    with pytest.raises(InputError) as error:
        refuse_study(folder)
    return str(error.value)


def test_one_finished_run_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laid(tmp_path / "mine", "ce/alva/seed-0", "ce/alva/seed-1", "kl/alva/seed-0")
    (tmp_path / "mine/runs/ce/alva/seed-0/metrics.json").unlink()  # which tells that it is not finished
    assert refused("mine") == "mine is a study of several runs; name one of them, such as mine/runs/ce/alva/seed-1"
    laid(tmp_path / "of folds", "ce/alva/seed-0/fold-00", "ce/alva/seed-0/fold-01")
    (tmp_path / "of folds/runs/ce/alva/seed-0/metrics.json").write_text("{}")  # pooled over folds, without a model
    assert refused("of folds").endswith("; name one of them, such as 'of folds/runs/ce/alva/seed-0/fold-00'")


def test_a_study_without_a_finished_run_names_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laid(tmp_path / "my study")
    (tmp_path / "my study/runs/ce/alva/seed-0/model").mkdir(parents=True)
    assert refused("my study") == (
        "my study is a study, and none of its runs is finished; go on with it by: affectspace study "
        "'my study/study.toml' --out 'my study'"
    )


def test_what_is_no_study_is_left_alone(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/study.toml").write_text("")  # a study file, of which nothing has run
    for folder in ("recipes", "nowhere", "recipes/study.toml"):
        refuse_study(tmp_path / folder)
