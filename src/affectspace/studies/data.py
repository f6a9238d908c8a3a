"""The data of a study, opened before anything is trained: how they divide, and whether every split can be made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from affectspace.errors import AffectspaceError, InputError
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.words import counted
from affectspace.training.keys import items_key, split_key
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_protocol import Inner, all_folds

if TYPE_CHECKING:  # loads torch
    from affectspace.training.gather import Gathered

__all__ = ["Fold", "Question", "StudyData", "fold_key", "open_data"]

Fold = int | None  # None where a protocol has no folds, or names one
Question = tuple[str, Fold]  # a split's fold: what settings are chosen for


@dataclass(frozen=True)
class StudyData:
    """How often the data divide, and what they are.

    Args:
        folds: of each split; ``(None,)`` where its protocol has none.
        inner: how many inner groups by (recipe, split, fold), of recipes that choose something.
        corpora: what ``data.json`` tells of them, by :func:`affectspace.training.keys.items_key`.
    """

    folds: Mapping[str, tuple[Fold, ...]]
    inner: Mapping[tuple[str, str, Fold], int]
    corpora: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def questions(self) -> Iterator[Question]:
        """Every fold of every split."""
        return ((split, fold) for split, folds in self.folds.items() for fold in folds)


def fold_key(fold: Fold) -> str:
    """How a fold is called in folders and in ``selection.json``.

    Example:
        >>> fold_key(None), fold_key(3)
        ('all', 'fold-03')
    """
    return "all" if fold is None else f"fold-{fold:02d}"


def open_data(recipes: StudyRecipes, *, quiet: bool = True) -> StudyData:
    """Open what the study's runs will read, features extracted; count outer folds and inner groups.

    Raises:
        InputError: every split that these corpora cannot fill, with the recipes that it would stop.
    """
    from affectspace.training.by_tables import refuse_by_tables
    from affectspace.training.cache import DataCache  # loads torch; a fault in the study file is told before
    from affectspace.training.device import make_fabric
    from affectspace.training.folds import fold_count, inner_count, one_fold
    from affectspace.training.objective import triplet_geometry

    cache = DataCache()
    devices: set[tuple[str, str]] = set()
    looked_at: set[str] = set()
    prepared: set[str] = set()
    folds: dict[str, tuple[Fold, ...]] = {}
    inner: dict[tuple[str, str, Fold], int] = {}
    corpora: dict[str, list[dict[str, Any]]] = {}
    choosing = {recipes.chooser, *recipes.own_grids}

    def folds_of(recipe: Recipe, gathered: "Gathered") -> tuple[Fold, ...]:
        return tuple(range(fold_count(recipe, gathered.items))) if all_folds(recipe.protocol) else (None,)

    def within(recipe: Recipe, group: int) -> Recipe:
        chooses = Inner(by=recipes.inner_by(recipe), fold=group)
        return recipe.model_copy(update={"protocol": recipe.protocol.model_copy(update={"inner": chooses})})

    def look_at_tables(recipe: Recipe, name: str, split: str) -> None:
        triplet_geometry(recipe)  # refuses terms that no run could have
        if (device := (recipe.training.device, recipe.training.precision)) not in devices:
            make_fabric(*device)  # refuses a device that is not there
            devices.add(device)
        tables = cache.by_tables(recipe)
        for fold in folds_of(recipe, tables):
            one = recipe if fold is None else one_fold(recipe, fold)
            asked = [one, within(one, 0)] if name in choosing else [one]
            for each in asked:  # inner groups can all be left out, or none of them
                if (key := split_key(each)) not in looked_at:
                    refuse_by_tables(each, tables)
                    looked_at.add(key)

    def prepare(recipe: Recipe) -> None:
        if (key := split_key(recipe)) not in prepared:
            cache(recipe, quiet=quiet)
            prepared.add(key)

    def read(recipe: Recipe, name: str, split: str) -> None:
        gathered = cache.gathered(recipe, quiet=quiet)
        corpora[items_key(recipe)] = gathered.about
        found = folds_of(recipe, gathered)
        if folds.setdefault(split, found) != found:
            raise InputError(
                f"it has {counted(len(found), 'fold')} here and {len(folds[split])} by another recipe "
                "of the study; let both use the same items"
            )
        for fold in found:
            one = recipe if fold is None else one_fold(recipe, fold)
            prepare(one)
            if name not in choosing:
                continue
            inner[name, split, fold] = count = inner_count(one, gathered, recipes.inner_by(recipe))
            for group in range(count):
                prepare(within(one, group))

    _each_recipe(recipes, look_at_tables)  # all of them, before the media of any are read
    _each_recipe(recipes, read)
    return StudyData(folds, inner, corpora)


def _each_recipe(recipes: StudyRecipes, do: Callable[[Recipe, str, str], None]) -> None:
    """Do something with every recipe on every split, and raise all that is wrong with them at once."""
    faults: dict[str, list[str]] = {}
    for split in recipes.study.splits:
        for entry in recipes.study.trained:
            try:
                for recipe in recipes.variants(entry.name, split.name):
                    do(recipe, entry.name, split.name)
            except AffectspaceError as error:
                faults.setdefault(str(error), []).append(f"recipe {entry.name!r} on split {split.name!r}")
    if faults:
        told = (f"{recipes.source}: {recipes.places(places)}: {fault}" for fault, places in faults.items())
        raise InputError("\n".join(told))
