"""Whose mean and scale each item is given."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.errors import InputError
from affectspace.features import steadiness
from affectspace.protocols import PARTS, Split
from affectspace.training.recipe_features import Normalise

__all__ = ["normalised_groups", "steady_names", "steady_weights", "uses_own", "without_put_aside"]


def normalised_groups(items: pd.DataFrame, scope: str) -> list[str] | None:
    """Whose statistics each item is given, by the scope of normalisation; None where it has no groups."""
    corpora = items["corpus"].astype(str)
    match scope:
        case "corpus":
            return corpora.tolist()
        case "speaker":
            return (corpora + "/" + items["speaker"].fillna("").astype(str)).tolist()
    return None


def without_put_aside(groups: list[str] | None, split: Split, unlabelled: np.ndarray) -> list[str | None] | None:
    """The same groups, without items that are put aside: not even their mean is used."""
    if groups is None:
        return None
    used = {row for part in PARTS for row in getattr(split, part).tolist()} | {*unlabelled.tolist()}
    return [group if row in used else None for row, group in enumerate(groups)]


def uses_own(groups: list[str | None], split: Split, has: np.ndarray) -> bool:
    """Whether anything measured, in validation too, is normalised by its own: it is of a group without training items.

    A group of unlabelled items alone is normalised by what is trained on: nothing that is measured has a part in it.

    Args:
        groups: by which each item is normalised.
        split: of the items.
        has: ``(items,)`` whether each has the features; what has none shapes no group.
    """
    trained = {groups[row] for row in split.train.tolist() if has[row]}
    measured = (row for part in PARTS if part != "train" for row in getattr(split, part).tolist() if has[row])
    return any(groups[row] is not None and groups[row] not in trained for row in measured)


def steady_names(items: pd.DataFrame, train: np.ndarray, normalise: Normalise, section: str) -> list[str]:
    """The corpora, or languages, of training items across which features are to be steady.

    Args:
        items: with the columns ``key``, ``corpus`` and ``language``.
        train: rows that train.
        normalise: what the recipe says of it.
        section: where the recipe says it, such as ``features``.

    Raises:
        InputError: training items that name none, or one alone that all of them name; features that are not finite.
    """
    column = str(normalise.steady_across)
    named = items[column].astype("string").iloc[train]
    if named.isna().any():
        raise InputError(
            f"{int(named.isna().sum())} training items have no {column}, across which features are to be steady, such "
            f"as {items['key'].iloc[train[int(named.isna().argmax())]]}; give their corpus one in corpus.toml"
        )
    names = sorted(map(str, named.unique()))
    if len(names) == 1:
        left = f'scope = "{normalise.scope}"' + (", transductive = true" if normalise.transductive else "")
        raise InputError(
            f"{section}.normalise.steady_across weighs features by how steady they are from {column} to {column}, and "
            f"all training items are of one, {names[0]!r}; add a corpus of another, or leave it out, on the command "
            f"line by '{section}.normalise={{ {left} }}'"
        )
    return names


def steady_weights(
    clips: Sequence[np.ndarray], items: pd.DataFrame, targets: Tensor, train: np.ndarray, column: str
) -> np.ndarray:
    """``(dimensions,)`` how steady each feature of the training items is across corpora, or languages, that all name.

    Raises:
        InputError: groups that share no class with the others.
    """
    named = items[column].astype("string").iloc[train]
    means = np.stack([np.asarray(clips[row], dtype=np.float64).mean(0) for row in train.tolist()])
    if not (finite := np.isfinite(means).all(1)).all():
        lost = items["key"].iloc[train[int(finite.argmin())]]
        raise InputError(f"features of {lost} are not finite; leave the item out of its corpus")
    return steadiness(means, targets[torch.from_numpy(train)].double().numpy(), named.to_numpy(str))
