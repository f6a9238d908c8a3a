"""How far a training is: a bar on a terminal, a line now and then elsewhere, all on standard error."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from affectspace.features.lines import Lines

__all__ = ["epoch_lines", "progress_bar"]


def progress_bar(quiet: bool) -> Progress:
    """A bar over the steps of a run, on standard error; none where ``quiet``, or where no terminal shows it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)


def epoch_lines(quiet: bool) -> Lines:
    """Where no terminal shows the bar, lines to tell epochs on; none where ``quiet``."""
    return Lines(Console(stderr=True), quiet)
