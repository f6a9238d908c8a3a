"""Tables of a study's page: tests in full, what selection tried, costs, what is missing, what it all rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affectspace.report import facts
from affectspace.report.phrases import NONE, PERCENT, ends, in_percent, listed, p_value, percent, signed
from affectspace.studies.results import StudyResults
from affectspace.studies.statistics import Estimate
from affectspace.studies.summary import RecipeSummary, SplitSummary
from affectspace.training.run import Run

__all__ = [
    "Examples",
    "anova",
    "choices",
    "corpora",
    "costs",
    "differences",
    "environments",
    "examples",
    "features",
    "had_to_choose",
    "limits",
    "missing",
    "pairs",
    "recipe_differences",
    "spent",
    "unequal_choices",
    "versions",
]

UNEQUAL = 3


@dataclass(frozen=True)
class Examples:
    """One finished run each of what a page tells apart, with the name that it gives it."""

    runs: tuple[Run, ...]
    names: tuple[str, ...]


def examples(results: StudyResults) -> Examples:
    """A finished run of each split that has one."""
    found = [(results.example(split), split) for split in results.splits]
    there = [(run, split) for run, split in found if run is not None]
    return Examples(tuple(run for run, _ in there), tuple(split for _, split in there))


def environments(results: StudyResults) -> list[tuple[str, str]]:
    """Whose environment, and what it was, of the first finished run of each recipe."""
    found = {name: run for split in reversed(results.splits) for name, run in _by_recipe(results, split).items()}
    names = tuple(name for name in results.recipes if name in found)
    return facts.environments(Examples(tuple(found[name] for name in names), names))


def _by_recipe(results: StudyResults, split: str) -> dict[str, Run]:
    found = {name: results.example(split, name) for name in results.recipes}
    return {name: run for name, run in found.items() if run is not None}


def recipe_differences(results: StudyResults) -> tuple[str, list[tuple[str, list[str], list[bool]]]]:
    """The first split where all recipes have a run, and the settings in which they differ there."""
    for split in results.splits:
        there = _by_recipe(results, split)
        if len(there) == len(results.recipes):
            return split, facts.recipe_differences(Examples(tuple(there.values()), results.recipes))
    return "", []


def features(results: StudyResults) -> list[tuple[str, str]]:
    """What the recipes read, how training items were augmented, under which licence: label and sentence."""
    told: dict[str, dict[str, dict[str, None]]] = {}
    for recipe in results.recipes:
        for split in results.splits:
            run = results.example(split, recipe)
            for label, sentence in facts.features(run) if run else ():
                told.setdefault(label, {}).setdefault(sentence, {})[recipe] = None
    there = set(results.runs["recipe"])
    return [
        (label, sentence + ("" if set(recipes) == there else f" ({', '.join(recipes)})"))
        for label, sentences in told.items()
        for sentence, recipes in sentences.items()
    ]


def versions(results: StudyResults) -> list[str]:
    """A sentence for each package of which the runs have seen several versions."""
    told = []
    for package, found in results.versions.items():
        whose = "; ".join(f"{version}: {listed(recipes)}" for version, recipes in found.items())
        mixed = all(set(recipes) == set(next(iter(found.values()))) for recipes in found.values())
        doubt = "which adds to how seeds differ" if mixed else "so a difference between recipes may be one of versions"
        told.append(f"The runs were trained with several versions of {package} ({whose}), {doubt}.")
    return told


# ---- tests


def anova(split: SplitSummary) -> str:
    """The analysis of variance in one line, or why there is none."""
    a = split.anova
    if a.f is None or a.p is None or a.eta_squared is None or a.omega_squared is None:
        return f"No analysis of variance: {a.reason}."
    f = f"{a.f:,.2f}" if a.f < 1e4 else f"{a.f:.2e}"
    share, omega = f"{100 * a.eta_squared:.0f}{PERCENT}", _two(a.omega_squared)
    return (
        f"F({a.df_between}, {a.df_within}) = {f}, {p_value(a.p)}; recipes explain {share} of the runs' variance (η²), "
        f"ω² = {omega}."
    )


def differences(split: SplitSummary) -> list[tuple[str, list[str]]]:
    """A row a recipe: n, difference with Tukey's interval, p, paired, g, over speakers, over speakers and seeds."""
    return [(row.recipe, _cells(row)) for row in split.rows if row.difference is not None]


