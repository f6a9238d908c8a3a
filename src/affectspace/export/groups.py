"""Scores of a run's test items by corpus and by what is known of their speakers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora import open_corpus
from affectspace.errors import InputError
from affectspace.metrics import chance_uar, uar
from affectspace.metrics.speaker_intervals import FEWEST_SPEAKERS, figure_interval, tally
from affectspace.training import Run
from affectspace.training.evaluated import Evaluated

__all__ = ["GroupScore", "SpeakerSpread", "group_scores", "speaker_columns", "speaker_spread"]

COLUMNS = ("language", "sex", "age")
AGES = (0, 18, 30, 45, 60, 200)  # years at which a group of ages begins, and the last one ends
FEWEST = 10  # items of which a figure is told


@dataclass(frozen=True)
class GroupScore:
    """How well the items of a group are told.

    Args:
        by: what makes the group: ``"corpus"``, ``"language"``, ``"sex"`` or ``"age"``.
        group: its name.
        items: how many.
        speakers: how many; None where an item names none.
        uar: over the classes that occur in the group, as a share.
        chance: the UAR of random answers.
        interval: where the UAR lies with other speakers, with 95 % confidence; None where nobody can tell.
    """

    by: str
    group: str
    items: int
    speakers: int | None
    uar: float
    chance: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class SpeakerSpread:
    """UAR of single speakers, over the classes that occur with each, of those with ten items or more."""

    speakers: int
    lowest: float
    median: float
    highest: float


def group_scores(found: Evaluated, columns: pd.DataFrame) -> list[GroupScore]:
    """Scores by corpus, language, sex and age, of groups with ten items or more.

    A column is told where it parts the items: of one group for all of them there is nothing to compare.

    Args:
        found: the tested items.
        columns: what is known of them, see :func:`speaker_columns`.

    Example:
        >>> items = np.array([f"a/{row}" for row in range(20)])
        >>> even = np.arange(20) % 2
        >>> answers = np.eye(2)[np.where(np.arange(20) < 15, even, 1 - even)]
        >>> found = Evaluated(items, np.array(["x"] * 20), np.eye(2)[even], answers, np.zeros((20, 1)), np.zeros(20))
        >>> sexes = pd.DataFrame({"sex": ["female"] * 10 + ["male"] * 10}, index=items)
        >>> [(each.group, each.items, each.uar) for each in group_scores(found, sexes)]
        [('a', 20, 0.75), ('female', 10, 1.0), ('male', 10, 0.5)]
    """
    own = columns.reindex(found.items)
    known = {"corpus": pd.Series(found.items, dtype="string").str.split("/", n=1).str[0]}
    known |= {name: own[name].astype("string") for name in COLUMNS if name in own and own[name].nunique() > 1}
    told = []
    for by, groups in known.items():
        for name in sorted(groups.dropna().unique()):
            inside = groups.eq(name).fillna(False).to_numpy(bool)
            if inside.sum() >= FEWEST:
                told.append(_score(found, by, str(name), inside))
    return told


def speaker_spread(found: Evaluated) -> SpeakerSpread | None:
    """How far single speakers lie apart; None where fewer than two have ten items, or some are unknown.

    Example:
        >>> truth, speakers = np.eye(2)[[0, 1] * 15], np.array(["x"] * 10 + ["y"] * 10 + ["z"] * 10)
        >>> answers = truth.copy()
        >>> answers[20:] = [1, 0]
        >>> items = np.array([f"a/{row}" for row in range(30)])
        >>> spread = speaker_spread(Evaluated(items, speakers, truth, answers, np.zeros((30, 1)), np.zeros(30)))
        >>> spread.speakers, spread.lowest, spread.median, spread.highest
        (3, 0.5, 1.0, 1.0)
    """
    names = _speakers(found)
    if "" in found.speakers:
        return None
    each = [
        uar(found.targets[own], found.probabilities[own])
        for name in np.unique(names)
        if (own := names == name).sum() >= FEWEST
    ]
    if len(each) < 2:
        return None
    return SpeakerSpread(len(each), float(min(each)), float(np.median(each)), float(max(each)))


def speaker_columns(run: Run) -> tuple[pd.DataFrame, list[str]]:
    """Language, sex and group of ages of the items of a run's corpora, by corpus/id, and which corpora are gone.

    Ages in years are put into groups; those in words stay as they are.
    """
    adapters = {Path(entry["path"]).name: entry.get("adapter") for entry in run.recipe.get("corpora", ())}
    found, gone = [pd.DataFrame(columns=list(COLUMNS), dtype="string")], []
    for about in run.data.get("corpora") or ():
        root = Path(str(about.get("path") or ""))
        try:
            if not about.get("path") or not root.exists():
                raise InputError("it is not there")
            corpus = open_corpus(root, adapters.get(root.name))
        except InputError:  # a corpus that has gone is no reason to publish nothing
            gone.append(str(about["name"]))
            continue
        items = corpus.items.reindex(columns=["id", *COLUMNS])
        items.index = pd.Index(corpus.name + "/" + items["id"].astype("string"))
        found.append(items[list(COLUMNS)].assign(age=_aged(items["age"])).astype("string"))
    table = pd.concat(found)
    return table[~table.index.duplicated()], gone


def _score(found: Evaluated, by: str, group: str, own: np.ndarray) -> GroupScore:
    targets, probabilities, speakers = found.targets[own], found.probabilities[own], found.speakers[own]
    counted = tally(found.items[own].astype(str), speakers.astype(str), targets, probabilities)
    interval = figure_interval([counted], "uar") if len(counted.speakers) >= FEWEST_SPEAKERS else None
    return GroupScore(
        by, group, int(own.sum()), len(counted.speakers) if counted.speakers_known else None,
        float(uar(targets, probabilities)), float(chance_uar(targets)),
        None if interval is None else (max(0.0, interval.low), min(1.0, interval.high)),
    )  # fmt: skip


def _speakers(found: Evaluated) -> np.ndarray:
    """Speakers told apart over corpora, whose names for them may coincide."""
    corpora: Sequence[str] = [str(item).split("/")[0] for item in found.items]
    return np.array([f"{corpus}/{speaker}" for corpus, speaker in zip(corpora, found.speakers)])


def _aged(ages: pd.Series) -> pd.Series:
    years = pd.to_numeric(ages, errors="coerce")
    if not years.notna().any():
        return ages.astype("string")
    names = [f"{low} to {high - 1}" for low, high in pairwise(AGES)]
    names[-1] = f"{AGES[-2]} and older"
    return pd.cut(years, AGES, right=False, labels=names).astype("string")
