"""Which items belong together: speaker, session, script, language, identical or near-identical media."""

import difflib
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from affectspace.corpora.corpus import spoken_words
from affectspace.errors import InputError

__all__ = [
    "FOLD_BY",
    "GROUPS",
    "SPLIT_BY",
    "column_of",
    "group_names",
    "groups_of",
    "item_name",
    "legal",
    "number_groups",
]

GROUPS = ("speaker", "session", "script", "audio", "near_audio")
FOLD_BY = ("speaker", "session", "script", "item")  # what errors offer, where one of them would do instead
SPLIT_BY = (*FOLD_BY, "language")


def groups_of(items: pd.DataFrame, by: str) -> pd.Series:
    """The group of each item, by position; missing where the item names none.

    - ``speaker`` and ``session`` names are unique within a corpus only: ``corpus/name``.
    - ``script``: two items share one when their corpus gives them the same script, or when their
      words are the same, without case and punctuation, in the same language, be it in two corpora.
      Words are the text, or a script that is more than one word; an item whose script is its own id
      is free speech, and shares none even when two people say the same "yes".
    - ``audio``: identical recordings or pictures, by the column ``audio_sha``, over all corpora, where there is one.
      An item of several modalities has a hash of each there, parted by spaces, and two items are identical when they
      share any, be it by way of a third.
    - ``near_audio``: recordings that are one performance, be they coded, levelled or trimmed otherwise, by the column
      ``near_audio``, over all corpora, where there is one; see :mod:`affectspace.protocols.near_duplicates`.
    - ``language``: as the items name it, over all corpora; a split may be by it, and no audit looks at it.
    - ``item``: each item is a group of its own, but for identical recordings or pictures (``audio_sha``) and
      near-identical recordings (``near_audio``), which are one: for corpora that do not say who is heard or seen.

    Raises:
        InputError: no such kind of group.

    Example:
        >>> items = pd.DataFrame({"id": ["1", "2"], "corpus": ["a", "b"], "speaker": ["03", "03"]})
        >>> groups_of(items, "speaker").tolist()
        ['a/03', 'b/03']
        >>> groups_of(pd.DataFrame({"audio_sha": ["film1 voice1", "film1", "voice2 film2"]}), "audio").tolist()
        ['film1', 'film1', 'voice2']
    """
    legal(by, (*GROUPS, "item", "language"), "kind of group")
    if by == "audio":
        return _media(column_of(items, "audio_sha"))
    if by == "near_audio":
        return column_of(items, by)
    if by == "item":
        own = column_of(items, "corpus").fillna("") + "/" + column_of(items, "id")
        return _joined(_media(column_of(items, "audio_sha")).fillna(own), "near:" + column_of(items, "near_audio"))
    column = column_of(items, by)
    if by == "language":
        return column.str.strip().mask(column.str.strip() == "")
    if by == "script":
        return _scripts(items, column)
    return column_of(items, "corpus").fillna("") + "/" + column


def group_names(items: pd.DataFrame, by: str, rows: np.ndarray | None = None) -> list[str]:
    """The groups among ``rows`` (default all), in the order of folds: numbers in names by their value.

    Raises:
        InputError: an item names no group; it says how many and which.

    Example:
        >>> items = pd.DataFrame({"id": ["1", "2", "3"], "corpus": "a", "session": ["s10", "s9", "s10"]})
        >>> group_names(items, "session")
        ['a/s9', 'a/s10']
    """
    return list(number_groups(items, by, rows)[1])


