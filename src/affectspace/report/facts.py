"""Tables of a report: who was trained and tested, corpora, recipes, what repeats it."""

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from affectspace.report.compare import Comparison
from affectspace.report.feature_words import feature_words
from affectspace.report.phrases import NONE, counted
from affectspace.training.level_names import level_names_told
from affectspace.training.run import Run
from affectspace.training.unused import RATING_FAULT, unlabelled_told

__all__ = ["commands", "corpora", "environments", "features", "protocol", "recipe_differences"]

QUARANTINE_SHOWN = 200
# the words of recipes, for people
APART = {"audio": "identical recordings or pictures", "near_audio": "near-identical recordings"}


class Shown(Protocol):
    """Runs side by side, each with the name that the page gives it."""

    @property
    def runs(self) -> tuple[Run, ...]: ...

    @property
    def names(self) -> tuple[str, ...]: ...


def protocol(comparison: Shown) -> list[tuple[str, str]]:
    """Who was trained and tested, what was kept apart and what was allowed: label and sentence."""
    lines: dict[str, dict[str, list[str]]] = {}
    for run, name in zip(comparison.runs, comparison.names):
        for label, sentence in _protocol(run):
            lines.setdefault(label, {}).setdefault(sentence, []).append(name)
    told = []
    for label, sentences in lines.items():
        for sentence, names in sentences.items():
            whose = "" if len(names) == len(comparison.runs) else f" ({', '.join(names)})"
            told.append((label, sentence + whose))
    return told


def _protocol(run: Run) -> list[tuple[str, str]]:
    metrics, lines = run.metrics, []
    if metrics.get("protocol"):
        lines.append(("Protocol", str(metrics["protocol"])))
    watched = "Selected on" if run.selection == "validation" else "Validated on"
    words = {"train": "Trained on", "validate": watched, "test": "Tested on", "unseen": "Tested on, unseen"}
    if run.folds:
        items = run.evaluated("test")
        if items is not None:
            people = len({(str(i).split("/")[0], s) for i, s in zip(items.items, items.speakers) if s})
            whom = f"{counted(len(items), 'item')}{_speakers(people)}"
            lines.append(("Tested on", f"{whom}, each by the one of {len(run.folds)} folds that never trained on it"))
    else:
        counts = metrics.get("counts") or {}
        for part, label in words.items():
            rows = run.split[run.split["part"] == part]
            if len(rows) and {"corpus", "speaker"} <= set(rows):
                corpora = Counter(rows["corpus"].astype(str))
                where = ", ".join(f"{name} ({count:,})" for name, count in corpora.items())
                people = (rows["corpus"].astype(str) + "/" + rows["speaker"].astype(str))[
                    rows["speaker"].notna()
                ].nunique()
                lines.append((label, f"{counted(len(rows), 'item')}{_speakers(people)}: {where}"))
            elif counts.get(part):
                lines.append((label, counted(counts[part], "item")))
            elif part == "test":
                lines.append((label, "nothing"))
    if told := level_names_told(run):
        lines.append(("Levels", told))
    lines += [("Labels", told) for told in unlabelled_told([part.data for part in run.parts])]
    lines += features(run)
    kept, allowed = metrics.get("keeps_apart") or [], metrics.get("allowed") or []
    apart = f"{_join([APART.get(kind, kind) for kind in kept])}: none occurs on both sides" if kept else "nothing"
    if "speaker" in kept and run.data.get("namesakes"):
        apart += ", a speaker being one of its own corpus whatever the names in others"
    lines.append(("Kept apart", apart))
    if allowed:
        lines.append(
            ("Allowed on both sides", f"{_join([APART.get(kind, kind) for kind in allowed])}, at the recipe's word")
        )
    how = {
        "validation": "the one with the best validation UAR",
        "last": "the last one, whatever its figures",
        "given": "the one that the recipe names, whatever its figures",
    }
    lines.append(("Epoch kept", f"{how.get(run.selection, run.selection)}; the test items had no say"))
    return lines


def features(run: Run) -> list[tuple[str, str]]:
    """What a run read, the licence of that, and how its training items were augmented: label and sentence."""
    data = run.data
    changes = ", ".join(f"{name} {value}" for name, value in (data.get("augment") or {}).items())
    lines = (
        ("Features", feature_words(str(data.get("features") or ""))),
        ("Licence of the features", data.get("features_licence")),
        ("Training items augmented", changes),
    )
    return [(label, str(told)) for label, told in lines if told]


def corpora(comparison: Shown) -> list[dict[str, Any]]:
    """A card for each corpus, once for all runs that used it alike."""
    cards: list[dict[str, Any]] = []
    for run, name in zip(comparison.runs, comparison.names):
        for about in run.data.get("corpora") or []:
            same = next((card for card in cards if card["about"] == about), None)
            if same:
                same["runs"].append(name)
            else:
                cards.append({"about": about, "runs": [name], **_card(about)})
    for card in cards:
        card["whose"] = "" if len(card["runs"]) == len(comparison.runs) else ", ".join(card["runs"])
    return cards


