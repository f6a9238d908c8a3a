"""A study in figures: for each split what each recipe reaches, how far from the baseline, and how surely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.metrics.speaker_intervals import SpeakerInterval, figure_interval, no_speakers, speaker_interval
from affectspace.studies.answers import Judged
from affectspace.studies.results import StudyResults
from affectspace.studies.statistics import (
    Anova,
    Difference,
    Estimate,
    Tukey,
    hedges_g,
    mean_interval,
    one_way_anova,
    paired,
    tukey,
)
from affectspace.studies.words import counted, listed, named
from affectspace.training.run import Run

__all__ = ["ALPHA", "RecipeSummary", "SplitSummary", "summarise"]

ALPHA = 0.05  # below this a p is marked
FEW_SEEDS = 5  # with fewer a standard deviation is a rough guess
NAMED = 3  # items that are told by their ids
REMEDY = (
    "Only recipes judged on the same items are compared: leave what differs out of the corpus for all of them, such as "
    "a broken recording that one front end refuses."
)
NOTHING = Estimate(None, reason="there is nothing to compare")


@dataclass(frozen=True)
class RecipeSummary:
    """One recipe on one split; UAR in [0, 1], differences to the baseline in [-1, 1].

    Args:
        recipe: its name.
        uar: mean over seeds with its t interval and sd; None without a finished run.
        planned: how many seeds the study has, of which ``uar.n`` are finished; 0 where its members cannot be fused.
        seconds: median over runs, as a process's first run carries its start; NaN where not recorded.
        difference: to the baseline, with Tukey's simultaneous interval and p; None for the baseline.
        paired: the same difference over the seeds that both have, by the paired t test, not adjusted.
        g: the same in units of the spread over seeds.
        speakers: where the same lies for speakers like those of the test set.
        speakers_and_seeds: and for other seeds as well.
        reached: the mean of ``uar`` and of ``macro_f1`` over seeds, and where it lies for speakers like those of the
            test set, and for other seeds where there are several; empty without a finished run.
    """

    recipe: str
    uar: Estimate
    planned: int
    seconds: float
    difference: Difference | None = None
    paired: Estimate = NOTHING
    g: Estimate = NOTHING
    speakers: SpeakerInterval | None = None
    speakers_and_seeds: SpeakerInterval | None = None
    reached: Mapping[str, tuple[float, SpeakerInterval | None]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean UAR over seeds, NaN where unknown."""
        return _or_nan(self.uar.value)

    @property
    def change(self) -> tuple[float, float, float]:
        """Difference to the baseline, lower and upper end of Tukey's interval; NaN where unknown."""
        if self.difference is None:
            return (np.nan, np.nan, np.nan)
        return self.difference.value, _or_nan(self.difference.low), _or_nan(self.difference.high)

    @property
    def p(self) -> float:
        """Tukey's adjusted p of that difference, NaN where there is no test."""
        return _or_nan(self.difference.p if self.difference else None)

    @property
    def verdict(self) -> str:
        """ "above" or "below" the baseline where Tukey's p is under .05, "level" where it is not, "" without a test."""
        if np.isnan(self.p):
            return ""
        return "level" if self.p >= ALPHA else "above" if self.change[0] > 0 else "below"


