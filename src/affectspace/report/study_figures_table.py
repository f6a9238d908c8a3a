"""Every figure that the runs of a study recorded, recipe by recipe: mean and spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.metrics.scores import (
    FIGURES,
    LEARNED_FIGURES,
    LEVEL_FIGURES,
    MATCHING_FIGURES,
    PROBE_FIGURES,
    SPACE_FIGURES,
    VALUE_FIGURES,
    Figure,
)
from affectspace.report.phrases import NONE
from affectspace.report.probe_table import ASKED
from affectspace.studies.results import PARTS, PLACES, StudyResults
from affectspace.studies.study import slug
from affectspace.studies.summary import SplitSummary

__all__ = ["FigureTable", "figure_tables", "figures_markdown"]

UNSEEN = "unseen."  # what the figures of unseen corpora begin with, in the table of runs
ALL_KNOWN = FIGURES | LEVEL_FIGURES | VALUE_FIGURES | LEARNED_FIGURES | SPACE_FIGURES
BY_MODALITY = ("uar", "chance_uar", "accuracy", "macro_f1", "weighted_f1", "weighted_precision")  # of each subset
MAIN = tuple(
    known[key].title
    for known, keys in (
        (FIGURES, ("uar", "chance_uar")),
        (MATCHING_FIGURES, ("linear_cka", "chance_linear_cka")),
        (PROBE_FIGURES, PROBE_FIGURES),
    )
    for key in keys
)
TOGETHER = (  # figures of subsets and pairs of modalities: what they begin with, the table's name, which are told
    ("by_modality.", "by modality", {key: FIGURES[key] for key in BY_MODALITY}),
    ("matching.", "between modalities", MATCHING_FIGURES),
    ("probes.", "speakers and languages", PROBE_FIGURES),
)


@dataclass(frozen=True)
class FigureTable:
    """One split's figures, of its test items or of a corpus of which training saw nothing.

    Args:
        split: its name, and that of the unseen corpus.
        recipes: the columns.
        rows: title, which way is better ("higher", "lower" or ""), and a cell a recipe: text, and whether it is best.
        main: how titles of the rows begin that matter most, where there are many; else empty.
    """

    split: str
    recipes: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...]
    main: tuple[str, ...] = ()

    @property
    def first(self) -> tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...]:
        """The rows that stand open on a page: all, or those whose titles begin with one of ``main``."""
        return tuple(row for row in self.rows if row[0].startswith(self.main)) if self.main else self.rows

    @property
    def name(self) -> str:
        """For a place on a page."""
        return slug(self.split)


def figure_tables(results: StudyResults, splits: Sequence[SplitSummary]) -> list[FigureTable]:
    """A table for each split with finished runs, for each unseen corpus, and for modalities and how they match.

    Figures that no run has are left out.

    The best is marked among recipes that were judged on the same items.
    """
    runs, tables = results.runs, []
    for split in splits:
        own = runs[runs["split"] == split.split]
        ranked = () if split.obstacles else tuple(name for name in split.tested if name not in split.apart)
        if not len(own):
            continue
        begins = tuple(f"{part}." for part in PARTS)
        tested = own[[key for key in own.columns if not key.startswith(begins)]]
        tables.append(FigureTable(split.split, results.recipes, tuple(_rows(tested, results.recipes, ranked))))
        alike = _judged_alike(results, split.split, ranked, own)
        for corpus in _unseen(own):
            keys = {key: figure for key in own.columns for name, figure in [_of_unseen(key)] if name == corpus}
            figures = own[["recipe", *keys]].rename(columns=keys)
            name = f"{split.split}, unseen: {corpus}"
            tables.append(FigureTable(name, results.recipes, tuple(_rows(figures, results.recipes, alike))))
        for begin, name, known in TOGETHER:
            keys = {key: key.removeprefix(begin).replace("+", " + ") for key in own.columns if key.startswith(begin)}
            keys = {
                key: _in_words(told)
                for key, told in keys.items()
                if _figure_of(key) in known and own[key].notna().any()
            }
            alike = _of_as_many(own, begin, ranked)
            rows = tuple(_rows(own[["recipe", *keys]].rename(columns=keys), results.recipes, alike, known))
            tables += [FigureTable(f"{split.split}, {name}", results.recipes, rows, MAIN)] if rows else []
    return tables


def figures_markdown(tables: Sequence[FigureTable]) -> str:
    """The tables as Markdown."""
    lines: list[str] = []
    for table in tables:
        lines += [f"**{table.split}**", "", f"| figure | {' | '.join(table.recipes)} |"]
        lines += ["| --- |" + " ---: |" * len(table.recipes)]
        for title, better, cells in table.rows:
            shown = [f"**{text}**" if best else text for text, best in cells]
            lines.append(f"| {title}{f' ({better} is better)' if better else ''} | {' | '.join(shown)} |")
        lines.append("")
    return "\n".join([*lines, "Mean over seeds, standard deviation in brackets; bold: the best mean as it prints.", ""])


def _unseen(runs: pd.DataFrame) -> list[str]:
    """The unseen corpora of which some of these runs have figures."""
    known = [str(key) for key in runs.columns if key.startswith(UNSEEN) and runs[key].notna().any()]
    return list(dict.fromkeys(_of_unseen(key)[0] for key in known))


def _of_unseen(key: str) -> tuple[str, str]:
    """The unseen corpus, whose name may have dots, and the figure of a column; no corpus of other columns."""
    corpus, _, figure = key.removeprefix(UNSEEN).rpartition(".")
    return (corpus, figure) if key.startswith(UNSEEN) else ("", key)


def _judged_alike(results: StudyResults, split: str, ranked: Sequence[str], runs: pd.DataFrame) -> tuple[str, ...]:
    """Those of the recipes, ranked on the test items, that were judged on the first one's unseen items too."""
    columns = [key for key in runs.columns if key.startswith(UNSEEN)]
    tested = [name for name in ranked if runs.loc[runs["recipe"] == name, columns].notna().any(axis=None)]
    digests = {name: {each.digest for each in results.judged(name, split, "unseen")} for name in tested}
    return tuple(name for name in tested if len(digests[name]) == 1 and digests[name] == digests[tested[0]])


