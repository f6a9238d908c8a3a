"""Which tracker, where, and what is refused."""

import sys

import pytest

from affectspace.errors import InputError
from affectspace.trackers import open_tracker


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("comet", {}, "there is no tracker 'comet'; choose tensorboard, mlflow or wandb"),
        (
            "wandb",
            {"uri": "http://x"},
            "--uri names a store of MLflow, and wandb has none; leave it out, or use --to mlflow",
        ),
        (
            "mlflow",
            {"uri": "http://x", "folder": "y"},
            "--uri and --out both say where MLflow keeps its runs; name one",
        ),
        (
            "mlflow",
            {"online": True},
            "--online is W&B's, and mlflow never goes online by it; leave it out, or use --to",
        ),
        ("tensorboard", {"project": "x"}, "--project is MLflow's or W&B's, and tensorboard has none; leave it out"),
    ],
)
def test_options_that_a_tracker_has_no_use_for(name, options, told):
    with pytest.raises(InputError) as refused:
        open_tracker(name, **options)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("name", "module", "library"),
    [
        ("tensorboard", "tensorboard_files", "tensorboard.compat.proto.event_pb2"),
        ("mlflow", "mlflow_store", "sqlalchemy"),
        ("wandb", "wandb_runs", "wandb"),
    ],
)
def test_a_tracker_that_is_not_installed_names_its_extra(name, module, library, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, f"affectspace.trackers.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf'cannot be loaded \(.*\); pip install "affectspace\[{name}\]"$'):
        open_tracker(name, tmp_path)
