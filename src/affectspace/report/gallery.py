"""Pages of tiles: items of a space beside each other, with what people and the model say of each."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectspace.report.page import write_page
from affectspace.report.tiles import Picture, Tile, class_swatches, make_tile, picture_of, read_pictures

__all__ = ["MOST_TILES", "Section", "Shown", "Strip", "write_gallery"]

MOST_TILES = 600  # of some two kilobytes each, so that a page opens at once and can be sent by mail


@dataclass(frozen=True)
class Shown:
    """An item that is to become a tile.

    Args:
        item: its row of a space's table, by column.
        notes: lines below it, such as a distance.
        mark: a word upon it, such as "most typical".
        lead: it comes first and stands apart.
    """

    item: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    mark: str = ""
    lead: bool = False


@dataclass(frozen=True)
class Strip:
    """Tiles in a row, with a heading and a line about them."""

    shown: Sequence[Shown]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Strips under one heading."""

    title: str
    strips: Sequence[Strip] = field(default_factory=list)
    caption: str = ""


def write_gallery(
    sections: Sequence[Section],
    classes: Sequence[str],
    path: str | Path,
    *,
    kicker: str,
    title: str,
    answer: str,
    cautions: Sequence[str] = (),
    rest: str = "",
    most: int = MOST_TILES,
    date: datetime.date | None = None,
) -> Path:
    """Write a self-contained page of tiles; nothing in it is loaded from elsewhere, and no label can act.

    Args:
        sections: what is to be seen, in order; a page with several begins with a list of them.
        classes: of the space, for the colours of the votes.
        path: the HTML file.
        kicker, title, answer: the small line above, the heading, and what the page says in one sentence.
        cautions: what a reader should keep in mind.
        rest: where the items are that a page cannot hold, such as "suspects.csv".
        most: tiles on the page; beyond that, the longest strips are cut first, and the page says so.
        date: printed at the end; today where None.

    Returns:
        Where the page is.
    """
    wanted = sum(len(strip.shown) for section in sections for strip in section.strips)
    kept = _trimmed(sections, most)
    items = [each.item for section in kept for strip in section.strips for each in strip.shown]
    pictures = read_pictures(picture_of(item) for item in items)
    shown = [
        {
            "title": section.title,
            "caption": section.caption,
            "strips": [
                {
                    "title": strip.title,
                    "note": strip.note,
                    "tiles": [_tile(each, classes, pictures) for each in strip.shown],
                }
                for strip in section.strips
            ],
        }
        for section in kept
    ]
    tiles: list[Tile] = [tile for section in shown for strip in section["strips"] for tile in strip["tiles"]]
    voted = {vote.name for tile in tiles for vote in tile.votes}
    values = {
        "kicker": kicker,
        "title": title,
        "answer": answer,
        "cautions": [*cautions, *_cut(len(tiles), wanted, rest)],
        "sections": shown,
        "swatches": [(name, colour) for name, colour in class_swatches(classes).items() if name in voted],
        "predicted": any(tile.prediction for tile in tiles),
        "labelled": any(tile.label for tile in tiles),
        "unlabelled": any(not tile.label for tile in tiles),
    }
    return write_page("gallery.html", path, date, values)


def _tile(shown: Shown, classes: Sequence[str], pictures: Mapping[tuple[str, str], Picture]) -> Tile:
    return make_tile(shown.item, classes, notes=shown.notes, mark=shown.mark, lead=shown.lead, pictures=pictures)


def _trimmed(sections: Sequence[Section], most: int) -> list[Section]:
    """The sections with at most so many tiles: the longest strips are cut to one length, then strips left out."""
    lengths = [len(strip.shown) for section in sections for strip in section.strips]
    longest = max(lengths, default=0)
    while longest > 1 and sum(min(length, longest) for length in lengths) > most:
        longest -= 1
    left, kept = most, []
    for section in sections:
        strips = []
        for strip in section.strips:
            part = strip.shown[: min(longest, left)]
            left -= len(part)
            if part or not strip.shown:
                strips.append(Strip(part, strip.title, strip.note))
        if strips or not section.strips:
            kept.append(Section(section.title, strips, section.caption))
    return kept


def _cut(shown: int, wanted: int, rest: str) -> list[str]:
    if shown == wanted:
        return []
    told = f"This page shows {shown:,} of {wanted:,} tiles, as more would make it slow to open"
    return [f"{told}; {rest} has them all." if rest else f"{told}."]
