"""The study file: which recipes are compared, on which splits, over which seeds, with which choices left open.

All of it is read and checked before anything is trained.
"""

import difflib
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from affectspace.errors import InputError
from affectspace.studies.split_name import split_name
from affectspace.studies.words import listed
from affectspace.training.dotted import canonical, dotted, put
from affectspace.training.recipe import make_recipe
from affectspace.training.schema import Section, sentences

__all__ = ["Grid", "RecipeEntry", "SplitEntry", "Study", "dump_study", "load_study", "read_toml", "slug"]

MOST_SEEDS = 10_000  # as a count, which may be a slip of the finger
LAST_SEED = 2**63 - 1  # that of a recipe
QUESTION = ("name", "seed", "data", "corpora", "labels", "protocol")  # what a score is a score of
NO_EFFECT = (
    "monitor", "training.device", "training.threads", "training.checkpoint_seconds", "training.checkpoint_steps",
)  # fmt: skip
CHOSEN = ("training.epochs", "training.selection")  # by the study, where it chooses the epoch


def slug(name: str) -> str:
    """The name of a folder: what is not a letter of ASCII, a digit or one of ``._+-`` becomes ``-``.

    Other letters are spelled in ASCII first, and the folder begins with a letter or a digit.

    Example:
        >>> slug("alva -> boro, valence"), slug("Ärger"), slug("β = 10")
        ('alva----boro--valence', 'Arger', 'beta---10')
    """
    spelled = "".join(map(_spelled, unicodedata.normalize("NFKD", name)))
    return re.sub(r"[^A-Za-z0-9._+-]", "-", spelled).lstrip("._+-")


def _spelled(character: str) -> str:
    """A letter by the last word of its name, such as ``alpha``; accents, which stand after their letter, by nothing."""
    if character.isascii() or not character.isalnum():
        return "" if unicodedata.combining(character) else character
    name = unicodedata.name(character, f"{ord(character):x}").split(" WITH ")[0]
    return re.split("[ -]", name)[-1].lower()


def _can_be_told(name: str) -> str:
    if hidden := [character for character in name if unicodedata.category(character) in {"Cc", "Zl", "Zp"}]:
        raise ValueError(f"{name!r} has the character {hidden[0]!r}, which does not print; leave it out")
    if not slug(name):
        raise ValueError(f"{name!r} has no letter and no digit; a name, from which a folder is called, needs one")
    return name


Name = Annotated[str, AfterValidator(_can_be_told)]


class RecipeEntry(Section):
    """A recipe file, what this study changes in it, and what it chooses for it alone; or which others are fused.

    What ``fuses`` others is their late fusion: it has no file, trains nothing and chooses nothing.
    """

    name: Name
    path: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    fuses: tuple[str, ...] = ()

    @field_validator("set", mode="before")
    @classmethod
    def _flat(cls, table: Any) -> Any:
        return dotted(table) if isinstance(table, dict) else table

    @field_validator("grid", mode="before")
    @classmethod
    def _lists(cls, table: Any) -> Any:
        return _tried(table)

    @field_validator("fuses")
    @classmethod
    def _several(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"{', '.join(map(repr, twice))} {_is(twice)} named more than once; each weighs alike")
        if len(names) < 2:
            told = f"only {names[0]!r} is" if names else "nothing is"
            raise ValueError(f"{told} named; a fusion takes at least two recipes of the study")
        return names

    @model_validator(mode="after")
    def _trained_or_fused(self) -> Self:
        if not self.fuses and not self.path:
            raise ValueError(f"recipe {self.name!r} has no path; give that of a recipe, or fuses, which names others")
        if self.fuses and (more := [key for key in ("path", "set", "grid") if key in self.model_fields_set]):
            raise ValueError(
                f"recipe {self.name!r} fuses others, and so trains nothing to which {' and '.join(more)} could apply; "
                f"leave {'it' if len(more) == 1 else 'them'} out"
            )
        return self


class SplitEntry(Section):
    """What makes one question of the study: corpora, a dimension, a protocol."""

    name: Name
    set: dict[str, Any] = Field(default_factory=dict)

    @field_validator("set", mode="before")
    @classmethod
    def _flat(cls, table: Any) -> Any:
        return dotted(table) if isinstance(table, dict) else table


