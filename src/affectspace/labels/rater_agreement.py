"""Who agrees with the others, which class divides them, and on which items: what one alpha does not tell."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from affectspace.labels.agreement import Ends, judged_by_people
from affectspace.labels.votes import Judgements, numbers

__all__ = ["OTHERS", "class_agreement", "divided_items", "rater_agreement"]

MOST_VALUES = 100  # that are told apart here, the most frequent ones; words of one's own are too many for a table
OTHERS = "(others)"
PAIRS = 20_000  # of a rater and an item, looked at in one go


@dataclass(frozen=True)
class _Counted:
    """Judgements of items that have two or more.

    Args:
        items, places: of each judgement, its item and its value.
        raters: names, None where unknown.
        counts: ``(items, values)``.
        ids, names: of the items and the values.
    """

    items: np.ndarray
    places: np.ndarray
    raters: np.ndarray
    counts: np.ndarray
    ids: np.ndarray
    names: np.ndarray


def rater_agreement(ratings: pd.DataFrame, dimension: str, scale: Ends | None = None) -> pd.DataFrame:
    r"""How far each rater agrees with the others who judged the same items.

    Of categories, ``agreement`` is the mean share of the others that say the same, ``chance`` the same of judgements
    that are dealt anew among the items that the rater judged, and ``kappa = (agreement - chance) / (1 - chance)``:
    1 for whoever says what all others say, 0 for whoever answers at random, whatever their habits. Of numbers,
    ``bias`` is how much higher the rater judges than the mean of the others, and ``correlation`` Pearson's with it.

    Args:
        ratings, dimension, scale: as for :func:`affectspace.labels.agreement`. Judgements without a rater's name
            are others to those who have one.

    Returns:
        One row a named rater, those who agree least first: ``rater``, ``items`` judged, ``shared`` with others, and
        ``agreement``, ``chance``, ``kappa``, ``says``, ``others_say``, ``times`` (what they most often say where most
        others say something else), or ``bias`` and ``correlation``. NaN where nothing is shared.

    Raises:
        InputError: as for :func:`affectspace.labels.agreement`.

    Source: kappa after Cohen, "A coefficient of agreement for nominal scales", 1960, against all others as in Conger,
    "Integration and generalization of kappas for multiple raters", 1980.

    Example:
        >>> said = {"ann": "aabb", "bo": "aabb", "cy": "abba"}
        >>> rows = [(str(item), who, value) for who, values in said.items() for item, value in enumerate(values)]
        >>> ratings = pd.DataFrame(rows, columns=["item", "rater", "value"]).assign(dimension="emotion")
        >>> rater_agreement(ratings, "emotion")[["rater", "shared", "agreement", "kappa"]].values.tolist()
        [['cy', 4, 0.5, 0.0], ['ann', 4, 0.75, 0.5], ['bo', 4, 0.75, 0.5]]
    """
    judged = judged_by_people(ratings, dimension)
    rows = pd.DataFrame({"rater": judged.raters, "item": judged.items}).dropna().drop_duplicates()
    items = rows["rater"].astype(str).value_counts().sort_index()
    if scale is not None:
        found = _of_numbers(judged, numbers(judged, dimension, scale.low, scale.high))
        least = "correlation"
    else:
        found = _of_classes(_counted(judged))
        least = "kappa"
    table = found.reindex(items.index).assign(items=items, shared=lambda told: told["shared"].fillna(0).astype(int))
    table = table.rename_axis("rater").reset_index()[["rater", "items", *found.columns]]
    return table.sort_values(least, kind="stable", ignore_index=True)


def class_agreement(ratings: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Which categories raters agree on: the specific agreement of each.

    Args:
        ratings, dimension: as for :func:`affectspace.labels.agreement`.

    Returns:
        One row a category, the most frequent first: ``class``, ``judgements`` (of items with two or more),
        ``agreement`` (where one says it, the share of the others who do), ``chance`` (the share of all judgements that
        say it), and ``against`` with ``against_share``: what else the others say most, empty where
        there is nothing else.

    Source: specific agreement of Spitzer & Fleiss, "A re-analysis of the reliability of psychiatric diagnosis", 1974.

    Example:
        >>> ratings = pd.DataFrame({"item": list("aabbcc"), "rater": ["x", "y"] * 3, "dimension": "emotion",
        ...                         "value": ["sad", "sad", "calm", "angry", "calm", "calm"]})
        >>> class_agreement(ratings, "emotion")[["class", "agreement", "against"]].values.tolist()
        [['calm', 0.6666666666666666, 'angry'], ['sad', 1.0, ''], ['angry', 0.0, 'calm']]
    """
    found = _counted(judged_by_people(ratings, dimension))
    counts = found.counts
    share = counts / (counts.sum(1, keepdims=True) - 1)
    said = share.T @ counts  # of those who say the row's, how many of the others say the column's, in shares
    totals = counts.sum(0)
    own = np.diag(said) - share.sum(0)
    other = said - np.diag(np.diag(said))
    worst = other.argmax(1) if len(totals) else np.zeros(0, int)
    most = other.max(1, initial=0)
    table = pd.DataFrame(
        {
            "class": found.names,
            "judgements": totals.astype(int),
            "agreement": own / totals,
            "chance": (totals - 1) / max(totals.sum() - 1, 1),
            "against": [str(found.names[place]) if share > 0 else "" for place, share in zip(worst, most)],
            "against_share": most / totals,
        }
    )
    return table.sort_values("judgements", ascending=False, kind="stable", ignore_index=True)


