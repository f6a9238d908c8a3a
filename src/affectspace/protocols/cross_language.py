"""Train on some languages, test on one of which nothing was heard."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from affectspace.errors import InputError
from affectspace.protocols.groups import SPLIT_BY, groups_of, item_name, legal, number_groups
from affectspace.protocols.language_codes import is_code, same_language
from affectspace.protocols.split import Split
from affectspace.protocols.splits import choose_groups, deal_groups, strata_of

__all__ = ["cross_language", "known_languages"]


def cross_language(
    items: pd.DataFrame,
    target: str,
    source: Sequence[str] = (),
    auxiliary: Sequence[str] = (),
    validate_share: float = 0.2,
    validate_by: str = "speaker",
    seed: int = 0,
    labels: ArrayLike | None = None,
    target_folds: int | None = None,
    fold: int = 0,
) -> Split:
    """Train on the source and auxiliary languages, test on the target.

    Of the target nothing trains and nothing validates: no label, no recording, and no mean or variance of its items.
    With ``target_folds`` that is given up on purpose, for an upper bound: the target's speakers are dealt into folds,
    one is tested and those of the others train and validate like any others.

    Args:
        items: with the columns ``id``, ``corpus``, ``language`` and ``validate_by``; items of languages that are not
            named are in no part.
        target: the language that is tested.
        source: those that train; none: all but the target.
        auxiliary: those that train beside the source, which is one language then, as a rule; ``["others"]``: all but
            source and target.
        validate_share: of the training items, of each corpus about the same, from 0 (nothing validates) to below 1.
        validate_by: the group that validation takes whole, ``"speaker"``, ``"session"``, ``"script"``, ``"item"``; or
            ``"language"``: of the languages that train, whole ones validate.
        seed: which random choices are tried.
        labels: one a row of ``items`` (any hashable), to keep classes in proportion.
        target_folds: into how many folds the target's speakers are dealt, at least 2.
        fold: which of them is tested, from 0.

    Raises:
        InputError: a language that is not there (it names the nearest), one that both trains and is tested, names of
            which two may mean one, auxiliary languages beside no source, or others of which there are none, items
            without a language, too few groups to validate on, or a fold that is none.

    Source: the protocol of source, auxiliary and target languages is that of the zero-shot cross-lingual literature.

    Example:
        >>> items = pd.DataFrame({"id": list("123456"), "corpus": list("aabbcc"), "speaker": list("uvwxyz"),
        ...                       "language": ["de", "de", "en", "en", "ur", "ur"]})
        >>> split = cross_language(items, "de", validate_share=0.5)
        >>> split.name, split.sizes, split.test
        ('en + ur -> de', {'train': 2, 'validate': 2, 'test': 2}, array([0, 1]))
        >>> cross_language(items, "de", ["en"], ["ur"], validate_share=0).name
        'en, with ur -> de'
        >>> cross_language(items, "de", validate_share=0.5, validate_by="language").name
        'ur (en validates) -> de'
    """
    legal(validate_by, SPLIT_BY, "group to validate by,")
    if not 0 <= validate_share < 1:
        raise InputError(f"validate_share is {validate_share}; give a share from 0 to below 1, such as 0.2")
    languages = known_languages(items)
    present = sorted(languages.unique())
    _refuse_two_spellings(present)
    if auxiliary and not source:
        raise InputError(
            f"auxiliary is {', '.join(auxiliary)} beside no source; name the source, or leave auxiliary out: without "
            "both all languages but the target train"
        )
    others = [name for name in present if name not in (target, *source)]
    all_others = [*auxiliary] == ["others"]
    source, auxiliary = list(source) or others, others if all_others else list(auxiliary)
    for name in (target, *source, *auxiliary):
        _legal(name, present)
    named = [*source, *auxiliary]
    if target in named:
        raise InputError(
            f"language {target!r} is the target and trains as well, so that it would not be one never heard; leave it "
            "out of source and auxiliary, or ask for an upper bound by target_folds"
        )
    if twice := [name for name in named if named.count(name) > 1]:
        raise InputError(f"language {twice[0]!r} is named twice in source and auxiliary; name it once")
    if not named:
        raise InputError(f"all items are of the target language {target!r}, and none is left to train on; add a corpus")
    if all_others and not auxiliary:
        raise InputError(
            'auxiliary is "others", all but source and target, and the items are of no language but '
            f"{', '.join(present)}; leave auxiliary out, or add a corpus"
        )
    heard = np.flatnonzero(languages.isin(named).to_numpy(bool))
    tested = np.flatnonzero((languages == target).to_numpy(bool))
    apart: tuple[str, ...] = ("language",)
    if target_folds is not None:
        own, tested = _deal_target(items, tested, target_folds, fold, seed, labels)
        heard = np.union1d(heard, own)
        apart = ("speaker",)
    validating = _validating(items, heard, languages, validate_share, validate_by, seed, labels)
    whole = set(languages.iloc[validating]) if validate_by == "language" else set()
    title = _title(source, auxiliary, target, whole)
    if target_folds is not None:
        do = "validate" if target in whole else "train too"
        title += f", whose other speakers {do} (fold {fold + 1} of {target_folds})"
    if validate_share:
        apart = tuple(dict.fromkeys((*apart, validate_by)))
    return Split(title, np.setdiff1d(heard, validating), validating, tested, keeps_apart=apart)


def _title(source: Sequence[str], auxiliary: Sequence[str], target: str, validating: set[str]) -> str:
    """Which languages train, which only validate, and which is tested."""
    train, beside = (" + ".join(name for name in each if name not in validating) for each in (source, auxiliary))
    title = ", ".join([train] * bool(train) + [f"with {beside}"] * bool(beside))
    if only := sorted(validating - {target}):
        title += f" ({' + '.join(only)} {'validates' if len(only) == 1 else 'validate'})"
    return f"{title.strip()} -> {target}"


def known_languages(items: pd.DataFrame) -> pd.Series:
    """The language of each item, by position.

    Raises:
        InputError: items that name none.
    """
    languages = groups_of(items, "language")
    missing = np.flatnonzero(languages.isna())
    if len(missing):
        raise InputError(
            f"{len(missing)} of {len(items)} items have no language, such as {item_name(items, int(missing[0]))}; give "
            "their corpus a language in corpus.toml, or fill the column 'language'"
        )
    return languages


def _legal(name: str, present: Sequence[str]) -> None:
    """Refuse a language that is not there, naming the one that differs in case, or the nearest."""
    if name in present:
        return
    if same := [each for each in present if same_language(each) == same_language(name)]:
        raise InputError(f"there is no language {name!r}; did you mean {same[0]!r}? legal: {', '.join(present)}")
    if is_code(name):  # of which a letter in common tells nothing
        raise InputError(f"there is no language {name!r}; legal: {', '.join(present)}")
    if all(map(is_code, present)):
        raise InputError(
            f"there is no language {name!r}; these corpora name theirs by ISO 639, as 'de' for German; legal: "
            f"{', '.join(present)}"
        )
    legal(name, present, "language")


def _refuse_two_spellings(present: Sequence[str]) -> None:
    """Refuse names of which two may mean one language, since it would train and be tested as two."""
    spelled: dict[str, str] = {}
    for name in present:
        other = spelled.setdefault(same_language(name), name)
        if other != name:
            raise InputError(
                f"corpora name one language in two ways, {other!r} and {name!r}, so that it could train and be tested "
                f"at once; write {same_language(name)!r} in each corpus.toml, or in the column 'language'"
            )
    words = [name for name in present if not is_code(name)]
    codes = [name for name in present if is_code(name)]
    if words and codes:
        raise InputError(
            f"corpora name their languages by words, such as {words[0]!r}, and by codes, such as {codes[0]!r}, which "
            "may be one language, and could train and be tested at once; write the ISO 639-1 code, such as 'de' for "
            "German, in each corpus.toml, or in the column 'language'"
        )


def _deal_target(
    items: pd.DataFrame, tested: np.ndarray, folds: int, fold: int, seed: int, labels: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """The target's items that train, and those that are tested."""
    codes, speakers = number_groups(items, "speaker", tested)
    if not 2 <= folds <= len(speakers):
        raise InputError(
            f"target_folds is {folds}, and the target language has {len(speakers)} speakers; legal: 2 to "
            f"{len(speakers)}"
        )
    if not 0 <= fold < folds:
        raise InputError(f"fold is {fold}; there are {folds} folds, so legal are 0..{folds - 1}")
    held = deal_groups(codes, len(speakers), strata_of(labels, items, tested), folds, seed)[codes] == fold
    return tested[~held], tested[held]


