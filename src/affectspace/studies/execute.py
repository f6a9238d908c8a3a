"""A study from its file to its finished runs; what is finished is never run again."""

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from affectspace.errors import AffectspaceError, DivergedError, InputError
from affectspace.files import held, write_text
from affectspace.studies.data import Question, StudyData, open_data
from affectspace.studies.plan import Choice, Planned, PointNumbers, plan_final, plan_grid, plan_own
from affectspace.studies.pool import Answer, Job, Pool
from affectspace.studies.prediction import Costs, finished_costs, measure, opened, worth_it
from affectspace.studies.progress import Bar, Clock
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.selection import Selection, outcomes, stand_in
from affectspace.studies.status import (
    Status,
    epochs_kept,
    finished,
    nearest,
    no_longer_planned,
    refuse_stale,
    replace_stale,
    settled,
    status_of,
    versions,
)
from affectspace.studies.study import Study, dump_study, load_study, slug
from affectspace.studies.words import counted, duration

__all__ = ["Failure", "FullDisk", "Outcome", "run_study"]


class FullDisk(AffectspaceError):
    """The disk is full: nothing can go on, and nothing that is finished is lost."""


@dataclass(frozen=True)
class Failure:
    """A run that failed by itself: where it lies, why, the exit code of such a fault, and the trace of one of ours."""

    folder: Path
    error: str
    code: int
    trace: str = ""


@dataclass
class Outcome:
    """How a call of a study ended.

    Args:
        study: what was asked for.
        folder: where it lies.
        planned: how many runs it has, those of folds and grids counted one by one.
        finished: how many of them are, now.
        ran: how many this call has trained.
        diverged: runs of the grid that diverged, now or before; what they tried is not chosen.
        failures: other runs that failed in this call.
        blocked: what could not be run, as runs failed that were to choose for it.
        unplanned: folders of runs that the study no longer plans.
        replaced: how many runs of other recipes were moved away.
        taken_up: runs whose process ended under them, and with which another went on.
        versions: of packages of which the runs have seen several.
        seconds: of this call.
        predicted: what was predicted for all of it before it began to train; None where too little was known.
    """

    study: Study
    folder: Path
    planned: int = 0
    finished: int = 0
    ran: int = 0
    diverged: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    unplanned: list[Path] = field(default_factory=list)
    replaced: int = 0
    taken_up: list[Path] = field(default_factory=list)
    versions: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    predicted: float | None = None

    @property
    def exit_code(self) -> int:
        """0, or that of the gravest failure; settings of which all diverged are one."""
        diverged = DivergedError.exit_code if self.blocked else 0
        return max((failure.code for failure in self.failures), default=diverged)


def run_study(
    path: str | Path,
    folder: str | Path | None = None,
    *,
    processes: int = 2,
    replace: bool = False,
    quiet: bool = True,
) -> Outcome:
    """Train every run of a study that is not finished, several at once, and choose what it leaves open.

    Args:
        path: the study file.
        folder: of the study; ``studies/NAME`` by default.
        processes: how many runs are trained at once.
        replace: move runs of other recipes away, and train these anew.
        quiet: say nothing; else the prediction and, on a terminal, a bar.

    Raises:
        InputError: anything wrong in the study file, its recipes or its data, before anything is trained; a
            folder of another study, or with runs of other recipes.
        FullDisk: the disk is full.
    """
    study = load_study(path)
    if processes < 1:
        raise InputError(f"--processes is {processes}; at least 1 is needed")
    recipes = StudyRecipes(study, str(path))
    folder = Path(folder) if folder is not None else Path("studies") / slug(study.name)
    _refuse_other(folder, study)
    clock = Clock(folder, processes)
    console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, soft_wrap=True)
    console.print("opening the data ...")
    data = open_data(recipes, quiet=quiet)
    busy = f"another process is at work on the study in {folder}; wait for it, or choose another --out"
    with held(folder, busy), Pool(processes) as pool:
        return _Call(recipes, data, folder, pool, replace, clock, console).run()


