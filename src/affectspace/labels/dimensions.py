"""Which dimensions raters judged, and what they say of one that is asked for."""

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.labels.votes import mean_ratings

__all__ = ["OWN_LABEL", "dimensions", "has_votes", "scale_means"]

OWN_LABEL = "label"  # the dimension that asks for the item's own label, whatever was voted


def has_votes(ratings: pd.DataFrame | None, dimension: str) -> bool:
    """Whether anybody judged ``dimension``.

    Raises:
        InputError: nobody did, but a dimension of nearly that name was judged.
    """
    present = dimensions(ratings)
    if dimension in present:
        return True
    if near := difflib.get_close_matches(dimension, present, 3, 0.6):
        # falling back to the own label here would hide a misspelling, or votes that were meant
        raise InputError(
            f"the corpus has no votes on {dimension!r}; did you mean {' or '.join(map(repr, near))}? "
            f"dimension = {OWN_LABEL!r} uses the items' own labels"
        )
    return False


def dimensions(ratings: pd.DataFrame | None) -> list[str]:
    """The dimensions that were judged, sorted."""
    return [] if ratings is None else sorted(ratings["dimension"].dropna().unique().tolist())


def scale_means(
    items: pd.DataFrame,
    ratings: pd.DataFrame | None,
    dimension: str | None,
    low: float = -np.inf,
    high: float = np.inf,
    columns: Sequence[str] | None = None,
) -> tuple[np.ndarray, int]:
    """:func:`affectspace.labels.votes.mean_ratings` of a dimension that was judged.

    Args:
        items, ratings, dimension, low, high: as there.
        columns: of the items that would do in place of ratings, for the error; None: none does.

    Raises:
        InputError: nobody judged it, with those that were; or a rating is off the scale from ``low`` to ``high``.
    """
    present = dimensions(ratings)
    if ratings is None or dimension is None or dimension not in present:
        near = difflib.get_close_matches(dimension or "", [*present, *(columns or ())], 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        judged = ", ".join(present) or "none at all"
        if columns is None:
            raise InputError(f"the corpus has no ratings of {dimension!r}; {hint}it has: {judged}")
        raise InputError(
            f"the corpus has no ratings of {dimension!r}, nor its items such a column; {hint}"
            f"ratings: {judged}; columns of numbers: {', '.join(columns) or 'none at all'}"
        )
    return mean_ratings(items, ratings, dimension, low, high)
