"""What is to be embedded shard by shard, written down first, so that a later call goes on with the same."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.errors import InputError
from affectspace.files import json_text, packed
from affectspace.places import Place, is_url
from affectspace.space.embed import Embedded, about_of, groups_of, known_of_items
from affectspace.space.model_files import model_sha256
from affectspace.space.read_corpora import reads_corpora
from affectspace.space.read_media import ROOT, read_media
from affectspace.space.sharded import ITEMS, MANIFEST, PLAN, SOURCE
from affectspace.space.space_file import known_columns
from affectspace.training.below_data import refuse_other_below
from affectspace.training.model import Model

__all__ = ["Plan", "agree", "make_plan", "parquet_bytes", "refuse_taken"]

FORMAT = 1
SHARD = 512  # items: some seconds of work, which is what a lost machine costs
MOST = 4096  # shards, as each is a file or two; of more items they are larger
SET_ASIDE = "plan/quarantine.parquet"
HALF_PLANNED = {".lock", "plan", ITEMS, SET_ASIDE}  # what a call leaves that is ended before its plan is there
SOURCE_FIELDS = pa.struct(
    [
        ("path", pa.large_string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("box", pa.large_string()),
        ("group", pa.large_string()),  # whose statistics it is given
        ("bytes", pa.int64()),  # of its file, and when that was changed, where it is one of this machine
        ("changed", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Plan:
    """Every item in its shard.

    Args:
        items: what a space will say of each item, but for what the model says, and :data:`SOURCE`; in the order of the
            corpora.
        faulty: ``id`` and ``reason`` of the items that are left out already.
        size: items of a shard; the last may have fewer.
        model: SHA-256 of the files of the model.
        run: where it is.
        features: the fingerprint of its front end.
        roots: folders of this machine in which media lie.
        classes: of the model.
        about: of the space.
        command: that goes on with it.
        omitted: columns that are left out, and why.
        notes: a sentence on labels of each corpus that are missing.
    """

    items: pa.Table
    faulty: pd.DataFrame
    size: int
    model: str
    run: str
    features: str
    roots: tuple[str, ...]
    classes: tuple[str, ...]
    about: dict[str, Any]
    command: str
    omitted: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self.items) // self.size)

    @cached_property
    def id(self) -> str:
        """A hash of all that decides what the shards hold."""
        told = [FORMAT, self.model, self.features, self.size, list(self.classes), _sha256(self.items.column("id"))]
        return hashlib.sha256(json_text(told).encode()).hexdigest()

    def ids(self, shard: int) -> list[str]:
        """Of the items of a shard, in their order."""
        return self.items.column("id").slice(shard * self.size, self.size).to_pylist()

    def write(self, place: Place) -> None:
        """Write it down, what says that it is there last."""
        held = io.BytesIO()
        with pq.ParquetWriter(held, self.items.schema, compression="zstd") as writer:
            for start in range(0, len(self.items), self.size):  # a shard is a group of rows
                writer.write_table(self.items.slice(start, self.size), row_group_size=self.size)
        place.write(ITEMS, held.getvalue())
        place.write(SET_ASIDE, parquet_bytes(self.faulty))
        shards = [{"items": len(ids), "sha256": _sha256(ids)} for ids in map(self.ids, range(self.shards))]
        told = {"format": FORMAT, "id": self.id, "command": self.command, "run": self.run, "model_sha256": self.model}
        told |= {"features": self.features, "items": len(self.items), "size": self.size, "shards": shards}
        place.write(PLAN, (json_text(told, indent=1) + "\n").encode())


def make_plan(model: Model, run: str | Path, sources: Sequence[str | Path], command: str) -> Plan:
    """Every item of the sources that a model can be given, and the columns that a space will have of it.

    Args:
        model: of recordings or pictures.
        run: where it is.
        sources: files, folders of them and corpora, by path; corpora with a table by their URL, too.
        command: what somebody types to go on.

    Raises:
        InputError: a model of several modalities, of words or of videos; a source that cannot be read.
        AffectspaceError: a store cannot be asked.
    """
    recipe = model.recipe
    if recipe is not None and reads_corpora(recipe):
        reads = ", ".join(recipe.modalities) or model.medium
        raise InputError(
            f"{run} reads {reads}, and shards are made of recordings or of pictures; leave --on out, and it is "
            "embedded here, to one file"
        )
    if recipe is not None:
        refuse_other_below(recipe, model.digests)
    fingerprint = model.frontend.fingerprint
    read = read_media(model, sources)
    media = read.items
    groups = groups_of(model, media)
    states = [_state(path) for path in media["path"]]
    boxes = media["box"] if read.kind == "image" and "box" in media else [None] * len(media)
    source = [
        (
            path,
            _seconds(start),
            _seconds(end),
            None if pd.isna(box) or not str(box).strip() else str(box),
            group,
            *state,
        )
        for path, start, end, box, group, state in zip(
            media["path"], media["start"], media["end"], boxes, groups or [None] * len(media), states
        )
    ]
    roots = dict.fromkeys(media[ROOT].dropna()) if ROOT in media else {}
    loose = media[ROOT].isna() if ROOT in media else pd.Series(True, index=media.index)
    roots |= dict.fromkeys(os.path.dirname(path) for path in media["path"][loose])
    return Plan(
        _planned(model, run, media).append_column(SOURCE, pa.array(map(_as_struct, source), SOURCE_FIELDS)),
        read.faulty, max(SHARD, -(-len(media) // MOST)), model_sha256(run), str(run), fingerprint,
        tuple(root for root in roots if not is_url(root)), model.classes,
        {"model": str(run), **about_of(media, recipe, fingerprint)}, command, read.omitted, read.notes,
    )  # fmt: skip


def refuse_taken(place: Place) -> None:
    """Stop where a folder of this machine holds what no embedding has put there, before anything is written to it.

    Raises:
        InputError: it does.
    """
    folder = place.local
    if folder is None or not folder.is_dir() or place.size(PLAN) is not None or place.size(MANIFEST) is not None:
        return  # a store is asked for no list, and what is planned is compared later
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name not in HALF_PLANNED and not (path.name.startswith(".") and path.name.endswith(".partial")):
            raise InputError(
                f"{place} is there already, and holds {name}, which is nothing that embed begins with; choose another "
                "path, or remove it first"
            )


def agree(plan: Plan, place: Place) -> bool:
    """Whether this very plan is written down in a folder already; False where none is.

    Raises:
        InputError: another is; it says in what they differ.
        AffectspaceError: the store cannot be asked.
    """
    try:
        there = json.loads(place.read(PLAN))
        items = pq.read_table(io.BytesIO(place.read(ITEMS)))
    except FileNotFoundError:
        if place.size(MANIFEST) is not None:
            raise InputError(f"{place} holds shards and no plan of them; choose another --out") from None
        return False
    except (ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{place.path(PLAN)} cannot be read: {error}; choose another --out, or remove {place}"
        ) from error
    if why := _other(plan, there, items):
        raise InputError(f"{place} was begun with {why}; give what it was begun with, or another --out")
    return True


def _other(plan: Plan, there: dict[str, Any], items: pa.Table) -> str:
    """In what a plan differs from the one that is written down; empty where in nothing."""
    if there.get("format") != FORMAT:
        return f"a plan of format {there.get('format')}, and this affectspace makes {FORMAT}"
    if there["model_sha256"] != plan.model:
        return f"the model {there['run']} ({there['model_sha256'][:12]}), and {plan.run} is {plan.model[:12]}"
    if there["features"] != plan.features:
        return f"features {there['features']}, and now they are {plan.features}"
    if there["size"] != plan.size:
        return f"shards of {there['size']} items, and now they have {plan.size}"
    old, new = items.column("id").to_pylist(), plan.items.column("id").to_pylist()
    if old != new:
        more, less = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        told = [f"{len(ids):,} {what}, the first {ids[0]}" for ids, what in ((more, "new"), (less, "gone")) if ids]
        differ = "; ".join(told) or "in another order"
        return f"{len(old):,} items that could be tried, and now there are {len(new):,}: {differ}"
    if items.column_names != plan.items.column_names:
        return f"items of the columns {_columns(items)}, and now they have {_columns(plan.items)}"
    for name in items.column_names:
        if not items.column(name).equals(plan.items.column(name)):
            then, now = items.column(name).to_pylist(), plan.items.column(name).to_pylist()
            first = next(place for place, (one, other) in enumerate(zip(then, now)) if one != other)
            if name == SOURCE:
                return f"other files: {old[first]} has changed, or lies elsewhere, or is another part of its file"
            return f"other items: {name} of {old[first]} was {then[first]!r} and is {now[first]!r}"
    return ""


def _columns(items: pa.Table) -> str:
    return ", ".join(name for name in items.column_names if name != SOURCE)


def _planned(model: Model, run: str | Path, media: pd.DataFrame) -> pa.Table:
    """The columns of the items' space as its file has them, without what the model says."""
    said = {"probabilities": [np.zeros(len(model.classes), np.float32)] * len(media), "prediction": model.classes[0]}
    table = pd.DataFrame({"id": media["id"], "vector": [np.zeros(1)] * len(media), **said}).join(known_of_items(media))
    space = Embedded(table, pd.DataFrame(), model.classes).space(run)
    return known_columns(space.items.drop(columns=[*said]))


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """``id`` and ``reason`` of items as the bytes of a Parquet file."""
    held = io.BytesIO()
    table[["id", "reason"]].astype("string").to_parquet(held, index=False)
    return held.getvalue()


def _sha256(ids: Sequence[Any] | pa.ChunkedArray) -> str:
    return hashlib.sha256("\n".join(map(str, ids)).encode()).hexdigest()


def _as_struct(source: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip((field.name for field in SOURCE_FIELDS), source))


def _seconds(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _state(path: str) -> tuple[int | None, int | None]:
    """Bytes of a file of this machine, and when it was changed."""
    if is_url(path):
        return None, None
    try:
        status = os.stat(packed(path)[0])
    except OSError:  # its front end says what is wrong
        return None, None
    return status.st_size, status.st_mtime_ns
