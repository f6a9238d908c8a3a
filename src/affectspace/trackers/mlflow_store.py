"""MLflow: a run of ours is a run of an experiment, found again by its id; a local SQLite file unless a URI is named."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import sha256
from affectspace.trackers.address import login, without_login
from affectspace.trackers.names import allowed, cut
from affectspace.trackers.record import Record, same

__all__ = ["MLflowStore"]

# Before it is loaded: it counts its own use on a server unless it is told not to, and asks a dead server for minutes.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

try:
    import alembic  # noqa: F401  (mlflow-skinny does without, but makes no local store then)
    import sqlalchemy  # noqa: F401
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
except ImportError as error:
    raise InputError(
        f'the store is written by mlflow, which cannot be loaded ({error}); pip install "affectspace[mlflow]"'
    ) from error

ID = "affectspace.run"  # the tag that a run is found again by
KEPT = "affectspace.kept"  # the tags of what its files held when they were kept
METRICS, PARAMS = 1000, 100  # of one call, at most
LONGEST_PARAM, LONGEST_TAG = 6000, 5000  # characters
STATES = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}


class MLflowStore:
    """Keeps runs in an experiment of MLflow: figures as metrics by epoch, the recipe as parameters, files as artifacts.

    Final figures stand at the epoch that they are of. A fold is a child of its run. A run of MLflow that holds other
    figures than its folder is deleted there (``mlflow`` can restore it) and written anew.

    Args:
        uri: of the tracking server or store.
        experiment: its name; it is made where there is none.
        artifacts: where a new experiment keeps files; None leaves that to the store.

    Raises:
        InputError: a store that cannot be used, with MLflow's reason.
    """

    def __init__(self, uri: str, experiment: str, artifacts: Path | None = None):
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.uri = uri
        self.told: dict[str, _Told] = {}  # by our ids
        with self._refusals():
            self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            found = self.client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage == "deleted":
                raise InputError(
                    f"the experiment {experiment!r} of {without_login(uri)} is deleted; restore it, or name another by "
                    "--project"
                )
            place = artifacts.resolve().as_uri() if artifacts else None
            self.experiment = (
                found.experiment_id if found else self.client.create_experiment(experiment, artifact_location=place)
            )

    def write(self, record: Record) -> None:
        """See :class:`affectspace.trackers.follow.Tracker`."""
        wanted = dict(_points(record))
        with self._refusals():
            told = self.told.get(record.id) or self._find(record)
            if told and told.differs(wanted, record.state == "finished"):
                self.client.delete_run(told.run)
                told = None
            told = self.told[record.id] = told or self._begin(record)
            missing = [
                Metric(key, value, int(record.told * 1000), step)
                for (key, step), value in wanted.items()
                if (key, step) not in told.points
            ]
            for metrics in _several(missing, METRICS):
                self.client.log_batch(told.run, metrics=metrics)
            told.points |= wanted
            for key, value in _tags(record).items():
                if told.tags.get(key) != value:
                    self.client.set_tag(told.run, key, value)
                    told.tags[key] = value
            self._keep(record.files, told)
            if told.state != STATES[record.state]:
                ended = None if record.state == "running" else int(record.told * 1000)
                told.state = STATES[record.state]
                if ended is None:
                    self.client.update_run(told.run, status=told.state)
                else:
                    self.client.set_terminated(told.run, told.state, ended)

    def _search(self, id: str) -> str | None:
        """MLflow's name of the run with our id."""
        found = self.client.search_runs([self.experiment], f"tags.`{ID}` = '{id}'", max_results=1)
        return found[0].info.run_id if found else None

    def _find(self, record: Record) -> "_Told | None":
        name = self._search(record.id)
        if name is None:
            return None
        run = self.client.get_run(name)
        keys = {key for (key, _), _ in _points(record)} & set(run.data.metrics)
        history = [metric for key in sorted(keys) for metric in self.client.get_metric_history(name, key)]
        points = {(metric.key, metric.step): metric.value for metric in history}
        self._settings(record, name, set(run.data.params))
        return _Told(name, points, dict(run.data.tags), run.info.status)

    def _begin(self, record: Record) -> "_Told":
        tags = {ID: record.id, **_tags(record)}
        if record.whole and (whole := self._search(record.whole)):
            tags["mlflow.parentRunId"] = whole
        run = self.client.create_run(self.experiment, int(record.begun * 1000), tags, record.name)
        self._settings(record, run.info.run_id, set())
        return _Told(run.info.run_id, {}, tags, run.info.status)

    def _settings(self, record: Record, run: str, there: set[str]) -> None:
        """Parameters, those that a killed writer has left out too."""
        named = {allowed(name): str(value) for name, value in record.settings.items()}
        params = [Param(name, cut(value, LONGEST_PARAM)) for name, value in named.items() if name not in there]
        for several in _several(params, PARAMS):
            self.client.log_batch(run, params=several)

    def _keep(self, files: Iterable[Path], told: "_Told") -> None:
        """The run's files, those that are not kept yet or hold something else: MLflow knows sizes, our tags hashes."""
        there = {each.path: each.file_size for each in self.client.list_artifacts(told.run)} if files else {}
        for path in files:
            tag, digest = f"{KEPT}.{path.name}.sha256", sha256(path)
            if there.get(path.name) != path.stat().st_size or told.tags.get(tag) != digest:
                self.client.log_artifact(told.run, str(path))
                self.client.set_tag(told.run, tag, digest)  # behind it, so that a killed writer's file is sent again
                told.tags[tag] = digest

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            reason = str(error).strip().splitlines()[0].replace(login(self.uri) or "\n", "")
            raise InputError(
                f"MLflow at {without_login(self.uri)} refuses ({reason}); name a store that it takes by --uri, such as "
                "sqlite:///mlflow.db or http://127.0.0.1:5000 where mlflow server runs"
            ) from error


class _Told:
    """What a run of MLflow holds: its name there, figures by key and step, tags, and its status."""

    def __init__(self, run: str, points: dict[tuple[str, int], float], tags: dict[str, str], state: str):
        self.run, self.points, self.tags, self.state = run, points, tags, state

    def differs(self, wanted: dict[tuple[str, int], float], finished: bool) -> bool:
        """Whether it holds a figure that is no longer true; of metrics that are ours."""
        keys = {key for key, _ in wanted}
        for place, value in self.points.items():
            if place in wanted and not same(value, wanted[place]):
                return True
            if finished and place not in wanted and place[0] in keys:
                return True
        return False


def _points(record: Record) -> Iterator[tuple[tuple[str, int], float]]:
    for epoch, figures in record.points.items():
        for name, value in figures.items():
            yield (allowed(name), epoch), value
    for name, value in record.final.items():
        yield (allowed(name), record.selected), value


def _tags(record: Record) -> dict[str, str]:
    return {allowed(name): cut(value, LONGEST_TAG) for name, value in record.tags.items()}


def _several(values: Sequence[Any], at_most: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, at_most)):
        yield some
