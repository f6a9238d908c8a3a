"""Which items training sets aside: those of whose faults check tells, as far as the recipe reads what is at fault."""

import shlex
from collections.abc import Iterable

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus, Fault
from affectspace.errors import InputError
from affectspace.features.crops import NO_FACE
from affectspace.training.recipe_data import Labels, LevelLabels, PoleLabels
from affectspace.training.unused import RATING_FAULT

__all__ = ["mislabelled", "own_label", "refuse_too_many", "unusable", "without_wrong_labels"]

# What keeps an item from being used; other faults that check finds, such as clipping, do not.
TABLE_FAULTS = {"missing-id", "duplicate-id"}
LABEL_FAULTS = {"not-a-number", "off-scale"}
MEDIA_FAULTS = {"outside-root", "missing-file", "empty-file", "bad-times", "bad-box"}  # of the medium that is read
PARTS = {"audio": ("start", "end"), "image": ("box",), "video": ("box",)}  # medium -> columns that say which part of it


def unusable(corpus: Corpus, faults: Iterable[Fault], column: str | None) -> dict[int, str]:
    """The rows of items, from 0, that cannot be used, and the first reason of each.

    Args:
        corpus: whose items are asked for.
        faults: what :func:`~affectspace.corpora.check` has found in it.
        column: the medium that is read; None where nothing is, as of precomputed vectors.
    """
    reasons: dict[int, str] = {}
    boxed = np.where(corpus.items["image"].notna(), "image", "video")  # what each item's box is of
    for fault in faults:
        row = fault.row - 1
        mine = fault.column in {column, *PARTS.get(column or "", ())}
        if fault.column == "box":
            mine &= boxed[row] == column
        if fault.problem in TABLE_FAULTS or (mine and fault.problem in MEDIA_FAULTS):
            reasons.setdefault(row, fault.message)
    for row in np.flatnonzero(corpus.items[column].isna()) if column else ():
        reasons.setdefault(int(row), f"the item has no {column}")
    return reasons


def mislabelled(corpus: Corpus, faults: Iterable[Fault], labels: Labels) -> dict[int, str]:
    """The rows of items, from 0, whose own label lies off the scale that is declared for it, and why.

    Such an item can be embedded, but nothing is to be learned of it; none is told where labels are read from ratings.

    Args:
        corpus: whose items are asked for.
        faults: what :func:`~affectspace.corpora.check` has found in it.
        labels: what a recipe reads.
    """
    column = own_label(corpus, labels)
    wrong = (fault for fault in faults if fault.column == column and fault.problem in LABEL_FAULTS)
    return {fault.row - 1: fault.message for fault in wrong}


def without_wrong_labels(corpus: Corpus, faults: Iterable[Fault], labels: Labels) -> pd.DataFrame:
    """All items, none of them with a label that :func:`mislabelled` tells of; the cell is missing instead."""
    column, wrong = own_label(corpus, labels), np.zeros(len(corpus), bool)
    if not (rows := list(mislabelled(corpus, faults, labels))):
        return corpus.items
    wrong[rows] = True
    return corpus.items.assign(**{str(column): corpus.items[column].mask(wrong)})


def own_label(corpus: Corpus, labels: Labels) -> str | None:
    """The column of items that holds the labels which a recipe reads; None where ratings do."""
    dimension = labels.dimension
    if isinstance(labels, PoleLabels) or (dimension != "label" and corpus.ratings["dimension"].eq(dimension).any()):
        return None
    cut = isinstance(labels, LevelLabels) and (labels.bins is not None or labels.thresholds is not None)
    return dimension if cut else "label"


def refuse_too_many(corpus: Corpus, quarantine: list[dict[str, str]], share: float, section: str = "features") -> None:
    """Stop where more than a share of a corpus's items are at fault.

    Args:
        corpus: they are of.
        quarantine: ``id`` and ``reason`` of what was set aside, ratings among it, which do not count.
        share: 0 to 1.
        section: of the recipe, that allows it.

    Raises:
        InputError: there are more; it names the first of them.
    """
    bad = [row for row in quarantine if not row["reason"].startswith(RATING_FAULT)]
    if len(bad) > share * len(corpus):
        first = "; ".join(f"{row['id']}: {row['reason']}" for row in bad[:3])
        root = shlex.quote(str(corpus.root))
        faceless = sum(row["reason"].startswith(NO_FACE) for row in bad)
        where = [f"see {'the others' if faceless else 'all'} by: affectspace check {root}"] * (faceless < len(bad))
        if faceless:
            where.append(
                f"in {faceless} {'pictures' if faceless > 1 else 'picture'} no face is found, which check does not "
                "look for: if the pictures are crops of faces already, leave features.finder out; else see which have "
                f"none by: affectspace faces {root}"
            )
        raise InputError(
            f"{len(bad)} of {len(corpus)} items of corpus {corpus.name} are at fault, and a share of {share:g} is "
            f"allowed ({section}.max_bad_share): {first}; {'; '.join(where)}"
        )