@dataclass(frozen=True)
class SplitSummary:
    """All recipes on one split.

    Args:
        split: its name.
        baseline: the recipe that the others are compared with.
        rows: one a recipe, in the order of the study file.
        chance: UAR of random predictions, NaN where unknown.
        items: how many are tested; 0 without a finished run.
        anova: over the recipes with finished runs.
        tukey: all pairs of :attr:`tested`, by their places there.
        tested: names of the recipes with finished runs, without those set apart; where there are obstacles, of all.
        obstacles: why recipes cannot be ranked, in sentences; empty where they can.
        no_speakers: why there is no interval over speakers; empty where there is.
        transductive: recipes whose runs saw the unlabelled test items.
        apart: recipes that were judged on other items than the baseline, or fuse such, and in words on which.
        average: whether it is no split but the mean over all, of :func:`affectspace.studies.over_splits.with_average`.
    """

    split: str
    baseline: str
    rows: tuple[RecipeSummary, ...]
    chance: float
    items: int
    anova: Anova
    tukey: Tukey
    tested: tuple[str, ...]
    obstacles: tuple[str, ...] = ()
    no_speakers: str = ""
    transductive: tuple[str, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)
    average: bool = False

    @property
    def base(self) -> RecipeSummary:
        """The baseline's row."""
        return next(row for row in self.rows if row.recipe == self.baseline)

    @property
    def others(self) -> tuple[RecipeSummary, ...]:
        """The rows of all other recipes with finished runs, the furthest ahead first."""
        found = [row for row in self.rows if row.recipe != self.baseline and row.recipe in self.tested]
        return tuple(sorted(found, key=lambda row: -np.nan_to_num(row.mean, nan=-1.0)))

    @property
    def best(self) -> tuple[str, ...]:
        """The recipes with the highest mean as it prints, in tenths of a per cent; none where there is no ranking."""
        known = [row for row in self.rows if row.recipe in self.tested and np.isfinite(row.mean)]
        shown = {row.recipe: round(100 * row.mean, 1) for row in known}
        if self.obstacles or len(shown) < 2:
            return ()
        return tuple(name for name, value in shown.items() if value == max(shown.values()))

    @property
    def at_chance(self) -> bool:
        """Whether no recipe of :attr:`tested` is shown to be above chance: perhaps nothing was learned."""
        known = [row.uar for row in self.rows if row.recipe in self.tested and np.isfinite(row.mean)]
        return bool(known) and bool(np.isfinite(self.chance)) and not any(map(self._above_chance, known))

    def _above_chance(self, uar: Estimate) -> bool:
        """By the interval over seeds; with one or two, which have none of use, by what guessing reaches by luck."""
        luck = 2 * (self.chance * (1 - self.chance) / max(self.items, 1)) ** 0.5
        low = _or_nan(uar.low) if uar.n > 2 else _or_nan(uar.value) - luck
        return bool(low > self.chance)

    @property
    def set_apart(self) -> tuple[str, ...]:
        """Who is set apart and why, and what to do about it, in sentences; empty where nobody is."""
        alike: dict[str, list[str]] = {}
        for name, why in self.apart.items():
            alike.setdefault(why, []).append(name)
        told = [f"{named(*names)} ({why})" for why, names in alike.items()]
        return (
            (f"Set apart, as not judged on the items of {named(self.reference)}: {'; '.join(told)}.", REMEDY)
            if told
            else ()
        )

    @property
    def reference(self) -> str:
        """The recipe on whose items the others are compared: the baseline, or the first while that has no run."""
        return self.baseline if self.base.uar.n or not self.tested else self.tested[0]


def summarise(results: StudyResults) -> tuple[SplitSummary, ...]:
    """Every split of the study, as far as its runs are finished.

    Recipes of one split are compared with the baseline only when all their runs were judged on its items
    with its labels and tell the same classes apart; the others are set apart.

    Raises:
        InputError: a run's files are damaged.
    """
    return tuple(_split(results, split) for split in results.splits)


def _split(results: StudyResults, split: str) -> SplitSummary:
    runs = results.runs[results.runs["split"] == split]
    by_recipe = {name: runs[runs["recipe"] == name] for name in results.recipes}
    figures = {name: table["uar"].to_numpy(float) for name, table in by_recipe.items()}
    tested = tuple(name for name in results.recipes if len(figures[name]))
    judged = {name: results.judged(name, split) for name in tested}
    first = results.baseline if results.baseline in tested else next(iter(tested), "")
    torn = len({each.digest for each in judged.get(first, ())}) > 1
    apart = {} if torn else _apart(results, split, first, judged)
    comparable = not torn and not (apart and len(tested) == 1 + len(apart))
    if comparable:
        tested = tuple(name for name in tested if name not in apart)
    unlike = {name: _unlike(results, split, name) for name in results.fuses if not results.alike(name, split)}
    groups = [figures[name] for name in tested]
    why = "the recipes were not judged on the same items"
    if len(tested) < 2:
        why = f"only {tested[0]} has finished runs" if tested else "no run is finished"
    testable = comparable and len(tested) > 1
    anova = one_way_anova(groups) if testable else Anova(reason=why)
    pairs = tukey(groups) if testable else Tukey((), why)
    chance = by_recipe[first]["chance_uar"].mean() if first else np.nan
    base = results.baseline
    rows = []
    for name, table in by_recipe.items():
        seconds = float(table["seconds"].median()) if len(table) else np.nan
        planned = 0 if name in unlike else len(results.seeds)
        uar, reached = mean_interval(figures[name]), _reached(table, judged.get(name))
        row = RecipeSummary(name, uar, planned, seconds, reached=reached)
        if comparable and name != base and {name, base} <= set(tested) and _finite(figures[name], figures[base]):
            one, other = ([each.tally for each in judged[which]] for which in (name, base))
            own, its = (by_recipe[which].set_index("seed")["uar"] for which in (name, base))
            shared = [seed for seed in own.index if seed in its.index]
            row = replace(
                row,
                difference=pairs.between(tested.index(name), tested.index(base)),
                paired=paired(own.loc[shared].to_numpy(float), its.loc[shared].to_numpy(float)),
                g=hedges_g(figures[name], figures[base]),
                speakers=speaker_interval(one, other),
                speakers_and_seeds=speaker_interval(one, other, seeds=True),
            )
        rows.append(row)
    summary = SplitSummary(
        split, base, tuple(rows), float(chance), judged[first][0].items if first else 0, anova, pairs, tested, (),
        _no_speakers([judged[name] for name in tested]),
        tuple(name for name in judged if _transductive(results, split, name)), apart | unlike,
    )  # fmt: skip
    if comparable:
        return summary
    seeds = (f"The seeds of {first} were not judged on the same items.", REMEDY) if torn else ()
    return replace(summary, obstacles=seeds or summary.set_apart)