def pairs(split: SplitSummary) -> list[tuple[str, str, str, str, str]]:
    """Every pair of recipes: names, difference, interval, p."""
    told = []
    for pair in split.tukey.pairs:
        seen = pair if pair.value >= 0 else pair.turned()  # the one ahead first
        interval = NONE if seen.low is None or seen.high is None else ends(seen.low, seen.high)
        p = NONE if seen.p is None else p_value(seen.p)
        told.append((split.tested[seen.one], split.tested[seen.other], signed(seen.value), interval, p))
    return told


def _cells(row: RecipeSummary) -> list[str]:
    value, low, high = row.change
    tukey = signed(value) + ("" if np.isnan(low) else f" ({ends(low, high)})")
    g = NONE if row.g.value is None else f"{_two(row.g.value)}{_interval(row.g)}"
    paired = NONE
    if row.paired.value is not None and row.paired.p is not None:
        interval = ends(row.paired.low or 0.0, row.paired.high or 0.0)
        paired = f"{signed(row.paired.value)} ({interval}), {p_value(row.paired.p)}"
    around = [NONE if each is None else ends(each.low, each.high) for each in (row.speakers, row.speakers_and_seeds)]
    return [str(row.uar.n), tukey, NONE if np.isnan(row.p) else p_value(row.p), paired, g, *around]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({_two(estimate.low)} to {_two(estimate.high)})"


# ---- selection


def had_to_choose(results: StudyResults) -> list[str]:
    """Among how many settings each recipe chose, in sentences; empty where nothing was to be chosen."""
    told = []
    if results.chooser is not None and results.shared_settings > 1:
        told.append(f"{results.chooser} chose among {results.shared_settings:,} settings for all recipes.")
    if max(results.own_settings.values()) > 1:
        counts = [f"{name} {count:,}" for name, count in results.own_settings.items()]
        told.append(f"For itself alone, each recipe had so many settings to choose from: {', '.join(counts)}.")
    return told


def unequal_choices(results: StudyResults) -> list[str]:
    """A caution where the baseline had fewer settings to choose from than a recipe that is compared with it."""
    base = results.baseline
    shared = {name: results.shared_settings if name == results.chooser else 1 for name in results.recipes}
    had = {name: shared[name] * count for name, count in results.own_settings.items()}
    more = [f"{name} {count:,}" for name, count in had.items() if count > had[base]]
    if not more:
        return []
    few = "no setting to choose" if had[base] == 1 else f"{had[base]:,} settings to choose from"
    return [
        f"The search was not even: {base} had {few}, {listed(more)}. Whoever may try more finds something better, so "
        f"part of a lead over {base} may be the search; give {base} a grid of that size before you believe in it."
    ]


def choices(results: StudyResults) -> list[dict[str, Any]]:
    """What was tried for each split and fold: settings, rows with the chosen one marked, and the choice in words."""
    told = []
    for key, entry in results.selection.items():
        split, _, fold = key.rpartition("/")
        shared, own, tried = entry.get("shared") or {}, entry.get("own") or {}, entry.get("tried") or []
        settings = list(dict.fromkeys(name for each in tried for name in each.get("set") or {}))
        known = [each["uar"] for each in tried if each.get("uar") is not None]
        rows = []
        for each in tried:
            values = each.get("set") or {}
            chosen = values == own.get(each.get("recipe")) or (
                values == (shared.get("set") or {}) and not _own(each, own)
            )
            uar = each.get("uar")
            rows.append({
                "recipe": each.get("recipe", ""),
                "values": [_value(values[name]) if name in values else "" for name in settings],
                "epoch": NONE if each.get("epoch") is None else str(each["epoch"]),
                "uar": "diverged" if each.get("diverged") else NONE if uar is None else percent(uar),
                "sd": NONE if each.get("sd") is None else in_percent(each["sd"]),
                "runs": each.get("runs", NONE),
                "share": _share(uar, known),
                "chosen": chosen,
            })  # fmt: skip
        told.append({
            "key": key, "split": split or key, "fold": "" if fold == "all" else fold.replace("-", " "),
            "settings": settings, "rows": rows, "words": _choice(shared, own, entry.get("own_epoch") or {}),
        })  # fmt: skip
    return told


