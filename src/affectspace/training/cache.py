"""Data that several runs of one process share."""

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from affectspace.training.data import Data, prepare
from affectspace.training.gather import Gathered, gather
from affectspace.training.recipe import Recipe

__all__ = ["DataCache"]

KEPT_CORPORA = 4  # tables and maps of features; the features themselves stay on disk
KEPT_SPLITS = 32
Made = TypeVar("Made")


class DataCache:
    """Opens corpora and prepares splits once, for all recipes that ask for the same.

    What a recipe is given by its cache is what :func:`affectspace.training.data.prepare` gives. Recipes
    that differ in terms, encoder, training or seed share everything; those that differ in the protocol
    share the gathered items. The least recently used is forgotten first.

    Example:
        ``train(recipe, folder, data=cache(recipe))`` for one recipe after another.
    """

    def __init__(self) -> None:
        self._gathered: OrderedDict[str, Gathered] = OrderedDict()
        self._data: OrderedDict[str, Data] = OrderedDict()

    def __call__(self, recipe: Recipe, *, quiet: bool = True) -> Data:
        """The prepared data of a recipe.

        Raises:
            InputError, LeakError: as :func:`affectspace.training.data.prepare`.
        """
        key = _key(recipe, "data", "corpora", "labels", "features", "protocol") + _samples(recipe)
        return _kept(self._data, key, KEPT_SPLITS, lambda: prepare(recipe, self.gathered(recipe, quiet=quiet)))

    def gathered(self, recipe: Recipe, *, quiet: bool = True) -> Gathered:
        """The usable items of a recipe's corpora, before they are split.

        Raises:
            InputError: as :func:`affectspace.training.gather.gather`.
        """
        features = recipe.features.model_dump(mode="json", exclude={"normalise"})
        key = _key(recipe, "data", "corpora", "labels") + json.dumps(features) + _samples(recipe)
        return _kept(self._gathered, key, KEPT_CORPORA, lambda: gather(recipe, quiet=quiet))


def _kept(shelf: OrderedDict[str, Made], key: str, most: int, make: Callable[[], Made]) -> Made:
    if key not in shelf:
        shelf[key] = make()
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)
    return shelf[key]


def _samples(recipe: Recipe) -> str:
    """Waveforms are opened only where augmentation reads them."""
    return str(recipe.augment.reads_samples)


def _key(recipe: Recipe, *sections: str) -> str:
    whole: dict[str, Any] = recipe.model_dump(mode="json")
    return json.dumps([whole.get(section) for section in sections])
