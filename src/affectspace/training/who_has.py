"""How many items of a corpus have each modality, and why none has one, in words."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["modalities_told", "nobody_has_told"]


def modalities_told(corpus: Mapping[str, Any]) -> str:
    """How many items of a corpus have each modality; empty of a corpus that was read for a single one.

    Args:
        corpus: as in ``data.json``; its items are those that are used, with a label or without.

    Example:
        >>> modalities_told({"name": "mine", "used": 40, "unlabelled": 8, "modalities": {"acoustic": 40, "visual": 31}})
        'modalities of mine: acoustic 40, visual 31 of 48 items'
    """
    if not (counts := corpus.get("modalities")):
        return ""
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    items = (corpus.get("used") or 0) + (corpus.get("unlabelled") or 0)
    return f"modalities of {corpus.get('name')}: {told} of {items:,} items"


def nobody_has_told(corpora: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each modality that no item of a corpus has.

    Args:
        corpora: as in ``data.json``.

    Example:
        >>> nobody_has_told([{"name": "mine", "nobody_has": {"visual": "9 x the item has no video"}}])
        ['No item of mine has the modality visual: 9 x the item has no video.']
    """
    return [
        f"No item of {corpus.get('name')} has the modality {name}: {why}."
        for corpus in corpora
        for name, why in (corpus.get("nobody_has") or {}).items()
    ]
