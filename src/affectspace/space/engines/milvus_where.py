"""Conditions as filters of Milvus, which find the same items as :mod:`affectspace.space.conditions`."""

import json
from collections.abc import Mapping, Sequence

from affectspace.space.conditions import as_number

__all__ = ["EVERYBODY", "NOBODY", "equal", "expression"]

EVERYBODY, NOBODY = 'id != ""', 'id == ""'


def expression(
    found: Sequence[tuple[str, bool, list[str]]], fields: Mapping[str, str], kinds: Mapping[str, str]
) -> str:
    """A filter that holds where all conditions do.

    Args:
        found: conditions, taken apart.
        fields: of the collection, by columns.
        kinds: of the columns.

    Example:
        >>> expression([("label", True, ["sad", "happy"])], {"label": "label"}, {"label": "text"})
        '(not (label in ["sad", "happy"]) or label is null)'
    """
    return " and ".join(_condition(name, differ, values, fields, kinds) for name, differ, values in found)


def equal(name: str, value: str, fields: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """A filter that holds where a column is a value."""
    return _condition(name, False, [value], fields, kinds)


def _condition(
    name: str, differ: bool, values: Sequence[str], fields: Mapping[str, str], kinds: Mapping[str, str]
) -> str:
    missing, there = "" in values, list(dict.fromkeys(value for value in values if value))
    if name != "id" and name not in fields:  # a column that every space has, and nobody's cell
        return EVERYBODY if missing != differ else NOBODY
    field, kind = fields.get(name, "id"), kinds.get(name, "text")
    among = _among(field, kind, there) if there else NOBODY
    if name == "id":
        return f"not ({among})" if differ else f"({among})"
    empty = f'({field} is null or {field} == "")' if kind == "text" else f"{field} is null"
    full = f'{field} is not null and {field} != ""' if kind == "text" else f"{field} is not null"
    # A comparison with a missing cell neither holds nor fails to, so that cells are asked for by themselves.
    if not differ:
        return f"({among} or {empty})" if missing else f"({among})"
    if missing:
        return f"({full} and not ({among}))" if there else f"({full})"
    return f"(not ({among}) or {field} is null)"


def _among(field: str, kind: str, values: Sequence[str]) -> str:
    if kind == "text":
        return f"{field} in {json.dumps(values, ensure_ascii=False)}"
    if kind == "truth":
        tests = [f"{field} == {value.lower()}" for value in values if value in ("True", "False")]
    else:
        tests = [f"({field} >= {low} and {field} <= {high})" for low, high in filter(None, map(_written_alike, values))]
    return " or ".join(tests) or NOBODY


def _written_alike(value: str) -> tuple[str, str] | None:
    """The least and the greatest number that is written as this one with six digits."""
    try:
        wanted = float(as_number(value))
    except ValueError:
        return None
    digits, _, exponent = f"{wanted:.5e}".partition("e")
    half = 0.5 * 10 ** (int(exponent) - 5) if wanted and digits not in ("inf", "-inf", "nan") else 0.0
    return (f"{wanted - half!r}", f"{wanted + half!r}") if abs(wanted) < 1e300 else None