def _validating(
    items: pd.DataFrame,
    heard: np.ndarray,
    languages: pd.Series,
    share: float,
    by: str,
    seed: int,
    labels: ArrayLike | None,
) -> np.ndarray:
    """The rows that validate: whole groups of each language, or whole languages."""
    if not share:
        return np.empty(0, np.int64)
    if by == "language":
        return _whole(items, heard, "language", share, [seed], labels)
    spoken = languages.iloc[heard].to_numpy()
    # by its name, so that what a language gives does not depend on which others train
    seeds = {name: [seed, crc32(str(name).encode())] for name in sorted(set(spoken))}
    return np.concatenate([_whole(items, heard[spoken == name], by, share, seeds[name], labels) for name in seeds])


def _whole(
    items: pd.DataFrame, rows: np.ndarray, by: str, share: float, seed: list[int], labels: ArrayLike | None
) -> np.ndarray:
    """The rows of the groups whose size and classes come nearest to a share of all."""
    codes, groups = number_groups(items, by, rows, "validate_by")
    if len(groups) < 2:
        language = known_languages(items).iloc[rows[0]]
        what = "all that trains" if by == "language" else f"language {language!r}"
        raise InputError(
            f"{what} is of one {by}, {groups[0]!r}, so none can be kept for validation; validate by another group, "
            "leave the language out, or set validate_share = 0"
        )
    return rows[np.isin(codes, choose_groups(codes, len(groups), strata_of(labels, items, rows), share, seed))]
