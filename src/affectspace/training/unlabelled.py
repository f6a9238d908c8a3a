"""Items that are trained on without a label: which they are."""

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.protocols import PARTS, Split, groups_of
from affectspace.training.recipe import Recipe

__all__ = ["choose_unlabelled", "labelled_share"]


def labelled_share(rows: np.ndarray, classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Rows whose labels are used: a share of each class, two of it at least where it has them; sorted.

    Those of a smaller share are among those of a larger one of the same seed.

    Args:
        rows: of training items.
        classes: ``(rows,)`` the class of each.
        share: in ``(0, 1]``.
        seed: of the draw.

    Example:
        >>> labelled_share(np.arange(10), np.repeat([0, 1], 5), 0.4, seed=0).size
        4
    """
    if share == 1:
        return rows
    kept = []
    for code in np.unique(classes):
        own = np.random.default_rng([seed, int(code)]).permutation(rows[classes == code])
        kept.append(own[: max(min(2, len(own)), round(share * len(own)))])
    return np.sort(np.concatenate(kept))


def choose_unlabelled(
    recipe: Recipe, items: pd.DataFrame, split: Split, without_target: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Rows to train on without a label, and how many were left out, by the group that they share with others.

    Left out are items of a group that the split keeps apart (a speaker, a session, an identical recording) and that is
    validated or tested on, but for a transductive recipe.

    Args:
        recipe: its section ``unlabelled``.
        items: those with a target, and all others.
        split: of the former.
        without_target: rows of the others.
        hidden: training rows whose label is not used.

    Raises:
        InputError: no row is left.
    """
    assert recipe.unlabelled is not None, "asked for recipes with unlabelled items only"
    left_out: dict[str, int] = {}
    rows = without_target
    watched = np.concatenate([getattr(split, part) for part in PARTS if part != "train"])
    if not recipe.unlabelled.transductive:
        for kind in dict.fromkeys([*(kind for kind in split.keeps_apart if kind not in ("corpus", "item")), "audio"]):
            groups = groups_of(items, kind)
            shares = groups.iloc[rows].isin(set(groups.iloc[watched].dropna())).to_numpy(bool)
            if shares.any():
                left_out[kind] = int(shares.sum())
            rows = rows[~shares]
    rows = np.concatenate([rows, hidden])
    if not len(rows):
        why = ", ".join(f"{count} share a {kind} with validation or test items" for kind, count in left_out.items())
        raise InputError(
            f"there are no unlabelled items to train on{f': {why}' if why else ''}; add a corpus without labels, lower "
            "training.labelled_share, or leave [unlabelled] out"
        )
    limit = recipe.unlabelled.limit
    if limit is not None and limit < len(rows):
        rows = np.random.default_rng([recipe.seed, 1]).permutation(rows)[:limit]
    return np.sort(rows), left_out
