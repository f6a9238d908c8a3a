"""The report: one page that holds everything and loads nothing."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.report import facts, panels
from affectspace.report.adversary_panels import adversary_panels
from affectspace.report.compare import Comparison
from affectspace.report.heat_map import distance_panels
from affectspace.report.modality_panels import matching_table, modality_panels, modality_table
from affectspace.report.page import write_page
from affectspace.report.probe_table import probe_table
from affectspace.report.score_table import score_table
from affectspace.report.space_panels import neighbour_panels, part_table
from affectspace.report.style import RAMP
from affectspace.report.term_panels import term_panels
from affectspace.training.run import Run

__all__ = ["write_report"]

MOST_RUNS = 24


def write_report(runs: Sequence[Run], path: str | Path, *, date: datetime.date | None = None) -> Path:
    """Write a self-contained page that compares finished runs, and return its path.

    The page works offline: styles and figures are inside it, there are no scripts, and its content
    security policy forbids everything external. Names, labels and reasons from the data are shown as
    text, whatever they hold. The same runs give the same bytes on the same date.

    Runs that do not answer the same question (other classes, other test items) are shown side by side
    but not ranked, and the page says why.

    Args:
        runs: finished runs, in the order in which they are to be shown.
        path: the HTML file, or a folder, which gets a ``report.html``.
        date: printed at the end; today where None.

    Raises:
        InputError: no runs, too many for one page, the same run twice, one that is not finished (the
            message holds the command that finishes it), or a damaged file.

    Example:
        >>> write_report([], "report.html")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: no runs to report on; give at least one finished run folder
    """
    if not runs:
        raise InputError("no runs to report on; give at least one finished run folder")
    if len(runs) > MOST_RUNS:
        raise InputError(f"{len(runs)} runs are too many for one page; give at most {MOST_RUNS}")
    folders = [run.path.resolve() for run in runs]
    if twice := {str(f) for f in folders if folders.count(f) > 1}:
        raise InputError(f"run {min(twice)} was given more than once; name each run folder once")
    for run in runs:
        run.metrics  # noqa: B018  (an unfinished run is said before any work is done)
    return write_page("report.html", path, date, _values(Comparison(tuple(runs))))


def _values(comparison: Comparison) -> dict[str, Any]:
    first = comparison.runs[0]
    columns, rows, remarks = panels.map_grid(comparison)
    same_classes = len({run.classes for run in comparison.runs}) == 1
    ramp = same_classes and (panels.is_ordered(first) or len(first.classes) == 2)
    legends = [("", first)] if same_classes else list(zip(comparison.names, comparison.runs))
    ends = [RAMP(x)[:3] for x in (0.0, 0.25, 0.5, 0.75, 1.0)]  # 1 would be the second of its 256 colours
    drawn = {f"{part}.uar" for part in ("validate", "test")} & {c for run in comparison.runs for c in run.epochs}
    return {
        "title": " · ".join(comparison.models) if len(comparison.models) <= 4 else f"{len(comparison.models)} models",
        "comparison": comparison,
        "one_hot": comparison.one_hot,
        "several": len(comparison.runs) > 1,
        "answer": comparison.answer(),
        "transductive": [n for n, r in zip(comparison.names, comparison.runs) if r.metrics.get("transductive")],
        "selection": _selection(comparison),
        "protocol": facts.protocol(comparison),
        "scores": score_table(comparison),
        "measured": _measured(comparison),
        "drawn": drawn,
        "curve_words": _curve_words(comparison, drawn),
        "curves": panels.curve_panels(comparison),
        "terms": term_panels(comparison),
        "adversaries": adversary_panels(comparison),
        "by_modality": modality_table(comparison),
        "modalities": modality_panels(comparison),
        "matching": matching_table(comparison),
        "probes": probe_table(comparison),
        "map_columns": columns,
        "map_rows": rows,
        "map_remarks": remarks,
        "ramp": ", ".join("#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in end)) for end in ends) if ramp else "",
        "parts": part_table(comparison),
        "neighbours": neighbour_panels(comparison),
        "legends": [(name, panels.legend(run)) for name, run in legends],
        "ends": (first.classes[0], first.classes[-1]),
        "confusions": panels.confusion_panels(comparison),
        "wide": max(len(run.classes) for run in comparison.runs) > 5,
        "similarities": panels.similarity_panels(comparison),
        "distances": distance_panels(comparison),
        "reliabilities": panels.reliability_panels(comparison),
        "corpora": facts.corpora(comparison),
        "differences": facts.recipe_differences(comparison),
        "recipes": [(name, run.recipe_text) for name, run in zip(comparison.names, comparison.runs)],
        "environments": facts.environments(comparison),
        "commands": facts.commands(comparison),
    }


def _selection(comparison: Comparison) -> str:
    """How the epochs were chosen: "validation", "last" or "given" for all runs, "mixed" where they differ."""
    kinds = {run.selection for run in comparison.runs}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _measured(comparison: Comparison) -> str:
    """On which items the figures were measured, and with which epoch."""
    if "test" not in comparison.splits:
        return "Nothing was tested: figures are of the validation items."
    epoch = {
        "validation": "the epoch that validation selected",
        "last": "the last epoch",
        "given": "the epoch that the recipe names",
    }.get(_selection(comparison), "the epoch that each recipe says: selected by validation, the last, or a given one")
    return f"Figures are of the test items, measured once, with {epoch}."


def _curve_words(comparison: Comparison, drawn: set[str]) -> str:
    """Whose the curves are, and what use was made of them."""
    solid = "The solid line is of the test items and was only recorded, never used" if "test.uar" in drawn else ""
    dashed = ""
    if "validate.uar" in drawn:
        dashed = {
            "validation": "the epoch was selected by the dashed line, of the validation items",
            "mixed": "where an epoch was selected, it was by the dashed line, of the validation items",
        }.get(_selection(comparison), "the dashed line, of the validation items, was not used to choose an epoch")
    told = ": ".join(filter(None, [solid, dashed]))
    return f"{told[:1].upper()}{told[1:]}." if told else ""
