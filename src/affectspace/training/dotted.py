"""Settings put into the values of a recipe by dotted keys, such as ``training.epochs`` or ``terms.1.weight``."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["canonical", "dotted", "first_difference", "put"]


def dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys; a table that names its ``kind`` replaces the one before as a whole.

    Example:
        >>> dotted({"training": {"epochs": 5}, "protocol.test": ["a"], "encoder": {"kind": "mlp"}})
        {'training.epochs': 5, 'protocol.test': ['a'], 'encoder': {'kind': 'mlp'}}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value and "kind" not in value:
            flat |= dotted(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def first_difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first key by which settings differ, with both values, as a clause.

    Example:
        >>> first_difference({"training.epochs": 5, "terms": [{"weight": 1}]}, {"training.epochs": 5, "terms": [{}]})
        'terms.0.weight was 1, is not given'
    """
    for key in {**now, **was}:
        if was.get(key) != now.get(key):
            one, other = was.get(key), now.get(key)
            if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
                one, other = dict(enumerate(one)), dict(enumerate(other))
            if isinstance(one, dict) and isinstance(other, dict):
                below = ({f"{key}.{k}": v for k, v in values.items()} for values in (one, other))
                return first_difference(*below)
            return f"{key} was {_told(one)}, is {_told(other)}"
    return "it is of another version"


def _told(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, ensure_ascii=False)


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key; tables on the way are made, entries of lists must be there.

    Raises:
        ValueError: the way leads through something that has no such place.

    Example:
        >>> values = {"terms": [{"kind": "cross_entropy"}]}
        >>> put(values, "terms.0.weight", 2.0); put(values, "training.epochs", 5); values
        {'terms': [{'kind': 'cross_entropy', 'weight': 2.0}], 'training': {'epochs': 5}}
        >>> put(values, "terms.1.weight", 2.0)
        Traceback (most recent call last):
        ...
        ValueError: terms has no entry 1; it has one, 0
    """
    *parents, last = key.split(".")
    place: Any = values
    way: list[str] = []
    for part in parents:
        place = place[_entry(place, part, way)] if isinstance(place, list) else _table(place, way).setdefault(part, {})
        way.append(part)
    if isinstance(place, list):
        place[_entry(place, last, way)] = value
    else:
        _table(place, way)[last] = value


def _table(place: Any, way: list[str]) -> dict[str, Any]:
    if not isinstance(place, dict):
        raise ValueError(f"{'.'.join(way)} is {place!r} and has no keys below it")
    return place


def _entry(place: list[Any], part: str, way: list[str]) -> int:
    if part.isascii() and part.isdecimal() and int(part) < len(place):
        return int(part)
    has = "it has one, 0" if len(place) == 1 else f"it has 0..{len(place) - 1}" if place else "it is empty"
    raise ValueError(f"{'.'.join(way)} has no entry {part}; {has}")


def canonical(value: Any) -> str:
    """The same text for the same value, whatever the order of its keys.

    Example:
        >>> canonical({"b": 1, "a": [0.1]})
        '{"a": [0.1], "b": 1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
