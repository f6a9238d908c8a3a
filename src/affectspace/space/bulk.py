"""Large corpora to a space in shards, by processes here or on other machines, each item once."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import track

from affectspace.clusters.versions import versions_here
from affectspace.errors import AffectspaceError, InputError
from affectspace.features.in_order import in_order
from affectspace.features.lines import Lines
from affectspace.files import held, json_text, sweep
from affectspace.places import Place
from affectspace.space.bulk_job import Job
from affectspace.space.bulk_plan import Plan, agree, make_plan, parquet_bytes, refuse_taken
from affectspace.space.bulk_shard import embed_shard
from affectspace.space.read_media import first_of
from affectspace.space.sharded import FORMAT, MANIFEST, QUARANTINE, note_name, shard_name, tries_name
from affectspace.training.hub_model import named_on_hub
from affectspace.training.model import load_model

__all__ = ["Bulk", "Engine", "embed_in_shards", "here"]

# Seconds to wait for a file that was written a moment ago: some stores show it late.
WAITS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 15.0)

Engine = Callable[[Job, Sequence[int]], Iterator[dict[str, Any]]]
"""Embeds shards by :func:`~affectspace.space.bulk_shard.embed_shard`, in any order, and gives the note of each."""


@dataclass(frozen=True)
class Bulk:
    """A space in shards that is whole.

    Args:
        items: how many it has.
        shards: in how many files.
        before: shards that were there already.
        quarantine: ``id`` and ``reason`` of every item left out.
        classes: of the model.
        omitted: columns of the items that it has not, and why.
        notes: a sentence on labels of each corpus that it has not.
        labelled: whether any item has a label.
        first: the id of the first item.
    """

    items: int
    shards: int
    before: int
    quarantine: pd.DataFrame
    classes: tuple[str, ...]
    omitted: dict[str, str]
    notes: tuple[str, ...]
    labelled: bool
    first: str


def here(job: Job, shards: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The engine of this machine: one process, and more where they pay."""
    return in_order(partial(embed_shard, job), shards, batch=1)


def embed_in_shards(
    run: str | Path,
    sources: Sequence[str | Path],
    out: str | Path,
    engine: Engine = here,
    *,
    command: str,
    device: str = "cpu",
    quiet: bool = False,
) -> Bulk:
    """Embed media files, folders of them and corpora to a folder of shards, or go on where an earlier call was ended.

    The manifest is written once every shard is there, under its name and of its size, and on a disk with its hash;
    lists of a store are never asked for.

    Args:
        run: a finished run folder, a model folder, or ``hf:OWNER/NAME``.
        sources: as :func:`~affectspace.space.embed.embed` takes them; corpora with a table also by a URL.
        out: a folder or a URL.
        engine: where shards are embedded.
        command: that somebody types to go on.
        device: of torch, that nets run on.
        quiet: whether no bar is shown.

    Raises:
        InputError: sources or a model that cannot be used, another plan or anything else in the folder, or another
            process at work there; no item that can be read.
        AffectspaceError: what an engine could not do, or a store did not keep.
    """
    place = Place(str(out))
    folder = place.local
    refuse_taken(place)
    plan = make_plan(load_model(run), run, sources, command)
    busy = f"another process is writing to {out}; wait for it, or choose another --out"
    with nullcontext() if folder is None else held(folder, busy):
        if not (begun := agree(plan, place)):
            plan.write(place)
        if folder is not None:
            sweep(folder)
        notes = dict(_notes(plan, place))
        before = len(notes)
        left = [shard for shard in range(plan.shards) if shard not in notes]
        if left:
            place.remove(MANIFEST)  # of a folder that was whole and has lost something since
        for shard in left if begun else ():
            place.remove(tries_name(shard))  # somebody has looked at what went wrong
        at = place.url if folder is None else str(folder.resolve())
        job = Job(at, plan.id, _absolute(plan.run), plan.model, plan.roots, plan.classes, plan.about, plan.features,
                  versions_here(), device)  # fmt: skip
        if left:
            for note in _shown(engine(job, left), plan, notes, quiet):
                _refuse_lost(plan, place, note)
                notes[note["shard"]] = note
        return _finished(plan, place, notes, before)


def _absolute(run: str) -> str:
    return run if named_on_hub(run) else str(Path(run).resolve())


