"""What several commands print: a table of scores, and what to type next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # importing training takes seconds, and --help has no use for it
    from affectspace.training.run import Run

__all__ = ["comparison", "next_commands"]

COLUMNS = {
    "uar": "UAR ↑",
    "chance_uar": "chance",
    "accuracy": "accuracy ↑",
    "macro_f1": "macro F1 ↑",
    "jensen_shannon": "JS ↓",
    "ece": "ECE ↓",
    "similarity_rho": "similarity ρ ↑",
}


def comparison(runs: "Sequence[Run]") -> None:
    """One line a run: its test figures, its validation UAR, the epoch that validation chose."""
    console = Console()
    first = runs[0].metrics
    title = f"test scores · {first['protocol']}" + (" · TRANSDUCTIVE" if first["transductive"] else "")
    table = Table(title=title, title_justify="left")
    table.add_column("run", overflow="fold")
    for heading in (*COLUMNS.values(), "validation UAR", "epoch"):
        table.add_column(heading, justify="right")
    for run in runs:
        test = run.metrics["test"]
        percent = {"uar", "chance_uar", "accuracy", "macro_f1"}
        cells = [f"{100 * test[key]:.1f} %" if key in percent else f"{test[key]:.3f}" for key in COLUMNS]
        epoch = run.metrics["selected_epoch"]
        shown = f"{min(epoch)}..{max(epoch)}" if isinstance(epoch, list) else str(epoch)
        table.add_row(run.metrics["name"], *cells, f"{100 * run.metrics['validate']['uar']:.1f} %", shown)
    console.print(table)


def next_commands(*commands: str) -> None:
    """What to type next, one command a line."""
    print("\nnext:")
    for command in commands:
        print(f"  {command}")