class Grid(Section):
    """How settings are chosen on the training items, by leaving groups of them out in turn.

    ``recipe`` chooses ``values`` for all recipes, and with ``epoch`` the epoch of all; each inner split
    is trained with ``runs`` seeds. ``by`` defaults to the group by which the recipe itself splits.
    """

    recipe: str | None = None
    values: dict[str, list[Any]] = Field(default_factory=dict)
    runs: int = Field(default=3, ge=1)
    by: Literal["speaker", "session", "language"] | None = None
    epoch: bool = False

    @field_validator("values", mode="before")
    @classmethod
    def _lists(cls, table: Any) -> Any:
        return _tried(table)

    @model_validator(mode="after")
    def _chooses_something(self) -> Self:
        if self.values and self.recipe is None:
            raise ValueError("recipe is missing: name the recipe whose inner runs choose among values for all recipes")
        if self.recipe is not None and not self.values and not self.epoch:
            raise ValueError("there is nothing to choose; give values, or epoch = true, or leave recipe out")
        if self.epoch and self.recipe is None:
            raise ValueError(
                "epoch = true has no recipe that chooses the epoch for all: those with a grid of their own would train "
                "on all training items, others would not, and could not be compared; name a recipe, or leave epoch out"
            )
        return self


class Study(Section):
    """Several recipes on several splits over several seeds, and how open settings are chosen."""

    name: Name
    seeds: tuple[int, ...]
    baseline: str = ""  # the first recipe, once it is read
    recipes: tuple[RecipeEntry, ...]
    splits: tuple[SplitEntry, ...] = ()  # one, named after the first recipe's protocol, once that is read
    grid: Grid | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_or_list(cls, given: Any) -> Any:
        whole = isinstance(given, int) and not isinstance(given, bool)
        if whole and given > MOST_SEEDS:
            raise ValueError(f"{given} is more seeds than any study needs; give at most {MOST_SEEDS:,}, or a list")
        if whole and given >= 1:
            return tuple(range(given))
        if whole or not isinstance(given, list | tuple):
            raise ValueError(f"{given!r} is neither a count of seeds, at least 1, nor a list of seeds")
        if not given:
            raise ValueError("the list is empty; give a count such as 10, or at least one seed")
        if wrong := [seed for seed in given if type(seed) is not int or not 0 <= seed <= LAST_SEED]:
            raise ValueError(f"{wrong[0]!r} is no seed; seeds are whole numbers from 0 to {LAST_SEED}")
        if twice := [str(seed) for seed, count in Counter(given).items() if count > 1]:
            raise ValueError(f"{', '.join(twice)} {_is(twice)} named more than once; a seed counts once")
        return tuple(given)

    @field_validator("recipes", "splits", mode="before")
    @classmethod
    def _some(cls, entries: Any) -> Any:
        if entries in ([], ()):
            raise ValueError("the list is empty; a study needs at least one")
        return entries

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        recipes, splits = [entry.name for entry in self.recipes], [entry.name for entry in self.splits]
        faults = [*_same("recipes", recipes), *_same("splits", splits)]
        known = [("baseline", self.baseline), ("grid.recipe", self.grid.recipe if self.grid else None)]
        known += [(f"recipe {entry.name!r}: fuses", name) for entry in self.recipes for name in entry.fuses]
        faults += [fault for what, name in known if name for fault in self._unknown(what, name)]
        tables = {f"recipe {entry.name!r} has a grid": entry.grid for entry in self.recipes}
        for where, values in {"grid.values ranges": self.searched.values, **tables}.items():
            faults += [f"{where} over {fault}" for fault in _unfit(values, self.searched.epoch)]
        for entry in self.recipes:
            twice = _chosen_twice(self.searched, entry)
            faults += [f"recipe {entry.name!r} has a grid over {fault}" for fault in twice]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _unknown(self, what: str, name: str) -> Iterable[str]:
        """What is wrong with a name where one of a recipe that is trained is needed."""
        fusions, trained = {entry.name: entry.fuses for entry in self.recipes}, [each.name for each in self.trained]
        near, legal = difflib.get_close_matches(name, trained, 1, 0.5), f"legal: {', '.join(trained)}"
        hint = f"did you mean {near[0]!r}? " if near else ""
        if name not in fusions:
            yield f"{what} {name!r} is none of the recipes; {hint}{legal}"
        elif fusions[name]:
            yield f"{what} {name!r} is not trained itself, as it fuses {listed(fusions[name])}; {legal}"

    @property
    def trained(self) -> tuple[RecipeEntry, ...]:
        """The recipes that have runs of their own: all but those that fuse others."""
        return tuple(entry for entry in self.recipes if not entry.fuses)

    @property
    def searched(self) -> Grid:
        """How recipes' own grids are searched where the study says nothing of it."""
        return self.grid or Grid()


def _tried(table: Any) -> Any:
    """Values to try, by dotted key; each a list of at least one, and none twice."""
    if not isinstance(table, dict):
        return table
    flat = dotted(table)
    for key, tried in flat.items():
        if not isinstance(tried, list):
            raise ValueError(f"{key} is {tried!r}; give a list of the values to try")
        if not tried:
            raise ValueError(f"{key} has no values to try; give at least one, or leave it out")
        texts = Counter(canonical(value) for value in tried)
        if twice := [text for text, count in texts.items() if count > 1]:
            raise ValueError(f"{key} has {', '.join(twice)} more than once; each value is tried once")
    return flat


