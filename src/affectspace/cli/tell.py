"""What several commands print: a table of scores, and what to type next."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # --help has no use for pandas
    from affectspace.training.run import Run

__all__ = ["by_modality", "comparison", "item_notes", "modalities", "next_commands", "quoted"]

# heading -> figure of the test items, and by what to multiply it
COLUMNS = {
    "UAR %": ("uar", 100),
    "chance": ("chance_uar", 100),
    "F1 %": ("macro_f1", 100),
    "JS": ("jensen_shannon", 1),
    "sim ρ": ("similarity_rho", 1),
}
# where every run predicts numbers
VALUE_COLUMNS = {
    "UAR %": ("uar", 100),
    "chance": ("chance_uar", 100),
    "MAE": ("value_mean_absolute_error", 1),
    "ρ": ("value_spearman", 1),
    "R²": ("value_r2", 1),
}
# of items shown by some modalities alone
MODALITY_COLUMNS = {
    "UAR %": ("uar", 100),
    "chance": ("chance_uar", 100),
    "F1 %": ("macro_f1", 100),
    "WF1 %": ("weighted_f1", 100),
    "WAP %": ("weighted_precision", 100),
}


def by_modality(told: Mapping[str, Mapping[str, float]], means: bool = False) -> None:
    """What a model tells by each modality alone and by each several; nothing of a single one.

    Args:
        told: figures by names of modalities, joined with ``+``, and how many ``items`` they are of.
        means: whether they are means over folds, of a run whose folds have not kept what they answered.
    """
    if not told:
        return
    table = Table(title="scores by modality", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("shown", overflow="fold", min_width=14)
    for heading in ("items", *MODALITY_COLUMNS):
        table.add_column(heading, justify="right", no_wrap=True)
    for names, figures in told.items():
        cells = [_cell(figures.get(key), by) for key, by in MODALITY_COLUMNS.values()]
        table.add_row(names.replace("+", " + "), f"{figures['items']:,.0f}", *cells)
    _console().print(table)
    why = "; means of the folds' figures, as this run was trained before answers were kept" if means else ""
    print(f"All other modalities are hidden; items that have none of those shown are left out{why}.")


def modalities(corpora: Iterable[Mapping[str, Any]]) -> None:
    """A line for each corpus that was read for several modalities: how many items have each."""
    from affectspace.training.who_has import modalities_told

    for told in filter(None, map(modalities_told, corpora)):
        print(told)


def comparison(runs: "Sequence[Run]") -> None:
    """One line a run: its test figures, its validation UAR, its epoch; one table for each protocol."""
    from affectspace.training.runs import model_groups, run_names

    tables: dict[tuple[str, bool], list[tuple[str, Run]]] = {}
    for name, run in zip(run_names(runs), runs):
        protocol = (str(run.metrics.get("protocol") or "protocol not recorded"), bool(run.metrics.get("transductive")))
        tables.setdefault(protocol, []).append((name, run))
    console = _console()
    shown: list[tuple[str, list[tuple[str, Run]], str | None]] = []  # title, rows, and of which unseen corpus
    for (protocol, transductive), rows in tables.items():
        shown.append((f"test scores · {protocol}" + (" · TRANSDUCTIVE" if transductive else ""), rows, None))
        for corpus in sorted({corpus for _, run in rows for corpus in run.unseen}):
            tested = [(name, run) for name, run in rows if corpus in run.unseen]
            shown.append((f"scores on {corpus}, of which training saw nothing", tested, corpus))
    for title, rows, unseen in shown:
        console.print(_table(title, rows, unseen))
    if len(shown) > 1:
        console.print("Figures of different tables answer different questions and are not to be ranked.")
    columns = [_columns(rows, unseen) for _, rows, unseen in shown]
    if any(
        each is COLUMNS and len({run.metrics.get("geometry") for _, run in rows}) > 1
        for each, (_, rows, _) in zip(columns, shown)
    ):
        console.print("sim ρ is left blank where it is measured in another geometry than in the table's first row.")
    kinds = {run.selection for run in runs}
    chosen = {
        "validation": "the epoch was chosen",
        "last": "no epoch was chosen: the last one was kept",
        "given": "no epoch was chosen: the recipe names it",
    }
    told = chosen[kinds.pop()] if len(kinds) == 1 and kinds <= set(chosen) else "an epoch was chosen, if not the last"
    words = [
        "UAR unweighted average recall",
        "chance that of random answers, above 1 / classes that occur where a label is tied and either answer is right",
    ]
    if COLUMNS in columns:
        words += [
            "JS Jensen-Shannon from the labels, less is better",
            "sim ρ rank correlation of label and embedding similarity",
        ]
    if VALUE_COLUMNS in columns:
        words += [
            "MAE mean absolute error of the predicted value, in the unit of the labels, less is better",
            "ρ its rank correlation with the true one",
            "R² the share of variance explained",
        ]
    console.print("; ".join([*words, f"valid. the validation UAR, by which {told}."]))
    if any(len(rows) > 1 and len(model_groups([run for _, run in rows])) == len(rows) for rows in tables.values()):
        console.print(
            "One seed each: differences of a few points are chance; compare several seeds before believing them."
        )


def item_notes(runs: "Sequence[Run]") -> None:
    """A line for each thing that the tested items of a run do not show."""
    from affectspace.training.remarks import item_remarks
    from affectspace.training.runs import run_names

    for name, run in zip(run_names(runs), runs):
        for sentence in item_remarks(run):
            print(f"note: {name}: {sentence}" if len(runs) > 1 else f"note: {sentence}")


def _console() -> Console:
    console = Console(markup=False, highlight=False)
    if console.width < 72:  # cells would be cut; a table may be wider than a narrow window
        console.width = 72
    return console


def _columns(rows: "Sequence[tuple[str, Run]]", unseen: str | None = None) -> dict[str, tuple[str, int]]:
    return VALUE_COLUMNS if all("value_r2" in _scores(run, unseen) for _, run in rows) else COLUMNS


def _scores(run: "Run", unseen: str | None) -> Mapping[str, float]:
    return run.unseen[unseen] if unseen else run.scores("test")


def _table(title: str, rows: "Sequence[tuple[str, Run]]", unseen: str | None = None) -> Table:
    """Figures of the test items, or of an unseen corpus."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold", min_width=14)
    columns = _columns(rows, unseen)
    for heading in (*columns, "valid.", "epoch"):
        table.add_column(heading, justify="right", no_wrap=True)
    geometry = rows[0][1].metrics.get("geometry")
    for name, run in rows:
        test, alike = _scores(run, unseen), run.metrics.get("geometry") == geometry
        cells = [_cell(test.get(key), by) if alike or key != "similarity_rho" else "" for key, by in columns.values()]
        epochs = sorted(set(run.selected_epochs))
        shown = f"{epochs[0]}..{epochs[-1]}" if len(epochs) > 1 else "".join(map(str, epochs)) or "-"
        table.add_row(name, *cells, _cell(run.scores("validate").get("uar"), 100), shown)
    return table


def _cell(value: float | None, by: int) -> str:
    return "-" if value is None or value != value else f"{by * value:.1f}" if by == 100 else f"{value:.3f}"


def quoted(*paths: Path | str) -> str:
    """Paths as a shell reads them, side by side."""
    return shlex.join(map(str, paths))


def next_commands(*commands: str) -> None:
    """What to type next, one command a line."""
    print("\nnext:")
    for command in commands:
        print(f"  {command}")
