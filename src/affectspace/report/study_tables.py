"""The table of a study as papers print it, and the same figures tidy for whoever goes on with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.files import atomic_path, write_text
from affectspace.report.phrases import NONE, in_percent, p_value, signed
from affectspace.report.reached import reached_markdown
from affectspace.report.study_figures_table import figure_tables, figures_markdown
from affectspace.report.study_words import at_chance, few_seeds
from affectspace.studies.over_splits import with_average
from affectspace.studies.results import StudyResults
from affectspace.studies.summary import RecipeSummary, SplitSummary, summarise

__all__ = ["Entry", "chance", "entry", "legend", "table_html", "table_markdown", "tidy", "write_tables"]

ARROWS = {"above": "↑", "below": "↓"}
APART = "†"


@dataclass(frozen=True)
class Entry:
    """A cell of the table: mean (sd) in per cent, the arrow of a difference or a dagger, whether it is the best."""

    text: str
    arrow: str = ""
    best: bool = False
    about: str = ""


def write_tables(
    results: StudyResults, folder: str | Path | None = None, summaries: Sequence[SplitSummary] | None = None
) -> dict[str, Path]:
    """Write ``table.md``, ``table.html``, ``table.parquet``, ``figures.md`` and ``runs.parquet``.

    Args:
        results: of a study, finished or not.
        folder: where to; the study's own where None.
        summaries: what :func:`affectspace.studies.over_splits.with_average` gave, where it is at hand.

    Returns:
        The path of each file by its name.

    Raises:
        InputError: a run's files are damaged.
    """
    folder = Path(folder) if folder is not None else results.folder
    all_rows = summaries if summaries is not None else with_average(results, summarise(results))
    splits = [split for split in all_rows if not split.average]
    paths = {name: folder / name for name in ("table.md", "table.html", "figures.md", "table.parquet", "runs.parquet")}
    runs = results.runs.assign(selected_epoch=results.runs["selected_epoch"].map(_epochs))  # one type for all rows
    write_text(paths["table.md"], table_markdown(all_rows))
    write_text(paths["table.html"], table_html(all_rows))
    write_text(paths["figures.md"], figures_markdown(figure_tables(results, splits)) + reached_markdown(all_rows))
    for name, table in (("table.parquet", tidy(all_rows)), ("runs.parquet", runs)):
        with atomic_path(paths[name]) as path:
            table.to_parquet(path, index=False)
    return paths


def tidy(splits: Sequence[SplitSummary]) -> pd.DataFrame:
    """One row a split and recipe; shares and differences in [0, 1] and [-1, 1], NaN where there is none.

    ``n`` seeds; ``mean``, ``sd``, and ``low`` to ``high``, the 95 % interval of the mean; ``difference`` to
    the baseline with Tukey's interval and ``p_tukey``; ``hedges_g`` with its interval; ``speaker_low`` to
    ``speaker_high`` for other speakers, ``speaker_seed_*`` for other speakers and seeds; ``p_paired`` of the paired t
    test over equal seeds, adjusted for nothing; ``seconds`` of the median run. ``macro_f1`` is its mean over seeds;
    ``uar_reached_low`` to ``uar_reached_high`` and ``macro_f1_reached_*`` are where the figure itself lies with other
    speakers, ``speakers`` being how many the test has, and with other seeds where there are several.
    """
    rows = [_tidy(split, row) for split in splits for row in split.rows]
    return pd.DataFrame(rows).astype({"n": int})


def table_markdown(splits: Sequence[SplitSummary]) -> str:
    """The table as Markdown, with its legend."""
    names = [row.recipe for row in splits[0].rows]
    lines = [
        _line(["split", "chance", *map(_plain, names), "seeds"]),
        _line(["---", "---:", *["---:"] * len(names), "---:"]),
    ]
    for split in splits:
        cells = [entry(split, row) for row in split.rows]
        shown = [(f"**{c.text}**" if c.best else c.text) + (f" {c.arrow}" if c.arrow else "") for c in cells]
        lines.append(_line([_plain(split.split), chance(split), *shown, seeds(split)]))
    return "\n".join([*lines, "", *(_plain(sentence) + "\n" for sentence in legend(splits))])


def table_html(splits: Sequence[SplitSummary]) -> str:
    """The table as HTML that can be opened by itself or put into a page: styled inline, ASCII, loading nothing."""
    names = [row.recipe for row in splits[0].rows]
    cell = "padding:.35em .7em;border-bottom:1px solid #c9ced6;text-align:right;white-space:nowrap"
    head = f"{cell};font-weight:600;vertical-align:bottom;white-space:normal"
    first = f"{cell};text-align:left;font-weight:400;white-space:normal"
    headings = "".join(f'<th scope="col" style="{head}">{escape(text)}</th>' for text in ("chance", *names, "seeds"))
    rows = []
    for split in splits:
        cells = [(chance(split), ""), *map(_html_cell, (entry(split, row) for row in split.rows))]
        tds = "".join(f'<td style="{cell}"{title}>{text}</td>' for text, title in [*cells, (seeds(split), "")])
        rows.append(f'<tr><th scope="row" style="{first}">{escape(split.split)}</th>{tds}</tr>')
    told = "".join(f'<p style="margin:.4em 0;max-width:60em">{escape(sentence)}</p>' for sentence in legend(splits))
    text = (
        '<div style="font:15px/1.45 system-ui,sans-serif"><div style="overflow-x:auto">'
        '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">\n'
        f'<thead><tr><th scope="col" style="{head};text-align:left">split</th>{headings}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>\n{told}</div>\n"
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def entry(split: SplitSummary, row: RecipeSummary) -> Entry:
    """A recipe's cell."""
    if isnan(row.mean):
        why = row.uar.reason if row.uar.n or split.average else "no finished run"
        return Entry(NONE, about=why if row.uar.n else split.apart.get(row.recipe, why))
    sd = "" if row.uar.sd is None else f" ({100 * row.uar.sd:.1f})"
    if row.recipe in split.apart and not split.obstacles:
        return Entry(in_percent(row.mean) + sd, APART, about=split.apart[row.recipe])
    about = "" if isnan(row.p) else f"{signed(row.change[0])} points, Tukey {p_value(row.p)}"
    return Entry(in_percent(row.mean) + sd, ARROWS.get(row.verdict, ""), row.recipe in split.best, about)