def _unfit(values: dict[str, list[Any]], chooses_epoch: bool) -> Iterable[str]:
    """Settings to try by which scores would not be of one question, or that make no difference."""
    keys = dict.fromkeys(key for name, tried in values.items() for value in tried for key in dotted({name: value}))
    for key in keys:
        within = {part for part in (*QUESTION, *NO_EFFECT, *CHOSEN) if key == part or key.startswith(f"{part}.")}
        if within & {*QUESTION}:
            yield f"{key}, by which scores would be of other items or labels; make splits of its values"
        elif within & {*NO_EFFECT}:
            yield f"{key}, which changes no score; leave it out"
        elif within and chooses_epoch:
            yield f"{key}, and epoch = true chooses the epoch; leave one of them out"


def _chosen_twice(grid: Grid, entry: RecipeEntry) -> Iterable[str]:
    """Settings of a recipe's own grid that would undo, in whole or in part, what is chosen for all."""
    for own in entry.grid:
        for key in grid.values:
            if own == key or own.startswith(f"{key}.") or key.startswith(f"{own}."):
                yield f"{own}, and grid.values chooses {key} for all recipes; leave one of them out"


def _same(what: str, names: list[str]) -> Iterable[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{count} {what} are named {name!r}; give each a name of its own"
    by_slug: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        by_slug.setdefault(slug(name).casefold(), []).append(name)  # some file systems know no case
    if what == "splits" and (taken := by_slug.get("points.json")):
        yield f"split {taken[0]!r} would have the folder of a file of the study; choose another name"
    for folder, alike in by_slug.items():
        if len(alike) > 1:
            told = " and ".join(map(repr, alike))
            yield f"{what} {told} would share the folder {folder!r}; let them differ in letters or digits"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def load_study(path: str | Path) -> Study:
    """A study from its TOML file, resolved: absolute paths, every name and every seed written out.

    Recipes' paths, and ``data`` in a ``set``, are relative to the study file. A recipe without a name has
    that of its file; a study without splits has one, named after the first recipe's protocol; the
    baseline is the first recipe unless another is named. Recipes that fuse others count for neither.

    Raises:
        InputError: no such file, malformed TOML, unknown or illegal keys, recipe files that are missing.
    """
    path = Path(path)
    values = read_toml(path, "study")
    if "recipes" not in values and "corpora" in values:
        raise InputError(f"{path} is a recipe, and a study names recipes; train it by: affectspace train {path}")
    faults, missing = [], []
    entries = values.get("recipes", [])
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            continue
        file = (path.parent / Path(entry["path"]).expanduser()).resolve()
        if not file.is_file():
            missing.append(entry["path"])
            continue
        entry["path"] = str(file)
        entry.setdefault("name", str(read_toml(file, "recipe").get("name", file.stem)))
    for entry in (*_tables(values, "recipes"), *_tables(values, "splits")):
        if isinstance(entry.get("set"), dict) and isinstance(data := entry["set"].get("data"), str):
            entry["set"]["data"] = str((path.parent / Path(data).expanduser()).resolve())
    if missing:
        missing = list(dict.fromkeys(missing))
        what = "is no recipe" if len(missing) == 1 else "are no recipes"
        faults.append(f"{path}: there {what} {', '.join(missing)}; paths are relative to the study file")
        raise InputError("\n".join(faults))
    trained = [entry for entry in _tables(values, "recipes") if "fuses" not in entry]
    if isinstance(first := next(iter(trained), None), dict) and "name" in first:
        values.setdefault("baseline", first["name"])
        if "splits" not in values:
            values["splits"] = [{"name": _protocol_name(first)}]
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {told}" for told in sentences(error, values))) from None


def _tables(values: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = values.get(key, [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _protocol_name(entry: dict[str, Any]) -> str:
    """What the protocol of a recipe does, in words; "all" where nothing tells."""
    try:
        values = read_toml(Path(str(entry.get("path"))), "recipe")
        for key, value in dotted(entry.get("set", {})).items():
            put(values, key, value)
        return split_name(make_recipe(values).protocol)
    except (InputError, ValueError, AttributeError):
        return "all"  # the fault is told where recipes are checked


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The values of a TOML file, a ``what``, as errors call it.

    Raises:
        InputError: there is none, or it is no TOML.
    """
    if not path.is_file():
        place = "recipes/studies/" if what == "study" else "recipes/"
        raise InputError(f"there is no {what} {path}; a {what} is a TOML file, and some lie in {place}")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def dump_study(study: Study) -> str:
    """The study as TOML; :func:`load_study` gives an equal one back from any folder."""
    values = study.model_dump(mode="json", exclude_none=True)
    for entry in (*values["recipes"], *values["splits"]):
        for key in [key for key in ("path", "set", "grid", "fuses") if not entry.get(key, True)]:
            del entry[key]
    return tomli_w.dumps(values)
