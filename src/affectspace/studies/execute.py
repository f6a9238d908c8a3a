"""A study from its file to its finished runs; what is finished is never run again."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import chain
from pathlib import Path

from rich.console import Console

from affectspace.clusters import Local, Where
from affectspace.errors import InputError
from affectspace.files import held, write_text
from affectspace.studies.board import Board
from affectspace.studies.claims import give_back
from affectspace.studies.data import Question, StudyData, open_data
from affectspace.studies.executor import Executor
from affectspace.studies.folder import as_begun, refuse_other
from affectspace.studies.forecast import Forecast
from affectspace.studies.job import Answer, Job
from affectspace.studies.on_cluster import cluster_pool, connected
from affectspace.studies.outcome import Failure, FullDisk, Outcome
from affectspace.studies.plan import Choice, Planned, PointNumbers, plan_final, plan_grid, plan_own
from affectspace.studies.pool import Pool
from affectspace.studies.progress import Bar, Clock
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.selection import Selection, outcomes, stand_in
from affectspace.studies.slurm_queue import end_left
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
from affectspace.studies.study import dump_study, load_study, slug

__all__ = ["run_study"]

HERE = Local()
PROCESSES = 2  # here, where their number is not given


def run_study(
    path: str | Path,
    folder: str | Path | None = None,
    *,
    processes: int | None = None,
    replace: bool = False,
    quiet: bool = True,
    on: Where = HERE,
) -> Outcome:
    """Train every run of a study that is not finished, several at once, and choose what it leaves open.

    Args:
        path: the study file.
        folder: of the study; ``studies/NAME`` by default.
        processes: how many runs are trained at once; by default 2 here, and one for each CPU of a cluster.
        replace: move runs of other recipes away, and train these anew.
        quiet: say nothing; else the prediction and, on a terminal, a bar.
        on: where: on this machine, or on a cluster whose nodes see the data and the study's folder at the same paths.

    Raises:
        InputError: anything wrong in the study file, its recipes or its data, before anything is trained; a
            folder of another study, or with runs of other recipes; a cluster that is not there, or none of whose
            nodes can do the work; a job array of SLURM that an earlier call has left, on a machine without SLURM.
        AffectspaceError: SLURM does not answer while such an array may be at work.
        FullDisk: the disk is full.
    """
    given = load_study(path)
    if processes is not None and processes < 1:
        raise InputError(f"--processes is {processes}; at least 1 is needed")
    folder = Path(folder) if folder is not None else Path("studies") / slug(given.name)
    study = as_begun(given, folder)
    recipes = StudyRecipes(study, str(path))
    refuse_other(folder, study)
    clock = Clock(folder)
    console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, soft_wrap=True)
    if study != given:
        console.print(
            f"in {folder} the split {given.splits[0].name!r} keeps the name that it was begun with, "
            f"{study.splits[0].name!r}; it is that one fold, and runs that are finished stay"
        )
    with connected(on):  # or told that it cannot be, before any feature is made
        console.print("opening the data ...")
        data = open_data(recipes, quiet=quiet)
        busy = f"another process is at work on the study in {folder}; wait for it, or choose another --out"
        with held(folder, busy):
            refuse_other(folder, study)  # another call may have begun, and ended, since
            clock.read()
            _sweep(folder)
            end_left(folder, console.print)
            give_back(folder)
            with _executor(on, processes, folder, recipes, console.print) as pool:
                return _Call(recipes, data, folder, pool, replace, clock, console, str(on)).run()


def _executor(
    on: Where, processes: int | None, folder: Path, recipes: StudyRecipes, tell: Callable[[str], None]
) -> AbstractContextManager[Executor]:
    if isinstance(on, Local):
        return Pool(processes or PROCESSES)
    study = recipes.study
    trained = (recipes.variants(entry.name, split.name) for entry in study.trained for split in study.splits)
    return cluster_pool(on, folder, chain.from_iterable(trained), processes, tell)


class _Call:
    """One call of a study: what is left of it is foreseen, told, and trained stage by stage."""

    def __init__(
        self,
        recipes: StudyRecipes,
        data: StudyData,
        folder: Path,
        pool: Executor,
        replace: bool,
        clock: Clock,
        console: Console,
        on: str,
    ):
        self.recipes, self.data, self.folder, self.pool, self.replace = recipes, data, folder, pool, replace
        self.clock, self.console = clock, console
        clock.processes = pool.processes
        self.board = Board(folder, on, pool, clock)
        pool.beat = self.board.beat
        self.forecast = Forecast(folder, pool, clock, console)
        self.outcome = Outcome(recipes.study, folder)
        self.selection = Selection(recipes, data, folder)
        self.numbers = PointNumbers.read(folder / "grid" / "points.json")
        self.may: set[Path] = set()  # finished runs that hold only if what is chosen is what they were trained by

    def run(self) -> Outcome:
        """All of it."""
        everything, at_most = self._foresee()
        write_text(self.folder / "study.toml", dump_study(self.recipes.study))
        self.selection.write()  # so that plan and choices fit, whatever ends this call
        self.numbers.write(self.folder / "grid" / "points.json")
        try:
            if self._left(everything):
                self.board.plan(everything, None)
                self._tell(everything, at_most)
            self.board.plan(everything, self.forecast.left)
            done = len(everything) - len(self._to_do(everything))
            with Bar(self.console, done, len(everything)) as bar:
                self._stages(bar)
        except BaseException as error:
            self.board.end(error)
            with suppress(OSError):  # what happened is to be told, and not that the disk is full for this as well
                self.clock.write(everything)
            raise
        self.board.end()
        self.clock.write(everything)
        # Another may have finished by now what was taken from the one who failed.
        self.outcome.failures = [f for f in self.outcome.failures if not finished(self.folder / f.folder)]
        self.outcome.diverged = [r.folder for r in everything if self._settled(r) and not self._finished(r)]
        self.outcome.finished = sum(map(self._settled, everything))
        self.outcome.taken_up = list(dict.fromkeys(job.folder for job in self.pool.taken_up))
        self.outcome.lost = list(self.pool.lost)
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

    def _tell(self, everything: Sequence[Planned], at_most: bool) -> None:
        """What is to be done, and how long it will take."""
        done = [run for run in everything if self._settled(run)]
        going_on = bool(done) and not self.outcome.replaced
        left, may = self._to_do(everything), len(self.may)
        self.outcome.predicted = self.forecast.begin(everything, left, done, may, at_most, going_on)
        if may and not self.replace:
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
        self.forecast.next_stage()
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
                self.forecast.saw(run, answer.seconds)
            elif not self._settled(run):
                self.outcome.failures.append(Failure(run.folder, answer.error, answer.code, answer.trace))
                self.board.failed(self.outcome.failures[-1])
            self.forecast.again(list(waiting.values()), self.outcome.ran, bar)
            self.board.expect(self.forecast.left)
            self.board.beat()
            bar.advance()

        if waiting:
            self.pool.run([Job(place, run.settings) for place, run in waiting.items()], tell)
            order = [run.folder for run in planned]
            self.outcome.failures.sort(key=lambda failed: order.index(failed.folder) if failed.folder in order else -1)
        return status_of(self.folder, planned, self.data) if status.left else status

    def _pool_folds(self, final: Sequence[Planned]) -> None:
        """The pooled figures of every seed whose folds are all there, where they are not those of these folds."""
        from affectspace.training.folds import is_pooled, pool_folds

        wholes: dict[Path, list[Planned]] = {}
        for run in final:
            if run.fold is not None:
                wholes.setdefault(self.folder / run.folder.parent, []).append(run)
        for place, runs in wholes.items():
            whole = len(runs) == len(self.data.folds[runs[0].split]) and all(map(self._finished, runs))
            if whole and not is_pooled(place, [self.folder / run.folder for run in runs]):
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
