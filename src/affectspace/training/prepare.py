"""A recipe to its data: items gathered, split and normalised, with the proof that nothing leaks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.labels import Cut
from affectspace.protocols import Split, kept_apart, namesakes, refuse_leaks
from affectspace.training.bins import in_bins
from affectspace.training.by_tables import by_tables, refuse_by_tables
from affectspace.training.data import NO_ROWS, Data
from affectspace.training.frontends import make_views
from affectspace.training.gather import Gathered, gather
from affectspace.training.inputs import Inputs
from affectspace.training.label_corpus import label_corpora
from affectspace.training.normalised import normalised_groups, steady_names, steady_weights, uses_own, without_put_aside
from affectspace.training.of_languages import lacks_of_languages
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_data import LevelLabels
from affectspace.training.recipe_encoder import (
    ConvPoolEncoder,
    LayerMixEntry,
    PretrainedSpeechEntry,
    SpeechEncoder,
)
from affectspace.training.recipe_modalities import SequenceNet
from affectspace.training.recipe_protocol import CrossLanguage
from affectspace.training.split import make_split, other_splits, outer_split
from affectspace.training.unlabelled import choose_unlabelled, labelled_share
from affectspace.training.unused import reason_kind
from affectspace.training.who_has import nobody_has_told

__all__ = ["prepare"]


def prepare(recipe: Recipe, gathered: Gathered | None = None, *, quiet: bool = False) -> Data:
    """Split the recipe's items, and prove that nothing leaks.

    Args:
        recipe: it asks for them.
        gathered: its items; None gathers them, once their tables have shown that they can be split.
        quiet: whether no bar is shown.

    Raises:
        InputError: a class without training items, more bins than they have values, a protocol that these corpora
            cannot fill, or what :func:`gather` raises.
        LeakError: a group that must stay apart crosses over.
    """
    if gathered is None:
        told = label_corpora(recipe)
        refuse_by_tables(recipe, by_tables(told))
        gathered = gather(recipe, told, quiet=quiet)
    items = gathered.items
    split = make_split(recipe, gathered)
    refuse_leaks(items, split, recipe.protocol.allow, other_splits(recipe, gathered))
    split, hidden = _with_share(recipe, gathered, split)
    if isinstance(recipe.labels, LevelLabels) and recipe.labels.bins:
        gathered = in_bins(gathered, recipe.labels, split.train)
    soft, numbers, unlabelled, left_out = gathered.targets, gathered.numbers, NO_ROWS, {}
    empty = [name for name, mass in zip(gathered.names, soft[torch.tensor(split.train)].sum(0)) if mass == 0]
    if empty:
        raise InputError(
            f"class {', '.join(empty)} has no training item in the split {split.name!r}{_unread(gathered, empty)}; "
            "leave it out of labels.names, or choose a protocol and corpora that leave some to train on"
        )
    cut = None
    if gathered.numbers is not None and gathered.thresholds is not None:
        cut = Cut.learned(gathered.numbers[split.train], gathered.thresholds)
    if recipe.semi_supervised is not None:
        items = pd.concat([items, gathered.unlabelled], ignore_index=True)
        others = np.arange(len(soft), len(items))
        soft = torch.cat([soft, torch.full((len(others), soft.shape[1]), torch.nan)])
        if numbers is not None:
            numbers = np.concatenate([numbers, np.full(len(others), np.nan)])
        unlabelled, left_out = choose_unlabelled(recipe, items, split, others, hidden)
    inputs, uses, steady = {}, False, None
    for name, view in recipe.per_modality().items():
        normalise, clips = view.features.normalise, gathered.inputs[name]
        has = np.asarray(clips.lengths) > 0
        train = split.train[has[split.train]]
        if not len(train):
            why = " ".join(told for each in gathered.about for told in nobody_has_told([_alone(each, name)]))
            raise InputError(
                f"no training item of the split {split.name!r} has the modality {name!r}; leave [modalities.{name}] out"
                + (f", or mend what it is made of. {why}" if why else "")
            )
        groups = without_put_aside(normalised_groups(items, normalise.scope), split, unlabelled)
        normaliser = Normaliser.fit(clips, normalise.scope, train, groups, normalise.transductive)
        if normalise.steady_across:
            section = f"modalities.{name}.features" if recipe.modalities else "features"
            names = steady_names(items, train, normalise, section)
            if steady is None or len(names) < len(steady["names"]):  # of several modalities the least is told
                steady = {"across": normalise.steady_across, "names": names}
            normaliser = normaliser.weighed(steady_weights(clips, items, soft, train, normalise.steady_across))
        inputs[name] = Inputs(clips, normaliser, _reads_sequences(recipe, name))
        uses |= normalise.transductive and groups is not None and uses_own(groups, split, has)
    uses |= recipe.semi_supervised is not None and recipe.semi_supervised.transductive
    protocol = {
        "protocol": split.name,
        "keeps_apart": list(kept_apart(items, split)),
        "allowed": list(recipe.protocol.allow),
        "transductive": uses,
    }
    about = {
        "corpora": gathered.about,
        "features": gathered.fingerprint,
        "files_sha256": gathered.digests,
        "normalise": _normalised(recipe),
        **protocol,
        "namesakes": namesakes(
            items.iloc[[*split.train, *split.validate]],
            items.iloc[[*split.test, *split.unseen]],
            items.iloc[unlabelled],
        ),
    }
    if recipe.training.labelled_share < 1:
        about["labelled"] = {"share": recipe.training.labelled_share, "items": len(split.train), "hidden": len(hidden)}
    if recipe.semi_supervised is not None:
        about["unlabelled"] = {"items": len(unlabelled), "left_out": left_out}
    if isinstance(recipe.protocol, CrossLanguage):
        about["languages"] = lacks_of_languages(items.iloc[split.train], soft[split.train].numpy(), gathered.names)
    if steady is not None:
        about["steady"] = steady
    if cut is not None:
        about["levels"] = {"thresholds": list(cut.thresholds), "means": list(cut.means)}
    return Data(
        items,
        soft,
        gathered.names,
        split,
        inputs,
        bool(recipe.modalities),
        protocol,
        about,
        gathered.samples,
        make_views(recipe),
        numbers=numbers,
        cut=cut,
        unlabelled=unlabelled,
    )


def _alone(corpus: dict[str, Any], name: str) -> dict[str, Any]:
    """What is said of a corpus, of the modalities that nobody has this one alone."""
    return corpus | {"nobody_has": {key: why for key, why in corpus.get("nobody_has", {}).items() if key == name}}


def _with_share(recipe: Recipe, gathered: Gathered, split: Split) -> tuple[Split, np.ndarray]:
    """The split with those items alone whose labels are used, and the training rows whose label is not.

    Where settings are chosen on training items, those that choose are among the labels that the final run uses, too.
    """
    share = recipe.training.labelled_share
    if share == 1:
        return split, NO_ROWS
    train = outer_split(recipe, gathered).train
    classes = gathered.targets.argmax(1).numpy()
    hidden = np.setdiff1d(train, labelled_share(train, classes[train], share, recipe.seed))
    validate = np.setdiff1d(split.validate, hidden)
    if len(split.validate) and not len(validate):
        raise InputError(
            f"training.labelled_share {share} leaves no item to validate on in the split {split.name!r}; use more of "
            "the labels, or choose fewer groups"
        )
    return replace(split, train=np.setdiff1d(split.train, hidden), validate=validate), np.intersect1d(
        split.train, hidden
    )


def _normalised(recipe: Recipe) -> dict[str, Any]:
    told = {name: view.features.normalise.model_dump(exclude_none=True) for name, view in recipe.per_modality().items()}
    return told if recipe.modalities else told["features"]


def _reads_sequences(recipe: Recipe, name: str) -> bool:
    if recipe.modalities:
        return isinstance(recipe.modalities[name].net, SequenceNet)
    return isinstance(recipe.encoder, ConvPoolEncoder | SpeechEncoder | LayerMixEntry | PretrainedSpeechEntry)


def _unread(gathered: Gathered, classes: Sequence[str]) -> str:
    """How many items of some classes were set aside, and why, for an error; empty where none was."""
    reasons = Counter(reason_kind(reason) for name, reason in gathered.unread if name in classes)
    told = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    return f" ({reasons.total()} of its items were set aside: {told})" if reasons else ""
