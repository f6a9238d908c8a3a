"""MLflow's local store, read back by its client."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("mlflow")

from mlflow.tracking import MlflowClient

from affectspace.errors import InputError
from affectspace.trackers import mlflow_store, open_tracker, track
from affectspace.trackers.names import allowed


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store without runs: to lay its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow") / "store"
    open_tracker("mlflow", folder, project="none")
    return folder


@pytest.fixture
def place(empty, tmp_path):
    return shutil.copytree(empty, tmp_path / "store")


@pytest.fixture
def tell(place):
    return lambda *folders: track(folders, open_tracker("mlflow", place))


@pytest.fixture
def client(place):
    return MlflowClient(tracking_uri=f"sqlite:///{place / 'mlflow.db'}")


def runs_of(client):
    experiment = client.get_experiment_by_name("affectspace")
    return client.search_runs([experiment.experiment_id], order_by=["start_time"])


def values_of(client, run):
    """(key, step) to value, each of which is there once."""
    history = [metric for key in run.data.metrics for metric in client.get_metric_history(run.info.run_id, key)]
    values = {(metric.key, metric.step): metric.value for metric in history}
    assert len(values) == len(history)
    return values


def expected(run, final):
    told = run.points() | {(name, 2): value for name, value in final.items()}
    return {(allowed(name), epoch): value for (name, epoch), value in told.items()}


def test_what_is_read_back_is_what_the_lines_say(begin, tell, client, final, equal):
    run = begin(long="x" * 7000, strange={"ключ": 1}).epochs(1, 2, 3).finish()
    (run.path / "report.html").write_text("a page")
    tell(run.path)
    (found,) = runs_of(client)
    assert equal(values_of(client, found), expected(run, final))
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    params = found.data.params
    assert (params["seed"], params["labels.soft"], params["terms.0.kind"]) == ("3", "True", "triplet")
    assert len(params["long"]) == 6000
    assert params[allowed("strange.ключ")] == "1"
    assert found.data.tags["data.alva.sha256"] == "a" * 64
    kept = {each.path for each in client.list_artifacts(found.info.run_id)}
    assert kept == {"recipe.toml", "environment.txt", "metrics.json", "report.html"}


def test_telling_again_adds_what_is_new_alone(begin, tell, client, final, equal):
    run = begin().epochs(1, 2)
    tell(run.path)
    tell(run.path)
    (found,) = runs_of(client)
    assert (found.info.status, found.info.end_time) == ("RUNNING", None)
    assert equal(values_of(client, found), run.points())
    run.rewrite(run.lines[:1])  # killed, and resumed from an earlier checkpoint
    tell(run.path)
    run.epochs(2, 3).finish()
    tell(run.path)
    tell(run.path)
    (again,) = runs_of(client)
    assert again.info.run_id == found.info.run_id
    assert equal(values_of(client, again), expected(run, final))


def test_figures_that_are_no_longer_true_are_replaced(begin, tell, client, final, equal):
    run = begin().epochs(1, 2, 3)
    tell(run.path)
    run.rewrite(run.lines[:1]).epochs(2, shift=1e-6).finish()
    tell(run.path)
    (found,) = runs_of(client)
    assert equal(values_of(client, found), expected(run, final))


def test_a_writer_that_was_killed_between_its_calls_leaves_nothing_out(begin, place, tell, client, monkeypatch, equal):
    run = begin().epochs(1, 2, 3).finish()

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_store.MLflowStore, "_settings", killed)
        with pytest.raises(KeyboardInterrupt):
            tell(run.path)
    tell(run.path)
    (found,) = runs_of(client)
    assert found.data.params["seed"] == "3"
    assert (found.info.status, found.data.metrics["loss/train"]) == ("FINISHED", 1 / 5)


def test_many_epochs_go_in_several_calls(begin, tell, client):
    run = begin().epochs(*range(1, 150))
    tell(run.path)
    (found,) = runs_of(client)
    assert len(values_of(client, found)) == len(run.points()) > 1000


def test_folds_are_children_and_runs_that_diverged_have_failed(begin, tell, client, tmp_path):
    begin("whole/fold-00").epochs(1).finish()
    broken = begin("whole/fold-01").epochs(1)
    (broken.path / "diverged").mkdir()
    (broken.path / "diverged/batch.json").write_text("{}")
    tell(tmp_path / "whole")
    found = {run.info.run_name: run for run in runs_of(client)}
    whole = found["whole"].info.run_id
    assert found["whole/fold-00"].data.tags["mlflow.parentRunId"] == whole
    assert [found[f"whole/fold-0{place}"].info.status for place in (0, 1)] == ["FINISHED", "FAILED"]


def test_a_file_that_holds_something_else_at_its_size_is_kept_anew(begin, tell, client, monkeypatch):
    run = begin().epochs(1).finish()
    page, sent = run.path / "report.html", []
    log = MlflowClient.log_artifact
    monkeypatch.setattr(MlflowClient, "log_artifact", lambda *args: sent.append(Path(args[2]).name) or log(*args))
    page.write_text("one page")
    tell(run.path)
    page.write_text("another.")
    tell(run.path)
    tell(run.path)
    (found,) = runs_of(client)
    assert Path(client.download_artifacts(found.info.run_id, "report.html")).read_text() == "another."
    assert sorted(sent) == ["environment.txt", "metrics.json", "recipe.toml", "report.html", "report.html"]


def test_no_refusal_tells_a_password():
    with pytest.raises(InputError) as told:
        open_tracker("mlflow", uri="nonsense://ann:secret@here")
    assert str(told.value).startswith("MLflow at nonsense://here refuses (")
    assert "secret" not in str(told.value)


def test_a_store_that_cannot_be_used(tmp_path):
    with pytest.raises(
        InputError, match=r"MLflow at nonsense://here refuses \(.*\); name a store that it takes by --uri"
    ):
        open_tracker("mlflow", uri="nonsense://here")
