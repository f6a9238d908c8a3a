"""How long a study will take, told before it begins: measured on short runs, or taken from finished ones."""

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from affectspace.studies.plan import Planned
from affectspace.studies.pool import Answer, Job, Pool

__all__ = ["Cost", "Costs", "finished_costs", "measure", "worth_it"]

Key = tuple[str, str, str]

LONGEST = 5.0  # seconds that one measurement may take, where three epochs take less
SHARE = 0.05  # of the study that measuring may cost
FIXED_EPOCHS = 2  # what beginning and ending a small run costs, in epochs, before anything is measured


@dataclass(frozen=True)
class Cost:
    """Seconds that a run takes: some for itself, some for each epoch."""

    fixed: float
    epoch: float

    def of(self, epochs: int) -> float:
        """Seconds of a run of so many epochs."""
        return self.fixed + self.epoch * epochs


@dataclass(frozen=True)
class Costs:
    """What runs cost, by kind, recipe and split; and the opening of data, which each process does for itself."""

    runs: Mapping[Key, Cost]
    data: float = 0.0

    def of(self, run: Planned) -> float | None:
        """Seconds of a run: by its own kind, else by the same recipe on other splits, else by all; None for nothing."""
        stage, recipe, _ = run.cost_key
        known = (
            [cost for key, cost in self.runs.items() if key == run.cost_key]
            or [cost for key, cost in self.runs.items() if key[:2] == (stage, recipe)]
            or list(self.runs.values())
        )
        return fmean(cost.of(run.settings.training.epochs) for cost in known) if known else None

    def wall(self, left: Sequence[Planned], processes: int, opened: frozenset[str] = frozenset()) -> float | None:
        """Seconds until all of them are done by so many processes; ``opened`` are keys of data that are there."""
        seconds = [self.of(run) for run in left]
        if not seconds or None in seconds:
            return None if left else 0.0
        keys = {Job(run.folder, run.settings).data_key for run in left} - opened
        whole = sum(second for second in seconds if second is not None) + self.data * len(keys)
        return whole / max(1, min(processes, len(left)))


def finished_costs(folder: Path, finished: Sequence[Planned]) -> dict[Key, Cost]:
    """What finished runs have cost, by their ``timing.json``."""
    seconds: dict[Key, list[float]] = defaultdict(list)
    for run in finished:
        try:
            took = float(json.loads((folder / run.folder / "timing.json").read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        seconds[run.cost_key].append(took / run.settings.training.epochs)
    return {key: Cost(0.0, fmean(each)) for key, each in seconds.items()}


def worth_it(left: Sequence[Planned], known: Mapping[Key, Cost], processes: int) -> list[Planned]:
    """One run of each kind that is to be measured: of each recipe on each split, or on one, or none at all.

    It is as many as cost less than a twentieth of what is left.
    """
    if len(left) < 2 * processes:
        return []
    whole = sum(run.settings.training.epochs + FIXED_EPOCHS for run in left)
    every = {run.cost_key: run for run in reversed(left) if run.cost_key not in known}
    recipes = {key[:2] for key in known}
    some = {run.cost_key[:2]: run for run in reversed(left) if run.cost_key[:2] not in recipes}
    for kinds in (every, some):
        runs = list(kinds.values())[::-1]
        if sum(1 + _long(run) + 2 * FIXED_EPOCHS for run in runs) <= SHARE * whole:
            return runs
    return []


def _long(run: Planned) -> int:
    """Epochs of the longer of two measurements."""
    epochs = run.settings.training.epochs
    return min(epochs, max(3, epochs // 2))


def measure(pool: Pool, runs: Sequence[Planned], folder: Path) -> tuple[Costs, frozenset[str]]:
    """Train each of ``runs`` for one epoch and for several in ``folder``, which is removed after.

    All processes are at work as they will be, so what they cost each other is in the figures. A run that
    fails here is left out: it will fail, and be told, in its own place.

    Returns:
        the costs, and the keys of the data that the processes now hold.
    """
    shutil.rmtree(folder, ignore_errors=True)
    answers: dict[Path, Answer] = {}

    def tell(job: Job, answer: Answer) -> None:
        answers[job.folder] = answer

    def train(turn: str, epochs: Mapping[Key, int]) -> dict[Key, float]:
        jobs = {}
        for number, run in enumerate(runs):
            if run.cost_key in epochs:
                jobs[run.cost_key] = _short(run, epochs[run.cost_key], folder / f"{turn}-{number}")
        pool.run(list(jobs.values()), tell)
        took = {key: answers[job.folder].seconds for key, job in jobs.items()}
        return {key: seconds for key, seconds in took.items() if seconds is not None}

    try:
        first = runs[: 2 * pool.processes]  # the first training of a process costs more than any other
        pool.run([_short(run, 1, folder / f"warm-{number}") for number, run in enumerate(first)], tell)
        one = train("one", {run.cost_key: 1 for run in runs})
        long = {}
        for run in runs:
            if (key := run.cost_key) in one:
                long[key] = max(min(3, _long(run)), min(_long(run), int(LONGEST / max(one[key], 1e-3))))
        several = train("several", {key: epochs for key, epochs in long.items() if epochs > 1})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    costs = {}
    for key, seconds in one.items():
        epochs = long[key]
        each = (several[key] - seconds) / (epochs - 1) if key in several else seconds
        each = max(each, 0.0)
        costs[key] = Cost(max(seconds - each, 0.0), each)
    opening = [answer.data_seconds for answer in answers.values() if answer.data_seconds > 1e-3]
    return Costs(costs, fmean(opening) if opening else 0.0), frozenset(Job(r.folder, r.settings).data_key for r in runs)


def _short(run: Planned, epochs: int, folder: Path) -> Job:
    settings = run.settings.training
    selection = min(settings.selection, epochs) if isinstance(settings.selection, int) else settings.selection
    training = settings.model_copy(update={"epochs": epochs, "selection": selection})
    return Job(folder, run.settings.model_copy(update={"training": training}), scratch=True)
