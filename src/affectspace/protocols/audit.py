"""Proof that nothing which must stay apart is on two sides of a split."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from affectspace.errors import InputError, LeakError
from affectspace.protocols.groups import GROUPS, column_of, groups_of, item_name, legal
from affectspace.protocols.split import PARTS, Split

__all__ = ["Leak", "audit", "kept_apart", "legal_kinds", "refuse_leaks"]

_REMEDY = {  # of what has no column that a recipe could split by
    "audio": "remove one copy of each {}",
    "near_audio": "remove all but one of each",
    "item": "keep each in one of them",
}


@dataclass(frozen=True)
class Leak:
    """A kind of group that is on two sides.

    Args:
        group: ``"speaker"``, ``"session"``, ``"script"``, ``"audio"`` or ``"near_audio"``; ``"item"`` of items that a
            list has in two parts, which a :class:`Split` cannot hold.
        parts: the two sides, such as ``("train", "test")``.
        groups: how many groups are on both.
        items: how many items of these groups each side holds.
        example: the name of one such group.
        example_items: an item of it on each side.
        media: what the items are: ``"recording"`` or ``"picture"``.
        nameless: how many items of the split name no group of this kind, by which it could then not be split.
        others: further remedies, that whoever has made the split knows of.
    """

    group: str
    parts: tuple[str, str]
    groups: int
    items: tuple[int, int]
    example: str
    example_items: tuple[str, str]
    media: str = "recording"
    nameless: int = 0
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.fact}; {', or '.join([self.remedy, *self.others])}, "
            f'or accept it and say so with allow = ["{self.group}"] in [protocol]'
        )

    @property
    def fact(self) -> str:
        """What crosses, how much of it, and an example."""
        one, other = self.parts
        are = "is" if self.groups == 1 else "are"
        if self.group == "item":
            return f"{_count(self.groups)} {are} in both {one} and {other}, such as {self.example_items[0]}"
        what = {"audio": self.media, "near_audio": "recording"}.get(self.group, self.group)
        told = f"{self.groups} {what}{'s' * (self.groups != 1)} {are} in both {one} ({_count(self.items[0])}) and "
        pair = f"{self.example_items[0]} and {self.example_items[1]}"
        if self.group == "near_audio":
            return (
                f"{told}{other} ({_count(self.items[1])}) as near-identical copies, which differ in level, coding, "
                f"noise or length alone, such as {pair}"
            )
        if self.group == "audio":  # of which the example is a hash
            return f"{told}{other} ({_count(self.items[1])}), such as {' and '.join(dict.fromkeys(self.example_items))}"
        return f"{told}{other} ({_count(self.items[1])}), such as {_short(self.example)!r} ({pair})"

    @property
    def remedy(self) -> str:
        """What to do about it in a recipe."""
        if self.group in _REMEDY:
            return _REMEDY[self.group].format(self.media)
        key = f'by = "{self.group}" in [protocol]'
        if "test" in self.parts:
            key += ", of kind grouped_folds or leave_one_out"
        else:
            key = f"validate_by or {key}, whichever its kind has"
        if self.nameless:
            have = "has" if self.nameless == 1 else "have"
            key += (
                f"; first fill the column {self.group!r} of the {_count(self.nameless)} that {have} none, with the "
                "item's own id where it belongs with no other"
            )
        return f"split by {self.group} ({key})"

    @property
    def remedy_in_list(self) -> str:
        """What to do about it in a list of who trains, who validates and who is tested."""
        if self.group == "item":
            return _REMEDY[self.group]
        remedy = _REMEDY.get(self.group, f"give all items of a {self.group} the same part").format(self.media)
        return f"{remedy}, or accept it by --allow {self.group}"


def audit(items: pd.DataFrame, split: Split, allow: Iterable[str] = ()) -> list[Leak]:
    """Every leak between train, validate and what is tested (test and unseen), for every kind of group.

    Looked at are speaker, session, script, audio (identical recordings or pictures, by the column ``audio_sha``)
    and near_audio (near-identical recordings, by the column ``near_audio``; what is identical is told of as that
    alone), as :func:`affectspace.protocols.groups_of` tells them; items that name no group of a kind cannot leak by
    it. Validation is held to the same rule as test, since a model selected
    on speakers it has trained on is selected for knowing them. What test and unseen share is no leak:
    nothing is learned from either. Nor is what validate and test share where the split validates within it.

    Args:
        items: the table that the split's rows count in.
        split: what to look at.
        allow: kinds of groups that may cross, besides ``split.allowed``.

    Returns:
        leaks, in the order of :data:`~affectspace.protocols.GROUPS`, and train/test first.

    Raises:
        InputError: a word in ``allow`` that is no kind of group; a split of another table.

    Example:
        >>> items = pd.DataFrame({"id": list("123"), "corpus": "a", "speaker": ["x", "y", "x"]})
        >>> for leak in audit(items, Split("by hand", [0], [1], [2])):
        ...     print(leak)
        1 speaker is in both train (1 item) and test (1 item), such as 'a/x' ('a/1' and 'a/3'); split by speaker
        (by = "speaker" in [protocol], of kind grouped_folds or leave_one_out),
        or accept it and say so with allow = ["speaker"] in [protocol]
    """
    allowed = legal_kinds([*split.allowed, *([allow] if isinstance(allow, str) else allow)])
    last = max(int(getattr(split, part)[-1]) for part in PARTS if len(getattr(split, part)))
    if last >= len(items):
        raise InputError(f"split {split.name!r} holds row {last}, and the items have rows 0..{len(items) - 1}")
    leaks = []
    for kind in GROUPS:
        if kind not in allowed:
            leaks += _leaks(items, split, kind, groups_of(items, kind))
    return leaks


def legal_kinds(allow: Iterable[str]) -> frozenset[str]:
    """The kinds of groups that may cross, each of which is one.

    Raises:
        InputError: a word that is no kind of group; it says which there are.

    Example:
        >>> legal_kinds(["speker"])
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no kind of group to allow, 'speker'; did you mean 'speaker'? legal: ...
    """
    allowed = frozenset(allow)
    for word in sorted(allowed):
        legal(word, GROUPS, "kind of group to allow,")
    return allowed


def refuse_leaks(
    items: pd.DataFrame, split: Split, allow: Iterable[str] = (), others: Iterable[tuple[str, Split]] = ()
) -> None:
    """Raise when :func:`audit` finds anything.

    Args:
        items: the table that the split's rows count in.
        split: what to look at.
        allow: kinds of groups that may cross, besides ``split.allowed``.
        others: splits that could be made instead, each behind words that tell how to ask for it. They are looked at
            only where there is a leak, and named as a remedy of those that they do not have, if they bring no other.

    Raises:
        LeakError: one sentence a leak: what crosses, how much of it, an example, and the remedy.
        InputError: a word in ``allow`` that is no kind of group.
    """
    allow = [allow] if isinstance(allow, str) else list(allow)
    leaks = audit(items, split, allow)
    if leaks:
        kinds = {leak.group for leak in leaks}
        left = {words: {leak.group for leak in audit(items, other, allow)} for words, other in others}
        ways = {kind: tuple(words for words, found in left.items() if found <= kinds - {kind}) for kind in kinds}
        leaks = [replace(leak, others=ways[leak.group]) for leak in leaks]
        sentences = "\n".join(f"- {leak}" for leak in leaks)
        raise LeakError(f"split {split.name!r} leaks:\n{sentences}")


def kept_apart(items: pd.DataFrame, split: Split) -> tuple[str, ...]:
    """The kinds of groups that this split keeps apart in fact: every item names its group, and none crosses.

    More than ``split.keeps_apart`` promises, where the data happen to grant it, and what may be
    claimed in a report.

    Example:
        >>> items = pd.DataFrame({"id": list("123"), "corpus": "a", "speaker": list("xyz"),
        ...                       "session": ["1", "1", pd.NA]})
        >>> kept_apart(items, Split("by hand", [0], [1], [2]))
        ('speaker',)
    """
    rows = np.concatenate([getattr(split, part) for part in PARTS])
    groups = {kind: groups_of(items, kind) for kind in GROUPS}
    return tuple(
        kind
        for kind in GROUPS
        if not groups[kind].iloc[rows].isna().any() and not _leaks(items, split, kind, groups[kind])
    )


def _leaks(items: pd.DataFrame, split: Split, kind: str, groups: pd.Series) -> list[Leak]:
    codes, names = pd.factorize(groups)
    copies = _copies(items) if kind == "near_audio" else np.arange(len(items))
    nameless = int((codes[np.concatenate([getattr(split, part) for part in PARTS])] < 0).sum())
    found = []
    shared = {("test", "unseen")} | ({("validate", "test")} if kind in split.validates_within else set())
    pairs = [pair for pair in combinations(PARTS, 2) if pair not in shared]
    for parts in sorted(pairs, key=lambda pair: "test" not in pair or "train" not in pair):
        one, other = (getattr(split, part) for part in parts)
        both = np.intersect1d(codes[one], codes[other])
        both = both[both >= 0]
        if kind == "near_audio" and len(both):  # a group that crosses as copies of one recording alone is kind audio
            rows = np.concatenate([one, other])
            kinds = pd.Series(copies[rows]).groupby(codes[rows]).nunique()
            both = both[kinds.reindex(both).to_numpy() > 1]
        if len(both):
            sides = [rows[np.isin(codes[rows], both)] for rows in (one, other)]
            first = _first_pair([rows[codes[rows] == both[0]] for rows in sides], copies)
            found.append(
                Leak(
                    kind,
                    parts,
                    len(both),
                    (len(sides[0]), len(sides[1])),
                    str(names[both[0]]),
                    (item_name(items, first[0]), item_name(items, first[1])),
                    _media(items.iloc[first]),
                    nameless,
                )
            )
    return found


def _copies(items: pd.DataFrame) -> np.ndarray:
    """A number for each recording or picture, one for all that are identical; of its own where that is not known."""
    codes = pd.factorize(groups_of(items, "audio"))[0]
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)


def _first_pair(sides: Sequence[np.ndarray], copies: np.ndarray) -> list[int]:
    """The first rows of both sides that are not copies of each other; there are some."""
    one, other = sides
    unlike = other[copies[other] != copies[one[0]]]
    if len(unlike):
        return [int(one[0]), int(unlike[0])]
    return [int(one[copies[one] != copies[other[0]]][0]), int(other[0])]


def _media(items: pd.DataFrame) -> str:
    """What people call these items."""
    pictures = column_of(items, "image").notna().any() and column_of(items, "audio").isna().all()
    return "picture" if pictures else "recording"


def _count(items: int) -> str:
    return f"{items:,} item{'s' if items != 1 else ''}"


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "..."
