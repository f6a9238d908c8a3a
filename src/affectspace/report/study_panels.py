"""Pictures of a study's page, as inline SVG: differences, learning curves, and what selection saw."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from affectspace.report.panels import Panel
from affectspace.report.phrases import counted, named, p_value, percent, signed
from affectspace.report.study_figures import MOST_CURVES, Curve, brief, forest, inner_curve, seed_curves
from affectspace.report.style import figure_style
from affectspace.report.svg import inline_svg
from affectspace.studies.results import StudyResults
from affectspace.studies.summary import SplitSummary

__all__ = ["curve_panels", "curve_words", "forest_panels", "selection_panels"]

MOST_BANDS = 3
LABEL = 20  # letters of a line beside a figure


def forest_panels(splits: Sequence[SplitSummary]) -> list[Panel]:
    """Differences to the baseline, a panel a split, all on one scale."""
    # In the order of the study file, so that an eye finds a recipe at one height in all panels.
    shown = {split.split: [row for row in split.rows if np.isfinite(row.change[0])] for split in splits}
    recipes = [row.recipe for row in splits[0].rows]
    names = {name: _label(name, [other for other in recipes if other != name]) for name in recipes}
    lines = [line for rows in shown.values() for row in rows for line in names[row.recipe].splitlines()]
    longest = max(map(len, lines), default=1)
    ends = [0.0]
    for row in (row for rows in shown.values() for row in rows):
        ends += [each for each in row.change if np.isfinite(each)]
        ends += [row.speakers.low, row.speakers.high] if row.speakers else []
    low, high = 100 * min(ends), 100 * max(ends)
    pad = max(0.05 * (high - low), 0.1)
    panels = []
    for place, split in enumerate(splits):
        rows = shown[split.split]
        if not rows:
            told = "The recipes cannot be ranked here." if split.obstacles else "There is no difference to show yet."
            panels.append(Panel(split.split, None, told))
            continue
        told = "; ".join(
            f"{named(row.recipe)} {signed(row.change[0])} points"
            + (f", {p_value(row.p)}" if np.isfinite(row.p) else "")
            for row in rows
        )
        with figure_style():
            width, height = 5.2, 0.65 + (0.4 if any("\n" in name for name in names.values()) else 0.34) * len(rows)
            figure = Figure(figsize=(width, height))
            figure.set_layout_engine("none")
            # The same margins in all panels, so that their zeros stand below each other.
            left, bottom = 0.2 + 0.078 * longest, 0.45
            ax = figure.add_axes((left / width, bottom / height, 1 - (left + 1.2) / width, 1 - (bottom + 0.1) / height))
            forest(ax, rows, (low - pad, high + pad), names)
            ax.set_xlabel(f"points of UAR above {brief(split.baseline, 30)}")
            picture = inline_svg(figure, f"forest-{place}", f"Difference to {split.baseline} on {split.split}: {told}.")
        panels.append(Panel(split.split, picture, _speakers(split)))
    return panels


def curve_panels(results: StudyResults, splits: Sequence[SplitSummary]) -> list[Panel]:
    """UAR against epochs, a panel a split, each round its own level; none at all where no run recorded any."""
    if not len(results.curves):
        return []
    found = {split.split: _curves(results, split) for split in splits}
    ranges = {name: _range(curves) for name, (curves, _) in found.items() if curves}
    # One length of scale for all panels: a gap of two points is as wide in each of them.
    span = max([high - low for low, high in ranges.values()] + [0.02])
    panels = []
    for place, split in enumerate(splits):
        curves, part = found[split.split]
        if split.obstacles or not curves:
            why = "The recipes cannot be ranked here, so their curves are not drawn together."
            why = why if split.obstacles else "No run recorded its UAR epoch by epoch."
            panels.append(Panel(split.split, None, why))
            continue
        told = "; ".join(f"{c.name} ends at {c.mean[-1]:.1%}" for c in curves if c.row is not None)
        with figure_style():
            figure = Figure(figsize=(5.2, 3.1))
            middle = sum(ranges[split.split]) / 2
            bounds = (middle - 0.54 * span, middle + 0.54 * span)
            seed_curves(figure.add_subplot(), curves, split.chance, bounds)
            name = "test" if part == "test" else "validation"
            about = f"Mean {name} UAR after each epoch on {split.split}: {told}."
            picture = inline_svg(figure, f"curve-{place}", about)
        notes = _curve_notes(curves, part)
        notes += _not_drawn(results, split, curves, part)
        if split.apart:
            notes.append(f"{named(*split.apart)}, judged on other items, cannot be drawn beside these")
        if any(run.folds for run in results.examples(split.split)):
            notes.append("means over folds of each fold's UAR, where the table has that of all answers pooled")
        if any((c.mean < bounds[0]).any() for c in curves):
            notes.append("the first epochs lie below")
        if split.chance < bounds[0]:
            notes.append(f"chance, {percent(split.chance)}, lies below")
        panels.append(Panel(split.split, picture, "; ".join(notes)))
    return panels


def selection_panels(results: StudyResults) -> dict[str, Panel]:
    """Mean inner UAR against epochs of the chosen settings, by the key that ``selection.json`` has for each choice."""
    panels = {}
    for place, (key, entry) in enumerate(results.selection.items()):
        curve = np.array([np.nan if each is None else float(each) for each in entry.get("curve") or []])
        if not len(curve) or np.isnan(curve).all():
            continue
        epoch = (entry.get("shared") or {}).get("epoch")
        with figure_style():
            figure = Figure(figsize=(4.2, 2.2))
            inner_curve(figure.add_subplot(), curve, epoch)
            told = f"Mean UAR of the inner runs after each epoch, {key}"
            told += f": the best is epoch {epoch}." if epoch else "."
            panels[key] = Panel(key, inline_svg(figure, f"inner-{place}", told))
    return panels


def _curves(results: StudyResults, split: SplitSummary) -> tuple[list[Curve], str]:
    """A curve a recipe, the baseline first and then the best; and the items that they are of."""
    table = results.curves[results.curves["split"] == split.split]
    part = "test" if (table["part"] == "test").any() else "validate"
    table = table[table["part"] == part]
    there = set(table["recipe"])
    order = [name for name in (split.baseline, *(row.recipe for row in split.others)) if name in there]
    runs = results.runs[results.runs["split"] == split.split]
    curves = []
    for place, name in enumerate(order):
        wide = table[table["recipe"] == name].pivot(index="epoch", columns="seed", values="uar").dropna()
        if not len(wide):
            continue
        sd = wide.std(axis=1, ddof=1).fillna(0.0).to_numpy(float)
        kept = _flat(runs.loc[runs["recipe"] == name, "selected_epoch"])
        # A colour belongs to a recipe, whatever its place on this split.
        row = _row(results, name) if place < MOST_CURVES else None
        banded = len(order) <= MOST_BANDS or place < 2  # many bands hide each other
        mean = wide.mean(axis=1).to_numpy(float)
        curves.append(Curve(name, wide.index.to_numpy(int), mean, sd, kept, row, banded))
    return curves, part


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Lowest and highest of what is drawn once learning is under way: the first rise would flatten all else."""
    lows, highs = [], []
    for curve in curves:
        sd = curve.sd * curve.banded
        begun = slice(len(sd) // 6 if len(sd) >= 12 else 0, None)
        lows.append(float((curve.mean - sd)[begun].min()))
        highs.append(float((curve.mean + sd).max()))
    return min(lows), max(highs)


def _row(results: StudyResults, recipe: str) -> int:
    others = [name for name in results.recipes if name != results.baseline]
    return 0 if recipe == results.baseline else 1 + others.index(recipe)


def _curve_notes(curves: Sequence[Curve], part: str) -> list[str]:
    notes = [] if part == "test" else ["validation items: test was not recorded during training"]
    kept = sorted({epoch for curve in curves for epoch in curve.kept})
    if len(kept) == 1:
        notes.append(f"epoch {kept[0]} was kept")
    elif kept:
        notes.append(f"epochs {kept[0]} to {kept[-1]} were kept, the diamond is their median")
    if not all(curve.banded for curve in curves):
        notes.append("bands of the baseline and the best of the others only")
    if any(curve.row is None for curve in curves):
        notes.append(f"the baseline and the best {MOST_CURVES - 1} others are named, the rest are grey")
    return notes


def _not_drawn(results: StudyResults, split: SplitSummary, curves: Sequence[Curve], part: str) -> list[str]:
    """Which recipes have runs but no curve here, and why."""
    drawn = {curve.name for curve in curves}
    absent = [row.recipe for row in split.rows if row.recipe in split.tested and row.recipe not in drawn]
    table = results.curves[(results.curves["split"] == split.split) & (results.curves["part"] != part)]
    other = [name for name in absent if name in set(table["recipe"])]
    told = []
    if other:
        told.append(f"{named(*other)} recorded curves of validation items only, and cannot be drawn beside these")
    if nothing := [name for name in absent if name not in other]:
        told.append(f"{named(*nothing)} recorded no curve")
    return told


def curve_words(results: StudyResults) -> str:
    """What use was made of the items that the curves are of."""
    drawn = {"test" if (table["part"] == "test").any() else "validate" for _, table in results.curves.groupby("split")}
    kinds = {run.selection for split in results.splits for run in results.examples(split)}
    told = []
    if "test" in drawn:
        told.append("Curves of test items were recorded and never used to choose anything.")
    if "validate" in drawn:
        use = {True: "chose the epoch of each run that kept its best", False: "were not used to choose an epoch"}
        told.append(
            f"Curves of validation items, where a panel has them, are of items that {use['validation' in kinds]}"
            f"{', so they flatter' if 'validation' in kinds else ''}."
        )
    return " ".join(told)


def _label(name: str, others: Sequence[str]) -> str:
    """A name in two lines where one does not hold it, cut where two do not."""
    lines = textwrap.wrap(name, LABEL)
    return "\n".join(lines) if len(lines) <= 2 else brief(name, LABEL, others)


def _speakers(split: SplitSummary) -> str:
    count = next((row.speakers.speakers for row in split.others if row.speakers), 0)
    told = [counted(split.items, "test item")] if split.items else []
    if count:
        told.append(f"{count} test speakers")
    elif split.no_speakers:
        told.append(f"no interval for other speakers ({split.no_speakers})")
    if split.tukey.reason:
        told.append(f"no test: {split.tukey.reason}")
    if split.apart:
        told.append(f"{named(*split.apart)} set apart, as judged on other items")
    return "; ".join(told)


def _flat(epochs: pd.Series) -> tuple[int, ...]:
    """The kept epochs of all runs and their folds."""
    lists = [each if isinstance(each, list) else [each] for each in epochs]
    return tuple(int(each) for some in lists for each in some if each is not None and each == each)
