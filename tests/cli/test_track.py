"""``affectspace track`` as people type it."""

from unittest.mock import Mock

import pytest

from affectspace.training import make_recipe
from affectspace.training import train as train_run

pytest.importorskip("tensorboard")


@pytest.fixture
def trained(lay_duo, tmp_path):
    values = lay_duo(tmp_path)
    return train_run(make_recipe(values), tmp_path / "runs/duo", quiet=True)


def test_a_run_is_told_once_and_again(run, trained, tmp_path):
    for _ in range(2):
        code, out, _ = run("track", "runs/duo", "--to", "tensorboard")
        assert code == 0
        assert out.splitlines()[0] == "duo: 2 epochs, finished"
        assert out.endswith("next:\n  tensorboard --logdir tracked/tensorboard\n")
    assert len(list((tmp_path / "tracked").rglob("*tfevents*"))) == 1


def test_a_run_that_is_not_finished_says_so(run, trained):
    (trained.path / "metrics.json").unlink()
    code, out, _ = run("track", "runs", "--to", "tensorboard", "--out", "tb", "--follow")
    assert code == 0
    assert "duo: 2 epochs, not finished" in out
    assert "note: duo is not finished; when more is trained, the same command adds it" in out


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ann:secret@host:5000", "open it in a browser: https://host:5000\n"),
        ("postgresql://ann:secret@host/db", "mlflow server --backend-store-uri postgresql://host/db  # of mlflow"),
    ],
)
def test_what_follows_tells_no_password(run, trained, monkeypatch, uri, shown):
    monkeypatch.setattr("affectspace.trackers.open_tracker", lambda *args, **how: Mock())
    code, out, err = run("track", "runs/duo", "--to", "mlflow", "--uri", uri)
    assert code == 0, err
    assert shown in out
    assert "secret" not in out + err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "wandb"], "error: name at least one run folder: affectspace track runs/NAME --to wandb"),
        (["nowhere", "--to", "tensorboard"], "error: there is no run folder nowhere; affectspace train makes one"),
        ([".", "--to", "tensorboard"], "error: . holds no run; name run folders"),
        ([".", "--to", "tensorboard", "--uri", "x"], "error: --uri names a store of MLflow, and tensorboard has none"),
    ],
)
def test_what_cannot_be_told(run, words, told):
    code, out, err = run("track", *words)
    assert (code, out) == (2, "")
    assert err.startswith(told)