def _refuse_other(folder: Path, study: Study) -> None:
    if (folder / "recipe.toml").is_file():
        raise InputError(f"{folder} holds a run; choose another folder with --out")
    try:
        other = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8")).get("name")
    except (OSError, ValueError):
        return  # none, or one that is written anew
    if other != study.name:
        raise InputError(f"{folder} holds the study {other!r}, not {study.name!r}; choose another folder with --out")


class _Call:
    """One call of a study: what is left of it is foreseen, told, and trained stage by stage."""

    def __init__(
        self,
        recipes: StudyRecipes,
        data: StudyData,
        folder: Path,
        pool: Pool,
        replace: bool,
        clock: Clock,
        console: Console,
    ):
        self.recipes, self.data, self.folder, self.pool, self.replace = recipes, data, folder, pool, replace
        self.clock, self.console = clock, console
        self.outcome = Outcome(recipes.study, folder)
        self.selection = Selection(recipes, data, folder)
        self.numbers = PointNumbers.read(folder / "grid" / "points.json")
        self.costs = Costs({})
        self.later: list[list[Planned]] = []  # stages after the one that is at work, as far as they are known
        self.told = False  # how long it will take
        self.may: set[Path] = set()  # finished runs that hold only if what is chosen is what they were trained by

    def run(self) -> Outcome:
        """All of it."""
        _sweep(self.folder)
        everything, at_most = self._foresee()
        write_text(self.folder / "study.toml", dump_study(self.recipes.study))
        self.selection.write()  # so that plan and choices fit, whatever ends this call
        self.numbers.write(self.folder / "grid" / "points.json")
        try:
            if self._left(everything):
                self._predict(everything, at_most)
            done = len(everything) - len(self._to_do(everything))
            with Bar(self.console, done, len(everything)) as bar:
                self._stages(bar)
        except BaseException:
            with suppress(OSError):  # what happened is to be told, and not that the disk is full for this as well
                self.clock.write(everything)
            raise
        self.clock.write(everything)
        self.outcome.diverged = [r.folder for r in everything if self._settled(r) and not self._finished(r)]
        self.outcome.finished = sum(map(self._settled, everything))
        self.outcome.taken_up = list(dict.fromkeys(job.folder for job in self.pool.taken_up))
        self.outcome.versions = versions(self.folder, everything)
        self.outcome.seconds = self.clock.seconds
        return self.outcome

    def _finished(self, run: Planned) -> bool:
        return finished(self.folder / run.folder)

    def _settled(self, run: Planned) -> bool:
        return settled(self.folder / run.folder, run)

    def _left(self, planned: Sequence[Planned]) -> list[Planned]:
        return [run for run in planned if not self._settled(run)]

    def _to_do(self, planned: Sequence[Planned]) -> list[Planned]:
        """What is left, with all that may be to do again."""
        again = self.may if self.replace else set()
        return [run for run in planned if run.folder in again or not self._settled(run)]

    def _foresee(self) -> tuple[list[Planned], bool]:
        """Every run, as far as it can be known before anything is trained, and whether it may become less work.

        Runs of other recipes are refused here, or moved away. What waits for a choice is planned with a
        stand-in for it, and refused where no choice could make it hold.
        """
        self.selection = selection = Selection(self.recipes, self.data, self.folder)
        grid = plan_grid(self.recipes, self.data, self.numbers)
        status = self._cleared(grid)
        chosen = selection.shared(grid, status)
        own = plan_own(self.recipes, self.data, chosen, self.numbers)
        status += self._cleared(own)
        choices = selection.own(chosen, own, status)
        final = plan_final(self.recipes, self.data, choices)
        status += self._cleared(final)
        known = {run.folder for run in (*grid, *own, *final)}
        own = plan_own(self.recipes, self.data, stand_in(self.recipes, self.data, chosen), self.numbers)
        final = plan_final(self.recipes, self.data, stand_in(self.recipes, self.data, choices))
        everything = [*grid, *own, *final]
        may = self._cleared(self._may_be([run for run in everything if run.folder not in known], choices))
        self.may = {run.folder for run in (*may.finished, *may.diverged)}
        refuse_stale(status + may, self.folder, len(self.may))
        self.outcome.planned = len(everything)
        self.outcome.unplanned = no_longer_planned(self.folder, everything)
        curves = all(run.settings.monitor.test_curve for run in final)
        waits = set(self.data.questions) != set(choices)
        return everything, self.recipes.study.searched.epoch and waits and not curves

    def _may_be(self, waiting: list[Planned], choices: dict[Question, Choice]) -> list[Planned]:
        """Runs that wait for a choice, each by the outcome that is nearest to what lies in its folder."""
        there = {run.folder for run in waiting if (self.folder / run.folder / "recipe.toml").is_file()}
        possible = [run for run in waiting if run.folder not in there]
        epochs = epochs_kept(self.folder, waiting)
        for outcome in outcomes(self.recipes, self.data, choices, epochs) if there else ():
            planned = (
                plan_own(self.recipes, self.data, outcome, self.numbers),
                plan_final(self.recipes, self.data, outcome),
            )
            possible += [run for runs in planned for run in runs if run.folder in there]
        return nearest(self.folder, possible)

    def _cleared(self, planned: list[Planned]) -> Status:
        """How far these runs are; runs of other recipes are moved away, if that was asked for."""
        status = status_of(self.folder, planned, self.data)
        if self.replace and status.stale:
            self.outcome.replaced += replace_stale(status, self.folder)
            status = status_of(self.folder, planned, self.data)
        return status

    def _predict(self, everything: Sequence[Planned], at_most: bool) -> None:
        left = self._to_do(everything)
        done = [run for run in everything if self._settled(run)]
        known = finished_costs(self.folder, done)
        self.costs = Costs(known)
        probed, longest = worth_it(left, known, self.pool.processes)
        if probed:
            with self.console.status(f"measuring {counted(len(probed), 'kind')} of runs ..."):
                measured = measure(self.pool, probed, self.folder / ".probe", longest)
            self.costs = Costs({**known, **measured.runs}, measured.items, measured.split)
        elif known:
            with self.console.status("opening the data in all processes ..."):
                self.costs = Costs(known, *opened(self.pool, [run for run in left if run.stage == left[0].stage]))
        by_stage = [[run for run in left if run.stage == stage] for stage in ("grid", "own", "final")]
        seconds = self.costs.wall(by_stage, self.pool.held)
        self.later, self.told = by_stage, seconds is not None
        whole = self.outcome.predicted = None if seconds is None else self.clock.seconds + seconds
        self.clock.predict(seconds, len(everything), bool(done) and not self.outcome.replaced)
        grid = sum(run.stage != "final" for run in everything)
        parts = [f"{grid:,} grid, {len(everything) - grid:,} final"] if grid else []
        hold = len(done) - len(self.may)
        parts += [f"{hold:,} already finished"] if hold else []
        parts += [f"{len(self.may):,} finished that may not hold once settings are chosen"] if self.may else []
        of = f" ({'; '.join(parts)})" if parts else ""
        on = f"on {self.pool.processes} process{'es' if self.pool.processes > 1 else ''}"
        if whole is not None:
            told = f": {'at most' if at_most and self.costs.bounds(left) else 'about'} {duration(whole)} {on}"
        elif len(left) > self.pool.processes:
            told = f" {on}; how long they take is told after the first of them"
        else:
            told = f" {on}, all at once"
        self.console.print(f"{counted(len(everything), 'run')}{of}{told}")
        if self.may and not self.replace:
            self.console.print("where the choice does not suit them --replace will be asked for; runs of the grid stay")

    def _stages(self, bar: Bar) -> None:
        """Grid, choice, own grids, choice, and the runs that are tested."""
        grid = plan_grid(self.recipes, self.data, self.numbers)
        status = self._train(grid, bar)
        self.selection = selection = Selection(self.recipes, self.data, self.folder)
        chosen = selection.shared(grid, status)
        own = plan_own(self.recipes, self.data, chosen, self.numbers)
        status = self._train(own, bar)
        choices = selection.own(chosen, own, status)
        selection.write()
        self.outcome.blocked = _blocked(selection.open)
        final = plan_final(self.recipes, self.data, choices)
        self._train(final, bar)
        self._pool_folds(final)

    def _train(self, planned: list[Planned], bar: Bar) -> Status:
        """What became of these runs."""
        status = self._cleared(planned)
        refuse_stale(status, self.folder)
        self.later = self.later[1:]
        for run in planned:
            if self.replace and run.folder in self.may and self._settled(run):
                bar.advance()  # it does hold
        waiting = {self.folder / run.folder: run for run in status.left}

        def tell(job: Job, answer: Answer) -> None:
            run = waiting.pop(job.folder)
            if answer.full:
                done = sum(map(self._settled, planned))
                raise FullDisk(
                    f"{answer.error}; free some space, then the same command goes on where it stopped: the runs that "
                    f"are finished stay ({done} of the {len(planned)} of this stage)"
                )
            if answer.seconds is not None:
                self.outcome.ran += 1
                self.costs.saw(run, answer.seconds)
            elif not self._settled(run):
                self.outcome.failures.append(Failure(run.folder, answer.error, answer.code, answer.trace))
            first = not self.told and self.outcome.ran >= self.pool.processes
            if self.clock.due() or first:
                self.clock.keep()
                self._expect([list(waiting.values()), *self.later], bar)
            bar.advance()

        if waiting:
            self.pool.run([Job(place, run.settings) for place, run in waiting.items()], tell)
            order = [run.folder for run in planned]
            self.outcome.failures.sort(key=lambda failed: order.index(failed.folder) if failed.folder in order else -1)
        return status_of(self.folder, planned, self.data) if status.left else status

    def _expect(self, left: list[list[Planned]], bar: Bar) -> None:
        """Tell how long the rest takes, by what is known now."""
        seconds = self.costs.wall(left, self.pool.held, guess=True)
        if seconds is None:
            return
        bar.expect(self.clock.seconds, seconds)
        if not self.told and any(left):
            self.console.print(f"judging by the first, about {duration(seconds)} are left")
        self.told = True

    def _pool_folds(self, final: Sequence[Planned]) -> None:
        """The pooled figures of every seed whose folds are all there, where they are not those of these folds."""
        from affectspace.training.folds import pool_folds

        wholes: dict[Path, list[Planned]] = {}
        for run in final:
            if run.fold is not None:
                wholes.setdefault(self.folder / run.folder.parent, []).append(run)
        for place, runs in wholes.items():
            if len(runs) == len(self.data.folds[runs[0].split]) and all(map(self._finished, runs)):
                ended = max((self.folder / run.folder / "metrics.json").stat().st_mtime_ns for run in runs)
                pooled = place / "metrics.json"
                if not pooled.is_file() or pooled.stat().st_mtime_ns < ended:
                    pool_folds(runs[0].settings, place)


def _blocked(waiting: Mapping[Question, Sequence[str]]) -> list[str]:
    return [
        f"{', '.join(names)} on split {split!r}{'' if fold is None else f', fold {fold}'}"
        for (split, fold), names in waiting.items()
    ]


def _sweep(folder: Path) -> None:
    """Remove what a killed call has left: half-written files beside ``study.toml``, and measurements."""
    for leftover in (folder / ".probe", *folder.glob(".*.partial")):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
