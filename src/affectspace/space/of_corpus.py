"""What a corpus knows of its items, in the columns of a space."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import Corpus, Fault, check
from affectspace.errors import InputError
from affectspace.files import Below
from affectspace.labels import Classes, Levels
from affectspace.labels.naming import led
from affectspace.metrics._inputs import TIE
from affectspace.space.unknown_labels import unknown_labels, unknown_labels_told
from affectspace.training.recipe import Recipe
from affectspace.training.set_aside import without_wrong_labels

__all__ = ["known_of", "media_of", "sole_label"]


def known_of(corpus: Corpus, recipe: Recipe | None, faults: Sequence[Fault] | None = None) -> tuple[pd.DataFrame, str]:
    """``id`` (corpus/id), ``corpus``, ``speaker``, media, and ``label`` and ``target`` by a recipe.

    Labels are missing without a recipe, and where the corpus has none that its classes could hold: where it has
    another, that is ``other_label``.

    Args:
        corpus: which.
        recipe: of a model.
        faults: what :func:`~affectspace.corpora.check` has found in its tables; None: it is asked now.

    Returns:
        the table, and a sentence on labels of the corpus that are missing there; empty where none are.
    """
    items = corpus.items[corpus.items["id"].notna()]
    known = pd.DataFrame(
        {
            "id": corpus.name + "/" + items["id"],
            "corpus": corpus.name,
            "speaker": items["speaker"],
        }
    )
    told = ""
    if recipe is not None:
        columns, told = _labels(corpus, recipe, items.index, faults)
        known = known.assign(**columns)
    return known.drop_duplicates("id").merge(media_of(corpus), on="id", how="left"), told


def media_of(corpus: Corpus) -> pd.DataFrame:
    """``id`` (corpus/id), ``image`` and ``audio`` (absolute paths), ``text``, ``start`` and ``end`` of a corpus.

    ``box`` too, the part of the image that is the item, where the corpus has such a column.
    """
    items = corpus.items[corpus.items["id"].notna()]
    found = items[["id", "text", "start", "end", *(["box"] if "box" in items else [])]].assign(
        id=corpus.name + "/" + items["id"]
    )
    below = Below(corpus.root)
    for kind in ("audio", "image"):
        found[kind] = pd.array([_absolute(below, path) for path in items[kind]], dtype="string")
    return found.drop_duplicates("id")


def sole_label(targets: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """The most probable class of each row, None where two are equally so, as metrics judge it, or none is known.

    Example:
        >>> sole_label(np.array([[0.2, 0.8], [0.5, 0.5], [np.nan, np.nan]]), ("calm", "angry")).tolist()
        ['angry', None, None]
    """
    highest = targets >= targets.max(1, keepdims=True) - TIE
    names = np.array([*classes, None], dtype=object)
    return names[np.where(highest.sum(1) == 1, highest.argmax(1), len(classes))]


def _labels(
    corpus: Corpus, recipe: Recipe, rows: pd.Index, faults: Sequence[Fault] | None = None
) -> tuple[dict[str, Any], str]:
    from affectspace.training.frontends import (
        make_label_space,  # loads torch, which reading a finished run has no use for
    )

    faults = check(corpus, read_media=False) if faults is None else faults
    wrong = [fault.row - 1 for fault in faults if fault.column.startswith("ratings.")]
    ratings = corpus.ratings.drop(index=corpus.ratings.index[sorted(set(wrong))])
    label_map = {**corpus.card.label_map, **getattr(recipe.labels, "map", {})}
    dimension = recipe.labels.dimension
    try:
        space = make_label_space(recipe, corpus)
        if isinstance(space, Levels) and space.thresholds is None:
            space = Classes(space.names)
        if isinstance(space, Classes):  # a label that no training could use takes none of the others along
            space = replace(space, others="leave_out")
        items = without_wrong_labels(corpus, faults, recipe.labels)
        targets = space.targets(items, ratings, dimension, label_map)
    except InputError as error:  # a corpus labelled otherwise can be embedded all the same
        labelled = corpus.items["label"].notna().any() or len(ratings)
        return {}, f"no item of {corpus.name} has a label in the space, as {error}" if labelled else ""
    made = targets.values[rows]
    target = [row if np.isfinite(row).all() else None for row in made]
    known = {"label": sole_label(made, space.names), "target": target}
    if not isinstance(space, Classes):
        return known, ""
    unknown = unknown_labels(items, ratings, dimension, targets, space.names, label_map)
    if (others := unknown.iloc[rows]).notna().any():  # in the words that corpora share
        known["other_label"] = [label if pd.isna(label) else led(label, label_map) or label for label in others]
    return known, unknown_labels_told(corpus.name, unknown, space.names)


def _absolute(below: Below, path: Any) -> str | None:
    if pd.isna(path):
        return None
    try:
        return below.real(str(path))
    except (InputError, ValueError):  # outside, or of characters that no path has
        return None
