"""Tables of a TOML file that know their keys, and what is wrong with one in the user's own words."""

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

__all__ = ["Section", "kind_of", "sentences"]


class Section(BaseModel):
    """A table of a recipe or a study: immutable, and an unknown key is an error that names the nearest legal one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                below = [f"{name}.{key}" for name, each in cls.model_fields.items() if _has_key(each.annotation, key)]
                near = below or difflib.get_close_matches(key, cls.model_fields, 1, 0.5)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(f"unknown key {key!r}; {hint}legal: {', '.join(cls.model_fields)}")
        return values


def _has_key(section: Any, key: str) -> bool:
    """Whether it is a section, and one that knows the key."""
    return isinstance(section, type) and issubclass(section, Section) and key in section.model_fields


def kind_of(section: Any) -> Any:
    """The ``kind`` of a table that is not read yet, or of a section; None where none is given.

    Example:
        >>> kind_of({"kind": "mlp"}), kind_of({}), kind_of(3)
        ('mlp', None, None)
    """
    return section.get("kind") if isinstance(section, dict) else getattr(section, "kind", None)


# What pydantic calls a fault -> what is legal there, with the figures that it names.
LEGAL = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le:g}",
    "tuple_type": "a list, in [ ]",
    "list_type": "a list, in [ ]",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}


def sentences(error: ValidationError, values: dict[str, Any]) -> list[str]:
    """Every fault that was found in ``values``, with its key, what is wrong and what is legal."""
    by_place: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for fault in map(dict, error.errors()):
        path, fault["input"] = _place(fault, values)
        by_place.setdefault(path, []).append(fault)
    # A list with a faulty entry is also called too short; the entry's own fault says it all.
    inner = {path: its for path, its in by_place.items() if not any(_within(other, path) for other in by_place)}
    return [told for path, its in inner.items() for told in _told(".".join(path), its)]


def _within(path: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return len(path) > len(outer) > 0 and path[: len(outer)] == outer


def _place(fault: dict[str, Any], values: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """The key as a user wrote it, and what stands there.

    pydantic puts the tag of a tagged union into the path; a user never wrote it there.
    """
    path: list[str] = []
    place: Any = values
    for part in fault["loc"]:
        if (isinstance(place, dict) and part in place) or (
            isinstance(place, list) and isinstance(part, int) and part < len(place)
        ):
            place = place[part]
            path.append(str(part))
        elif fault["type"] == "missing" and part == fault["loc"][-1] and isinstance(part, str):
            path.append(part)
    if fault["type"] == "missing" and isinstance(fault["loc"][-1], int):
        return tuple(path), place  # of a list that is too short
    return tuple(path), fault["input"]


def _told(where: str, faults: list[dict[str, Any]]) -> list[str]:
    """What is wrong in one place: of a value that may be this or that, each has its own fault."""
    legal: list[str] = []
    told: list[str] = []
    near: list[str] = []
    for fault in faults:
        context = fault.get("ctx", {})
        match fault["type"]:
            case "missing" if isinstance(fault["loc"][-1], str):
                told.append(f"{where} is missing")
            case "missing":
                legal = [f"a list of {fault['loc'][-1] + 1}"]
            case "value_error":
                message = fault["msg"].removeprefix("Value error, ")
                told.append(f"{where}: {message}" if where else message)
            case "union_tag_invalid" | "union_tag_not_found":
                told.append(_kind(where, fault))
            case "model_attributes_type":
                told.append(f"{where} is {fault['input']!r}; it is a table with keys of its own, such as {where}.kind")
            case "model_type" | "dict_type":
                told.append(f"{where} is {fault['input']!r}; it is a table with keys of its own")
            case "literal_error":
                expected = context["expected"].replace(" or ", ", ")
                near = difflib.get_close_matches(str(fault["input"]), expected.replace("'", "").split(", "), 1, 0.7)
                legal.append(expected)
            case "tuple_type" if isinstance(fault["input"], dict):
                legal.append(f"a list of tables, [[{where}]]")
            case "tuple_type" | "list_type" if isinstance(fault["input"], str):
                legal.append(f'{LEGAL[fault["type"]]}, such as ["{fault["input"]}"]')
            case known if known in LEGAL:
                legal.append(LEGAL[known].format(**context))
            case _:
                legal.append(f"{fault['msg'][0].lower()}{fault['msg'][1:]}")
    if legal:
        hint = f"did you mean {near[0]!r}? " if near else ""
        told.append(f"{where} is {faults[0]['input']!r}; {hint}legal: {' or '.join(dict.fromkeys(legal))}")
    return told


def _kind(where: str, fault: dict[str, Any]) -> str:
    given = fault["input"].get("kind") if isinstance(fault["input"], dict) else None
    legal = [tag.strip(" '") for tag in fault.get("ctx", {}).get("expected_tags", "").split(",") if tag]
    if not legal:
        return f"{where}.kind is missing; it says which kind of {where} this is"
    near = difflib.get_close_matches(str(given), legal, 1, 0.5)
    says = f"is {given!r}; " if given is not None else "is missing; "
    return f"{where}.kind {says}" + (f"did you mean {near[0]!r}? " if near else "") + f"legal: {', '.join(legal)}"
