"""From a recipe's corpora to usable items, all corpora together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectspace.errors import InputError
from affectspace.features import Features, VectorTable
from affectspace.training.below_data import digests_below
from affectspace.training.frontends import joined_fingerprint, make_frontend
from affectspace.training.gather_corpus import CorpusPart, gather_corpus
from affectspace.training.inputs import Clips
from affectspace.training.label_corpus import LabelledCorpus, label_corpora
from affectspace.training.near_audio import near_audio
from affectspace.training.recipe import Recipe

__all__ = ["Gathered", "gather"]


@dataclass(frozen=True)
class Gathered:
    """The usable items of a recipe's corpora, before they are split; folds of one protocol share it.

    Args:
        items: those that have a target; with the column ``near_audio`` where sound is read.
        targets: ``(items, classes)``.
        names: of the classes.
        inputs: each modality's features, by its name: of ``items`` and, behind them, of ``unlabelled``.
        about: what there is to say of each corpus.
        fingerprint: of the front ends.
        samples: what the items sound like, where the recipe changes that in training.
        numbers: ``(items,)`` of which levels are made, None of other labels.
        thresholds: where these are cut; where they are None too, as they are to be learned, all lie in a single level
            so far.
        unread: the class and the reason of every item with a target that was set aside, as no features can be made of
            it.
        unlabelled: items without a target, where the recipe trains on such; else no row.
        digests: SHA-256 of the files below ``data`` by which the features were made, by their path in the recipe.
    """

    items: pd.DataFrame
    targets: Tensor
    names: tuple[str, ...]
    inputs: dict[str, Clips]
    about: list[dict[str, Any]]
    fingerprint: str
    samples: Clips | None = None
    numbers: np.ndarray | None = None
    thresholds: tuple[float, ...] | None = None
    unread: tuple[tuple[str, str], ...] = ()
    unlabelled: pd.DataFrame = field(default_factory=pd.DataFrame)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def clips(self) -> Clips:
        """The features of items of a single modality."""
        (clips,) = self.inputs.values()
        return clips


def gather(recipe: Recipe, told: Sequence[LabelledCorpus] | None = None, *, quiet: bool = False) -> Gathered:
    """Open the corpora, make targets and features.

    Items at fault (a broken file, a duplicate id) are quarantined with their reason, items without a
    target are left out and counted, or kept apart where the recipe trains on them; all of it is told in ``about``. An
    item of several modalities may lack any of them, but not all.

    Args:
        recipe: it asks for them.
        told: the corpora and their targets, where they are open; None opens them.
        quiet: whether no bar is shown.

    Raises:
        InputError: nothing usable, labels outside the space, or too many items at fault.
    """
    told = label_corpora(recipe) if told is None else told  # what tables tell, before a front end may be loaded
    views = recipe.per_modality()
    frontends = {name: make_frontend(view) for name, view in views.items()}
    digests = digests_below(recipe)  # before anything is made by these files, so that a change meanwhile is noticed
    parts = [gather_corpus(recipe, each, views, frontends, quiet) for each in told]
    if not any(len(part.items) for part in parts):
        raise InputError("no item that has a label has any features; see what is set aside by affectspace check")
    about, unread = [part.about for part in parts], [pair for part in parts for pair in part.unread]
    parts = [part for part in parts if len(part.items) + len(part.unlabelled)]  # of others there are no features
    inputs = {name: _clips([(part.found[name], part.rows[name], len(part.items)) for part in parts]) for name in views}
    for name, frontend in frontends.items():
        if isinstance(frontend, VectorTable):
            _refuse_shared_vectors(parts, name)
        widths = {str(part.about["name"]): part.found[name].dimensions for part in parts if len(part.found[name])}
        if len(set(widths.values())) > 1:
            raise InputError(f"the corpora's {name} differ in size: {widths}; a run needs one")
    numbers = [part.numbers for part in parts if part.numbers is not None]
    sounds = [(sound, np.arange(len(sound)), len(part.items)) for part in parts if (sound := part.sound) is not None]
    items, unlabelled = _with_near_audio(parts)
    return Gathered(
        items,
        torch.from_numpy(np.concatenate([part.targets for part in parts])).float(),
        parts[0].names,
        inputs,
        about,
        joined_fingerprint(recipe, frontends),
        _clips(sounds) if sounds else None,
        np.concatenate(numbers) if numbers else None,
        getattr(recipe.labels, "thresholds", None),
        tuple(unread),
        unlabelled if recipe.semi_supervised else pd.DataFrame(),
        digests,
    )


def _with_near_audio(parts: Sequence[CorpusPart]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The items with a target and those without; where sound is read, which of them are near-identical recordings."""
    tables = [[part.items for part in parts], [part.unlabelled for part in parts]]
    items, unlabelled = (pd.concat(each, ignore_index=True) for each in tables)
    first = [each for part in parts for each in part.fingerprints[: len(part.items)]]
    behind = [each for part in parts for each in part.fingerprints[len(part.items) :]]
    if all(each is None for each in [*first, *behind]):
        return items, unlabelled
    groups = near_audio(pd.concat([items, unlabelled], ignore_index=True), [*first, *behind])
    own = groups[: len(items)].to_numpy(), groups[len(items) :].to_numpy()
    return items.assign(near_audio=own[0]), unlabelled.assign(near_audio=own[1])


def _clips(parts: list[tuple[Features, np.ndarray, int]]) -> Clips:
    """Features of corpora as one sequence: the first so many rows of each, and behind them all others of each."""
    places = [
        np.stack([np.full(len(rows), number), rows], 1).astype(np.int64) for number, (_, rows, _) in enumerate(parts)
    ]
    first = [place[:count] for place, (_, _, count) in zip(places, parts)]
    behind = [place[count:] for place, (_, _, count) in zip(places, parts)]
    return Clips([features for features, _, _ in parts], np.concatenate(first + behind))


def _refuse_shared_vectors(parts: Sequence[CorpusPart], name: str) -> None:
    """Two corpora may use one id, and then their items must not be given one vector."""
    owner: dict[str, str] = {}
    for part in parts:
        keys = [*part.items["key"], *part.unlabelled["key"]]
        for key, row in zip(keys, part.rows[name]):
            if row < 0:
                continue
            asked = str(part.found[name].ids[row])
            if owner.setdefault(asked, key) != key:
                raise InputError(
                    f"items {owner[asked]} and {key} would share the vector {asked!r}; "
                    "name the vectors of several corpora corpus/id"
                )
