"""Tables of a TOML file that know their keys, and what is wrong with one in the user's own words."""

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

__all__ = ["Section", "sentences"]


class Section(BaseModel):
    """A table of a recipe or a study: immutable, and an unknown key is an error that names the nearest legal one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(key, cls.model_fields, 1, 0.5)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(f"unknown key {key!r}; {hint}legal: {', '.join(cls.model_fields)}")
        return values


def sentences(error: ValidationError, values: dict[str, Any]) -> list[str]:
    """Every fault that was found in ``values``, with its key, what is wrong and what is legal."""
    faults = error.errors()
    # A list with a faulty entry is also called too short; the entry's own fault says it all.
    inner = [f for f in faults if not (f["type"] == "too_short" and any(_within(g, f) for g in faults))]
    return [_sentence(fault, values) for fault in inner]


def _within(fault: Any, outer: Any) -> bool:
    return fault is not outer and fault["loc"][: len(outer["loc"])] == outer["loc"]


def _sentence(fault: Any, values: dict[str, Any]) -> str:
    # pydantic puts the tag of a tagged union into the path; a user never wrote it there.
    path: list[str] = []
    place: Any = values
    for part in fault["loc"]:
        if (isinstance(place, dict) and part in place) or (
            isinstance(place, list) and isinstance(part, int) and part < len(place)
        ):
            place = place[part]
        elif part != fault["loc"][-1] or fault["type"] != "missing":
            continue
        path.append(str(part))
    where = ".".join(path)
    match fault["type"]:
        case "missing":
            return f"{where} is missing"
        case "value_error":
            message = fault["msg"].removeprefix("Value error, ")
            return f"{where}: {message}" if where else message
        case "union_tag_invalid" | "union_tag_not_found":
            given = fault["input"].get("kind") if isinstance(fault["input"], dict) else None
            legal = [tag.strip(" '") for tag in fault.get("ctx", {}).get("expected_tags", "").split(",") if tag]
            near = difflib.get_close_matches(str(given), legal, 1, 0.5)
            says = f"is {given!r}; " if given is not None else "is missing; "
            return (
                f"{where}.kind {says}" + (f"did you mean {near[0]!r}? " if near else "") + f"legal: {', '.join(legal)}"
                if legal
                else f"{where}.kind is missing; it says which kind of {where} this is"
            )
        case "model_attributes_type" | "model_type" | "dict_type":
            return f"{where} is {fault['input']!r}; it is a table with keys of its own, such as {where}.kind"
    return f"{where} is {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"
