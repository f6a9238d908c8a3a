"""Numeric labels cut into equally filled bins, whose thresholds are learned from training items alone."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from affectspace.errors import InputError
from affectspace.labels import Levels, bin_of, equal_mass_thresholds
from affectspace.training.gather import Gathered
from affectspace.training.recipe_data import LevelLabels

__all__ = ["in_bins"]


def in_bins(gathered: Gathered, labels: LevelLabels, train: np.ndarray) -> Gathered:
    """The same items with levels for targets: as many as ``labels.bins``, equally filled by the training items.

    Args:
        gathered: items whose numbers are not cut yet.
        labels: how many bins, and their names where it gives some; else they are named by their bounds.
        train: rows to train on; no number of any other row plays a part in the thresholds.

    Raises:
        InputError: fewer different numbers among the training items than bins.
    """
    assert gathered.numbers is not None, "labels.bins are of numbers"
    assert labels.bins is not None, "and asked for"
    different = len(np.unique(gathered.numbers[train]))
    if different < labels.bins:
        legal = f"2 to {different}, or thresholds of your own" if different > 1 else "none; name another dimension"
        raise InputError(
            f"labels.bins is {labels.bins}, and the training items have {different} different values of "
            f"{labels.dimension!r}; legal: {legal}"
        )
    thresholds = tuple(equal_mass_thresholds(gathered.numbers[train], labels.bins).tolist())
    names = Levels(labels.names, thresholds).names
    place = bin_of(gathered.numbers, thresholds)
    corpus = gathered.items["corpus"].to_numpy()
    about = [{**told, "classes": _counts(names, place[corpus == told["name"]])} for told in gathered.about]
    targets = torch.eye(len(names))[torch.from_numpy(place)]
    return replace(gathered, targets=targets, names=names, about=about, thresholds=thresholds)


def _counts(names: tuple[str, ...], place: np.ndarray) -> dict[str, Any]:
    counts = Counter(place.tolist())
    return {name: counts[level] for level, name in enumerate(names)}
