"""What several commands print: a table of scores, and what to type next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # importing training takes seconds, and --help has no use for it
    from affectspace.training.run import Run

__all__ = ["comparison", "next_commands"]

# heading -> figure of the test items, and by what to multiply it
COLUMNS = {
    "UAR %": ("uar", 100),
    "chance": ("chance_uar", 100),
    "F1 %": ("macro_f1", 100),
    "JS": ("jensen_shannon", 1),
    "sim ρ": ("similarity_rho", 1),
}


def comparison(runs: "Sequence[Run]") -> None:
    """One line a run: its test figures, its validation UAR, the epoch that validation chose."""
    console = Console()
    first = runs[0].metrics
    title = f"test scores · {first['protocol']}" + (" · TRANSDUCTIVE" if first["transductive"] else "")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold", min_width=14)
    for heading in (*COLUMNS, "valid.", "epoch"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        test = run.metrics["test"]
        cells = [_cell(test[key], by) for key, by in COLUMNS.values()]
        epoch = run.metrics["selected_epoch"]
        shown = f"{min(epoch)}..{max(epoch)}" if isinstance(epoch, list) else str(epoch)
        table.add_row(run.metrics["name"], *cells, f"{100 * run.metrics['validate']['uar']:.1f}", shown)
    console.print(table)
    print("UAR unweighted average recall; JS Jensen-Shannon from the raters, less is better; sim ρ rank correlation")
    print("of label and embedding similarity; valid. the validation UAR, by which the epoch was chosen.")


def _cell(value: float | None, by: int) -> str:
    return "-" if value is None else f"{by * value:.1f}" if by == 100 else f"{value:.3f}"


def next_commands(*commands: str) -> None:
    """What to type next, one command a line."""
    print("\nnext:")
    for command in commands:
        print(f"  {command}")