def _of_as_many(runs: pd.DataFrame, begin: str, ranked: Sequence[str]) -> tuple[str, ...]:
    """Those of the recipes, ranked on the test items, that have the first one's subsets of modalities, of as many."""
    columns = [key for key in runs.columns if key.startswith(begin) and _figure_of(key) == "items"]
    counts = {}
    for name in ranked:
        own = runs.loc[runs["recipe"] == name, columns].dropna(how="all")
        counts[name] = own.fillna(0).drop_duplicates().to_numpy().tolist()
    there = [name for name in ranked if counts[name]]
    return tuple(name for name in there if len(counts[name]) == 1 and counts[name] == counts[there[0]])


def _rows(
    runs: pd.DataFrame, recipes: Sequence[str], ranked: Sequence[str], all_known: Mapping[str, Figure] = ALL_KNOWN
) -> Iterator[tuple[str, str, tuple[tuple[str, bool], ...]]]:
    names = [str(key) for key in runs.columns if key not in PLACES]
    keys = [key for key in names if np.isfinite(runs[key].to_numpy(float)).any()]
    order = {key: place for place, key in enumerate(all_known)}
    for key in sorted(keys, key=lambda key: order.get(_figure_of(key), len(order))):
        known = all_known.get(_figure_of(key))
        by_recipe = [runs[runs["recipe"] == name][key].to_numpy(float) for name in recipes]
        means = [values[np.isfinite(values)].mean() if np.isfinite(values).any() else np.nan for values in by_recipe]
        shares = known is not None and (known.low, known.high) == (0, 1) and "bits" not in known.title
        shown = [_rounded(mean, shares) for mean in means]
        better = known.better if known is not None else None
        judged = [value for name, value in zip(recipes, shown) if name in ranked and np.isfinite(value)]
        best = None
        if better is not None and len(judged) > 1:
            best = max(judged) if better == "higher" else min(judged)
        cells = tuple(
            (_cell(values, mean, shares), name in ranked and value == best)
            for name, values, mean, value in zip(recipes, by_recipe, means, shown)
        )
        unit = " %" if shares else ""
        whose = "" if known is None or key in all_known else f": {key.rpartition('.')[0]}"
        yield (known.title if known is not None else key) + unit + whose, better or "", cells


def _in_words(key: str) -> str:
    """What a probe asks in place of its key; others as they are."""
    asked, dot, figure = key.rpartition(".")
    return f"{ASKED.get(asked, asked)}{dot}{figure}"


def _figure_of(key: str) -> str:
    """Of a figure that a term has learned, the part behind the term's name."""
    return key.rpartition(".")[2]


def _rounded(value: float, share: bool) -> float:
    return round(100 * value, 1) if share else round(value, 3)


def _cell(values: np.ndarray, mean: float, share: bool) -> str:
    if np.isnan(mean):
        return NONE
    by, digits = (100, 1) if share else (1, 3)
    finite = values[np.isfinite(values)]
    spread = f" ({by * finite.std(ddof=1):.{digits}f})" if len(finite) > 1 else ""
    return f"{by * mean:.{digits}f}{spread}"
