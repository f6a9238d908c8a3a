"""How long a call of a study takes, told before it trains and again on the way."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from affectspace.studies.costs import Costs, finished_costs, measure, opened, worth_it
from affectspace.studies.executor import Executor
from affectspace.studies.plan import Planned
from affectspace.studies.progress import Bar, Clock
from affectspace.studies.words import counted, duration

__all__ = ["Forecast"]


class Forecast:
    """What the runs that are left will take, by what is known of their costs so far.

    Args:
        folder: the study's.
        pool: that trains them.
        clock: of this call.
        console: on which it is told.

    Attributes:
        left: seconds that the rest takes, as it was thought last.
    """

    def __init__(self, folder: Path, pool: Executor, clock: Clock, console: Console):
        self.folder, self.pool, self.clock, self.console = folder, pool, clock, console
        self._costs = Costs({})
        self._later: list[list[Planned]] = []  # stages after the one that is at work, as far as they are known
        self._told = False  # how long it will take
        self.left: float | None = None  # seconds, as it was thought last

    def begin(
        self,
        everything: Sequence[Planned],
        left: Sequence[Planned],
        done: Sequence[Planned],
        may: int,
        at_most: bool,
        going_on: bool,
    ) -> float | None:
        """Measure where that is worth it, and tell how many runs there are and how long they take.

        Args:
            everything: the runs of the study.
            left: those that are to do, with those that may be to do again.
            done: those that are finished.
            may: how many of these hold only if what is chosen is what they were trained by.
            at_most: whether what is chosen can only make it less work.
            going_on: whether this call goes on with what an earlier one has begun.

        Returns:
            Seconds of the whole call; None where too little is known.
        """
        known = finished_costs(self.folder, done)
        self._costs = Costs(known)
        lasting = self.pool.keeps_data  # else what is measured, or opened, helps nothing that comes after
        probed, longest = worth_it(left, known, self.pool.processes) if lasting else ([], 0)
        if probed:
            with self.console.status(f"measuring {counted(len(probed), 'kind')} of runs ..."):
                measured = measure(self.pool, probed, self.folder / ".probe", longest)
            self._costs = Costs({**known, **measured.runs}, measured.items, measured.split)
        elif known and lasting:
            with self.console.status("opening the data in all processes ..."):
                self._costs = Costs(known, *opened(self.pool, [run for run in left if run.stage == left[0].stage]))
        by_stage = [[run for run in left if run.stage == stage] for stage in ("grid", "own", "final")]
        seconds = self._costs.wall(by_stage, self.pool.held)
        self._later, self._told, self.left = by_stage, seconds is not None, seconds
        whole = None if seconds is None else self.clock.seconds + seconds
        self.clock.predict(seconds, len(everything), going_on)
        at_most = at_most and self._costs.bounds(left)
        on = f"on {self.pool.processes} process{'es' if self.pool.processes > 1 else ''}"
        if whole is not None:
            takes = f": {'at most' if at_most else 'about'} {duration(whole)} {on}"
        elif len(left) > self.pool.processes:
            takes = f" {on}; how long they take is told after the first of them"
        else:
            takes = f" {on}, all at once"
        self.console.print(f"{counted(len(everything), 'run')}{_parts(everything, len(done), may)}{takes}")
        return whole

    def next_stage(self) -> None:
        """The next stage is at work: its runs are no longer among those that come later."""
        self._later = self._later[1:]

    def saw(self, run: Planned, seconds: float) -> None:
        """A run has taken so long."""
        self._costs.saw(run, seconds)

    def again(self, waiting: list[Planned], ran: int, bar: Bar) -> None:
        """Tell how long the rest takes, now and then, and as soon as the first runs have told it.

        Args:
            waiting: the runs of the stage at work that are left.
            ran: how many runs this call has trained.
            bar: that shows it.
        """
        first = not self._told and ran >= self.pool.processes
        if not (self.clock.due() or first):
            return
        self.clock.keep()
        left = [waiting, *self._later]
        seconds = self._costs.wall(left, self.pool.held, guess=True)
        if seconds is None:
            return
        self.left = seconds
        bar.expect(self.clock.seconds, seconds)
        if not self._told and any(left):
            self.console.print(f"judging by the first, about {duration(seconds)} are left")
        self._told = True


def _parts(everything: Sequence[Planned], done: int, may: int) -> str:
    """Of how many runs of which kind all are made up, in brackets."""
    grid, hold = sum(run.stage != "final" for run in everything), done - may
    parts = [f"{grid:,} grid, {len(everything) - grid:,} final"] if grid else []
    parts += [f"{hold:,} already finished"] if hold else []
    parts += [f"{may:,} finished that may not hold once settings are chosen"] if may else []
    return f" ({'; '.join(parts)})" if parts else ""
