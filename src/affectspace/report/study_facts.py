"""What a study rests on, for its page: corpora, features, versions, what is missing, what may not be concluded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from affectspace.report import facts
from affectspace.report.phrases import counted, listed, named
from affectspace.studies.results import StudyResults
from affectspace.studies.study import NO_EFFECT
from affectspace.studies.summary import FEW_SEEDS, SplitSummary
from affectspace.training.of_languages import steady_told
from affectspace.training.remarks import item_remarks
from affectspace.training.run import Run

__all__ = [
    "Examples",
    "beside_the_loss",
    "corpora",
    "environments",
    "examples",
    "features",
    "fusions",
    "items",
    "limits",
    "missing",
    "recipe_differences",
    "versions",
]

UNEQUAL = 3
MOST_KEYS = 3  # settings that a sentence names


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
    """The first split where all recipes that are trained have a run, and the settings in which they differ there."""
    for split in results.splits:
        there = _by_recipe(results, split)
        if len(there) == len(results.trained):
            return split, facts.recipe_differences(Examples(tuple(there.values()), results.trained))
    return "", []


def beside_the_loss(results: StudyResults) -> list[str]:
    """A sentence where recipes that have other terms than the baseline differ from it in more than those.

    What the study has chosen for a recipe does not count, nor does what has no effect on figures.
    """
    _, table = recipe_differences(results)
    base, found = results.trained.index(results.baseline), {}
    for place, name in enumerate(results.trained):
        its = [(key, values[place], values[base]) for key, values, _ in table if values[place] != values[base]]
        more = tuple(
            each for each in its if not _within(each[0], ("terms", "name", "seed", *NO_EFFECT, *results.chosen))
        )
        if more and any(_within(key, ("terms",)) for key, _, _ in its):
            found.setdefault(more, []).append(name)
    if not found:
        return []
    keys = {key for more in found for key, _, _ in more}
    told = []
    for more, names in found.items():
        what = listed([f"{key} ({own} against {its})" for key, own, its in more])
        told.append(
            f"{named(*names)} {'differs' if len(names) == 1 else 'differ'} from {named(results.baseline)} in {what}"
        )
    if len(keys) > MOST_KEYS:
        names = [name for several in found.values() for name in several]
        fewest, most = min(map(len, found)), max(map(len, found))
        count = counted(most, "setting") if fewest == most else f"{fewest} to {most} settings"
        told = [
            f"{named(*names)} {'differs' if len(names) == 1 else 'differ'} from {named(results.baseline)} in {count}, "
            "which the page has under “Settings in which the recipes differ”"
        ]
    return [f"Beside the loss, {'; '.join(told)}: what is told of them may come of that."]


def _within(key: str, parts: Iterable[str]) -> bool:
    return any(key == part or key.startswith(f"{part}.") for part in parts)


def features(results: StudyResults) -> list[tuple[str, str]]:
    """What the recipes read, how training items were augmented, under which licence: label and sentence."""
    told: dict[str, dict[str, dict[str, None]]] = {}
    for recipe in results.recipes:
        for split in results.splits:
            run = results.example(split, recipe)
            for label, sentence in facts.features(run) if run else ():
                told.setdefault(label, {}).setdefault(sentence, {})[recipe] = None
    there = set(results.runs["recipe"]) & set(results.trained)
    return [
        (label, sentence + ("" if set(recipes) == there else f" ({named(*recipes)})"))
        for label, sentences in told.items()
        for sentence, recipes in sentences.items()
    ]


def fusions(results: StudyResults) -> list[tuple[str, str]]:
    """What is fused of which recipes: label and sentence."""
    told = "the mean of what {} answer, each alike, seed by seed; nothing is learned or chosen"
    return [
        ("Late fusion", f"{named(name)}: {told.format(named(*members))}") for name, members in results.fuses.items()
    ]


def versions(results: StudyResults) -> list[str]:
    """A sentence for each package of which the runs have seen several versions."""
    told = []
    for package, found in results.versions.items():
        whose = "; ".join(f"{version}: {named(*recipes)}" for version, recipes in found.items())
        mixed = all(set(recipes) == set(next(iter(found.values()))) for recipes in found.values())
        doubt = "which adds to how seeds differ" if mixed else "so a difference between recipes may be one of versions"
        told.append(f"The runs were trained with several versions of {package} ({whose}), {doubt}.")
    return told


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


def items(results: StudyResults) -> list[str]:
    """What tested items do not show, and few languages do not tell, once for all splits of which it is true."""
    where: dict[str, list[str]] = {}
    for split in results.splits:
        told = ((*item_remarks(run), *steady_told(run.data.get("steady") or {})) for run in results.examples(split))
        for sentence in dict.fromkeys(each for sentences in told for each in sentences):
            where.setdefault(sentence, []).append(split)
    return [f"{listed(splits)}: {sentence}" for sentence, splits in where.items()]


def limits(results: StudyResults, splits: Sequence[SplitSummary]) -> list[str]:
    """What may not be concluded, and what the tests assume."""
    told = [
        "Seeds vary what is drawn in training: how networks begin, the order of items and, where a recipe has them, "
        "dropout, augmentation and triplets. Tukey's interval is of the difference that infinitely many seeds would "
        "show on these very test items, with these training items and settings.",
        "Intervals for other speakers take those of the test set for a sample: they hold for speakers like them, "
        "recorded alike, not for other corpora, languages or rooms. Speakers are taken as independent; where they talk "
        "with each other, or one fold tests several, the intervals are somewhat too narrow. No interval here covers "
        "other training data.",
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
    if results.fuses:
        names, are = named(*results.fuses), "is" if len(results.fuses) == 1 else "are"
        told.append(
            f"{names} {are} fused of runs of other recipes here. Tukey's test takes all recipes as independent, which "
            "these are not; the paired column allows for that."
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
    if any(row.uar.n < FEW_SEEDS for split in splits for row in split.rows if row.uar.n > 1):
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
