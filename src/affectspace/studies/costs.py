"""What the runs of a study cost: measured on short ones, or taken from finished ones; and how long all take by that."""

import heapq
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from affectspace.studies.backlog import Backlog, Held
from affectspace.studies.executor import Executor
from affectspace.studies.job import Answer, Job
from affectspace.studies.plan import Planned

__all__ = ["Cost", "Costs", "finished_costs", "measure", "opened", "worth_it"]

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


class Costs:
    """What runs cost, by stage, work and split; and the opening of data, which each process does for itself.

    Args:
        runs: as far as they are known.
        items: seconds in which a process opens corpora.
        split: seconds in which it divides them, or takes another inner split.
    """

    def __init__(self, runs: Mapping[Key, Cost], items: float = 0.0, split: float = 0.0):
        self.runs = dict(runs)
        self.items, self.split = items, split
        self._seen: dict[Key, list[float]] = defaultdict(list)

    def saw(self, run: Planned, seconds: float) -> None:
        """A run has taken so long; that counts where nothing has been measured."""
        key = run.cost_key
        if key in self._seen or key not in self.runs:
            self._seen[key].append(seconds / run.settings.training.epochs)
            self.runs[key] = Cost(0.0, fmean(self._seen[key]))

    def of(self, run: Planned, guess: bool = False) -> float | None:
        """Seconds of a run: by those of its work on its split, else on others, else in another stage; None for none.

        Args:
            run: which.
            guess: take the mean of other work rather than nothing.
        """
        stage, work, _ = run.cost_key
        for alike in (
            [self.runs[run.cost_key]] if run.cost_key in self.runs else [],
            [cost for key, cost in self.runs.items() if key[:2] == (stage, work)],
            [cost for key, cost in self.runs.items() if key[1] == work],
            list(self.runs.values()) if guess else [],
        ):
            if alike:
                return fmean(cost.of(run.settings.training.epochs) for cost in alike)
        return None

    def bounds(self, runs: Sequence[Planned]) -> bool:
        """Whether none of them may cost more than is known.

        An inner run, which trains on fewer items and tests none, costs no more than one of its split that is
        tested; other splits may have more items.
        """
        return all(run.cost_key in self.runs or ("final", run.work, run.split) in self.runs for run in runs)

    def wall(self, stages: Sequence[Sequence[Planned]], processes: Sequence[Held], guess: bool = False) -> float | None:
        """Seconds until all are done, by processes that take one run after another as those of a pool do.

        No run begins before all of the stage before are done.

        Args:
            stages: runs that are left.
            processes: what data each holds.
            guess: take other work for what is not known, rather than knowing nothing.
        """
        held, now = [process.copy() for process in processes], 0.0
        for left in stages:
            backlog, free, ends = Backlog(left), [(now, place) for place in range(len(held))], now
            while backlog:
                began, place = heapq.heappop(free)
                run = backlog.next_for(held[place], [other for other in held if other is not held[place]])
                seconds = None if run is None else self.of(run, guess)
                if run is None or seconds is None:
                    return None
                items, split = held[place].take(run)
                ready = began + seconds + self.items * items + self.split * (split and not items)
                ends = max(ends, ready)
                heapq.heappush(free, (ready, place))
            now = ends
        return now


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


def worth_it(left: Sequence[Planned], known: Mapping[Key, Cost], processes: int) -> tuple[list[Planned], int]:
    """One run of each kind that is to be measured, and for how many epochs at most.

    Of each work on each split, or on one, or none at all: as many as cost less than a twentieth of what is left.
    """
    whole = sum(run.settings.training.epochs + FIXED_EPOCHS for run in left)
    every = {run.cost_key: run for run in reversed(left) if run.cost_key not in known}
    elsewhere = {key[:2] for key in known}
    some = {run.cost_key[:2]: run for run in reversed(left) if run.cost_key[:2] not in elsewhere}
    for runs in (list(every.values())[::-1], list(some.values())[::-1]):
        if not runs or len(left) < 2 * processes:
            continue
        each = SHARE * whole / max(len(runs), processes) - 3 * FIXED_EPOCHS - 2  # to warm up, one epoch, several
        if each >= 2:
            return runs, int(each)
    return [], 0


