"""A file that is looked for as it is, in a space of crops that ``affectspace faces`` has made."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectspace.cli.tell import quoted

if TYPE_CHECKING:
    from affectspace.space import Space

__all__ = ["uncropped_told"]

LOOKED_AT = 20  # items whose folders are asked; spaces of several corpora may be of crops in part
USUAL_SIDE = 128


def uncropped_told(space: "Space", query: Path) -> str:
    """What to do where the items of a space are crops of faces, and a query is a picture that is none; else empty.

    Nothing is cropped here: the finder may be a file that is no longer there, and a query may be a crop already.
    """
    images = space.items["image"].dropna()
    made = [about for image in images.iloc[:: max(1, len(images) // LOOKED_AT)] if (about := _made(Path(image)))]
    if not made or _made(query.resolve()):
        return ""
    finder, side = str(made[0]["finder"]), made[0]["side"]
    by = "cascade" if finder.startswith("cascade") else "the YuNet file that they were made with"
    options = [] if by == "cascade" else ["--finder", "FILE.onnx"]
    options += [] if side == USUAL_SIDE else ["--side", str(side)]
    folder = Path(f"{query.stem}-faces")  # named, as crops of one picture are put nowhere beside it by themselves
    command = quoted("affectspace", "faces", query, *options, "--out", folder)
    return (
        f"This collection holds crops of faces, made by affectspace faces with {by}, and {query} was taken as it is. "
        f"Unless it is such a crop already, make one by: {command}, and query the picture in {folder / 'faces'}."
    )


def _made(image: Path) -> dict[str, Any]:
    """How the crops of the folder that a picture lies in were made; empty where it is no folder of crops."""
    from affectspace.faces.make import ABOUT, CROPS

    for folder in image.parents:
        if folder.name == CROPS and (folder.parent / ABOUT).is_file():
            try:
                about = json.loads((folder.parent / ABOUT).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return {}
            return about if isinstance(about, dict) and {"finder", "side"} <= about.keys() else {}
    return {}
