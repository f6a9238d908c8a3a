"""What figures and settings are called in a tracker: a group and a name, and only characters that it takes."""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["allowed", "cut", "epoch_name", "leaves", "settings"]

# Figures of an epoch that stand in no group of metrics.jsonl, and the group that is called otherwise: it is for looking
# at, and the final figures of the test items are others.
ALONE = {"loss": "loss/train", "batches": "batches/trained", "degenerate_batches": "batches/degenerate"}
GROUPS = {"test": "test_curve"}


def epoch_name(dotted: str) -> str:
    """The name of an epoch's figure: its group in ``metrics.jsonl``, a slash, and the rest.

    Example:
        >>> [epoch_name(name) for name in ("loss", "terms.triplet", "validate.uar", "test.uar")]
        ['loss/train', 'terms/triplet', 'validate/uar', 'test_curve/uar']
    """
    if dotted in ALONE:
        return ALONE[dotted]
    group, _, rest = dotted.partition(".")
    return f"{GROUPS.get(group, group)}/{rest or group}"


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """All that is neither a table nor a list, under dotted names; entries of lists by their places.

    Example:
        >>> leaves({"test": {"uar": 0.5}, "over_speakers": {"uar": [0.4, 0.6]}})
        {'test.uar': 0.5, 'over_speakers.uar.0': 0.4, 'over_speakers.uar.1': 0.6}
    """
    if isinstance(value, Mapping | list):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        return {name: leaf for key, entry in pairs for name, leaf in leaves(entry, f"{prefix}{key}.").items()}
    return {prefix.removesuffix("."): value}


def settings(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """A recipe as hyper-parameters: dotted names; a list of plain values is one, written as JSON.

    Example:
        >>> settings({"seed": 0, "labels": {"names": ["sad", "happy"]}, "terms": [{"kind": "triplet", "weight": 0.5}]})
        {'seed': 0, 'labels.names': '["sad", "happy"]', 'terms.0.kind': 'triplet', 'terms.0.weight': 0.5}
    """
    flat: dict[str, bool | int | float | str] = {}
    for key, value in recipe.items():
        name = f"{prefix}{key}"
        if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            value = {str(place): entry for place, entry in enumerate(value)}
        if isinstance(value, Mapping) and value:
            flat |= settings(value, f"{name}.")
        elif isinstance(value, bool | int | float | str):
            flat[name] = value
        else:
            flat[name] = json.dumps(value, ensure_ascii=False, default=str)
    return flat


def allowed(name: str, longest: int = 250) -> str:
    """The name with nothing that MLflow refuses; one that had to be changed ends with a hash, so that none meet.

    MLflow takes letters and digits of ASCII, ``_ - . : /`` and spaces, and a slash as in a path.

    Example:
        >>> allowed("validate/uar"), allowed("final/by_modality.acoustic+lexical.uar")
        ('validate/uar', 'final/by_modality.acoustic and lexical.uar')
        >>> allowed("final/unseen.Gefühl.uar")
        'final/unseen.Gef_hl.uar-f7a6'
    """
    readable = name.replace("+", " and ")
    plain = re.fullmatch(r"[\w.:/ -]+", readable, re.ASCII) and not readable.startswith(("/", ".."))
    if plain and len(readable) <= longest and posixpath.normpath(readable) == readable:
        return readable
    group, _, rest = readable.partition("/")
    parts = [re.sub(r"[^\w.: -]", "_", part, flags=re.ASCII).lstrip(".") for part in (group, rest)]
    return f"{'/'.join(filter(None, parts))[: longest - 5]}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def cut(text: str, longest: int) -> str:
    """Text of at most ``longest`` characters; what is cut says how long it was.

    Example:
        >>> cut("a" * 100, 40)
        'aaaaaaaaaaaaaaaaa... (of 100 characters)'
    """
    if len(text) <= longest:
        return text
    told = f"... (of {len(text):,} characters)"
    return text[: longest - len(told)] + told