def measure(pool: Executor, runs: Sequence[Planned], folder: Path, longest: int) -> Costs:
    """Train each of ``runs`` for one epoch and for several, at most ``longest``, in ``folder``, which is removed after.

    All processes are at work as they will be, so what they cost each other is in the figures. A run that
    fails here is left out: it will fail, and be told, in its own place.
    """
    shutil.rmtree(folder, ignore_errors=True)
    copies = -(-pool.processes // len(runs))
    answers: dict[Path, Answer] = {}

    def tell(job: Job, answer: Answer) -> None:
        answers[job.folder] = answer

    def train(turn: str, epochs: Mapping[Key, int]) -> dict[Key, float]:
        jobs: dict[Key, list[Job]] = defaultdict(list)
        for number, run in enumerate([run for run in runs for _ in range(copies)]):
            if run.cost_key in epochs:
                jobs[run.cost_key].append(_short(run, epochs[run.cost_key], folder / f"{turn}-{number}"))
        pool.run([job for its in jobs.values() for job in its], tell)
        took = {key: [answers[job.folder].seconds for job in its] for key, its in jobs.items()}
        return {key: fmean(s for s in its if s is not None) for key, its in took.items() if None not in its}

    try:
        first = [run for run in runs for _ in range(copies)][: 2 * pool.processes]
        # The first training of a process costs more than any other.
        pool.run([_short(run, 1, folder / f"warm-{number}") for number, run in enumerate(first)], tell)
        one = train("one", {run.cost_key: 1 for run in runs})
        many = {run.cost_key: _several(run, one[run.cost_key], longest) for run in runs if run.cost_key in one}
        several = train("several", {key: epochs for key, epochs in many.items() if epochs > 1})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    costs = {}
    for key, seconds in one.items():
        each = (several[key] - seconds) / (many[key] - 1) if key in several else seconds
        each = max(each, 0.0)
        costs[key] = Cost(max(seconds - each, 0.0), each)
    return Costs(costs, *_opening(list(answers.values())))


def opened(pool: Executor, left: Sequence[Planned]) -> tuple[float, float]:
    """Let processes open the data of the run that each begins with, and one of them those of a run on another split.

    They hold these data then, so that it costs nothing.

    Returns:
        Seconds in which a process opens corpora, and in which it divides them.
    """
    backlog, held = Backlog(left), pool.held
    first = []
    for place, its in enumerate(held):
        if run := backlog.next_for(its, held[:place] + held[place + 1 :]):
            its.take(run)
            first.append(run)
    other = next((run for run in left if not any(run.split_key in its.splits for its in held)), None)
    answers: list[Answer] = []
    for runs in (first, [other] if other else []):
        jobs = [Job(run.folder, run.settings, only_open=True) for run in runs]
        pool.run(jobs, lambda _, answer: answers.append(answer))
    return _opening(answers)


def _opening(answers: Sequence[Answer]) -> tuple[float, float]:
    items, divided = ([a.data_seconds for a in answers if a.new_items is new] for new in (True, False))
    splits = [seconds for seconds in divided if seconds > 1e-3]  # others were there already
    return fmean(items or [0.0]), fmean(splits or [0.0])


def _several(run: Planned, seconds: float, longest: int) -> int:
    """Epochs of the longer measurement of a run of which one epoch has taken ``seconds``."""
    epochs = run.settings.training.epochs
    return min(epochs, longest, max(3, min(epochs // 2, int(LONGEST / max(seconds, 1e-3)))))


def _short(run: Planned, epochs: int, folder: Path) -> Job:
    settings = run.settings.training
    selection = min(settings.selection, epochs) if isinstance(settings.selection, int) else settings.selection
    training = settings.model_copy(update={"epochs": epochs, "selection": selection})
    return Job(folder, run.settings.model_copy(update={"training": training}), scratch=True)
