"""Splits that keep whole groups on one side.

All take the items table and, as ``rows``, which of its rows may be used (default all); items without
a target are for the caller to leave out. Rows are positions, whatever the table's index. The same
items, in whatever order, and the same seed give the same split on every machine. Names of speakers
and sessions are taken within their corpus; see :func:`affectspace.protocols.groups_of`.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.protocols.groups import FOLD_BY, SPLIT_BY, column_of, groups_of, legal, number_groups
from affectspace.protocols.split import Split

__all__ = ["choose_groups", "cross_corpus", "deal_groups", "grouped_k_fold", "leave_one_group_out", "strata_of"]

DRAWS = 200  # random choices of validation groups, of which the most representative is taken


def cross_corpus(
    items: pd.DataFrame,
    train: Sequence[str],
    test: Sequence[str],
    validate_share: float = 0.2,
    validate_by: str = "speaker",
    seed: int = 0,
    labels: ArrayLike | None = None,
    rows: ArrayLike | None = None,
) -> Split:
    """Train on some corpora, test on others, whole.

    Validation is taken from the training corpora, from each about the same share, by whole groups:
    of many random choices the one whose size and classes come nearest to a share of everything. What
    a corpus gives does not depend on which other corpora train.

    Args:
        items: with the columns ``id``, ``corpus`` and ``validate_by``.
        train, test: names of corpora, none in both.
        validate_share: of the training corpora's items, from 0 (nothing validates) to below 1; groups
            make it approximate.
        validate_by: the group that validation takes whole, ``"speaker"``, ``"session"``, ``"script"``, ``"item"`` or
            ``"language"``.
        seed: which random choices are tried.
        labels: one a row of ``items`` (any hashable), to keep classes in proportion.
        rows: which rows of ``items`` may be used.

    Raises:
        InputError: an unknown corpus (it names the nearest), one in both lists, one without items, or
            a training corpus with fewer than two groups, or with items that name none.

    Example:
        >>> items = pd.DataFrame({"id": list("123456"), "corpus": list("aaabbb"), "speaker": list("xyzxyz")})
        >>> split = cross_corpus(items, train=["a"], test=["b"], validate_share=0.34)
        >>> split.sizes, split.test
        ({'train': 2, 'validate': 1, 'test': 3}, array([3, 4, 5]))
    """
    legal(validate_by, SPLIT_BY, "group to validate by,")
    if not 0 <= validate_share < 1:
        raise InputError(f"validate_share is {validate_share}; give a share from 0 to below 1, such as 0.2")
    candidates = _rows(items, rows)
    corpora = column_of(items, "corpus").fillna("")
    present = sorted(corpora.unique())
    train, test = _names(train), _names(test)
    for name in (*train, *test):
        legal(name, present, "corpus")
    if twice := sorted({*train} & {*test}):
        raise InputError(f"corpus {twice[0]!r} is named for train and for test; a corpus is one or the other")
    if not train or not test:
        raise InputError(f"no corpus is named to {'train on' if not train else 'test on'}; legal: {', '.join(present)}")
    of = {name: candidates[(corpora.iloc[candidates] == name).to_numpy(bool)] for name in {*train, *test}}
    if empty := sorted(name for name, found in of.items() if not len(found)):
        raise InputError(f"corpus {empty[0]!r} has no usable items; check its labels and media, or leave it out")

    validate = [np.empty(0, np.int64)]
    for name in sorted({*train}) if validate_share else ():
        codes, groups = number_groups(items, validate_by, of[name], "validate_by")
        if len(groups) < 2:
            raise InputError(
                f"corpus {name!r} has one {validate_by}, {groups[0]!r}, so none can be kept for validation; "
                f"{_other_ways(items, of[name], validate_by, 2)}leave the corpus out of train"
            )
        chosen = choose_groups(
            codes, len(groups), strata_of(labels, items, of[name]), validate_share, [seed, crc32(name.encode())]
        )
        validate.append(of[name][np.isin(codes, chosen)])
    validating = np.concatenate(validate)
    training = np.setdiff1d(np.concatenate([of[name] for name in {*train}]), validating)
    testing = np.concatenate([of[name] for name in {*test}])
    title = f"{' + '.join(train)} -> {' + '.join(test)}"
    apart = ("corpus", validate_by) if validate_share else ("corpus",)
    return Split(title, training, validating, testing, keeps_apart=apart)


def leave_one_group_out(
    items: pd.DataFrame,
    by: str = "speaker",
    fold: int = 0,
    validate: int = 1,
    rows: ArrayLike | None = None,
    within: str | None = None,
) -> Split:
    """Test on one group, validate on the next, train on the others.

    Groups are in the order of :func:`affectspace.protocols.group_names`; after the last comes the
    first, so that over all folds each group is tested once and validates equally often.

    Args:
        items: with the columns ``id``, ``corpus`` and ``by``.
        by: ``"speaker"``, ``"session"``, ``"script"``, ``"item"`` or ``"language"``.
        fold: which group is tested, from 0.
        validate: how many groups validate; 0: none.
        rows: which rows of ``items`` may be used.
        within: a larger kind of group, such as ``"session"`` for speakers: the others of the tested group's session
            validate, all of them, and only other sessions train. None: groups validate as ``validate`` says.

    Raises:
        InputError: too few groups, items that name none, a fold that is none of them, or a group ``within`` which
            nobody is left to validate.

    Example:
        >>> items = pd.DataFrame({"id": list("1234"), "corpus": "a", "speaker": ["s1", "s2", "s3", "s10"]})
        >>> split = leave_one_group_out(items, "speaker", fold=3)
        >>> split.name, split.train, split.validate, split.test
        ('leave one speaker out: a/s10', array([1, 2]), array([0]), array([3]))
    """
    legal(by, SPLIT_BY, "group to leave out,")
    candidates = _rows(items, rows)
    codes, groups = number_groups(items, by, candidates)
    if validate < 0:
        raise InputError(f"validate is {validate}; give a number of groups, or 0 for none")
    if len(groups) < validate + 2:
        raise InputError(
            f"there {'is' if len(groups) == 1 else 'are'} {len(groups)} {by}{'' if len(groups) == 1 else 's'} "
            f"({', '.join(groups[:5])}); one to test, "
            f"{f'{validate} to validate ' if validate else ''}and one to train are needed; "
            f"{_other_ways(items, candidates, by, validate + 2)}add a corpus"
        )
    _check_fold(fold, len(groups), by)
    if within is not None:
        return _leave_one_out_within(items, by, within, candidates, codes == fold, groups[fold])
    part = (codes - fold) % len(groups)
    return Split(
        f"leave one {by} out: {groups[fold]}",
        train=candidates[part > validate],
        validate=candidates[(part >= 1) & (part <= validate)],
        test=candidates[part == 0],
        keeps_apart=(by,),
    )


def _leave_one_out_within(
    items: pd.DataFrame, by: str, within: str, candidates: np.ndarray, tested: np.ndarray, name: str
) -> Split:
    legal(within, [kind for kind in SPLIT_BY if kind not in (by, "item")], "group to validate within,")
    wider, names = number_groups(items, within, candidates, "within")
    own = np.unique(wider[tested])
    beside = np.isin(wider, own)
    told = ", ".join(names[code] for code in own)
    if not (beside & ~tested).any():
        raise InputError(
            f"{by} {name!r} is alone in {within} {told}, so that nobody there can validate; leave protocol.within out"
        )
    if beside.all():
        raise InputError(
            f"all items are of {within} {told}, in which {by} {name!r} is tested, so that none is left to train on; "
            "leave protocol.within out"
        )
    return Split(
        f"leave one {by} out: {name}, validating within its {within}",
        train=candidates[~beside],
        validate=candidates[beside & ~tested],
        test=candidates[tested],
        keeps_apart=(by, within),
        validates_within=(within,),
    )


def grouped_k_fold(
    items: pd.DataFrame,
    by: str = "speaker",
    folds: int = 5,
    fold: int = 0,
    validate_share: float = 0.2,
    seed: int = 0,
    labels: ArrayLike | None = None,
    rows: ArrayLike | None = None,
) -> Split:
    """Test on one of ``folds`` parts of whole groups; of the others a share validates, the rest trains.

    Folds are filled so that each holds about the same number of items of each corpus and class. Every
    item is tested in exactly one fold.

    Args:
        items: with the columns ``id``, ``corpus`` and ``by``.
        by: ``"speaker"``, ``"session"``, ``"script"``, ``"item"`` or ``"language"``.
        folds: how many, at least 2.
        fold: which of them is tested, from 0.
        validate_share: of the items that are not tested, from 0 (nothing validates) to below 1; groups
            make it approximate.
        seed: which of equally good folds, and which validation groups are tried.
        labels: one a row of ``items`` (any hashable), to keep classes in proportion.
        rows: which rows of ``items`` may be used.

    Raises:
        InputError: fewer groups than folds, or than leave two to train and validate; items that name
            no group; a fold that is none.

    Example:
        >>> items = pd.DataFrame({"id": list("123456"), "corpus": "a", "speaker": list("uvwxyz")})
        >>> tested = [grouped_k_fold(items, "speaker", folds=3, fold=k).test for k in range(3)]
        >>> sorted(np.concatenate(tested).tolist())
        [0, 1, 2, 3, 4, 5]
    """
    legal(by, SPLIT_BY, "group to fold by,")
    if not 0 <= validate_share < 1:
        raise InputError(f"validate_share is {validate_share}; give a share from 0 to below 1, such as 0.2")
    if folds < 2:
        raise InputError(f"folds is {folds}; at least 2 are needed, one to test and the others to train")
    candidates = _rows(items, rows)
    codes, groups = number_groups(items, by, candidates)
    needed = max(folds, 3) if validate_share else folds
    if len(groups) < needed:
        raise InputError(
            f"{len(groups)} {by}s ({', '.join(groups[:5])}) cannot fill {folds} folds"
            + (" and leave one to validate; " if validate_share else "; ")
            + ("lower folds, " if len(groups) > 3 else "")
            + f"{_other_ways(items, candidates, by, needed)}add a corpus"
        )
    _check_fold(fold, folds, "fold")
    strata = strata_of(labels, items, candidates)
    place = deal_groups(codes, len(groups), strata, folds, seed)[codes]
    rest = np.flatnonzero(place != fold)
    kept, inner = np.unique(codes[rest], return_inverse=True)
    if validate_share and len(kept) < 2:
        raise InputError(
            f"outside fold {fold} only {groups[kept[0]]!r} is left, too few to train and validate; "
            f"use more folds, or group by another name than {by}"
        )
    if validate_share:
        validating = np.isin(inner, choose_groups(inner, len(kept), strata[rest], validate_share, [seed, fold]))
    else:
        validating = np.zeros(len(rest), bool)
    return Split(
        f"fold {fold + 1} of {folds} by {by}",
        train=candidates[rest[~validating]],
        validate=candidates[rest[validating]],
        test=candidates[place == fold],
        keeps_apart=(by,),
    )


def choose_groups(codes: np.ndarray, groups: int, strata: np.ndarray, share: float, seed: list[int]) -> np.ndarray:
    """Whole groups, neither none nor all, whose counts per stratum come nearest to a share of all."""
    counts = np.zeros((groups, strata.max() + 1))
    np.add.at(counts, (codes, strata), 1)
    wanted = share * counts.sum(0)
    rng = np.random.default_rng(seed)
    best, least = np.empty(0, np.int64), np.inf
    for _ in range(DRAWS):
        order = rng.permutation(groups)
        size = counts[order].sum(1).cumsum()[:-1]
        take = int(np.abs(size - wanted.sum()).argmin()) + 1
        miss = float(np.abs(counts[order[:take]].sum(0) - wanted).sum())
        if miss < least - 1e-9:
            best, least = order[:take], miss
    return best


def deal_groups(codes: np.ndarray, groups: int, strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each group: the largest first, each to where its strata are rarest."""
    counts = np.zeros((groups, strata.max() + 1))
    np.add.at(counts, (codes, strata), 1)
    shuffled = np.random.default_rng(seed).permutation(groups)
    order = shuffled[np.argsort(-counts[shuffled].sum(1), kind="stable")]
    weight = 1 / np.maximum(counts.sum(0), 1) ** 2
    held, fold_of = np.zeros((folds, counts.shape[1])), np.empty(groups, np.int64)
    for group in order:
        # what the sum of squared shares would grow by; then the emptiest fold
        growth = held @ (weight * counts[group])
        target = np.lexsort((held.sum(1), np.round(growth, 12)))[0]
        fold_of[group] = target
        held[target] += counts[group]
    return fold_of


