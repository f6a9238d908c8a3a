"""The targets of a corpus's items, which are known before any of its media is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affectspace.corpora import Corpus, Fault, check, open_corpus
from affectspace.errors import InputError
from affectspace.labels import LabelSpace, Targets
from affectspace.training.corrected import corrections_of, with_corrections
from affectspace.training.frontends import medium
from affectspace.training.label_spaces import NoLabels, label_spaces
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_features import VectorFeatures
from affectspace.training.set_aside import mislabelled, unusable
from affectspace.training.unused import RATING_FAULT

__all__ = ["LabelledCorpus", "label_corpora"]


@dataclass(frozen=True)
class LabelledCorpus:
    """A corpus and what its labels say.

    Args:
        corpus: as opened.
        faults: what :func:`~affectspace.corpora.check` has found in its tables.
        space: of its labels.
        items: those that are not at fault.
        targets: of all of these.
        ratings: of these, and not at fault themselves.
        quarantine: ``id`` and ``reason`` of what is at fault.
        corrections: what people have corrected, for the records; None where the recipe does not ask.
    """

    corpus: Corpus
    faults: list[Fault]
    space: LabelSpace | NoLabels
    items: pd.DataFrame
    targets: Targets
    ratings: pd.DataFrame
    quarantine: list[dict[str, str]]
    corrections: dict[str, Any] | None = None


def label_corpora(recipe: Recipe) -> list[LabelledCorpus]:
    """Open a recipe's corpora and make their targets; no medium is read.

    Raises:
        InputError: an empty corpus, two of one name, labels outside the space, or no item to use.
    """
    if not Path(recipe.data).is_dir():
        raise InputError(
            f"there is no folder {recipe.data}, in which the recipe's corpora should lie; its data is relative to the "
            "recipe's own folder, and data=FOLDER on the command line to yours"
        )
    corpora: list[Corpus] = []
    for entry in recipe.corpora:
        corpus = open_corpus(Path(recipe.data) / entry.path, entry.adapter)
        if any(corpus.name == other.name for other in corpora):
            raise InputError(f"two corpora are named {corpus.name!r}; give one of them another name in its corpus.toml")
        if not len(corpus):
            raise InputError(f"corpus {corpus.name} has no items: its table is empty")
        corpora.append(corpus)
    told = [_label_corpus(recipe, corpus, space) for corpus, space in zip(corpora, label_spaces(recipe, corpora))]
    _refuse_no_labels(told)
    return told


def _label_corpus(recipe: Recipe, corpus: Corpus, space: LabelSpace | NoLabels) -> LabelledCorpus:
    """The targets of a corpus's items, and what is at fault."""
    faults = check(corpus, read_media=False)
    # of one modality an item without its medium is at fault; of several it only lacks that one
    any_medium = bool(recipe.modalities) or isinstance(recipe.features, VectorFeatures)
    bad_ratings = {}
    for fault in faults:
        if fault.column.startswith("ratings."):
            bad_ratings.setdefault(fault.row - 1, {"id": fault.item, "reason": f"{RATING_FAULT}: {fault.message}"})
    names = corpus.items["id"].fillna("")
    without = unusable(corpus, faults, None if any_medium else medium(recipe))
    reasons = mislabelled(corpus, faults, recipe.labels) | without
    bad_items = {row: {"id": names.iloc[row], "reason": reason} for row, reason in reasons.items()}
    items = corpus.items.drop(index=corpus.items.index[list(bad_items)]).reset_index(drop=True)
    ratings = corpus.ratings.drop(index=corpus.ratings.index[list(bad_ratings)])
    ratings = ratings[ratings["item"].isin(items["id"])].reset_index(drop=True)
    label_map = {**corpus.card.label_map, **getattr(recipe.labels, "map", {})}
    targets, corrected = space.targets(items, ratings, recipe.labels.dimension, label_map), None
    if (corrections := corrections_of(recipe, corpus)) is not None:
        targets, corrected = with_corrections(targets, space.names, items, corpus.name, corrections)
    if not (len(targets.values) if recipe.unlabelled else targets.usable.any()):
        why = _why(targets)
        raise InputError(
            f"corpus {corpus.name} has no item to use ({why}); see labels in the recipe, and affectspace check"
        )
    quarantine = [*bad_items.values(), *bad_ratings.values()]
    return LabelledCorpus(corpus, faults, space, items, targets, ratings, quarantine, corrected)


def _refuse_no_labels(told: list[LabelledCorpus]) -> None:
    """Stop where no item of any corpus has a target, and say of each why."""
    if not any(each.targets.usable.any() for each in told):
        why = ", ".join(f"{each.corpus.name}: {_why(each.targets)}" for each in told)
        raise InputError(
            f"no corpus has an item with a label ({why}); a net learns classes of labelled items alone: see labels in "
            "the recipe"
        )


def _why(targets: Targets) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in targets.left_out.items()) or "all are at fault"