def chance(split: SplitSummary) -> str:
    """What random predictions reach, in per cent; a dash where that is not known."""
    return in_percent(split.chance)


def seeds(split: SplitSummary) -> str:
    """How many seeds are finished: one number, or the fewest and the most, "of" how many where some are missing."""
    counts = [row.uar.n for row in split.rows if row.planned]
    few, many, planned = min(counts), max(counts), split.base.planned
    told = str(few) if few == many else f"{few}–{many}"
    return told if few == planned else f"{told} of {planned}"


def legend(splits: Sequence[SplitSummary], line: str = "row") -> list[str]:
    """What the table shows, in sentences; a split is a ``line`` of it."""
    base = splits[0].baseline
    told = ["UAR in per cent: mean over seeds (standard deviation); chance is what random predictions reach."]
    if any(split.best for split in splits):
        told[0] += f" Bold is the highest mean of a {line}."
    averaged = splits[-1].average
    if averaged:
        told.append("The average is the mean over the splits, each counting alike, seed by seed.")
    verdicts = {row.verdict for split in splits for row in split.rows if row.verdict}
    if verdicts:
        marks = " and ".join(f"{arrow} {way}" for way, arrow in ARROWS.items() if way in verdicts)
        several = "; nothing corrects for several splits" if len(splits) > 1 + averaged else ""
        all_tested = all(row.verdict for split in splits for row in split.rows if row.recipe != base)
        nothing = f"No recipe{'' if all_tested else ' that was tested'} differs from “{base}”"
        told.append(
            f"{f'{marks} “{base}”' if marks else nothing} with p < .05 by Tukey's honestly significant difference test "
            f"(HSD), which allows for all pairs of recipes of a split{several}. Seeds vary what training draws, such "
            "as initialisation and order: the test is about these test items, not about other speakers."
        )
    told += few_seeds(splits)
    for split in splits:
        told += at_chance(split)
        if split.obstacles:
            told.append(f"{split.split} is not ranked. {' '.join(split.obstacles)}")
            continue
        if split.apart:
            told.append(f"{APART} on {split.split}: {' '.join(split.set_apart)}")
        if split.tukey.reason and len(split.tested) > 1:
            told.append(f"{split.split} has no test: {split.tukey.reason}.")
    return told


def _tidy(split: SplitSummary, row: RecipeSummary) -> dict[str, object]:
    difference, low, high = row.change
    return {
        "split": split.split,
        "recipe": row.recipe,
        "n": row.uar.n,
        "mean": row.mean,
        "sd": _number(row.uar.sd),
        "low": _number(row.uar.low),
        "high": _number(row.uar.high),
        "chance": split.chance,
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "p_tukey": row.p,
        "hedges_g": _number(row.g.value),
        "hedges_g_low": _number(row.g.low),
        "hedges_g_high": _number(row.g.high),
        "speaker_low": row.speakers.low if row.speakers else np.nan,
        "speaker_high": row.speakers.high if row.speakers else np.nan,
        "speaker_seed_low": row.speakers_and_seeds.low if row.speakers_and_seeds else np.nan,
        "speaker_seed_high": row.speakers_and_seeds.high if row.speakers_and_seeds else np.nan,
        "p_paired": _number(row.paired.p),
        "seconds": row.seconds,
        **_reached(row),
    }


def _reached(row: RecipeSummary) -> dict[str, float]:
    known = {metric: interval for metric, (_, interval) in row.reached.items() if interval}
    found = {
        f"{metric}_reached_{end}": getattr(known[metric], end) if metric in known else np.nan
        for metric in ("uar", "macro_f1")
        for end in ("low", "high")
    }
    speakers = next((interval.speakers for interval in known.values()), np.nan)
    return {"macro_f1": row.reached["macro_f1"][0] if row.reached else np.nan, "speakers": speakers, **found}


def _html_cell(cell: Entry) -> tuple[str, str]:
    text = f"<strong>{cell.text}</strong>" if cell.best else cell.text
    return text + (f" {cell.arrow}" if cell.arrow else ""), f' title="{escape(cell.about)}"' if cell.about else ""


def _epochs(selected: list[int] | int | None) -> list[int]:
    """One epoch a fold, or the one of a run without folds."""
    return [] if selected is None else selected if isinstance(selected, list) else [int(selected)]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line of a table."""
    return re.sub(r"([\\`*\[\]|]|<(?=\S))", r"\\\1", " ".join(text.split()))
