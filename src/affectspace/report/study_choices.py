"""What selection tried and chose, for a study's page; and whether all recipes had as much to choose from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from affectspace.report.phrases import NONE, counted, in_percent, listed, named, percent
from affectspace.studies.results import StudyResults

__all__ = ["choices", "had_to_choose", "over_folds", "unequal_choices"]

ALL = "all recipes"


@dataclass(frozen=True)
class Choice:
    """One setting as it was chosen.

    Args:
        whose: the recipe that it is for, or all.
        key: dotted, or "epoch".
        value: as the page shows it.
        edge: "highest", "lowest" or "last" where nothing beyond was tried, so that better may lie there.
    """

    whose: str
    key: str
    value: str
    edge: str = ""

    @property
    def words(self) -> str:
        return f"{self.key} {self.value}" if self.key == "epoch" else f"{self.key} = {self.value}"


def had_to_choose(results: StudyResults) -> list[str]:
    """Among how many settings and epochs each recipe chose, in sentences; empty where nothing was to be chosen."""
    told = []
    shared = (results.shared_settings, results.shared_epochs)
    if results.chooser is not None and shared != (1, 1):
        told.append(f"{named(results.chooser)} chose among {_amount(*shared)} for all recipes.")
    if max(results.own_settings.values()) > 1:
        counts = [f"{count:,} for {named(name)}" for name, count in results.own_settings.items()]
        told.append(f"For itself alone, each recipe had so many settings to choose from: {listed(counts)}.")
    return told


def unequal_choices(results: StudyResults) -> list[str]:
    """Cautions where the baseline had less to choose from than a recipe that is compared with it."""
    base, chooser = results.baseline, results.chooser
    shared: dict[str, tuple[int, int]] = dict.fromkeys(results.recipes, (1, 1))
    if chooser is not None:
        shared[chooser] = (results.shared_settings, results.shared_epochs)
    had = {name: (shared[name][0] * own, shared[name][1]) for name, own in results.own_settings.items()}
    # Neighbouring epochs are nearly one, so that many of them make up for no setting.
    more = [name for name, its in had.items() if its[0] > had[base][0] or its[1] > had[base][1]]
    told = []
    if more:
        counts = listed([f"{_amount(*had[name])} for {named(name)}" for name in more])
        whose = named(base)
        told.append(
            f"The search was not even: {whose} had {_amount(*had[base])} to choose from, against {counts}. Whoever may "
            f"try more finds something better, so part of a lead over {whose} may be the search; let {whose} try as "
            "much before you believe in it."
        )
    if chooser is not None and chooser != base and shared[chooser] != (1, 1):
        what = {"the settings": shared[chooser][0] > 1, "the epoch": shared[chooser][1] > 1}
        which, whose = named(chooser), named(base)
        told.append(
            f"{which} chose {listed([name for name, chose in what.items() if chose])} for all recipes, as {which} does "
            f"best: {whose} may do better elsewhere, so part of a lead over {whose} may be that choice; let {whose} "
            "choose (recipe in [grid]) before you believe in it."
        )
    return told


def _amount(settings: int, epochs: int) -> str:
    """How much there was to choose from."""
    kinds = ((settings, "setting"), (epochs, "epoch"))
    return " × ".join(counted(count, what) for count, what in kinds if count > 1) or "nothing"


def choices(results: StudyResults) -> list[dict[str, Any]]:
    """What was tried for each split and fold: settings, rows with the chosen one marked, and the choice in words."""
    told = []
    for key, record in results.selection.items():
        split, fold = _split_and_fold(key)
        tried, chosen = record.get("tried") or [], _chosen(record)
        told.append({
            "key": key,
            "split": split,
            "fold": fold,
            "settings": _settings(tried),
            "rows": _rows(record, tried),
            "words": _words(chosen, record.get("open") or []),
            "edges": _edges(chosen),
        })  # fmt: skip
    return told


def over_folds(results: StudyResults) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """Of splits with several folds: for whom, which setting, how often each value was chosen, and a hint.

    A split that chooses once for all has no row: its choice is told where it was made.
    """
    by_split: dict[str, list[list[Choice]]] = {}
    for key, record in results.selection.items():
        split, fold = _split_and_fold(key)
        if fold:
            by_split.setdefault(split, []).append(_chosen(record))
    told = []
    for split, folds in by_split.items():
        if len(folds) == 1:
            continue
        rows = []
        for whose, key in dict.fromkeys((each.whose, each.key) for fold in folds for each in fold):
            its = [each for fold in folds for each in fold if (each.whose, each.key) == (whose, key)]
            often = Counter(each.value for each in its).most_common()
            shown = ", ".join(f"{value} in {count}" for value, count in often)
            edges = Counter(each.edge for each in its if each.edge).most_common()
            hint = ", ".join(f"the {edge} tried in {count}" for edge, count in edges)
            more = f"{hint}: the best may lie beyond" if hint else ""
            rows.append((whose, key, f"{shown} of {counted(len(its), 'fold')}", more))
        told.append((split, rows))
    return told


def _split_and_fold(key: str) -> tuple[str, str]:
    """Of a key of the record: "name of split/fold-03", or "/all" for a split that chooses once."""
    split, _, fold = key.rpartition("/")
    return split or key, "" if fold == "all" else fold.replace("-", " ")


# ---- what was tried


def _settings(tried: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in tried for name in each.get("set") or {}))


def _rows(record: dict[str, Any], tried: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    shared, own = _for_all(record), record.get("own") or {}
    known = [each["uar"] for each in tried if each.get("uar") is not None]
    rows = []
    for recipe, its in groupby(tried, key=lambda each: each.get("recipe", "")):
        for place, each in enumerate(several := list(its)):
            values, uar = each.get("set") or {}, each.get("uar")
            made = own.get(recipe) if each.get("stage") == "own" else shared
            rows.append({
                "recipe": recipe,
                "span": 0 if place else len(several),  # its name stands once
                "values": [_value(values[name]) if name in values else "" for name in _settings(tried)],
                "epoch": NONE if each.get("epoch") is None else str(each["epoch"]),
                "uar": "diverged" if each.get("diverged") else NONE if uar is None else percent(uar),
                "sd": NONE if each.get("sd") is None else in_percent(each["sd"]),
                "runs": each.get("runs", NONE),
                "share": _share(uar, known),
                "chosen": values == made,
            })  # fmt: skip
    return rows


def _for_all(record: dict[str, Any]) -> dict[str, Any] | None:
    """The settings chosen for all recipes, which are none where the epoch alone was chosen; None before a choice."""
    shared = record.get("shared") or {}
    return shared.get("set") or (None if shared.get("epoch") is None else {})


def _share(uar: float | None, known: Sequence[float]) -> float:
    """Length of a bar in per cent: from just below the lowest figure to the highest, as these lie close together."""
    if uar is None:
        return 0.0
    low, high = min(known), max(known)
    return round(100 * (0.15 + 0.85 * (uar - low) / (high - low)), 1) if high > low else 100.0


# ---- what was chosen


def _chosen(record: dict[str, Any]) -> list[Choice]:
    shared, own = record.get("shared") or {}, record.get("own") or {}
    epochs, tried = record.get("own_epoch") or {}, record.get("tried") or []
    found = _settled(ALL, shared.get("set") or {}, [each for each in tried if each.get("stage") == "shared"])
    if (epoch := shared.get("epoch")) is not None:
        found.append(Choice(ALL, "epoch", str(epoch), "last" if epoch == len(record.get("curve") or []) > 1 else ""))
    for name in dict.fromkeys([*own, *epochs]):
        its = [each for each in tried if (each["recipe"], each.get("stage")) == (name, "own")]
        found += _settled(name, own.get(name) or {}, its)
        found += [Choice(name, "epoch", str(epochs[name]))] if name in epochs else []
    return found


def _settled(whose: str, settings: dict[str, Any], tried: Sequence[dict[str, Any]]) -> list[Choice]:
    """Choices of settings, and whether each is at the edge of what was tried together with them."""
    return [
        Choice(whose, key, _value(value), _edge(value, [each["set"][key] for each in tried if key in each["set"]]))
        for key, value in settings.items()
    ]


def _edge(value: Any, tried: Sequence[Any]) -> str:
    """Whether a number is the highest or lowest of those tried; nothing is said to lie below 0."""
    if not all(map(_is_number, [value, *tried])) or len(set(tried)) < 2:
        return ""
    return "highest" if value == max(tried) else "lowest" if value == min(tried) and value > 0 else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(chosen: Sequence[Choice], waiting: Sequence[str]) -> str:
    """The choice in words, recipes that chose alike named together; and whose final runs wait for one."""
    by_recipe: dict[str, list[str]] = {}
    for each in chosen:
        by_recipe.setdefault(each.whose, []).append(each.words)
    alike: dict[str, list[str]] = {}
    for whose, words in by_recipe.items():
        alike.setdefault(", ".join(words), []).append(whose)
    told = "; ".join(f"{_whom(names)}: {words}" for words, names in alike.items())
    made = [f"chosen for {told}"] if told else []
    return "; ".join([*made, *([f"not chosen yet for {named(*waiting)}"] if waiting else [])]) or "nothing chosen"


def _edges(chosen: Sequence[Choice]) -> str:
    """Which choices are the highest, lowest or last tried, in a sentence; empty where none is."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in chosen:
        if each.edge:
            alike.setdefault((each.words, each.edge), []).append(each.whose)
    told = [f"{words} (for {_whom(names)}) is the {edge} tried" for (words, edge), names in alike.items()]
    return f"{'; '.join(told)}: the best may lie beyond." if told else ""


def _whom(names: Sequence[str]) -> str:
    """Whoever has chosen; "all recipes" is no recipe's name, so nothing quotes it."""
    return ALL if [*names] == [ALL] else named(*names)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
