"""The page of a study: did it help, by how much, how sure is that, and what does it rest on."""

import datetime
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affectspace.report import facts, study_choices, study_costs, study_facts, study_panels, study_tests
from affectspace.report.page import write_page
from affectspace.report.phrases import counted
from affectspace.report.reached import reached_rows
from affectspace.report.study_amounts import amount_panels
from affectspace.report.study_figures_table import figure_tables
from affectspace.report.study_tables import chance, entry, legend, seeds
from affectspace.report.study_words import answers, cautions, overall
from affectspace.studies.over_splits import with_average
from affectspace.studies.results import StudyResults
from affectspace.studies.summary import SplitSummary, summarise

__all__ = ["write_study_report"]

FEATURES = {"Features", "Licence of the features", "Training items augmented"}
MOST_ACROSS = 6  # recipes beside each other in the table; more are listed below each other
SIGNS = {"above": "↑", "below": "↓", "level": "≈", "": "?"}


def write_study_report(
    results: StudyResults,
    path: str | Path | None = None,
    *,
    summaries: Sequence[SplitSummary] | None = None,
    date: datetime.date | None = None,
) -> Path:
    """Write a self-contained page about a study, finished or not, and return its path.

    It begins with the answer of each split in words; then come differences with their intervals, the
    table as papers print it, learning curves, what selection tried, all tests in full, costs, what
    was trained on what, and what may not be concluded. Like every page of this package it loads
    nothing and runs nothing, and the same study gives the same bytes on the same date.

    Args:
        results: of a study.
        path: the HTML file, or a folder, which gets a ``report.html``; the study's own folder where None.
        summaries: what :func:`affectspace.studies.over_splits.with_average` gave, where it is at hand.
        date: printed at the end; today where None.

    Raises:
        InputError: a run's files are damaged.
    """
    all_rows = summaries if summaries is not None else with_average(results, summarise(results))
    return write_page("study.html", results.folder if path is None else path, date, _values(results, all_rows))


def _values(results: StudyResults, all_rows: Sequence[SplitSummary]) -> dict[str, Any]:
    shown = study_facts.examples(results)
    splits = tuple(split for split in all_rows if not split.average)
    averages = [split for split in all_rows if split.average]
    differ_on, settings = study_facts.recipe_differences(results)
    tall = len(results.recipes) > MOST_ACROSS
    return {
        "results": results,
        "splits": splits,
        "size": _size(results),
        "done": _done(results),
        "overall": overall(splits),
        "answers": [(_sign(split), answers(split)) for split in (*averages, *splits)],
        "cautions": [
            *study_facts.beside_the_loss(results),
            *study_choices.unequal_choices(results),
            *cautions(splits),
            *study_facts.items(results),
            *study_facts.versions(results),
        ],
        "transductive": sorted({name for split in splits for name in split.transductive}),
        "missing": study_facts.missing(results),
        "forests": study_panels.forest_panels(all_rows)
        if any(row.difference for s in splits for row in s.rows)
        else [],
        "table": [(s, chance(s), [entry(s, row) for row in s.rows], seeds(s)) for s in all_rows],
        "tall": tall,
        "figures": figure_tables(results, splits),
        "amounts": amount_panels(results, splits),
        "reached": reached_rows(all_rows),
        "legend": legend(all_rows, "column" if tall else "row"),
        "curves": study_panels.curve_panels(results, splits),
        "curve_words": study_panels.curve_words(results),
        "choices": study_choices.choices(results),
        "over_folds": study_choices.over_folds(results),
        "had_to_choose": study_choices.had_to_choose(results),
        "inner": study_panels.selection_panels(results),
        "tests": [(s, study_tests.anova(s), study_tests.differences(s), study_tests.pairs(s)) for s in all_rows],
        "costs": study_costs.costs(results),
        "spent": study_costs.spent(results),
        "protocol": _protocol(results, facts.protocol(shown)),
        "corpora": study_facts.corpora(shown),
        "environments": study_facts.environments(results),
        "differ_on": differ_on,
        "settings": settings,
        "limits": study_facts.limits(results, splits),
        "plan": (results.folder / "study.toml").read_text(encoding="utf-8"),
        "command": shlex.join(
            ["affectspace", "study", str(results.folder / "study.toml"), "--out", str(results.folder)]
        ),
    }


def _protocol(results: StudyResults, lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same lines, with the features of all recipes; and who chose the epoch where a run was given it."""
    lines = [*(line for line in lines if line[0] not in FEATURES), *study_facts.features(results)]
    lines += study_facts.fusions(results)
    chose = any((e.get("shared") or {}).get("epoch") or e.get("own_epoch") for e in results.selection.values())
    if not chose:
        return lines
    told = ("Epoch kept", "the one that inner runs on training items chose; the test items had no say")
    return [*(line for line in lines if line[0] != "Epoch kept"), *([told] if lines else [])]


def _sign(split: SplitSummary) -> tuple[str, str]:
    """A sign for what a split says, and the same in a word for whoever does not see it."""
    verdicts = [row.verdict for row in split.others]
    if split.at_chance:
        return "?", "not above chance"
    if split.obstacles:
        return "?", "not ranked"
    if {"above", "below"} <= set(verdicts):
        return "⇅", "above and below"
    for verdict in ("above", "below", "level"):
        if verdict in verdicts:
            return SIGNS[verdict], verdict
    return SIGNS[""], "not tested"


def _done(results: StudyResults) -> str:
    planned = counted(results.planned, "run")
    finished = results.runs["recipe"].isin(results.trained).sum()  # the others are fused of these
    return f"{finished:,} of {planned} {'is' if results.planned == 1 else 'are'} finished"


def _size(results: StudyResults) -> str:
    counts = ((len(results.recipes), "recipe"), (len(results.splits), "split"), (len(results.seeds), "seed"))
    return " × ".join(counted(count, what) for count, what in counts)