def divided_items(ratings: pd.DataFrame, dimension: str, scale: Ends | None = None, count: int = 10) -> pd.DataFrame:
    """The items whose raters are most divided.

    Args:
        ratings, dimension, scale: as for :func:`affectspace.labels.agreement`.
        count: how many at most.

    Returns:
        ``item``, ``judgements``, ``divided`` and ``votes`` (such as ``"2 x sad, 1 x angry"``), the most divided first,
        of equally divided ones those with more judgements. Divided is the share of pairs of judgements that differ,
        or the standard deviation of numbers. Items of which all judgements are equal are none.

    Example:
        >>> ratings = pd.DataFrame({"item": list("aabb"), "rater": ["x", "y"] * 2, "dimension": "emotion",
        ...                         "value": ["sad", "sad", "calm", "angry"]})
        >>> divided_items(ratings, "emotion").values.tolist()
        [['b', 2, 1.0, '1 x angry, 1 x calm']]
    """
    judged = judged_by_people(ratings, dimension)
    found = _counted(judged)
    size = found.counts.sum(1)
    if scale is None:
        divided = (size**2 - (found.counts**2).sum(1)) / np.maximum(size * (size - 1), 1)
    else:
        values = numbers(judged, dimension, scale.low, scale.high)
        groups = pd.Series(values).groupby(judged.items)
        divided = groups.std(ddof=0).reindex(found.ids).to_numpy()
    order = np.lexsort((np.arange(len(size)), -size, -divided))[:count]
    rows = [
        (str(found.ids[row]), int(size[row]), float(divided[row]), _votes(found.counts[row], found.names))
        for row in order
        if divided[row] > 0
    ]
    return pd.DataFrame(rows, columns=["item", "judgements", "divided", "votes"])


def _counted(judged: Judgements) -> _Counted:
    items = pd.factorize(judged.items)[0]
    paired = np.bincount(items)[items] > 1 if len(items) else np.zeros(0, bool)
    codes, ids = pd.factorize(judged.items[paired])
    names, places = np.unique(judged.values[paired].astype(str), return_inverse=True)
    if len(names) > MOST_VALUES:
        kept = np.sort(np.argsort(-np.bincount(places), kind="stable")[: MOST_VALUES - 1])
        moved = np.full(len(names), len(kept))
        moved[kept] = np.arange(len(kept))
        names, places = np.array([*names[kept], OTHERS], dtype=object), moved[places]
    counts = np.zeros((len(ids), len(names)))
    np.add.at(counts, (codes, places), 1)
    return _Counted(codes, places, judged.raters[paired], counts, np.asarray(ids, object), names.astype(object))


