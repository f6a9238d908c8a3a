"""What selection tried and chose, for a study's page; and whether all recipes had as much to choose from."""

from collections.abc import Sequence
from typing import Any

from affectspace.report.phrases import NONE, in_percent, listed, percent
from affectspace.studies.results import StudyResults

__all__ = ["choices", "had_to_choose", "unequal_choices"]


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
