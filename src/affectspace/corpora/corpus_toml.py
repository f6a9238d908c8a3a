"""``corpus.toml``: the card of a table corpus, and how its columns are called."""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from affectspace.corpora.corpus import IDENTIFIERS, ITEM_COLUMNS, Card, Scale
from affectspace.errors import InputError

__all__ = ["Description", "read_description", "refuse_unknown"]

_TEXTS = ("name", "licence", "citation", "language", "note", "root")
_MAPS = ("label_map", "ratings_columns", "mean_ratings", "vote_counts")


@dataclass(frozen=True)
class Description:
    """What a ``corpus.toml`` says; the meaning of each part is told in :mod:`affectspace.corpora.table`.

    Args:
        card: licence, citation, scales, label map; its name is empty where the file gives none.
        root: the folder that tables and media lie below.
        items: tables of items, paths or patterns relative to the root; empty: look for the usual names.
        ratings: tables of ratings, likewise.
        columns: our item column -> theirs, or several of theirs that name it together; ``""`` says that there is none.
        ratings_columns: ``item``, ``rater``, ``dimension``, ``value``, or a dimension -> their column.
        mean_ratings: dimension -> item column that holds a published mean.
        vote_counts: category -> ratings column that counts the votes for it.
    """

    card: Card
    root: Path
    items: tuple[str, ...] = ()
    ratings: tuple[str, ...] = ()
    columns: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    ratings_columns: dict[str, str] = field(default_factory=dict)
    mean_ratings: dict[str, str] = field(default_factory=dict)
    vote_counts: dict[str, str] = field(default_factory=dict)


def read_description(path: Path) -> Description:
    """The contents of a ``corpus.toml``.

    Raises:
        InputError: not TOML, an unknown key (the nearest legal one is named), or a value of the wrong kind.
    """
    try:
        given = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{path} cannot be read: {error}") from error
    refuse_unknown(given, [*_TEXTS, "items", "ratings", "scales", "columns", *_MAPS], f"{path}")
    for key in _TEXTS:
        if not isinstance(given.get(key, ""), str):
            raise InputError(f"{path}: {key} is {given[key]!r}; it must be a text in quotes")
    maps = {key: _text_map(path, key, given.get(key, {})) for key in _MAPS}
    columns = _columns(path, given.get("columns", {}))
    scales = {name: _scale(path, name, ends) for name, ends in _table(path, "scales", given.get("scales", {})).items()}
    for dimension in maps["mean_ratings"]:
        if dimension not in scales:
            raise InputError(
                f"{path}: [mean_ratings] names {dimension!r}, whose scale is not given; "
                f"add [scales.{dimension}] with low and high"
            )
    return Description(
        card=Card(
            **{key: given.get(key, "") for key in _TEXTS if key != "root"},
            scales=scales,
            label_map=maps.pop("label_map"),
        ),
        root=(path.parent / given.get("root", ".")).resolve(),
        items=_patterns(path, "items", given.get("items", [])),
        ratings=_patterns(path, "ratings", given.get("ratings", [])),
        columns=columns,
        **maps,
    )


def refuse_unknown(given: Iterable[str], legal: Iterable[str], where: str) -> None:
    """Raise for a key that is not legal, naming the nearest one that is.

    Example:
        >>> refuse_unknown(["rout"], ["name", "root"], "corpus.toml")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: corpus.toml: unknown key 'rout'; did you mean 'root'? Legal: name, root
    """
    legal = list(legal)
    for key in given:
        if key not in legal:
            near = difflib.get_close_matches(key, legal, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"{where}: unknown key {key!r}; {hint}Legal: {', '.join(legal)}")


def _table(path: Path, key: str, value: object) -> dict:
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key} is {value!r}; write a table: [{key}]")
    return value


def _text_map(path: Path, key: str, value: object) -> dict[str, str]:
    table = _table(path, key, value)
    for name, text in table.items():
        if not isinstance(text, str):
            raise InputError(f"{path}: [{key}] {name} is {text!r}; it must be a text in quotes")
    return table


def _columns(path: Path, value: object) -> dict[str, str | tuple[str, ...]]:
    table = _table(path, "columns", value)
    refuse_unknown(table, ITEM_COLUMNS, f"{path} [columns]")
    listed = {name: given for name, given in table.items() if isinstance(given, list)}
    for name, given in listed.items():
        if name not in IDENTIFIERS:
            raise InputError(
                f"{path}: [columns] {name} is {given!r}; several columns together name only {', '.join(IDENTIFIERS)}"
            )
        if len(given) < 2 or not all(isinstance(each, str) and each for each in given):
            raise InputError(f"{path}: [columns] {name} is {given!r}; give two columns or more, each a text in quotes")
    texts = _text_map(path, "columns", {name: given for name, given in table.items() if name not in listed})
    return {name: tuple(listed[name]) if name in listed else texts[name] for name in table}


def _scale(path: Path, name: str, ends: object) -> Scale:
    where = f"{path} [scales.{name}]"
    table = _table(path, f"scales.{name}", ends)
    refuse_unknown(table, ["low", "high"], where)
    numbers = [table.get(end) for end in ("low", "high")]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise InputError(f"{where}: low is {numbers[0]!r} and high {numbers[1]!r}; both must be numbers")
    return Scale(float(numbers[0]), float(numbers[1]))  # pyright: ignore[reportArgumentType]


def _patterns(path: Path, key: str, value: object) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) and pattern for pattern in patterns):
        raise InputError(f'{path}: {key} is {value!r}; give a file, a pattern such as "*.parquet", or a list of them')
    return tuple(patterns)