def _notes(plan: Plan, place: Place) -> Iterator[tuple[int, dict[str, Any]]]:
    """The notes of shards that are there as they say, and of this plan."""
    for shard in range(plan.shards):
        try:
            note = json.loads(place.read(note_name(shard)))
        except (FileNotFoundError, ValueError):
            continue
        if note.get("plan") == plan.id and _kept(place, note):
            yield shard, note
        else:
            place.remove(note_name(shard))  # or whoever embeds it would take it for done


def _kept(place: Place, note: dict[str, Any]) -> bool:
    """Whether a shard is there as its note has it: by its size, and by its bytes where they are at hand."""
    if not note["rows"]:
        return True
    name = shard_name(note["shard"])
    if place.size(name) != note["bytes"]:
        return False
    return place.local is None or hashlib.sha256(place.read(name)).hexdigest() == note["sha256"]


def _refuse_lost(plan: Plan, place: Place, note: dict[str, Any]) -> None:
    """Stop where a shard that was written is not to be seen, a little while later either."""
    name = shard_name(note["shard"])
    if note.get("plan") != plan.id or note["rows"] + len(note["quarantine"]) != len(plan.ids(note["shard"])):
        raise AffectspaceError(f"{place.path(note_name(note['shard']))} is of another plan; choose another --out")
    size = None
    for wait in WAITS if note["rows"] else ():
        time.sleep(wait)
        size = place.size(name)
        if size == note["bytes"]:
            return
    if note["rows"]:
        has = "is not to be seen there" if size is None else f"has {size:,} bytes there"
        raise AffectspaceError(
            f"{note['node']} wrote {note['bytes']:,} bytes to {place.path(name)}, and {sum(WAITS):g} s later it {has}; "
            "see to the place, which must be the same for all nodes, and the same command goes on"
        )


def _shown(
    made: Iterator[dict[str, Any]], plan: Plan, notes: dict[int, dict[str, Any]], quiet: bool
) -> Iterator[dict[str, Any]]:
    """The same notes; a bar of shards as they come, or a line now and then."""
    console = Console(stderr=True)
    lines, items, there = Lines(console, quiet), len(plan.items), len(notes)
    bar = track(made, "Shards", plan.shards, there, console=console, disable=quiet or not console.is_terminal)
    done = sum(len(plan.ids(shard)) for shard in notes)
    for note in bar:
        yield note
        done += len(plan.ids(note["shard"]))
        lines.tell(f"embedded: {done:,} of {items:,} items")


def _finished(plan: Plan, place: Place, notes: dict[int, dict[str, Any]], before: int) -> Bulk:
    """Check that all is there, and say so in the manifest."""
    wrong = [shard for shard in range(plan.shards) if shard not in notes or not _kept(place, notes[shard])]
    if wrong:
        raise AffectspaceError(
            f"{len(wrong)} of {plan.shards} shards are not there as they were written, the first "
            f"{place.path(shard_name(wrong[0]))}; the same command makes them anew"
        )
    ordered = [notes[shard] for shard in range(plan.shards)]
    told = pd.DataFrame([row for note in ordered for row in note["quarantine"]], columns=["id", "reason"], dtype=object)
    faulty = pd.concat([plan.faulty[["id", "reason"]], told], ignore_index=True)
    rows = sum(note["rows"] for note in ordered)
    if not rows:
        raise InputError(f"none of the {len(faulty)} files can be read; {first_of(faulty)}")
    place.write(QUARANTINE, parquet_bytes(faulty))
    full = [note for note in ordered if note["rows"]]
    manifest = {
        "format": FORMAT,
        "items": rows,
        "dimensions": full[0]["dimensions"],
        "classes": list(plan.classes),
        "about": plan.about,
        "model_sha256": plan.model,
        "plan": plan.id,
        "quarantine": {"name": QUARANTINE, "items": len(faulty)},
        "shards": [
            {"name": shard_name(note["shard"]), **{key: note[key] for key in ("rows", "bytes", "sha256")}}
            for note in full
        ],
    }
    place.write(MANIFEST, (json_text(manifest, indent=1) + "\n").encode())
    bad = set(told["id"])
    first = next(item for item in plan.items.column("id").to_pylist() if item not in bad)
    return Bulk(rows, len(full), before, faulty, plan.classes, plan.omitted, plan.notes,
                "label" in plan.items.column_names, first)  # fmt: skip
