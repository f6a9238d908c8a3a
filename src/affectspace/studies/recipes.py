"""The recipes of a study on each of its splits: what the study file expands to, checked before anything is opened."""

import copy
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from affectspace.errors import InputError
from affectspace.studies.study import RecipeEntry, SplitEntry, Study, read_toml, slug
from affectspace.training.dotted import put
from affectspace.training.recipe import Recipe, make_recipe
from affectspace.training.recipe_protocol import CrossLanguage, GroupedFolds, LeaveOneOut
from affectspace.training.schema import sentences

__all__ = ["StudyRecipes", "points"]


def points(values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values to try, the last key changing fastest.

    Example:
        >>> points({"a": [1, 2], "b": [3]})
        [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(values, chosen)) for chosen in product(*values.values())]


class StudyRecipes:
    """The recipes of a study on each of its splits: values with this study's changes, checked.

    Args:
        study: of which file.
        source: what errors call it.

    Raises:
        InputError: a setting, or a point of a grid, that makes no legal recipe, by recipe, split and key; or
            recipes of one split that are not tested in the same way.
    """

    def __init__(self, study: Study, source: str = "the study"):
        self.study = study
        self.source = source
        self._values: dict[tuple[str, str], dict[str, Any]] = {}
        self._faults: dict[str, list[str]] = {}
        files = {entry.path: read_toml(Path(entry.path), "recipe") for entry in study.trained}
        for entry in study.trained:
            for split in study.splits:
                self._check(entry, split, files[entry.path])
        if self._faults:
            told = (f"{source}: {self.places(places)}: {fault}" for fault, places in self._faults.items())
            raise InputError("\n".join(told))
        for split in study.splits:
            self._same_test(split)

    def of(self, recipe: str, split: str, *changes: dict[str, Any]) -> Recipe:
        """The recipe of a cell, with further settings by dotted key put over its own, one after another."""
        values = copy.deepcopy(self._values[recipe, split])
        for change in changes:
            for key, value in change.items():
                put(values, key, value)
        return make_recipe(values, f"{self.source}: recipe {recipe!r} on split {split!r}")

    def variants(self, recipe: str, split: str) -> list[Recipe]:
        """The recipe with every combination of the settings that are to be tried."""
        entry = next(entry for entry in self.study.recipes if entry.name == recipe)
        return [self.of(recipe, split, tried) for tried in self._tried(entry)]

    @staticmethod
    def places(places: list[str]) -> str:
        """Where a fault is, of which there may be many."""
        more = len(places) - 1
        return places[0] + (f" (and {more} other{'s' if more > 1 else ''})" if more else "")

    @property
    def chooser(self) -> str | None:
        """The recipe that chooses for all, where there is one."""
        return self.study.searched.recipe

    @property
    def own_grids(self) -> dict[str, dict[str, list[Any]]]:
        """The values that recipes choose for themselves, by recipe."""
        return {entry.name: entry.grid for entry in self.study.recipes if entry.grid}

    def inner_by(self, recipe: Recipe) -> Literal["speaker", "session", "language"]:
        """The group that is left out in inner splits: the study's word, or that by which the recipe splits."""
        asked, protocol = self.study.searched.by, recipe.protocol
        own = protocol.by if isinstance(protocol, LeaveOneOut | GroupedFolds) else protocol.validate_by
        if asked:
            return asked
        return own if own in ("session", "language") else "speaker"

    def _check(self, entry: RecipeEntry, split: SplitEntry, file: dict[str, Any]) -> None:
        place = f"recipe {entry.name!r} on split {split.name!r}"
        data = str((Path(entry.path).parent / str(file.get("data", "."))).resolve())
        one_thread = {"training.threads": 1}  # a study's processes use the cores, unless the study itself says more
        changes = {"data": data, **one_thread, **entry.set, **split.set, "name": slug(entry.name)}
        values, faults = _changed(file, changes)
        self._tell(faults, place)
        if faults:
            return
        self._values[entry.name, split.name] = values
        for tried in self._tried(entry):
            told = ", ".join(f"{key} = {value!r}" for key, value in tried.items())
            self._tell(_changed(values, tried)[1], f"{place} with {told}")

    def _tried(self, entry: RecipeEntry) -> list[dict[str, Any]]:
        """Every combination of settings that a recipe may be trained with."""
        return [{**one, **own} for one in points(self.study.searched.values) for own in points(entry.grid)]

    def _tell(self, faults: list[str], place: str) -> None:
        for fault in faults:
            self._faults.setdefault(fault, []).append(place)

    def _same_test(self, split: SplitEntry) -> None:
        first, *others = self.study.trained
        one = self.of(first.name, split.name)
        for other in others:
            its = self.of(other.name, split.name)
            for section, plural in (("protocol", "protocols"), ("labels", "labels")):
                if _asks(its, section) != _asks(one, section):
                    raise InputError(
                        f"{self.source}: on split {split.name!r} recipes {first.name!r} and {other.name!r} have "
                        f"different {plural} ({_difference(section, one, its)}), so their scores are not of one "
                        f"question; make them splits, or give both the same"
                    )


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values with changes by dotted key, and what is wrong with them then."""
    values = copy.deepcopy(values)
    for key, value in changes.items():
        try:
            put(values, key, copy.deepcopy(value))
        except ValueError as error:
            return values, [f"{key!r}: {error}"]
    try:
        Recipe.model_validate(values)
    except ValidationError as error:
        return values, sentences(error, values)
    return values, []


def _asks(recipe: Recipe, section: str) -> Any:
    """What a recipe is asked: its labels or its protocol, but for the languages that train, which are an answer."""
    asked = getattr(recipe, section)
    return asked.model_copy(update={"source": (), "auxiliary": ()}) if isinstance(asked, CrossLanguage) else asked


def _difference(section: str, one: Recipe, other: Recipe) -> str:
    was, its = _asks(one, section).model_dump(), _asks(other, section).model_dump()
    key = next(key for key in {**was, **its} if was.get(key) != its.get(key))
    return f"{section}.{key} is {was.get(key)!r} and {its.get(key)!r}"
