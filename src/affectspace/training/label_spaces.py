"""The label space of each of a recipe's corpora, and what stands for one where a corpus has nothing to read it from."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus
from affectspace.labels import LabelSpace, Targets
from affectspace.labels.dimensions import dimensions
from affectspace.labels.targets import reasons
from affectspace.labels.votes import number_columns
from affectspace.training.frontends import make_label_space
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import Labels, PoleLabels
from affectspace.training.set_aside import own_label

__all__ = ["NoLabels", "label_spaces", "lacking"]


@dataclass(frozen=True)
class NoLabels:
    """Stands for the label space of a corpus of which no item has a label.

    Args:
        names: of the classes, which are those of the other corpora.
        why: no item has one.

    Example:
        >>> nobody = NoLabels(("low", "high"), "the corpus has no ratings of 'valence'")
        >>> nobody.targets(pd.DataFrame({"id": ["a", "b"]})).left_out
        {"the corpus has no ratings of 'valence'": 2}
    """

    names: tuple[str, ...]
    why: str

    def targets(
        self,
        items: pd.DataFrame,
        ratings: pd.DataFrame | None = None,
        dimension: str | None = None,
        label_map: Mapping[str, str] | None = None,
    ) -> Targets:
        """No target of any item, whatever is rated."""
        nobody = np.zeros(len(items), bool)
        return Targets(np.full((len(items), len(self.names)), np.nan), reasons(self.why, nobody), "label")


def label_spaces(recipe: Recipe, corpora: Sequence[Corpus]) -> list[LabelSpace | NoLabels]:
    """The label space of each corpus.

    A corpus that lacks what the recipe reads its labels from is one without labels, where the recipe has a section
    ``unlabelled``; if all of them lack it the recipe is at fault, which the first label space to be used tells.

    Raises:
        InputError: poles of a dimension whose scale nobody states.
    """
    why = [lacking(corpus, recipe.labels) if recipe.unlabelled else "" for corpus in corpora]
    if all(why):
        return [make_label_space(recipe, corpus) for corpus in corpora]
    spaces = [None if reason else make_label_space(recipe, corpus) for corpus, reason in zip(corpora, why)]
    names = next(space.names for space in spaces if space is not None)
    return [space or NoLabels(names, reason) for space, reason in zip(spaces, why)]


def lacking(corpus: Corpus, labels: Labels) -> str:
    """What a corpus lacks of which a recipe makes labels, as a reason; empty where it lacks nothing.

    Categories never are: where nobody voted they are the items' own labels, each of which may be missing.
    """
    dimension, rated, own = labels.dimension, dimensions(corpus.ratings), own_label(corpus, labels)
    poles = isinstance(labels, PoleLabels)
    there = dimension in rated if poles else own is None or own in corpus.items
    if there:
        return ""
    near = difflib.get_close_matches(dimension, [*rated, *([] if poles else number_columns(corpus.items))], 1)
    column = "" if poles else ", nor its items such a column"
    return f"the corpus has no ratings of {dimension!r}{column}{f', but of {near[0]!r}' if near else ''}"
