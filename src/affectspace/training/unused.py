"""Which items and ratings of its corpora a run did not use, counted by reason."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["RATING_FAULT", "reason_kind", "unlabelled_told", "unused", "unused_told", "without_modality_told"]

RATING_FAULT = "rating left out"  # how a reason begins that is a rating's, whose item may be used all the same

# Quoted values, paths and numbers, which differ from item to item where the reason is one.
_PATH = re.compile(r"\S*[/\\]\S*|\S+\.[A-Za-z]\w+(?:#\d+)?\b")
_PARTICULAR = re.compile(rf"(?<!\w)'[^']*'(?!\w)|{_PATH.pattern}|(?<![\w.])-?\d[\w.,]*")

# A path with blanks in it, which ends with a file's ending.
_SPACED = re.compile(r"\A/.*\.[A-Za-z]\w{1,4}(?=\s)")

_MODALITY = re.compile(r"[a-z][a-z0-9_]*: ")  # what is at fault, where an item has several


# A cell that lies off a scale or is no number, as check tells it.
_CELL = re.compile(
    r"the (?P<column>.+) is (?P<quote>['\"])(?P<cell>.*)(?P=quote); (?:labels run|(?P=column) runs) from ", re.DOTALL
)


def reason_kind(reason: str) -> str:
    """A reason without what is particular to its item, and without the remedy; of a cell on a scale what is wrong.

    Example:
        >>> reason_kind("no face found in /faces/a.png; leave the item out")
        'no face found'
        >>> reason_kind("/voices/a.wav holds no samples; remove it or copy it anew")
        'the file holds no samples'
        >>> reason_kind("/my voices/no. 1/a b.wav is silent; remove it")
        'the file is silent'
        >>> reason_kind("the label is '-3'; labels run from 0 to 120")
        'the label is off the scale'
        >>> reason_kind("the label is 'about 40'; labels run from 0 to 120")
        'the label is not a number'
        >>> reason_kind("acoustic: column 'pitch' is nan")
        'acoustic: column … is nan'
    """
    if cell := _CELL.match(reason):
        return f"the {cell['column']} is {'off the scale' if _is_number(cell['cell']) else 'not a number'}"
    modality = _MODALITY.match(reason)
    begin = modality[0] if modality else ""
    head = re.split(r"[;:]\s", _SPACED.sub("/…", reason[len(begin) :]), maxsplit=1)[0]
    kind = re.sub(r"…(\s…)+", "…", _PARTICULAR.sub("…", head))
    if _PATH.match(head):
        kind = f"the file{kind.removeprefix('…')}"
    return begin + re.sub(r"(?<=\bfile) …| (?:in|of) …$", "", kind)


def _is_number(cell: str) -> bool:
    """Whether a cell is one; what says that it is none is none."""
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def unused(data: Mapping[str, Any]) -> dict[str, Any]:
    """Counts over all corpora of a run: ``items``, ``used``, by reason ``set_aside`` and ``left_out``, and ``ratings``.

    Items that are set aside are at fault; those that are left out have no target. ``ratings`` are those at fault, whose
    items may be used all the same. Where items without a target can be trained on, there are ``unlabelled`` of them.
    ``without_modality`` are, where there are any, faults of items that go on by their other modalities.

    Args:
        data: the content of the run's ``data.json``.

    Example:
        >>> unused({"corpora": [{"items": 3, "used": 1, "left_out": {"no label": 1},
        ...                      "quarantine": [{"id": "a", "reason": "the label is '-3'; labels run from 0 to 9"}]}]})
        {'items': 3, 'used': 1, 'set_aside': {'the label is off the scale': 1}, 'left_out': {'no label': 1},
         'ratings': 0}
    """
    items, used, unlabelled, ratings = 0, 0, 0, 0
    aside, without, left = Counter(), Counter(), Counter()
    for corpus in data.get("corpora") or []:
        items += corpus.get("items") or 0
        used += corpus.get("used") or 0
        unlabelled += corpus.get("unlabelled") or 0
        rows = corpus.get("quarantine") or []
        without.update(reason_kind(row["reason"]) for row in rows if row.get("without"))
        kinds = [reason_kind(row["reason"]) for row in rows if not row.get("without")]
        ratings += kinds.count(RATING_FAULT)
        aside.update(kind for kind in kinds if kind != RATING_FAULT)
        left.update(corpus.get("left_out") or {})
    reasons = {"set_aside": dict(aside.most_common()), "left_out": dict(left.most_common())}
    if without:
        reasons["without_modality"] = dict(without.most_common())
    told = {"unlabelled": unlabelled} if unlabelled else {}
    return {"items": items, "used": used, **told, **reasons, "ratings": ratings}


def unused_told(found: Mapping[str, Any]) -> str:
    """What :func:`unused` has counted as one sentence; empty where nothing was set aside or left out.

    Who goes on without a modality is used, and told by :func:`without_modality_told`.
    """
    unlabelled = found.get("unlabelled")
    words = (("set_aside", "set aside"), ("left_out", "without a target" if unlabelled else "left out"))
    parts = [
        f"{word}: {', '.join(f'{count:,} x {reason}' for reason, count in found[key].items())}"
        for key, word in words
        if found[key]
    ]
    if found["ratings"]:
        parts.append(f"ratings at fault, which are left out: {found['ratings']:,}")
    how = "are used with their targets" if unlabelled else "are used"
    return f"{found['used']:,} of {found['items']:,} items {how}; {'; '.join(parts)}" if parts else ""


def without_modality_told(found: Mapping[str, Any]) -> str:
    """Of which modalities :func:`unused` has counted faults of items that go on; empty where there are none.

    Example:
        >>> row = {"id": "a", "reason": "acoustic: a.wav is truncated; restore it", "without": "acoustic"}
        >>> without_modality_told(unused({"corpora": [{"items": 1, "used": 1, "quarantine": [row]}]}))
        'without a modality: 1 x acoustic (the file is truncated)'
    """
    told = []
    for kind, count in found.get("without_modality", {}).items():
        name, _, why = kind.partition(": ")
        told.append(f"{count:,} x {name} ({why})")
    return f"without a modality: {', '.join(told)}" if told else ""


def unlabelled_told(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many labels of training items were used, and how many items trained without one: a sentence each.

    Args:
        folds: the content of ``data.json`` of a run, or of each of its folds.

    Example:
        >>> about = {"labelled": {"share": 0.1, "items": 9, "hidden": 81},
        ...          "unlabelled": {"items": 1081, "left_out": {"audio": 7}}}
        >>> for sentence in unlabelled_told([about]):
        ...     print(sentence)
        9 of 90 training labels are used (training.labelled_share 0.1)
        1,081 items are trained on without a label; left out: 7 that share a recording with validation or test items
        >>> unlabelled_told([{"unlabelled": {"items": 1, "left_out": {"speaker": 1}}}])
        ['1 item is trained on without a label; left out: 1 that shares a speaker with validation or test items']
        >>> unlabelled_told([{"unlabelled": {"items": 9, "left_out": {"language": 48}}}])
        ['9 items are trained on without a label; left out: 48 of no language that trains']
        >>> unlabelled_told([{}])
        []
    """
    sentences = []
    if labelled := [fold["labelled"] for fold in folds if fold.get("labelled")]:
        used, there = (_between(counts) for counts in zip(*((e["items"], e["items"] + e["hidden"]) for e in labelled)))
        share = labelled[0]["share"]
        verb = "is" if used == "1" else "are"
        sentences.append(f"{used} of {there} training labels {verb} used (training.labelled_share {share:g})")
    if unlabelled := [fold["unlabelled"] for fold in folds if fold.get("unlabelled")]:
        items = _between([each["items"] for each in unlabelled])
        told = f"{items} {'item is' if items == '1' else 'items are'} trained on without a label"
        kinds = dict.fromkeys(kind for each in unlabelled for kind in each["left_out"])
        counts = {kind: _between([each["left_out"].get(kind, 0) for each in unlabelled]) for kind in kinds}
        strange = counts.pop("language", None)
        why = ", ".join(
            f"{count} that share{'s' * (count == '1')} a {_SHARED.get(kind, kind)}" for kind, count in counts.items()
        )
        reasons = [f"{why} with validation or test items"] if why else []
        reasons += [f"{strange} of no language that trains"] if strange else []
        sentences.append(f"{told}; left out: {', and '.join(reasons)}" if reasons else told)
    return sentences


_SHARED = {"audio": "recording", "split": "published part"}  # the word of recipes, for people


def _between(counts: Sequence[int]) -> str:
    """The smallest and the largest of some counts, or the one that all are.

    Example:
        >>> _between([1200, 900]), _between([7, 7])
        ('900 to 1,200', '7')
    """
    ends = sorted({min(counts), max(counts)})
    return " to ".join(f"{end:,}" for end in ends)
