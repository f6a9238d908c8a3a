"""Recipes as TOML files, with settings changed from a command line."""

import json
import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from affectspace.errors import InputError
from affectspace.training.dotted import put
from affectspace.training.recipe import Recipe, make_recipe

__all__ = ["dump_recipe", "load_recipe"]


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file, with ``key.sub=value`` overrides from a command line.

    A relative ``data`` or ``corrections`` in the file is relative to the file; one given as an override is relative to
    the working folder. Values are read as TOML, or as plain text where they are none.

    Raises:
        InputError: no such file, malformed TOML, unknown or illegal keys, an override without ``=``, or a list or table
            whose quotation marks the shell took away.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no recipe {path}; recipes are TOML files, some lie in recipes/")
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    values["data"] = str((path.parent / str(values.get("data", "."))).resolve())
    if isinstance(values.get("corrections"), str):
        values["corrections"] = str((path.parent / values["corrections"]).resolve())
    for number, override in enumerate(overrides):
        _refuse_unquoted(overrides[number:])
        _apply(values, override)
    if any(override.startswith("data=") for override in overrides):
        values["data"] = str(Path(str(values["data"])).expanduser().resolve())
    if any(override.startswith("corrections=") for override in overrides) and isinstance(values["corrections"], str):
        values["corrections"] = str(Path(values["corrections"]).expanduser().resolve())
    return make_recipe(values, str(path))


TEXTS = {"name", "data"}  # a name such as 2024 is text, without quotes
WORD = re.compile(r"""([\[,=]\s*)([^\s\[\]{},="][^\[\]{},="]*?)(?=\s*[\],}])""")  # an entry of a list, or behind a key


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"override {override!r} has no '='; write it as key.sub=value, for example training.epochs=10")
    try:
        value = text if key in TEXTS else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    try:
        put(values, key, value)
    except ValueError as error:
        raise InputError(f"override {override!r}: {error}") from None


def _refuse_unquoted(overrides: Sequence[str]) -> None:
    """Refuse a list or table that is none of TOML: a shell takes quotation marks away, and parts it at its blanks."""
    key, _, text = overrides[0].partition("=")
    if key in TEXTS or not text.startswith(("[", "{")) or _is_toml(text):
        return
    whole = (" ".join([text, *overrides[1:end]]) for end in range(1, len(overrides) + 1))
    mended = next((each for each in map(_with_marks, whole) if _is_toml(each)), None)
    meant = shlex.quote(f"{key}={mended}") if mended else 'such as \'protocol.source=["en", "ur"]\''
    raise InputError(
        f"override {overrides[0]!r} is a list or table without its quotation marks, which the shell takes away; quote "
        f"the whole argument: {meant}"
    )


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _with_marks(text: str) -> str:
    """Each word of a list or table that is no value of TOML as a text of it."""
    return WORD.sub(lambda found: found[1] + (found[2] if _is_toml(found[2]) else json.dumps(found[2])), text)


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML with every default written out; ``load_recipe`` gives an equal one back."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
