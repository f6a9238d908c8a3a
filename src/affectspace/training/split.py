"""Who trains, who validates and who is tested: the protocol of a recipe on its items."""

from collections.abc import Iterator

import numpy as np

from affectspace.errors import InputError
from affectspace.protocols import (
    Split,
    cross_corpus,
    cross_language,
    grouped_k_fold,
    inner_split,
    leave_one_group_out,
    published,
)
from affectspace.training.gather import Gathered
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_protocol import (
    CrossCorpus,
    CrossLanguage,
    GroupedFolds,
    LeaveOneOut,
    Published,
    has_folds,
)

__all__ = ["make_split", "other_splits", "outer_split"]


def make_split(recipe: Recipe, gathered: Gathered) -> Split:
    """The recipe's protocol on the items that have a target.

    Raises:
        InputError: as :func:`outer_split`.
    """
    split = outer_split(recipe, gathered)
    inner = recipe.protocol.inner
    return split if inner is None else inner_split(gathered.items, split, inner.by, inner.fold)


def outer_split(recipe: Recipe, gathered: Gathered) -> Split:
    """The recipe's protocol, whatever is chosen within it.

    Raises:
        InputError: a protocol that these items cannot fill, or that names a corpus without any label.
    """
    _refuse_unlabelled(recipe, gathered)
    items, labels = gathered.items, _hard_labels(gathered)
    match recipe.protocol:
        case CrossCorpus() as p:
            return cross_corpus(
                items, train=p.train, test=p.test, validate_share=p.validate_share, validate_by=p.validate_by,
                seed=p.seed, labels=labels,
            )  # fmt: skip
        case CrossLanguage() as p:
            return cross_language(
                items, p.target, p.source, p.auxiliary, validate_share=p.validate_share, validate_by=p.validate_by,
                seed=p.seed, labels=labels, target_folds=p.target_folds,
                fold=_one_fold(p.fold) if has_folds(p) else 0,
            )  # fmt: skip
        case LeaveOneOut() as p:
            return leave_one_group_out(
                items, by=p.by, fold=_one_fold(p.fold), validate=p.validate_groups, within=p.within
            )
        case GroupedFolds() as p:
            return grouped_k_fold(
                items, by=p.by, folds=p.folds, fold=_one_fold(p.fold), validate_share=p.validate_share, seed=p.seed,
                labels=labels,
            )  # fmt: skip
        case Published() as p:
            return published(
                items, p.validate_share, p.validate_by, p.seed, labels, keep_identical="audio" in p.allow,
                unseen=p.unseen,
            )  # fmt: skip


def other_splits(recipe: Recipe, gathered: Gathered) -> Iterator[tuple[str, Split]]:
    """What the protocol could make of these items by ``within``, where it leaves one out without; none of others.

    Yields:
        how to ask for it in a recipe, and the split.
    """
    protocol = recipe.protocol
    if not isinstance(protocol, LeaveOneOut) or protocol.within is not None:
        return
    default = LeaveOneOut.model_fields["validate_groups"].default
    out = "" if protocol.validate_groups == default else " and leave validate_groups out"
    for kind in ("speaker", "session", "script"):
        within = protocol.model_copy(update={"within": kind, "validate_groups": default})
        try:
            split = make_split(recipe.model_copy(update={"protocol": within}), gathered)
        except InputError:  # nobody would validate, or train, or the kind is the one that is left out
            continue
        who = f"the others of the tested {protocol.by}'s {kind}"
        yield f'set within = "{kind}"{out} in [protocol], so that {who} validate', split


def _one_fold(fold: int | str) -> int:
    if not isinstance(fold, int):
        raise InputError('protocol.fold is "all", and one run trains one fold; name one, or train all with train_folds')
    return fold


def _refuse_unlabelled(recipe: Recipe, gathered: Gathered) -> None:
    """Stop where a corpus is named to be trained or tested on of which there are unlabelled items alone."""
    silent = {str(about["name"]) for about in gathered.about if not about["used"]}
    protocol = recipe.protocol
    for key in ("train", "test", "unseen"):
        if named := [name for name in getattr(protocol, key, ()) if name in silent]:
            raise InputError(
                f"corpus {named[0]!r} is named in protocol.{key} and has no labelled item; leave it out there: with "
                "[unlabelled] its items are trained on without a label wherever it is among the corpora"
            )


def _hard_labels(gathered: Gathered) -> np.ndarray:
    """``(items,)`` the most likely class of each item, by which splits keep classes in proportion.

    Numbers that are not cut yet are all of one class: how they lie may not be known before it is known who trains.
    """
    return gathered.targets.argmax(1).numpy()