def strata_of(labels: ArrayLike | None, items: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """A number for each corpus and class, of each row."""
    corpora = column_of(items, "corpus").fillna("")
    if labels is None:
        return pd.factorize(corpora.iloc[rows], sort=True)[0]
    given = np.asarray(labels)
    if given.ndim == 2:
        given = given.argmax(1)
    if given.shape != (len(items),):
        raise InputError(f"labels has shape {np.shape(labels)}; give one label for each of the {len(items)} items")
    pairs = corpora + "/" + pd.Series(given).astype("string").fillna("")
    return pd.factorize(pairs.iloc[rows], sort=True)[0]


def _rows(items: pd.DataFrame, rows: ArrayLike | None) -> np.ndarray:
    if rows is None:
        return np.arange(len(items))
    given = np.asarray(rows)
    if given.dtype == bool and given.shape == (len(items),):
        return np.flatnonzero(given)
    if given.size and (given.ndim != 1 or given.dtype.kind not in "iu"):
        raise InputError(
            f"rows has shape {given.shape} and type {given.dtype}; give row numbers, or True or False for each of the "
            f"{len(items)} items"
        )
    given = np.unique(given.astype(np.int64))
    if len(given) and not 0 <= given[0] <= given[-1] < len(items):
        raise InputError(f"rows run from {given[0]} to {given[-1]}; the items have rows 0..{len(items) - 1}")
    return given


def _names(names: Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _check_fold(fold: int, folds: int, what: str) -> None:
    if not 0 <= fold < folds:
        raise InputError(f"fold is {fold}; there are {folds} {what}s, so legal are 0..{folds - 1}")


def _other_ways(items: pd.DataFrame, rows: np.ndarray, by: str, needed: int) -> str:
    """Names the other kinds of groups that would do."""
    ways = []
    for kind in FOLD_BY:
        groups = groups_of(items, kind).iloc[rows]
        if kind != by and not groups.isna().any() and groups.nunique() >= needed:
            ways.append(kind)
    return f"group by {' or '.join(ways)}, or " if ways else ""