def _own(tried: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether a recipe tried this for itself, not for all."""
    its = own.get(str(tried.get("recipe")))
    return its is not None and set(its) == set(tried.get("set") or {})


def _choice(shared: dict[str, Any], own: dict[str, Any], own_epochs: dict[str, int]) -> str:
    parts = [f"{key} = {_value(value)}" for key, value in (shared.get("set") or {}).items()]
    if shared.get("epoch") is not None:
        parts.append(f"epoch {shared['epoch']}")
    told = [f"all recipes: {', '.join(parts)}"] if parts else []
    for name in dict.fromkeys([*own, *own_epochs]):
        its = [f"{key} = {_value(value)}" for key, value in (own.get(name) or {}).items()]
        its += [f"epoch {own_epochs[name]}"] if name in own_epochs else []
        told.append(f"{name}: {', '.join(its)}")
    return "; ".join(told) or "nothing yet"


def _share(uar: float | None, known: Sequence[float]) -> float:
    """Length of a bar in per cent: from just below the lowest figure to the highest, as these lie close together."""
    if uar is None:
        return 0.0
    low, high = min(known), max(known)
    return round(100 * (0.15 + 0.85 * (uar - low) / (high - low)), 1) if high > low else 100.0


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


# ---- costs


def costs(results: StudyResults) -> list[tuple[str, str, str, str, str]]:
    """A row a recipe: runs, seconds a run, total, and how much of the baseline's time on the same splits."""
    table, rows = results.runs, []
    by_split = table.groupby(["recipe", "split"])["seconds"].mean()
    for name in results.recipes:
        its = table.loc[table["recipe"] == name, "seconds"].dropna()
        if not len(its):
            rows.append((name, "0", NONE, NONE, NONE))
            continue
        spread = f" ± {_time(float(its.std()))}" if len(its) > 1 else ""
        ratios = [
            by_split.get((name, split), np.nan) / by_split.get((results.baseline, split), np.nan)
            for split in results.splits
        ]
        there = [ratio for ratio in ratios if np.isfinite(ratio)]
        ratio = NONE if not there else "1" if name == results.baseline else f"{np.exp(np.mean(np.log(there))):.2f}"
        rows.append((name, f"{len(its):,}", _time(float(its.mean())) + spread, _time(float(its.sum())), ratio))
    return rows


def spent(results: StudyResults) -> list[tuple[str, str]]:
    """What the study took, and what had been predicted: label and words."""
    timing = results.timing
    seconds, predicted = timing.get("seconds"), timing.get("predicted_seconds")
    lines = []
    if seconds is not None:
        lines.append(("Wall time" if results.finished else "Wall time so far", _time(seconds)))
    if predicted is not None:
        compared = results.finished and seconds and predicted
        off = f" (it took {seconds / predicted:.2f} times that)" if compared else ""
        lines.append(("Predicted", _time(predicted) + off))
    if timing.get("processes") is not None:
        lines.append(("Processes", str(timing["processes"])))
    for key, label in (("grid_seconds", "Inner runs, together"), ("run_seconds", "Outer runs, together")):
        if timing.get(key) is not None:
            lines.append((label, _time(timing[key])))
    return lines


def _time(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 5940:
        return f"{seconds / 60:.1f} min" if seconds < 597 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"


# ---- what it rests on


def missing(results: StudyResults) -> list[tuple[str, str, str]]:
    """Planned runs that are not finished: recipe, split, and their seeds with how far they are."""
    told = []
    for (recipe, split), table in results.missing.groupby(["recipe", "split"], sort=False):
        states: dict[str, list[str]] = {}
        for seed, state in zip(table["seed"], table["state"]):
            states.setdefault(str(state), []).append(str(seed))
        words = "; ".join(f"seed{'s' if len(s) > 1 else ''} {', '.join(s)} ({state})" for state, s in states.items())
        told.append((str(recipe), str(split), words))
    return told


def corpora(shown: Examples) -> list[dict[str, Any]]:
    """A card for each corpus; splits that differ only in how many items each class has share one."""
    cards: list[dict[str, Any]] = []
    for card in facts.corpora(shown):
        told = {key: value for key, value in card.items() if key not in {"about", "classes", "runs", "whose"}}
        same = next((other for other in cards if all(other[key] == value for key, value in told.items())), None)
        if same:
            same["runs"] += [name for name in card["runs"] if name not in same["runs"]]
        else:
            cards.append({**card, "runs": list(card["runs"])})
    for card in cards:
        card["whose"] = "" if len(card["runs"]) == len(shown.runs) else "; ".join(card["runs"])
    return cards


def limits(results: StudyResults, splits: Sequence[SplitSummary]) -> list[str]:
    """What may not be concluded, and what the tests assume."""
    told = [
        "Seeds vary what is drawn in training: how networks begin, the order of items and, where a recipe has them, "
        "dropout, augmentation and triplets. Tukey's interval is of the difference that infinitely many seeds would "
        "show on these very test items, with these training items and settings.",
        "Intervals for other speakers take those of the test set for a sample: they hold for speakers like them, "
        "recorded alike, not for other corpora, languages or rooms. No interval here covers other training data.",
        "Tukey's test takes seeds as independent and equally spread in all recipes. Runs of one seed begin alike, "
        "which the paired column uses; it is adjusted for nothing, and is not what arrows and marks are of.",
    ]
    if len(splits) > 1:
        told.append(
            f"Each of the {len(splits)} splits is tested at p < .05 by itself. Over several, one recipe or another "
            "will pass by chance more often than that."
        )
    if len(results.recipes) > 2:
        told.append(
            "The recipe that leads is the best of several, which flatters it. Tukey's interval allows for that; those "
            "over speakers, and the paired ones, do not."
        )
    told += [
        f"On {split.split} the spread over seeds is more than {UNEQUAL} times as wide in one recipe as in another, "
        "which Tukey's test does not expect: take its p for a rough one there."
        for split in splits
        if _unequal(split)
    ]
    if results.selection:
        told.append(
            "Settings were chosen on training items alone. Where one recipe chose for all, the others may have "
            "deserved other settings: the comparison is of recipes at those settings."
        )
        told.append(
            "A choice is made once and serves all seeds of its split or fold. Inner runs that had drawn otherwise "
            "might have chosen otherwise: no interval here holds the luck of that, so all are too narrow by it."
        )
    else:
        told.append(
            "No settings were chosen in this study: the comparison is of the recipes as they were written, and nothing "
            "here tells how they came by their settings."
        )
    if any(row.uar.n < 5 for split in splits for row in split.rows if row.uar.n > 1):
        told.append("With fewer than five seeds a standard deviation is a rough guess, and so is all that uses it.")
    if not results.finished:
        told.append(
            "The study is not finished. Looking at it until a difference shows and stopping then makes differences "
            "out of chance; let it finish."
        )
    return told


def _unequal(split: SplitSummary) -> bool:
    """Whether standard deviations differ by more than their own uncertainty lets them, roughly."""
    known = [row.uar.sd for row in split.rows if row.uar.sd is not None and row.uar.n >= 5]
    return len(known) > 1 and max(known) > UNEQUAL * min(known)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
