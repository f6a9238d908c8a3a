"""Which items and ratings of its corpora a run did not use, counted by reason."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["RATING_FAULT", "reason_kind", "unused", "unused_told"]

RATING_FAULT = "rating left out"  # how a reason begins that is a rating's, whose item may be used all the same

# Quoted values, paths and numbers, which differ from item to item where the reason is one.
_PARTICULAR = re.compile(r"(?<!\w)'[^']*'(?!\w)|\S*[/\\]\S*|\S+\.[A-Za-z]\w+\b|(?<![\w.])-?\d[\w.,]*")


# A cell that lies off a scale or is no number, as check tells it.
_CELL = re.compile(
    r"the (?P<column>.+) is (?P<quote>['\"])(?P<cell>.*)(?P=quote); (?:labels run|(?P=column) runs) from ", re.DOTALL
)


def reason_kind(reason: str) -> str:
    """A reason without what is particular to its item, and without the remedy; of a cell on a scale what is wrong.

    Example:
        >>> reason_kind("no face found in /faces/a.png; leave the item out")
        'no face found in …'
        >>> reason_kind("the label is '-3'; labels run from 0 to 120")
        'the label is off the scale'
        >>> reason_kind("the label is 'about 40'; labels run from 0 to 120")
        'the label is not a number'
    """
    if cell := _CELL.match(reason):
        return f"the {cell['column']} is {'off the scale' if _is_number(cell['cell']) else 'not a number'}"
    head = re.split(r"[;:]\s", reason, maxsplit=1)[0]
    return re.sub(r"…(\s…)+", "…", _PARTICULAR.sub("…", head))


def _is_number(cell: str) -> bool:
    """Whether a cell is one; what says that it is none is none."""
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def unused(data: Mapping[str, Any]) -> dict[str, Any]:
    """Counts over all corpora of a run: ``items``, ``used``, by reason ``set_aside`` and ``left_out``, and ``ratings``.

    Items that are set aside are at fault; those that are left out have no target. ``ratings`` are those at fault, whose
    items may be used all the same.

    Args:
        data: the content of the run's ``data.json``.

    Example:
        >>> unused({"corpora": [{"items": 3, "used": 1, "left_out": {"no label": 1},
        ...                      "quarantine": [{"id": "a", "reason": "the label is '-3'; labels run from 0 to 9"}]}]})
        {'items': 3, 'used': 1, 'set_aside': {'the label is off the scale': 1}, 'left_out': {'no label': 1},
         'ratings': 0}
    """
    items, used, ratings, aside, left = 0, 0, 0, Counter(), Counter()
    for corpus in data.get("corpora") or []:
        items += corpus.get("items") or 0
        used += corpus.get("used") or 0
        kinds = [reason_kind(row["reason"]) for row in corpus.get("quarantine") or []]
        ratings += kinds.count(RATING_FAULT)
        aside.update(kind for kind in kinds if kind != RATING_FAULT)
        left.update(corpus.get("left_out") or {})
    reasons = {"set_aside": dict(aside.most_common()), "left_out": dict(left.most_common())}
    return {"items": items, "used": used, **reasons, "ratings": ratings}


def unused_told(found: Mapping[str, Any]) -> str:
    """What :func:`unused` has counted as one sentence; empty where nothing was set aside or left out."""
    parts = [
        f"{words}: {', '.join(f'{count:,} x {reason}' for reason, count in found[key].items())}"
        for key, words in (("set_aside", "set aside"), ("left_out", "left out"))
        if found[key]
    ]
    if found["ratings"]:
        parts.append(f"ratings at fault, which are left out: {found['ratings']:,}")
    return f"{found['used']:,} of {found['items']:,} items are used; {'; '.join(parts)}" if parts else ""
