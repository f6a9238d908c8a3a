"""Items that are trained on without a label: which they are."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.protocols import Split, groups_of
from affectspace.protocols.groups import GROUPS
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_protocol import CrossCorpus, CrossLanguage, Published

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

    Unlabelled items are held to the rule of those that train with a label. Left out is who is of a speaker, a session,
    a script or a recording that is validated or tested on, or put aside for a choice, but for kinds that the recipe
    allows to cross; who names no such group in a corpus of which some are watched, where the split keeps them apart;
    who is published for anything but training; who is of a corpus that is tested whole; and, where a language is
    tested, who is not of a language that trains, or names none. A transductive recipe leaves out nobody.

    Args:
        recipe: its section ``unlabelled``.
        items: those with a target, and all others.
        split: of the former.
        without_target: rows of the others.
        hidden: training rows whose label is not used.

    Raises:
        InputError: no row is left.
    """
    taught = recipe.semi_supervised
    assert taught is not None, "asked for recipes that train on unlabelled items only"
    left_out: dict[str, int] = {}
    rows = without_target
    watched = np.setdiff1d(np.arange(len(items) - len(without_target)), np.union1d(split.train, hidden))
    if not taught.transductive:
        for kind, shares in _shared(recipe, items, split, watched):
            own = shares[rows]
            if own.any():
                left_out[kind] = int(own.sum())
            rows = rows[~own]
    rows = np.concatenate([rows, hidden])
    if not len(rows):
        why = ", ".join(
            f"{count} {verb} of no language that trains"
            if kind == "language"
            else f"{count} share{'s' * (count == 1)} a {kind} with validation or test items"
            for kind, count in left_out.items()
            for verb in ["is" if count == 1 else "are"]
        )
        raise InputError(
            f"there are no unlabelled items to train on{f': {why}' if why else ''}; add a corpus without labels, lower "
            "training.labelled_share, or leave [unlabelled] out"
        )
    limit = taught.limit
    if limit is not None and limit < len(rows):
        rows = np.random.default_rng([recipe.seed, 1]).permutation(rows)[:limit]
    return np.sort(rows), left_out


def _shared(recipe: Recipe, items: pd.DataFrame, split: Split, watched: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A kind of group, and ``(items,)`` whether each item shares one of ``watched``."""
    protocol = recipe.protocol
    apart = {CrossCorpus: "test", Published: "unseen"}.get(type(protocol))
    yield "corpus", items["corpus"].isin(getattr(protocol, apart) if apart else ()).to_numpy(bool)
    if isinstance(protocol, CrossLanguage):
        # by what trains, not by what is tested: one that names no language, or another, may be of the target
        languages = groups_of(items, "language")
        trained = {*languages.iloc[split.train].dropna()} - {protocol.target}
        yield "language", ~languages.isin(trained).to_numpy(bool)
    if isinstance(protocol, Published):
        part = items["split"].astype("string").str.strip().str.lower().fillna("")
        yield "split", ~part.isin(["train", ""]).to_numpy(bool)
    for kind in GROUPS:
        if kind not in (*protocol.allow, *split.allowed):
            groups = groups_of(items, kind)
            shares = groups.isin(set(groups.iloc[watched].dropna())).to_numpy(bool)
            if kind in split.keeps_apart:  # who is of no named group may be of any that is watched in the corpus
                corpora = items["corpus"].isin(items["corpus"].iloc[watched])
                shares = shares | (groups.isna() & corpora).to_numpy(bool)
            yield kind, shares