def _card(about: dict[str, Any]) -> dict[str, Any]:
    # who goes on without a modality is told in a note, and is not gone
    quarantine = [row for row in about.get("quarantine") or [] if not row.get("without")]
    ratings = sum(row["reason"].startswith(RATING_FAULT) for row in quarantine)
    items = len(quarantine) - ratings
    left_out = dict(about.get("left_out") or {})
    has, without = about.get("modalities") or {}, about.get("unlabelled")
    gone = "without a target" if without else "left out"
    return {
        "name": about.get("name", "?"),
        "facts": [
            (label, text)
            for label, text in (
                ("Language", _join(about.get("language") or []) or "not given"),
                ("Licence", about.get("licence") or "not given"),
                ("Citation", about.get("citation") or "not given"),
                ("Modalities", ", ".join(f"{name} of {count:,} items" for name, count in has.items())),
                ("Without a label", f"{without:,} items that can be trained on so" if without else ""),
                ("Note", about.get("note")),
                ("Fingerprint", str(about.get("sha256") or "")[:16]),
            )
            if text
        ],
        "items": about.get("items"),
        "used": about.get("used"),
        "left_out": [
            *((f"{gone}: {reason}", count) for reason, count in left_out.items()),
            *([("left out: quarantined: at fault", items)] if items else []),
            *([("left out: ratings at fault", ratings)] if ratings else []),
        ],
        "classes": _bars(about.get("classes") or {}),
        "agreement": [_agreement(name, each) for name, each in (about.get("agreement") or {}).items()],
        "quarantine": quarantine[:QUARANTINE_SHOWN],
        "quarantine_more": max(0, len(quarantine) - QUARANTINE_SHOWN),
        "quarantine_told": " and ".join(
            counted(count, what) for count, what in ((items, "item"), (ratings, "rating")) if count
        ),
    }


def _bars(classes: dict[str, int]) -> list[tuple[str, int, float]]:
    most = max(classes.values(), default=0) or 1
    return [(name, count, round(100 * count / most, 1)) for name, count in classes.items()]


def _agreement(dimension: str, each: dict[str, Any]) -> tuple[str, str]:
    alpha = each.get("alpha")
    if alpha is None or not math.isfinite(alpha):
        return dimension, f"no α: {each.get('reason') or 'not enough ratings'}"
    raters = f", {counted(each['raters'], 'rater')}" if each.get("raters") else ""
    per_item = f", {each['ratings_per_item']:.1f} ratings an item" if each.get("ratings_per_item") else ""
    items = f", {counted(each['items'], 'item')} rated twice or more" if each.get("items") else ""
    return dimension, f"α {alpha:.2f} ({each.get('level', 'unknown level')}{raters}{per_item}{items})"


def recipe_differences(comparison: Shown) -> list[tuple[str, list[str], list[bool]]]:
    """Settings in which the recipes differ: key, value of each run, and whether it differs from the most common one.

    Where the folds of a run have chosen for themselves, the values of all of them are told.
    """
    flat = [_settings(run) for run in comparison.runs]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    table = []
    for key in keys:
        values = [each.get(key, NONE) for each in flat]
        if len(set(values)) > 1 and key != "name":
            common = Counter(values).most_common(1)[0][0]
            table.append((key, values, [value != common for value in values]))
    return table


def _settings(run: Run) -> dict[str, str]:
    """Every setting of a run by its key; where folds differ, how many of them have which value."""
    folds = [_flat(part.recipe) for part in run.parts]
    settings = {}
    for key in dict.fromkeys(key for fold in folds for key in fold):
        counts = Counter(fold.get(key, NONE) for fold in folds)
        told = ", ".join(f"{value} in {counted(count, 'fold')}" for value, count in counts.items())
        settings[key] = (
            "all" if key == "protocol.fold" and len(counts) > 1 else next(iter(counts)) if len(counts) == 1 else told
        )
    return settings


def environments(comparison: Shown) -> list[tuple[str, str]]:
    """Whose environment, and what it was; one entry where all are the same."""
    groups: dict[str, list[str]] = {}
    for run, name in zip(comparison.runs, comparison.names):
        groups.setdefault(run.environment.strip(), []).append(name)
    return [(", ".join(names) if len(groups) > 1 else "", text or "not recorded") for text, names in groups.items()]


def commands(comparison: Comparison) -> list[str]:
    """What to type to train these runs again and to write this page again."""
    train = [
        f"affectspace train {shlex.quote(str(run.path / 'recipe.toml'))} --out {shlex.quote(str(run.path) + '-again')}"
        for run in comparison.runs
    ]
    again = " ".join(shlex.quote(f"{run.path}-again") for run in comparison.runs)
    return [*train, f"affectspace report {again}"]


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        # Terms and corpora are known by their kind or path, so that the same one stands in the same line.
        items, seen = [], Counter()
        for each in value:
            name = str(each.get("kind") or each.get("path") or "entry") if isinstance(each, dict) else "entry"
            seen[name] += 1
            items.append((name if seen[name] == 1 else f"{name} ({seen[name]})", each))
    else:
        return {prefix: _plain(value)}
    flat: dict[str, str] = {}
    for key, inner in items:
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else key)
    return flat


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _speakers(count: int) -> str:
    return f" of {counted(count, 'speaker')}" if count else ""


def _join(names: Sequence[Any] | str) -> str:
    return names if isinstance(names, str) else ", ".join(map(str, names))
