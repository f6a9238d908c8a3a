"""The mean over the splits of a study, where each of them tests other items: what papers give as their average."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from affectspace.metrics.speaker_intervals import Tally, mean_figure_interval, mean_speaker_interval
from affectspace.studies.results import StudyResults
from affectspace.studies.statistics import Estimate, hedges_g, mean_interval, one_way_anova, paired, tukey
from affectspace.studies.summary import RecipeSummary, SplitSummary
from affectspace.studies.words import listed

__all__ = ["AVERAGE", "with_average"]

AVERAGE = "average"


@dataclass(frozen=True)
class _Runs:
    """What one recipe reached with the seeds that it has finished on every split.

    Args:
        seeds: of the study, the same on every split.
        uar, macro_f1: ``(splits, seeds)``.
        tallies: the answers, for each split and seed, in the order of ``seeds`` on every split.
    """

    seeds: tuple[int, ...]
    uar: np.ndarray
    macro_f1: np.ndarray
    tallies: tuple[tuple[Tally, ...], ...]


def with_average(results: StudyResults, splits: Sequence[SplitSummary]) -> tuple[SplitSummary, ...]:
    """The splits, and behind them their average as though it were one more; without it where there is none.

    The average of a recipe is the mean of its UAR over the splits, each counting alike, for every seed that it has
    finished on all of them; spread, tests and intervals are over these seeds, as one that is good on one split may be
    so on all. Other speakers are those of all splits.

    There is none of a single split, of splits that share test items, which differ in what they train on, of splits that
    tell other classes apart, nor where the baseline is not compared on every split, or one of them is called "average".
    A recipe that is not compared on every split has no figure here, and its row says why.

    Args:
        results: of a study.
        splits: what :func:`affectspace.studies.summarise` gave of it.

    Raises:
        InputError: a run's files are damaged.
    """
    splits = tuple(splits)
    if len(splits) < 2 or AVERAGE in results.splits:
        return splits
    base = splits[0].baseline
    if len({_classes(results, split) for split in splits}) > 1:
        return splits
    found = {row.recipe: _runs(results, splits, row.recipe) for row in splits[0].rows}
    runs = {name: its for name, its in found.items() if isinstance(its, _Runs)}
    if base not in runs or _share_items(results, splits, base):
        return splits
    names = tuple(runs)
    figures = {name: its.uar.mean(0) for name, its in runs.items()}
    few = f"only {base} has finished runs on every split" if len(names) < 2 else ""
    pairs = tukey([figures[name] for name in names])
    rows = []
    for first in splits[0].rows:
        its = found[first.recipe]
        if isinstance(its, str):
            rows.append(RecipeSummary(first.recipe, Estimate(None, reason=its), 0, np.nan))
            continue
        row = _row(first, its)
        if row.recipe != base and np.isfinite([*figures[row.recipe], *figures[base]]).all():
            change = pairs.between(names.index(row.recipe), names.index(base))
            row = replace(_compared(row, its, runs[base]), difference=change)
        rows.append(row)
    average = SplitSummary(
        split=AVERAGE,
        baseline=base,
        rows=tuple(rows),
        chance=float(np.mean([split.chance for split in splits])),
        items=sum(split.items for split in splits),
        anova=one_way_anova([figures[name] for name in names]),
        tukey=replace(pairs, reason=few or pairs.reason),
        tested=names,
        no_speakers=_no_speakers(splits, runs[base]),
        transductive=tuple(name for name in names if any(name in split.transductive for split in splits)),
        average=True,
    )
    return (*splits, average)


def _classes(results: StudyResults, split: SplitSummary) -> tuple[str, ...]:
    """Which classes are told apart on a split, in no order; none without a finished run."""
    run = results.example(split.split)
    return tuple(sorted(run.classes)) if run else ()


def _runs(results: StudyResults, splits: Sequence[SplitSummary], recipe: str) -> _Runs | str:
    """What is there of a recipe, or why it has no average, in words."""
    lacks = [split.split for split in splits if split.obstacles or recipe not in split.tested]
    if lacks:
        return f"not compared on {listed(lacks)}"
    table = results.runs[results.runs["recipe"] == recipe]
    by_split = [table[table["split"] == split.split].set_index("seed") for split in splits]
    seeds = tuple(seed for seed in results.seeds if all(seed in each.index for each in by_split))
    if not seeds:
        return "no seed is finished on every split"
    tallies = []
    for split, each in zip(splits, by_split):
        told = dict(zip(each.index, results.judged(recipe, split.split), strict=True))
        tallies.append(tuple(told[seed].tally for seed in seeds))
    uar, macro_f1 = (
        np.stack([each.loc[[*seeds], metric].to_numpy(float) for each in by_split]) for metric in ("uar", "macro_f1")
    )
    return _Runs(seeds, uar, macro_f1, tuple(tallies))


def _share_items(results: StudyResults, splits: Sequence[SplitSummary], recipe: str) -> bool:
    items = [item for split in splits for item in results.items(recipe, split.split)]
    return len(set(items)) < len(items)


def _row(first: RecipeSummary, runs: _Runs) -> RecipeSummary:
    several = len(runs.seeds) > 1
    reached = {
        "uar": (float(runs.uar.mean()), mean_figure_interval(runs.tallies, "uar", seeds=several)),
        "macro_f1": (float(runs.macro_f1.mean()), mean_figure_interval(runs.tallies, "macro_f1", seeds=several)),
    }
    return RecipeSummary(first.recipe, mean_interval(runs.uar.mean(0)), first.planned, np.nan, reached=reached)


def _compared(row: RecipeSummary, runs: _Runs, base: _Runs) -> RecipeSummary:
    shared = [seed for seed in runs.seeds if seed in base.seeds]
    own, its = (each.uar.mean(0)[[each.seeds.index(seed) for seed in shared]] for each in (runs, base))
    return replace(
        row,
        paired=paired(own, its),
        g=hedges_g(runs.uar.mean(0), base.uar.mean(0)),
        speakers=mean_speaker_interval(runs.tallies, base.tallies),
        speakers_and_seeds=mean_speaker_interval(runs.tallies, base.tallies, seeds=True),
    )


def _no_speakers(splits: Sequence[SplitSummary], base: _Runs) -> str:
    """Why there is no interval over speakers, in words; empty where there is one."""
    for split in splits:
        if split.no_speakers:
            return f"{split.split}: {split.no_speakers}"
    names = [name for tallies in base.tallies for name in tallies[0].speakers]
    return "" if len(set(names)) == len(names) else "several splits test items of the same speakers"
