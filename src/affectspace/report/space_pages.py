"""What was found in a space, as pages: search results, sub-classes, suspected labels, the summary of an album."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.report.gallery import MOST_TILES, Section, Shown, Strip, write_gallery
from affectspace.report.phrases import counted, whole_percent
from affectspace.space import Space
from affectspace.space.subclasses import SubClasses
from affectspace.space.summary import Summary

__all__ = ["search_page", "subclasses_page", "summary_page", "suspects_page", "too_many"]

TYPICAL = 8  # items of a sub-class: one line of a page
MANY = 0.2  # of the items in doubt: raters disagree about fewer
NEIGHBOURS = 7  # beside a suspected item


def search_page(
    space: Space,
    query: Mapping[str, Any],
    rows: np.ndarray,
    distances: np.ndarray,
    path: str | Path,
    among: str = "",
    searched: int | None = None,
) -> Path:
    """The query, then what was found, nearest first.

    Args:
        space: that was searched.
        query: ``id`` and what else is known of it, as a row of a space's table.
        rows, distances: ``(k,)`` of what was found.
        path: the HTML file.
        among: the conditions that items had to meet, such as "split=test".
        searched: how many met them; None where that is not known.
    """
    found = space.items.iloc[rows]
    shown = [
        Shown(item, (f"distance {distance:#.3g}",), mark=f"{place}.")
        for place, (item, distance) in enumerate(zip(_rows(found), distances), 1)
    ]
    where = f" that have {among}" if among else ""
    count = "items" if searched is None else f"{searched:,}"
    cautions = ["Near is what the model that made this space finds alike; it was taught by labels, not by looks."]
    if told := _labels_of(found):
        cautions.insert(0, f"Their labels: {told}.")
    return write_gallery(
        [
            Section("The query", [Strip([Shown(query, lead=True)])]),
            Section(
                "What was found",
                [Strip(shown)],
                "The nearest first, with its distance from the query: 0 is the same place in the space.",
            ),
        ],
        space.classes,
        path,
        kicker="affectspace search",
        title=f"Items like {query['id']}",
        answer=f"The {counted(len(rows), 'item')} nearest to the query, of the {count}{where}.",
        cautions=cautions,
    )


def subclasses_page(found: SubClasses, path: str | Path, rest: str = "") -> Path:
    """The sub-classes of each class: the most typical item first, then those nearest to it.

    Args:
        found: the sub-classes, which know their space.
        path: the HTML file.
        rest: the file that holds all items.
    """
    space, sizes, names = found.space, found.sizes, found.names
    sections = []
    for place, name in enumerate(space.classes):
        parts = np.flatnonzero(found.classes_of == place)
        if not len(parts):
            continue
        total = int(sizes[parts].sum())
        strips = []
        for part in parts:
            medoid, *others = _rows(space.items.iloc[found.nearest(int(part), TYPICAL)])
            shown = [Shown(medoid, mark="most typical", lead=True), *map(Shown, others)]
            share = f"{100 * sizes[part] / total:.0f} % of {name}" if len(parts) > 1 else f"all of {name}"
            strips.append(Strip(shown, names[part], f"{counted(int(sizes[part]), 'item')}, {share}"))
        told = "1 sub-class: it stays whole" if len(parts) == 1 else f"{len(parts)} sub-classes"
        sections.append(Section(name, strips, f"{counted(total, 'item')} in {told}."))
    return write_gallery(
        sections,
        space.classes,
        path,
        kicker="affectspace discover",
        title="Classes within classes",
        answer=f"{_number(len(sections), 'class', 'classes')} of {len(space):,} items in "
        f"{_number(len(found), 'sub-class', 'sub-classes')}: groups that the model places together.",
        cautions=[
            "Each begins with its most typical item, the one in its middle (the medoid); those nearest to it follow. "
            "Whether what they share has a name is for you to see; a group may also be a camera, a corpus or a person."
        ],
        rest=rest,
    )


def too_many(suspects: int, items: int) -> str:
    """What to think of more labels in doubt than raters put there; empty where there are not so many."""
    if suspects <= MANY * items:
        return ""
    return "So many say more of the space, which does not hold the classes apart, than of the labels."


def suspects_page(
    space: Space, suspects: pd.DataFrame, path: str | Path, rest: str = "", most: int = MOST_TILES
) -> Path:
    """Items whose label may be wrong, the most doubtful first, each with its nearest neighbours beside it.

    Args:
        space: that was looked through.
        suspects: ``id``, ``label``, ``suggested``, ``score``, ``reasons``, ``neighbours`` (ids), best first.
        path: the HTML file.
        rest: the file that holds all of them.
        most: tiles on the page.
    """
    place_of = {name: row for row, name in enumerate(space.items["id"])}
    strips = []
    for place, suspect in enumerate(suspects.head(max(1, most // (NEIGHBOURS + 1))).to_dict("records"), 1):
        suggested = str(suspect["suggested"])
        lead = Shown(_row(space, place_of[suspect["id"]]), (f"suggested: {suggested}",), "in doubt", lead=True)
        beside = [Shown(_row(space, place_of[name])) for name in list(suspect["neighbours"])[:NEIGHBOURS]]
        label = str(suspect["label"]).replace("|", " or ")  # raters were tied
        title = f"{place}. Labelled {label}, perhaps {suggested}"
        note = f"score {suspect['score']:.2f} · {suspect['reasons']}"
        strips.append(Strip([lead, *beside], title, note))
    cautions = [
        "The framed tile is the item in doubt; beside it are its nearest neighbours in the space, nearest first.",
        "A label in doubt need not be wrong: a rare expression has few neighbours of its own class. Look, then decide.",
    ]
    if told := too_many(len(suspects), len(space)):
        cautions.insert(0, told)
    if len(strips) < len(suspects):
        where = f"; {rest} has all" if rest else ""
        cautions.append(f"The {len(strips)} most doubtful of {len(suspects):,} are shown{where}.")
    return write_gallery(
        [Section("Most doubtful first", strips)] if strips else [],
        space.classes,
        path,
        kicker="affectspace discover",
        title="Labels in doubt",
        answer=f"Of {len(space):,} items, {len(suspects):,} have a label that the rest of the space speaks against."
        if strips
        else f"None of {len(space):,} items is at odds with its neighbours.",
        cautions=cautions if strips else (),
        most=most,
    )


def summary_page(space: Space, summary: Summary, path: str | Path, rest: str = "") -> Path:
    """An album in groups, the largest first, each by its most typical items.

    Args:
        space: that was summarised.
        summary: its groups and the items that stand for them.
        path: the HTML file.
        rest: the file that holds all of these.
    """
    strips = []
    for group, part in summary.table.groupby("group"):
        found = _rows(space.items.iloc[part["row"]])
        shown = [
            Shown(item, mark="most typical" if medoid else "", lead=bool(medoid))
            for item, medoid in zip(found, part["medoid"])
        ]
        size = int(part["size"].iloc[0])
        told = [f"{counted(size, 'item')}, {100 * size / len(space):.1f} %"]
        inside = space.items[summary.assignment == group]
        told += [f"labels: {labels}" if (labels := _labels_of(inside, 3)) else ""]
        strips.append(Strip(shown, f"Group {len(strips) + 1}", " · ".join(filter(None, told))))
    return write_gallery(
        [Section("The groups, largest first", strips)],
        space.classes,
        path,
        kicker="affectspace summarise",
        title="The album at a glance",
        answer=f"{len(space):,} items in {counted(len(strips), 'group')} of what the model finds alike.",
        cautions=[
            "Each group is shown by its most typical item, framed, and by those nearest to it; near-copies of what is "
            f"already shown are passed over. The framed items alone keep {whole_percent(summary.coverage)} of how "
            "the items differ (their variance in the space)."
        ],
        rest=rest,
    )


def _row(space: Space, row: int) -> dict[str, Any]:
    return _rows(space.items.iloc[[row]])[0]


def _rows(items: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in items.to_dict("records")]


def _labels_of(items: pd.DataFrame, most: int = 20) -> str:
    """The labels by frequency, with how many items have each."""
    counts = Counter(items["label"].dropna()).most_common()
    told = [f"{name} {count:,}" for name, count in counts[:most]]
    return ", ".join([*told, *(["..."] if len(counts) > most else [])])


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
