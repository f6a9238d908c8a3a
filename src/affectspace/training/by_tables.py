"""What the tables of corpora tell of a recipe's split, before any medium is read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from affectspace.training.gather import Gathered
from affectspace.training.label_corpus import LabelledCorpus
from affectspace.training.recipe import Recipe
from affectspace.training.split import make_split

__all__ = ["by_tables", "refuse_by_tables"]


def by_tables(told: Sequence[LabelledCorpus]) -> Gathered:
    """The items that have a target, as if all their media could be read; they have no features.

    Which recordings or pictures are copies is not known here either.

    Args:
        told: one corpus or more, an item with a target in one of them.
    """
    rows = [np.flatnonzero(each.targets.usable) for each in told]
    return Gathered(
        pd.concat([each.items.iloc[own] for each, own in zip(told, rows)], ignore_index=True),
        torch.from_numpy(np.concatenate([each.targets.values[own] for each, own in zip(told, rows)])).float(),
        told[0].space.names,
        {},
        [{"name": each.corpus.name, "used": len(own)} for each, own in zip(told, rows)],
        "",
    )


def refuse_by_tables(recipe: Recipe, tables: Gathered) -> None:
    """Stop before media are read, which may take hours, where the tables alone show that the recipe's split cannot be.

    The split that is trained on is made again of the items whose media can be read. What it leaks is asked then, as
    copies are known by their media, and who validates may be others.

    Args:
        recipe: of one fold, where its protocol has folds.
        tables: of :func:`by_tables`.

    Raises:
        InputError: what :func:`affectspace.training.split.make_split` raises, such as items without a language, a
            language, corpus or fold that is not there, or too few speakers.
    """
    make_split(recipe, tables)
