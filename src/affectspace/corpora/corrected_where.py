"""Where a corpus's labels were corrected: which class, whose voice, by whom, and whether that is more than chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact

from affectspace.corpora.corpus import Corpus
from affectspace.corpora.corrections import Correction, Corrections
from affectspace.corpora.known_labels import known_labels
from affectspace.labels.naming import class_of, lookup_of, meaning

__all__ = ["Clusters", "Group", "corrected_where"]

BY = ("label", "speaker", "language", "session", "by")
LEFT_OUT = "(left out)"
NONE = "(none)"


@dataclass(frozen=True)
class Group:
    """How many labels of some items were corrected.

    Args:
        by: what they have in common: ``"label"`` (the one that was seen), ``"speaker"``, ``"language"``, ``"session"``
            or ``"by"`` (who has judged them last).
        name: of the group.
        of: how many items were looked at, or are there.
        corrected: how many of them were given another label or left out.
        low, high: 95 % interval of the share (Clopper and Pearson).
        others: the share among all other items; NaN where there are none.
        p: how probable so unequal shares are if corrections fell on items by chance (Fisher's exact test, both
            sides), times how many groups were looked at (Holm), at most 1; NaN where nothing can be compared.
    """

    by: str
    name: str
    of: int
    corrected: int
    low: float
    high: float
    others: float
    p: float

    @property
    def share(self) -> float:
        """Of its items, corrected ones."""
        return self.corrected / self.of


@dataclass(frozen=True)
class Clusters:
    """What people have corrected of a corpus, and where.

    Args:
        corrected: how many items have another label than before, or none.
        confirmed: how many were looked at and keep their label.
        left_out: how many of the corrected ones are to be left out.
        of: how many items the shares are of.
        looked_at: whether these are the items that were looked at; else nobody has confirmed any, and they are all
            items of the corpus.
        not_here: how many items of the file the corpus does not have.
        unknown: (new, how many), the most frequent first, of labels that were given and that no item of the corpus has
            or had, no rater has chosen and nobody has seen: classes that the corpus lacks, or slips.
        changes: (old, new, how many), the most frequent first.
        groups: by what and of which name, those unlike the others first within each kind.
    """

    corrected: int
    confirmed: int
    left_out: int
    of: int
    looked_at: bool
    not_here: int
    unknown: tuple[tuple[str, int], ...]
    changes: tuple[tuple[str, str, int], ...]
    groups: tuple[Group, ...]


def corrected_where(corpus: Corpus, corrections: Corrections) -> Clusters:
    """How corrections are spread over classes, speakers, languages, sessions and those who corrected.

    A share needs to know what was looked at. Where any item was confirmed, those who correct also say what is right,
    and shares are of items that were corrected or confirmed; where none was, they are of all items, and a class that
    nobody has looked at seems to be without errors. Neither is drawn by chance: who goes through a list of doubtful
    labels finds more wrong ones in it than there are elsewhere.

    Args:
        corpus: whose items.
        corrections: as read; those of other corpora are not looked at.

    Example:
        >>> from pathlib import Path
        >>> from affectspace.corpora.corpus import Card, make_items, make_ratings
        >>> from affectspace.corpora.corrections import Correction
        >>> card = Card("toy")
        >>> rows = pd.DataFrame({"id": list("abcd"), "label": ["sad", "sad", "calm", "calm"], "speaker": list("xyxy")})
        >>> toy = Corpus(Path(), make_items(rows, card), make_ratings(None), card)
        >>> said = [Correction("", "ann", "toy/a", "sad", "calm"), Correction("", "ann", "toy/c", "calm", "calm")]
        >>> found = corrected_where(toy, Corrections(Path(), tuple(said)))
        >>> found.corrected, found.confirmed, found.of, found.changes
        (1, 1, 2, (('sad', 'calm', 1),))
        >>> [(group.name, group.corrected, group.of) for group in found.groups if group.by == "speaker"]
        [('x', 1, 2)]
    """
    items = corpus.items.dropna(subset="id").drop_duplicates("id").set_index("id")
    told = {
        entry.item.removeprefix(f"{corpus.name}/"): entry
        for entry in (*corrections.confirmed.values(), *corrections.latest.values())
        if entry.item.startswith(f"{corpus.name}/")
    }
    here = {item: entry for item, entry in told.items() if item in items.index}
    changed = {item: entry for item, entry in here.items() if entry.item in corrections.latest}
    seen = pd.Series({item: entry.old for item, entry in here.items()}, dtype="string")
    looked_at = len(changed) < len(here)
    chosen = items.loc[list(here)] if looked_at else items
    label = chosen["label"].astype("string").fillna("")
    label.update(seen)  # the label that was seen, which a recipe may have made of votes
    columns = {name: chosen[name] for name in ("speaker", "language", "session")}
    columns = {"label": label.map(lambda name: _meant(str(name), corpus.card.label_map)), **columns}
    if looked_at:
        columns["by"] = pd.Series({item: entry.by for item, entry in here.items()}, dtype="string")
    wrong = chosen.index.isin(list(changed))
    changes = Counter(
        (_meant(entry.old, corpus.card.label_map), _meant(entry.new, corpus.card.label_map) if entry.new else LEFT_OUT)
        for entry in changed.values()
    )
    return Clusters(
        corrected=len(changed),
        confirmed=len(here) - len(changed),
        left_out=sum(not entry.new for entry in changed.values()),
        of=len(chosen),
        looked_at=looked_at,
        not_here=len(told) - len(here),
        unknown=tuple(_unknown(corpus, here).most_common()),
        changes=tuple((old, new, count) for (old, new), count in changes.most_common()),
        groups=tuple(_groups(columns, wrong)) if changed else (),
    )


def _unknown(corpus: Corpus, here: Mapping[str, Correction]) -> Counter[str]:
    """How often each label was given that the corpus does not know; none where it knows no label at all."""
    legal = lookup_of(known_labels(corpus, {entry.old for entry in here.values()}))
    return Counter(entry.new for entry in here.values() if entry.new and legal and class_of(entry.new, legal) is None)


def _groups(columns: Mapping[str, pd.Series], wrong: np.ndarray) -> list[Group]:
    every, right = int(wrong.sum()), int((~wrong).sum())
    counted = []
    for by in BY:
        if by not in columns:
            continue
        names = columns[by].astype("string").fillna("").to_numpy(object)
        if not any(names):
            continue
        for name in dict.fromkeys(names):
            mine = names == name
            counted.append((by, str(name) or NONE, int(mine.sum()), int((mine & wrong).sum())))
    compared = [of < every + right for _, _, of, _ in counted]
    tests = np.array(
        [
            fisher_exact([[hits, of - hits], [every - hits, right - (of - hits)]])[1] if able else np.nan
            for (_, _, of, hits), able in zip(counted, compared)
        ],
        float,
    )
    found = [
        Group(by, name, of, hits, *_interval(hits, of), _others(hits, of, every, right), float(p))
        for (by, name, of, hits), p in zip(counted, _holm(tests))
    ]
    return sorted(
        found, key=lambda each: (BY.index(each.by), np.nan_to_num(each.p, nan=2.0), -each.corrected, each.name)
    )


def _interval(hits: int, of: int) -> tuple[float, float]:
    found = binomtest(hits, of).proportion_ci(method="exact")
    return float(found.low), float(found.high)


def _others(hits: int, of: int, every: int, right: int) -> float:
    rest = every + right - of
    return (every - hits) / rest if rest else float("nan")


def _holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p-values, NaN where there is none.

    Example:
        >>> _holm([0.01, float("nan"), 0.04, 0.03]).tolist()
        [0.03, nan, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    found[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return found


def _meant(label: str, mapping: Mapping[str, str]) -> str:
    return meaning(label, mapping) if label else NONE
