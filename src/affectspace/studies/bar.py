"""How far a study is, on one line of a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Bar"]


class Bar:
    """Runs done of all; the time left follows the rate at which predicted seconds go by.

    Args:
        console: to show it on; nothing is shown where it is no terminal.
        done: runs that are finished already.
        total: runs of the whole study.
        seconds: predicted for those left, in whatever unit :meth:`advance` uses.
    """

    def __init__(self, console: Console, done: int, total: int, seconds: float):
        columns = (TextColumn("runs"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
        shown = console.is_terminal and not console.quiet
        self._progress = Progress(*columns, console=console, disable=not shown, transient=True)
        self._done, self._total = done, total
        self._task = self._progress.add_task("runs", total=seconds or None, told=f"{done:,}/{total:,}")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, seconds: float) -> None:
        """So much is left, as is known now."""
        done = self._progress.tasks[0].completed
        self._progress.update(self._task, total=done + seconds)

    def advance(self, seconds: float) -> None:
        """One more run is done, which was thought to take so long."""
        self._done += 1
        self._progress.update(self._task, advance=seconds, told=f"{self._done:,}/{self._total:,}")
