"""Lists of who trains, validates and is tested, as others publish them: a table of items and parts, fold by fold."""

import difflib
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePath

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.protocols.audit import Leak, audit
from affectspace.protocols.groups import column_of, item_name, legal
from affectspace.protocols.split import Split

__all__ = ["Fold", "read_folds"]

IDS = ("id", "utterance_id", "utt_id", "file", "filename", "path")
PARTS = ("part", "split", "partition", "subset")
WORDS = {
    "train": ("train", "training"),
    "validate": ("validate", "validation", "valid", "val", "dev", "devel", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SHOWN = 3


@dataclass(frozen=True)
class Fold:
    """One fold of a table of parts.

    Args:
        name: as the table says; empty where it has no folds.
        rows: of the items, each part's; an item may be in two.
        split: its items; one that is named for two parts is in the later of train, validate and test. None where
            nothing but such items trains, or nothing else is left.
        twice: a leak for every two parts for which items are named.
    """

    name: str
    rows: dict[str, np.ndarray]
    split: Split | None
    twice: tuple[Leak, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many items each part has, of those that have any."""
        return {part: len(rows) for part, rows in self.rows.items() if len(rows)}

    def leaks(self, items: pd.DataFrame) -> list[Leak]:
        """Every leak: items in two parts, then what :func:`affectspace.protocols.audit` finds in ``items``."""
        return [*self.twice, *(audit(items, self.split) if self.split else ())]


def read_folds(table: pd.DataFrame, items: pd.DataFrame, where: str = "the table") -> list[Fold]:
    """The folds of a table that says to which part items belong.

    Args:
        table: with ``id`` (or utterance_id, utt_id, file, filename, path), and with ``part`` (or split, partition,
            subset), which is train, validate (or dev, val, ...) or test (or eval, ...); a ``fold`` beside it says of
            which fold that holds. In place of both, several columns whose names begin with ``fold`` may hold the parts.
            An item without a part has none in that fold. ``corpus`` is needed where two corpora have one id.
            An id may also be ``corpus/id``, or a path whose file is named after the item, or is its recording.
        items: of the corpora, with ``id``, ``corpus`` and ``audio``.
        where: what to call the table in an error.

    Raises:
        InputError: missing columns, no rows, a word that is no part, ids that no item or several have (it counts them
            and names the nearest), or a fold without training items, or with nothing to test or to validate.

    Example:
        >>> items = pd.DataFrame({"id": list("1234"), "corpus": "a", "speaker": list("xyzx")})
        >>> table = pd.DataFrame({"path": ["wav/1.wav", "wav/2.wav", "wav/3.wav", "wav/4.wav"],
        ...                       "part": ["train", "train", "dev", "test"]})
        >>> [fold] = read_folds(table, items)
        >>> fold.counts
        {'train': 2, 'validate': 1, 'test': 1}
        >>> print(fold.leaks(items)[0].fact)
        1 speaker is in both train (1 item) and test (1 item), such as 'a/x' ('a/1' and 'a/4')
    """
    table = table.rename(columns={column: str(column).strip().lower() for column in table.columns})
    long, ids = _long(table, where)
    if not len(table):
        raise InputError(
            f"{where} has a header ({', '.join(map(str, table.columns))}) and no rows below it; write a row for each "
            "item and fold, with the id of the item and its part"
        )
    rows = _rows(table, ids, items, where)
    if not long:  # folds that no item has a part in are none
        raise _lacks(where, [])
    return [
        _fold(str(name), parts.to_numpy(object), rows[parts.index.to_numpy()], items, where)
        for name, parts in long.items()
    ]


def _long(table: pd.DataFrame, where: str) -> tuple[dict[Hashable, pd.Series], str]:
    """The parts of each fold, ours and without those that have none, by rows of the table; the column of ids."""
    table = table.reset_index(drop=True)
    ids = next((column for column in IDS if column in table), None)
    part = next((column for column in PARTS if column in table), None)
    folds = [str(column) for column in table.columns if str(column).startswith("fold")]
    if ids is None or (part is None and not folds) or (part is not None and len(folds) > 1):
        raise InputError(
            f"{where} has the columns {', '.join(map(str, table.columns))}; give id and part, and fold where there are "
            "several, one row for each item and fold; or id and a column for each fold, fold1, fold2, ..., that holds "
            "the part"
        )
    if part is None:
        return {name: _parts(table, name, where) for name in folds}, ids
    told = _parts(table, part, where)
    if not folds:
        return {"": told}, ids
    names = column_of(table, folds[0])[told.index]
    if names.isna().any():
        row = int(names.index[names.isna()][0])
        raise InputError(f"row {row + 1} of {where} names no {folds[0]}; fill that column, or leave it out")
    return dict(iter(told.groupby(names, sort=False))), ids


def _parts(table: pd.DataFrame, column: str, where: str) -> pd.Series:
    given = column_of(table, column).str.strip()
    ours = {word: part for part, words in WORDS.items() for word in words}
    parts = given.str.lower().map(ours)
    strange = given[parts.isna() & given.notna() & (given != "")]
    if len(strange):
        number = " One number an item is not enough: say for each fold who trains." if strange.iloc[0].isdigit() else ""
        raise InputError(
            f"{column} is {strange.iloc[0]!r} in row {int(strange.index[0]) + 1} of {where}; legal: "
            f"{', '.join(map(', '.join, WORDS.values()))}, or nothing.{number}"
        )
    return parts.dropna()


def _rows(table: pd.DataFrame, ids: str, items: pd.DataFrame, where: str) -> np.ndarray:
    """The row of ``items`` that each row of the table means."""
    given, corpora = column_of(table, ids).str.strip().fillna(""), column_of(table, "corpus")
    present = sorted(column_of(items, "corpus").dropna().unique())
    for corpus in corpora.dropna().unique():
        legal(str(corpus), present, f"corpus to audit, in {where},")
    exact, loose = _names(items)
    rows, unknown, several = np.full(len(table), -1), [], []
    for place, (name, corpus) in enumerate(zip(given, corpora)):
        full = name if pd.isna(corpus) else f"{corpus}/{name}"
        stem = PurePath(name.replace("\\", "/")).stem
        found = exact.get(full) or loose.get(stem if pd.isna(corpus) else f"{corpus}/{stem}") or []
        if len(found) == 1:
            rows[place] = found[0]
        else:
            (several if found else unknown).append(place)
    if unknown:
        near = [_nearest(given.iloc[place], items) for place in unknown[:SHOWN]]
        told = "; ".join(f"{given.iloc[place]!r} in row {place + 1}{hint}" for place, hint in zip(unknown, near))
        raise InputError(
            f"{len(unknown):,} of {len(table):,} ids of {where} are of no item of {', '.join(present)}, such as "
            f"{told}; correct them, or name the corpus that has them"
        )
    if several:
        name = given.iloc[several[0]]
        raise InputError(
            f"{len(several):,} ids of {where} are of several items, such as {name!r} of "
            f"{' and '.join(item_name(items, row) for row in (exact.get(name) or loose[PurePath(name).stem])[:2])}; "
            "add a column corpus, or give the ids of the items"
        )
    return rows


def _names(items: pd.DataFrame) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Rows by what they may be called: by their id, with or without its corpus; and by that and their recording."""
    exact: dict[str, list[int]] = {}
    loose: dict[str, list[int]] = {}
    columns = (column_of(items, name).fillna("") for name in ("id", "corpus", "audio"))
    for row, (name, corpus, audio) in enumerate(zip(*columns)):
        for each in (name, f"{corpus}/{name}"):
            exact.setdefault(each, []).append(row)
        for stem in {name, PurePath(audio).stem} - {""}:
            for each in (stem, f"{corpus}/{stem}"):
                loose.setdefault(each, []).append(row)
    return exact, loose


def _nearest(name: str, items: pd.DataFrame) -> str:
    near = difflib.get_close_matches(name, column_of(items, "id").dropna().unique().tolist(), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _fold(name: str, parts: np.ndarray, rows: np.ndarray, items: pd.DataFrame, where: str) -> Fold:
    named = {part: np.unique(rows[parts == part]) for part in WORDS}
    there = [part for part in named if len(named[part])]
    if "train" not in there or len(there) == 1:
        raise _lacks(f"fold {name!r} of {where}" if name else where, there)
    twice = [
        _twice(items, (one, other), both)
        for one, other in sorted(combinations(WORDS, 2), key=lambda pair: pair != ("train", "test"))
        if len(both := np.intersect1d(named[one], named[other]))
    ]
    train = np.setdiff1d(named["train"], np.concatenate([named["validate"], named["test"]]))
    validate = np.setdiff1d(named["validate"], named["test"])
    split = Split(name, train, validate, named["test"]) if len(train) else None
    return Fold(name, named, split, tuple(twice))


def _lacks(of: str, there: list[str]) -> InputError:
    has = f"has {' and '.join(there)} alone" if there else "names no part of any item"
    return InputError(f"{of} {has}; it must say which items train, and which validate or are tested")


def _twice(items: pd.DataFrame, parts: tuple[str, str], rows: np.ndarray) -> Leak:
    name = item_name(items, int(rows[0]))
    return Leak("item", parts, len(rows), (len(rows), len(rows)), name, (name, name))
