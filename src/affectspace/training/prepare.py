"""A recipe to its data: items gathered, split and normalised, with the proof that nothing leaks."""

from collections import Counter
from collections.abc import Sequence

import torch

from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.labels import Cut
from affectspace.protocols import kept_apart, namesakes, refuse_leaks
from affectspace.training.bins import in_bins
from affectspace.training.data import Data
from affectspace.training.gather import Gathered, gather, make_views
from affectspace.training.normalised import normalised_groups, uses_own, without_put_aside
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import LevelLabels
from affectspace.training.split import hard_labels, make_split
from affectspace.training.unused import reason_kind

__all__ = ["prepare"]


def prepare(recipe: Recipe, gathered: Gathered | None = None, *, quiet: bool = False) -> Data:
    """Split the recipe's items, and prove that nothing leaks.

    Raises:
        InputError: a class without training items, more bins than they have values, a protocol that these corpora
            cannot fill, or what :func:`gather` raises.
        LeakError: a group that must stay apart crosses over.
    """
    gathered = gathered or gather(recipe, quiet=quiet)
    items = gathered.items
    split = make_split(recipe, items, hard_labels(gathered))
    refuse_leaks(items, split, recipe.protocol.allow)
    if isinstance(recipe.labels, LevelLabels) and recipe.labels.bins:
        gathered = in_bins(gathered, recipe.labels, split.train)
    soft = gathered.targets
    empty = [name for name, mass in zip(gathered.names, soft[torch.tensor(split.train)].sum(0)) if mass == 0]
    if empty:
        raise InputError(
            f"class {', '.join(empty)} has no training item in the split {split.name!r}{_unread(gathered, empty)}; "
            "leave it out of labels.names, or choose a protocol and corpora that leave some to train on"
        )
    cut = None
    if gathered.numbers is not None and gathered.thresholds is not None:
        cut = Cut.learned(gathered.numbers[split.train], gathered.thresholds)
    normalise = recipe.features.normalise
    groups = without_put_aside(normalised_groups(items, normalise.scope), split)
    normaliser = Normaliser.fit(gathered.clips, normalise.scope, split.train, groups, normalise.transductive)
    protocol = {
        "protocol": split.name,
        "keeps_apart": list(kept_apart(items, split)),
        "allowed": list(recipe.protocol.allow),
        "transductive": normalise.transductive and groups is not None and uses_own(groups, split),
    }
    about = {
        "corpora": gathered.about,
        "features": gathered.fingerprint,
        "normalise": normalise.model_dump(),
        **protocol,
        "namesakes": namesakes(items.iloc[[*split.train, *split.validate]], items.iloc[[*split.test, *split.unseen]]),
    }
    if cut is not None:
        about["levels"] = {"thresholds": list(cut.thresholds), "means": list(cut.means)}
    return Data(
        items,
        soft,
        gathered.names,
        split,
        gathered.clips,
        normaliser,
        protocol,
        about,
        gathered.samples,
        make_views(recipe),
        numbers=gathered.numbers,
        cut=cut,
    )


def _unread(gathered: Gathered, classes: Sequence[str]) -> str:
    """How many items of some classes were set aside, and why, for an error; empty where none was."""
    reasons = Counter(reason_kind(reason) for name, reason in gathered.unread if name in classes)
    told = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    return f" ({reasons.total()} of its items were set aside: {told})" if reasons else ""