def number_groups(
    items: pd.DataFrame, by: str, rows: np.ndarray | None, key: str = "by"
) -> tuple[np.ndarray, list[str]]:
    """The place of each row's group among the group names, and these.

    ``key`` of a recipe's protocol is what asks for this kind of group, for the error.
    """
    groups = groups_of(items, by)
    chosen = groups if rows is None else groups.iloc[rows]
    if not len(chosen):
        raise InputError("there are no items to split; check that the corpora have items with targets and features")
    if chosen.isna().any():
        nameless = np.flatnonzero(chosen.isna())
        row = int(nameless[0] if rows is None else rows[nameless[0]])
        others = [kind for kind in FOLD_BY if kind != by and not groups_of(items, kind).isna().any()]
        legal_ones = " or ".join(f'"{kind}"' for kind in others)
        instead = f", or write into the recipe: protocol.{key} = {legal_ones}" if others else ""
        known = len(chosen) - len(nameless)
        some = f" ({known:,} {'names' if known == 1 else 'name'} one)" if known else ""
        fill = " for every item, with its own id where it belongs with no other" if known else ""
        raise InputError(
            f"{len(nameless)} of {len(chosen)} items have no {by}{some}, such as {item_name(items, row)}; "
            f"fill the column {by!r}{fill}{instead}"
        )
    codes, names = pd.factorize(chosen)
    order = sorted(range(len(names)), key=lambda place: _natural(names[place]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[codes], [str(names[place]) for place in order]


def item_name(items: pd.DataFrame, row: int) -> str:
    """``'corpus/id'``, quoted."""
    return repr(f"{column_of(items, 'corpus').iloc[row]}/{column_of(items, 'id').iloc[row]}")


def legal(value: str, choices: Iterable[str], what: str) -> None:
    """Refuse a word that is none of ``choices``, naming the nearest."""
    choices = list(choices)
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1, 0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no {what} {value!r}; {hint}legal: {', '.join(choices)}")


def column_of(items: pd.DataFrame, name: str) -> pd.Series:
    """A column as strings, by position; all missing where the table has none of that name."""
    if name not in items:
        return pd.Series(pd.NA, index=range(len(items)), dtype="string")
    return pd.Series(np.asarray(items[name]), dtype="string")


def _natural(name: str) -> tuple:
    """Sorts s9 before s10; the name itself parts what reads alike, such as s1 and s01."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), name


def _scripts(items: pd.DataFrame, script: pd.Series) -> pd.Series:
    corpus, language = column_of(items, "corpus").fillna(""), groups_of(items, "language").fillna("")
    words = spoken_words(column_of(items, "text"))
    spelled = script.where(script.str.contains(r"\s", regex=True).fillna(False))
    words = words.fillna(spoken_words(spelled)).mask((script == column_of(items, "id")).fillna(False))
    # An item joins its corpus's script with the words it says; what is joined, however far, is one group.
    return _joined(corpus + "/" + script, "words:" + language + "/" + words)


def _joined(own: pd.Series, other: pd.Series) -> pd.Series:
    """The first name, in order of the table and of ``own`` before ``other``, of all that items join by having both."""
    nodes, names = pd.factorize(pd.concat([own, other], ignore_index=True))
    left, right = nodes[: len(own)], nodes[len(own) :]
    both = (left >= 0) & (right >= 0)
    first = _first_of_joined(len(names), left[both], right[both])
    return _named(names, first, np.where(left >= 0, left, right))


def _media(shas: pd.Series) -> pd.Series:
    """The first hash, in order of the table, of all that an item's hashes are joined with by any item."""
    if not shas.str.contains(" ", regex=False).any():
        return shas
    apart = shas.str.split().explode()
    nodes, names = pd.factorize(apart)
    rows = apart.index.to_numpy(np.int64)
    begins = np.searchsorted(rows, np.arange(len(shas)))  # an item has one place at least, if only of no hash
    first = _first_of_joined(len(names), nodes[begins][rows][nodes >= 0], nodes[nodes >= 0])
    return _named(names, first, nodes[begins])


def _first_of_joined(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``(count,)`` the first of all nodes that each is joined with, however far, by the pairs ``left``, ``right``."""
    if not count:
        return np.empty(0, np.int64)
    edges = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    part = connected_components(edges, directed=False)[1]
    first = np.full(part.max() + 1, count)
    np.minimum.at(first, part, np.arange(count))
    return first[part]


def _named(names: pd.Index | np.ndarray, first: np.ndarray, node: np.ndarray) -> pd.Series:
    """The name of the first node of each item's part; missing where it has no node, -1."""
    if not len(names):
        return pd.Series(pd.NA, index=range(len(node)), dtype="string")
    return pd.Series(np.asarray(names)[first[node]], dtype="string").mask(node < 0)
