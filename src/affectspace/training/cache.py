"""Data that several runs of one process share."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from affectspace.training.by_tables import by_tables
from affectspace.training.data import Data
from affectspace.training.gather import Gathered, gather
from affectspace.training.keys import KEPT_ITEMS, KEPT_SPLITS, items_key, split_key, tables_key
from affectspace.training.label_corpus import LabelledCorpus, label_corpora
from affectspace.training.prepare import prepare
from affectspace.training.recipe import Recipe

__all__ = ["DataCache"]

Made = TypeVar("Made")


class DataCache:
    """Opens corpora and prepares splits once, for all recipes that ask for the same.

    What a recipe is given by its cache is what :func:`affectspace.training.prepare.prepare` gives. Recipes
    that differ in terms, encoder, training or seed share everything; those that differ in the protocol
    share the gathered items. The least recently used is forgotten first.

    Example:
        ``train(recipe, folder, data=cache(recipe))`` for one recipe after another.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[str, list[LabelledCorpus]] = OrderedDict()
        self._tables: OrderedDict[str, Gathered] = OrderedDict()
        self._gathered: OrderedDict[str, Gathered] = OrderedDict()
        self._data: OrderedDict[str, Data] = OrderedDict()

    def __call__(self, recipe: Recipe, *, quiet: bool = True) -> Data:
        """The prepared data of a recipe.

        Raises:
            InputError, LeakError: as :func:`affectspace.training.prepare.prepare`.
        """
        return _kept(
            self._data, split_key(recipe), KEPT_SPLITS, lambda: prepare(recipe, self.gathered(recipe, quiet=quiet))
        )

    def gathered(self, recipe: Recipe, *, quiet: bool = True) -> Gathered:
        """The usable items of a recipe's corpora, before they are split.

        Raises:
            InputError: as :func:`affectspace.training.gather.gather`.
        """
        return _kept(
            self._gathered, items_key(recipe), KEPT_ITEMS, lambda: gather(recipe, self._labelled(recipe), quiet=quiet)
        )

    def by_tables(self, recipe: Recipe) -> Gathered:
        """What is known of them before any medium is read.

        Raises:
            InputError: as :func:`affectspace.training.label_corpus.label_corpora`.
        """
        return _kept(self._tables, tables_key(recipe), KEPT_ITEMS, lambda: by_tables(self._labelled(recipe)))

    def _labelled(self, recipe: Recipe) -> list[LabelledCorpus]:
        return _kept(self._told, tables_key(recipe), KEPT_ITEMS, lambda: label_corpora(recipe))


def _kept(shelf: OrderedDict[str, Made], key: str, most: int, make: Callable[[], Made]) -> Made:
    if key not in shelf:
        shelf[key] = make()
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)
    return shelf[key]
