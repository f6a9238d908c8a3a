"""What a net of several modalities says of items with some of these alone."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from affectspace.metrics import chance_linear_cka, cross_modal_retrieval, linear_cka
from affectspace.training.data import Data
from affectspace.training.evaluate import Predictions, figures, predict, prediction_table
from affectspace.training.recipe import Recipe

__all__ = ["answers_by_modality", "figures_of_modalities", "shown_table", "subsets"]

RECALLED = (1, 5, 10)  # among how many of the nearest an item's counterpart is sought


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Every choice of one or more, fewer ones first.

    Example:
        >>> subsets(["acoustic", "lexical"])
        [('acoustic',), ('lexical',), ('acoustic', 'lexical')]
    """
    given = list(names)
    return [chosen for count in range(1, len(given) + 1) for chosen in combinations(given, count)]


def answers_by_modality(model: nn.Module, data: Data, rows: np.ndarray) -> dict[str, Predictions]:
    """What a net says of ``rows`` by every subset of their modalities, the others hidden.

    By names joined with ``+``; each of those rows, in their order, that have any of it, and none of no row.
    """
    has = {name: each.clips.lengths[rows] > 0 for name, each in data.inputs.items()}
    found = {}
    for names in subsets(data.inputs):
        there = np.any([has[name] for name in names], axis=0)
        if there.any():
            found["+".join(names)] = predict(model, data.showing(names), rows[there])
    return found


def figures_of_modalities(answers: Mapping[str, Predictions], model: nn.Module, recipe: Recipe) -> dict[str, Any]:
    """What :func:`answers_by_modality` comes to, and how well modalities match.

    ``by_modality`` has the figures of every subset, and the number of items that have any of it.
    ``matching`` has, for each two modalities, :func:`affectspace.metrics.cross_modal_retrieval` of their latents over
    the items that have both.
    """
    by_modality = {
        names: {"items": len(found.rows), **figures(found, None, recipe.labels.ordered)}
        for names, found in answers.items()
    }
    matching = {}
    for first, other in combinations([name for name in answers if "+" not in name], 2):
        both = [np.isin(answers[one].rows, answers[two].rows) for one, two in ((first, other), (other, first))]
        if both[0].sum() > 1:
            a, b = (_latent(answers[name], model, name)[rows] for name, rows in zip((first, other), both))
            matching[f"{first}+{other}"] = {"items": len(a), **_matching(a, b)}
    return {"by_modality": by_modality, "matching": matching}


def shown_table(data: Data, answers: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row an item and subset of :func:`answers_by_modality`: item, shown, target, probabilities.

    Of levels of numbers also ``value`` and ``predicted_value``. Folds are pooled by it: figures of all of them are no
    mean of theirs.
    """
    table = prediction_table(data, dict(answers)).rename(columns={"split": "shown"})
    return table.drop(columns=["speaker", "embedding"])


def _matching(first: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """How well latents of the same items match; which are nearest is asked of latents of one size only."""
    told = {"linear_cka": linear_cka(first, other), "chance_linear_cka": chance_linear_cka(first, other)}
    if first.shape != other.shape:
        return told
    # Among no more than k items every one is found by chance, which tells nothing.
    return told | cross_modal_retrieval(first, other, [k for k in RECALLED if k < len(first)])


def _latent(found: Predictions, model: Any, name: str) -> np.ndarray:
    """``(items, latent)`` of a modality, which lies in the embedding among those of the others."""
    start = 0
    for other, size in model.sizes.items():
        if other == name:
            return found.embeddings[:, start : start + size]
        start += size if other != "embedding" else 0
    raise AssertionError(f"the net has no modality {name}")
