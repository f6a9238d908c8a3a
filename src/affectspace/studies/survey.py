"""The data of a study, opened before anything is trained: how they divide, and whether every split can be made."""

from typing import Any

from affectspace.errors import AffectspaceError, InputError
from affectspace.studies.plan import Fold, Shape, has_folds, inner_by, stages_of
from affectspace.studies.study import Cells
from affectspace.training.keys import items_key, split_key
from affectspace.training.recipe import Inner, Recipe

__all__ = ["survey"]


def survey(cells: Cells, *, quiet: bool = True) -> Shape:
    """Open what the study's runs will read, features extracted; count outer folds and inner groups.

    Raises:
        InputError: every split that these corpora cannot fill, with the recipes that it would stop.
    """
    from affectspace.training.cache import DataCache  # loads torch; a fault in the study file is told before
    from affectspace.training.folds import fold_count, inner_count, one_fold
    from affectspace.training.terms import triplet_geometry
    from affectspace.training.train import make_fabric

    cache = DataCache()
    prepared: set[str] = set()
    folds: dict[str, tuple[Fold, ...]] = {}
    inner: dict[tuple[str, str, Fold], int] = {}
    corpora: dict[str, list[dict[str, Any]]] = {}
    faults: dict[str, list[str]] = {}

    def prepare(recipe: Recipe) -> None:
        if (key := split_key(recipe)) not in prepared:
            cache(recipe, quiet=quiet)
            prepared.add(key)

    shared, own = stages_of(cells)
    choosing = {*own, *([cells.study.searched.recipe] if shared else [])}
    for split in cells.study.splits:
        for entry in cells.study.recipes:
            try:
                for recipe in cells.variants(entry.name, split.name):
                    triplet_geometry(recipe)  # refuses terms that no run could have
                    make_fabric(recipe.training.device, recipe.training.precision)  # and a device that is not there
                    gathered = cache.gathered(recipe, quiet=quiet)
                    corpora[items_key(recipe)] = gathered.about
                    several = has_folds(recipe)
                    found = tuple(range(fold_count(recipe, gathered.items))) if several else (None,)
                    if folds.setdefault(split.name, found) != found:
                        raise InputError(
                            f"it has {len(found)} folds here and {len(folds[split.name])} by another recipe of the "
                            "study; let both use the same items"
                        )
                    for fold in found:
                        one = recipe if fold is None else one_fold(recipe, fold)
                        prepare(one)
                        if entry.name not in choosing:
                            continue
                        by = inner_by(cells, recipe)
                        inner[entry.name, split.name, fold] = count = inner_count(one, gathered, by)
                        for group in range(count):
                            protocol = one.protocol.model_copy(update={"inner": Inner(by=by, fold=group)})
                            prepare(one.model_copy(update={"protocol": protocol}))
            except AffectspaceError as error:
                faults.setdefault(str(error), []).append(f"recipe {entry.name!r} on split {split.name!r}")
    if faults:
        told = (f"{cells.source}: {cells.places(places)}: {fault}" for fault, places in faults.items())
        raise InputError("\n".join(told))
    return Shape(folds, inner, corpora)
