"""An item of a space as a tile: its picture in small, or its words, and what people and the model say of it."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from affectspace.errors import InputError
from affectspace.files import packed
from affectspace.media import crop_box, read_image
from affectspace.report.phrases import listed
from affectspace.report.style import CLASS_COLOURS

__all__ = ["SIDE", "Picture", "Tile", "Vote", "class_swatches", "make_tile", "picture_of", "read_pictures", "text_of"]

Picture = tuple[str, str]  # a data: address, and why it is empty

SIDE = 96  # pixels; a page of some hundred tiles stays below two megabytes
LONGEST_TEXT = 220
UNCOLOURED = "#8c949e"
LEAST_SHARE = 0.005  # of votes; less would be no pixel wide


@dataclass(frozen=True)
class Vote:
    """The share of raters who chose a class, and its colour."""

    name: str
    share: float
    colour: str

    @property
    def percent(self) -> float:
        return round(100 * self.share, 1)


@dataclass(frozen=True)
class Tile:
    """What a page shows of an item.

    Args:
        id: of the item.
        picture: a ``data:`` address, or empty.
        words: its text, where it has no picture.
        kind: "image", "recording", "text" or "item".
        reason: why there is no picture, though the item has an image.
        label, prediction: class names, empty where unknown.
        votes: of the raters, largest first; empty where all agree or nothing is known.
        notes: lines below, such as a distance.
        mark: a word upon the tile, such as "most typical".
        lead: it stands apart from the tiles behind it.
    """

    id: str
    picture: str = ""
    words: str = ""
    kind: str = "item"
    reason: str = ""
    label: str = ""
    prediction: str = ""
    votes: tuple[Vote, ...] = ()
    notes: tuple[str, ...] = ()
    mark: str = ""
    lead: bool = False

    @cached_property
    def told_votes(self) -> str:
        """The votes in words."""
        return listed([f"{vote.name} {round(100 * vote.share)} %" for vote in self.votes])

    @property
    def tied(self) -> bool:
        """Whether two classes have most votes, so that there is no label."""
        return len(self.votes) > 1 and self.votes[0].percent == self.votes[1].percent


def class_swatches(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class; those after the tenth share grey, as no eye tells more apart.

    Example:
        >>> class_swatches(["no", "yes"])
        {'no': '#0072B2', 'yes': '#D55E00'}
    """
    return {name: CLASS_COLOURS[row] if row < len(CLASS_COLOURS) else UNCOLOURED for row, name in enumerate(classes)}


def make_tile(
    item: Mapping[str, Any],
    classes: Sequence[str],
    *,
    notes: Sequence[str] = (),
    mark: str = "",
    lead: bool = False,
    pictures: Mapping[tuple[str, str], Picture] | None = None,
) -> Tile:
    """The tile of a row of a space's table.

    A picture is shrunk to at most 96 pixels a side and kept in the page itself as a JPEG. One that cannot be read
    leaves a tile with the reason, without the folders of this machine.

    Args:
        item: ``id`` and what else is known: ``image`` and its ``box``, ``audio``, ``text``, ``label``, ``prediction``,
            ``target``.
        classes: those of the space, in the order of ``target``.
        notes, mark, lead: see :class:`Tile`.
        pictures: what :func:`read_pictures` has read; None: the picture is read here.

    Example:
        >>> make_tile({"id": "a/1", "text": "Well done!", "label": "happy"}, ["happy", "sad"]).words
        'Well done!'
    """
    wanted = picture_of(item)
    picture, reason = (read_pictures([wanted]) if pictures is None else pictures).get(wanted, ("", ""))
    words = text_of(item, "text")
    kind = next((word for word in ("image", "audio", "text") if text_of(item, word)), "item")
    return Tile(
        id=text_of(item, "id"),
        picture=picture,
        words=words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 1].rstrip() + "…",
        kind={"audio": "recording"}.get(kind, kind),
        reason=reason,
        label=text_of(item, "label"),
        prediction=text_of(item, "prediction"),
        votes=_votes(item.get("target"), classes),
        notes=tuple(note for note in notes if note),
        mark=mark,
        lead=lead,
    )


def picture_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """The picture of an item, and the box of the part of it that the item is; empty where there is none."""
    return text_of(item, "image"), text_of(item, "box")


def read_pictures(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Picture]:
    """Each of :func:`picture_of` in small as a ``data:`` address, and why there is none; empty ones are passed over.

    They are read once each and in the order of their tables' rows, which are unpacked by the thousand.
    """

    def place(each: tuple[str, str]) -> tuple[str, int, str]:
        path, row = packed(each[0])
        return str(path), -1 if row is None else row, each[1]

    return {each: _picture(*each) for each in sorted({each for each in wanted if each[0]}, key=place)}


def _picture(reference: str, box: str) -> Picture:
    try:
        pixels = read_image(reference)
        if box:
            pixels = crop_box(pixels, box)
    except (InputError, OSError) as error:
        folder = f"{Path(reference).parent}/"
        return "", f"no picture: {str(error).replace(folder, '')}"
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if image.mode == "RGB" and not np.ptp(np.asarray(image), axis=-1).any():
        image = image.convert("L")  # grey in three channels would take twice the bytes
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=85, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(), ""


def _votes(target: Any, classes: Sequence[str]) -> tuple[Vote, ...]:
    if target is None or np.ndim(target) != 1 or len(target) != len(classes):
        return ()
    shares = np.nan_to_num(np.asarray(target, dtype=float))
    votes = [Vote(name, float(share), colour) for (name, colour), share in zip(class_swatches(classes).items(), shares)]
    return tuple(sorted((vote for vote in votes if vote.share >= LEAST_SHARE), key=lambda vote: -vote.share))


def text_of(item: Mapping[str, Any], name: str) -> str:
    """A cell of an item as text, empty where it is missing."""
    value = item.get(name)
    return "" if value is None or (np.ndim(value) == 0 and pd.isna(value)) else str(value)
