"""A folder of pictures and videos, or a corpus, to a corpus of crops of faces."""

import csv
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import tomli_w
from rich.console import Console
from rich.progress import track

from affectspace.errors import InputError
from affectspace.faces.cropping import Cropping, crop_source
from affectspace.faces.journal import Journal
from affectspace.faces.sources import Sources, open_sources
from affectspace.faces.tables import crops_of, face_card, face_items, face_ratings
from affectspace.features.in_order import in_order
from affectspace.files import atomic_path, held, sweep, write_json, write_text

__all__ = ["FacesMade", "make_faces"]

ABOUT, CROPS, ITEMS, JOURNAL = "faces.json", "faces", "items.csv", "faces.jsonl"


@dataclass(frozen=True)
class FacesMade:
    """What :func:`make_faces` has made.

    Args:
        out: the folder of the corpus.
        sources: pictures and videos, those that cannot be read included.
        items: its table of items, a row a crop.
        quarantine: ``source`` (its path, or its id in a corpus) and ``reason`` of every one without a crop.
        others: endings of files that were not looked at, and how many there are of each.
    """

    out: Path
    sources: int
    items: pd.DataFrame
    quarantine: pd.DataFrame
    others: dict[str, int]


def make_faces(
    source: str | Path,
    out: str | Path,
    *,
    faces: str = "largest",
    finder: str = "cascade",
    side: int = 128,
    workers: int | None = None,
    quiet: bool = False,
) -> FacesMade:
    """Find and crop the faces of pictures and videos, and write them as a corpus that can be checked and trained on.

    Of a video three pictures a second are looked at; one without a face takes those of the last that had any
    (``carried``). Labels, splits, speakers, ratings and the card of a corpus go with its faces, and the names of
    folders become labels where folders are classes. Where any picture or video gives several faces, every face has a
    ``session``, that of its file, so that splits can keep them together.

    The folder holds ``items.csv``, ``corpus.toml``, ``quarantine.csv`` (source, reason), ``ratings.csv`` where there
    are any, the crops as PNGs in ``faces``, and what it takes to go on: the same call again looks only at what is new,
    has changed, or was not done when it was ended.

    Args:
        source: a folder, a corpus, a table, or one file; see :func:`~affectspace.faces.sources.open_sources`.
        out: a new folder, or one that the same call has begun.
        faces: ``"largest"`` or ``"all"`` of a picture or frame.
        finder: ``"cascade"``, or the path of a YuNet file.
        side: of the crops, in pixels.
        workers: processes; None: as many as pay.
        quiet: no progress bar; there is none in a pipe either.

    Raises:
        InputError: a source without pictures and videos, no face in any, a setting that is illegal, or a folder that
            holds something else or crops made with other settings.
    """
    settings = Cropping(faces, finder, side)
    source, out = Path(source).expanduser(), Path(out).expanduser()
    _refuse_place(source, out)
    found = open_sources(source)
    with held(out, f"another process makes faces in {out}; wait for it, or choose another folder with --out"):
        _claim(out, {"source": str(source.resolve()), **settings.told})
        sweep(out)
        journal = Journal(out / JOURNAL, out / CROPS, found.sources, out / ITEMS)
        todo = [each for each in found.sources if each.id not in journal.done]
        made = in_order(partial(crop_source, settings, out / CROPS), todo, workers, batch=1)
        console = Console(stderr=True)
        with journal.writing() as note:
            bar = track(made, "Faces", len(todo), console=console, disable=quiet or not console.is_terminal)
            for each, cropped in zip(todo, bar):
                note(each, cropped)
        return _write(out, found, journal, source)


def _refuse_place(source: Path, out: Path) -> None:
    if out.is_dir() and not (out / ABOUT).is_file() and any(entry.name != ".lock" for entry in out.iterdir()):
        raise InputError(f"{out} holds something else; choose a new folder with --out")
    if source.is_dir() and source.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(
            f"{out} lies in {source}, whose pictures it would be among; choose a folder beside it with --out"
        )


def _claim(out: Path, about: dict) -> None:
    """Write down how the crops are made, or make sure that those that are there were made so."""
    try:
        there = json.loads((out / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        write_json(out / ABOUT, about)
        return
    except ValueError:
        raise InputError(f"{out / ABOUT} is damaged; remove {out}, or choose another folder with --out") from None
    for name, value in about.items():
        if not isinstance(there, dict) or there.get(name) != value:
            was = there.get(name) if isinstance(there, dict) else there
            raise InputError(
                f"{out} holds faces made with {name} = {was!r}, not {value!r}; choose another folder with --out"
            )


def _write(out: Path, found: Sources, journal: Journal, source: Path) -> FacesMade:
    aside = [*found.unusable, *((each.stem, why) for each in found.sources if (why := journal.done[each.id].reason))]
    quarantine = pd.DataFrame(aside, columns=["source", "reason"])
    _table(quarantine, out / "quarantine.csv")
    made = crops_of(found, journal.done, CROPS)
    if not len(made):
        first = f"; the first: {aside[0][0]}: {aside[0][1]}" if aside else ""
        raise InputError(f"no face in any of the {len(aside)} pictures and videos of {source}{first}")
    items, ratings = face_items(found, made), face_ratings(found, made)
    if len(ratings):
        _table(ratings, out / "ratings.csv")
    else:
        (out / "ratings.csv").unlink(missing_ok=True)
    name, shown = out.resolve().name, source.resolve().name
    note = f"Faces found in {shown}; pictures and videos without any: {len(aside)}."
    write_text(out / "corpus.toml", tomli_w.dumps(face_card(found.card, name, note)))
    _table(items.assign(carried=items["carried"].map({True: "yes", False: "no"})), out / ITEMS)
    return FacesMade(out, len(found.sources) + len(found.unusable), items, quarantine, found.others)


def _table(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as aside:  # quoted, as blanks at the beginning of a cell are otherwise none of it
        table.to_csv(aside, index=False, quoting=csv.QUOTE_NONNUMERIC)