def _unlike(results: StudyResults, split: str, recipe: str) -> str:
    """Why a recipe cannot fuse its members, in words."""
    judged = {name: runs for name in results.fuses[recipe] if (runs := results.judged(name, split))}
    reasons = _apart(results, split, next(iter(judged)), judged)
    told = "; ".join(f"{named(name)} {why.removeprefix('it ')}" for name, why in reasons.items())
    what = "on the same items" if told else "on the same items seed by seed"
    return f"fuses {named(*results.fuses[recipe])}, which were not judged {what}{f': {told}' if told else ''}"


def _apart(results: StudyResults, split: str, first: str, judged: Mapping[str, Sequence[Judged]]) -> dict[str, str]:
    """The recipes that cannot be compared with the first, and why."""
    reasons = {}
    for name, runs in judged.items():
        own, its = (_example(results, split, results.members(each)[0]).classes for each in (name, first))
        if len({each.digest for each in runs}) > 1:
            reasons[name] = "on other items from seed to seed"
        elif own != its:
            reasons[name] = f"it tells {listed(own)} apart, {named(first)} {listed(its)}"
        elif runs[0].digest != judged[first][0].digest:
            reasons[name] = _otherwise(results.items(name, split), results.items(first, split))
    return reasons


def _otherwise(own: Sequence[str], its: Sequence[str]) -> str:
    """How the items of a recipe differ from those of the first, in words."""
    lacks, more = (sorted(set(one) - set(other)) for one, other in ((its, own), (own, its)))
    told = [f"without {len(lacks):,} of {counted(len(its), 'item')}: {_few(lacks)}"] if lacks else []
    told += [f"with {len(more):,} more: {_few(more)}"] if more else []
    return "; ".join(told) or f"on the same {counted(len(its), 'item')}, with other labels"


def _few(items: Sequence[str]) -> str:
    left = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {left:,} others" if left > 0 else "")


def _reached(runs: pd.DataFrame, judged: Sequence[Judged] | None) -> dict[str, tuple[float, SpeakerInterval | None]]:
    """The figures of one recipe with their intervals over speakers, and over seeds where there are several."""
    if not judged:
        return {}
    tallies = [each.tally for each in judged]
    return {
        metric: (float(runs[metric].mean()), figure_interval(tallies, metric, seeds=len(tallies) > 1))
        for metric in ("uar", "macro_f1")
    }


def _no_speakers(judged: Sequence[Sequence[Judged]]) -> str:
    runs = [each.tally for runs in judged for each in runs]
    return no_speakers(runs) if runs else "no run is finished"


def _transductive(results: StudyResults, split: str, recipe: str) -> bool:
    return any(_example(results, split, name).metrics.get("transductive") for name in results.members(recipe))


def _example(results: StudyResults, split: str, recipe: str) -> Run:
    run = results.example(split, recipe)
    if run is None:
        raise InputError(f"recipe {recipe!r} has no finished run on split {split!r}; go on with the study")
    return run


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _finite(*figures: np.ndarray) -> bool:
    return all(np.isfinite(each).all() for each in figures)