def _of_classes(found: _Counted) -> pd.DataFrame:
    """Figures by rater, indexed by name."""
    named = np.flatnonzero([rater is not None for rater in found.raters])
    everybody, who = np.unique(found.raters[named].astype(str), return_inverse=True)
    pairs, pair = np.unique(np.stack([who, found.items[named]]), axis=1, return_inverse=True)
    own = csr_array((np.ones(len(named)), (pair.ravel(), found.places[named])), (pairs.shape[1], len(found.names)))
    people, values = len(everybody), len(found.names)
    agreed, shared = np.zeros(people), np.zeros(people, int)
    says, others = np.zeros((people, values)), np.zeros((people, values))
    unlike = Counter[tuple[int, int, int]]()
    for start in range(0, pairs.shape[1], PAIRS):
        rater, item = pairs[:, start : start + PAIRS]
        mine = own[start : start + PAIRS].toarray()
        rest = found.counts[item] - mine
        kept = rest.sum(1) > 0
        rater, mine, rest = rater[kept], mine[kept], rest[kept]
        said, share = mine / mine.sum(1, keepdims=True), rest / rest.sum(1, keepdims=True)
        np.add.at(shared, rater, 1)
        np.add.at(agreed, rater, (said * share).sum(1))
        np.add.at(says, rater, said)
        np.add.at(others, rater, share)
        most = rest.argmax(1)
        sole = ((rest == rest.max(1, keepdims=True)).sum(1) == 1) & (mine.sum(1) == 1) & (mine.argmax(1) != most)
        unlike.update(zip(rater[sole].tolist(), mine[sole].argmax(1).tolist(), most[sole].tolist()))
    with np.errstate(divide="ignore", invalid="ignore"):
        agreement = agreed / shared
        chance = (says * others).sum(1) / shared.astype(float) ** 2
        kappa = np.where(chance < 1, (agreement - chance) / (1 - chance), np.nan)
    worst: dict[int, tuple[str, str, int]] = {}
    for (rater, mine, most), times in sorted(unlike.items(), key=lambda each: (-each[1], each[0])):
        worst.setdefault(rater, (str(found.names[mine]), str(found.names[most]), times))
    told = [worst.get(rater, ("", "", 0)) for rater in range(people)]
    table = pd.DataFrame(told, index=everybody, columns=["says", "others_say", "times"])
    for place, (name, figures) in enumerate(
        {"shared": shared, "agreement": agreement, "chance": chance, "kappa": kappa}.items()
    ):
        table.insert(place, name, figures)
    return table


def _of_numbers(judged: Judgements, values: np.ndarray) -> pd.DataFrame:
    """Figures by rater, indexed by name."""
    rows = pd.DataFrame({"rater": judged.raters, "item": judged.items, "value": values})
    total, count = (rows.groupby("item")["value"].transform(how) for how in ("sum", "count"))
    by_pair = rows.assign(total=total, count=count).dropna(subset="rater").groupby(["rater", "item"])
    mine = by_pair["value"].agg(["sum", "count"])
    whole = by_pair[["total", "count"]].first()
    others = whole["count"] - mine["count"]
    table = pd.DataFrame(
        {"own": mine["sum"] / mine["count"], "rest": (whole["total"] - mine["sum"]) / others.where(others > 0)}
    ).dropna()
    found = {
        str(rater): (len(part), float((part["own"] - part["rest"]).mean()), _correlation(part["own"], part["rest"]))
        for rater, part in table.groupby("rater")
    }
    return pd.DataFrame.from_dict(found, orient="index", columns=["shared", "bias", "correlation"])


def _correlation(own: pd.Series, rest: pd.Series) -> float:
    """Pearson's, NaN where either never changes."""
    a, b = own - own.mean(), rest - rest.mean()
    spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / spread) if spread > 1e-12 else float("nan")


def _votes(counts: np.ndarray, names: np.ndarray) -> str:
    order = [place for place in np.argsort(-counts, kind="stable") if counts[place]]
    return ", ".join(f"{counts[place]:.0f} x {names[place]}" for place in order)
