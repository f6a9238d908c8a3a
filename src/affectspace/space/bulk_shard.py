"""A shard of items to a file of vectors: the work that a process anywhere can do by itself, and do again."""

import hashlib
import io
import json
import os
import resource
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectspace.clusters.versions import versions_here
from affectspace.errors import AffectspaceError, InputError, MediaError
from affectspace.features import Frontend
from affectspace.features.extract import Extracted, Source, extract_all
from affectspace.features.in_order import one_thread
from affectspace.files import json_text, packed
from affectspace.places import Place, is_url
from affectspace.space.bulk_job import Job
from affectspace.space.by_length import answered, by_length
from affectspace.space.model_files import model_sha256
from affectspace.space.sharded import ITEMS, PLAN, SOURCE, note_name, shard_name, tries_name
from affectspace.space.space_file import write_table
from affectspace.training.model import Model, load_model

__all__ = ["embed_shard"]

BLOCK = 512  # items whose features are held at a time
TRIES = 5  # workers that may end at one shard
FETCHED = 32  # files of a store that are fetched side by side


_OPEN: dict[tuple[str, ...], "_Embedder"] = {}  # of this process: its model is loaded once


def embed_shard(job: Job, shard: int, files: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """Embed a shard and write its file, then its note; one whose note is there is left as it is.

    Args:
        job: of the plan.
        shard: its number.
        files: of the model, by name, where this machine may not have its folder.

    Returns:
        the note: ``shard``, ``plan``, ``rows``, ``dimensions``, ``bytes`` and ``sha256`` of its file (none of a shard
        without any item that can be read), ``quarantine`` (id, reason), and ``node``, ``seconds``, ``cpu_seconds``,
        ``rss`` and ``peak_rss`` in bytes.

    Raises:
        InputError: this machine does not see the plan, the media or the model, or has another one.
        AffectspaceError: the shard cannot be written, or a store cannot be asked.
    """
    key = (job.out, job.plan, job.device)
    if key not in _OPEN:
        _OPEN.clear()
        _OPEN[key] = _Embedder(job, files)
    return _OPEN[key](shard)


class _Embedder:
    """A model that is loaded, and the plan."""

    def __init__(self, job: Job, files: Mapping[str, bytes] | None):
        self.job, self.out, self.node = job, Place(job.out), socket.gethostname()
        self._refuse_blind()
        self._sent = None if files is None else _laid_out(files)  # as long as the model, which may look things up there
        self.model = _loaded(job, self._sent and self._sent.name, self.node)
        self.frontend = self.model.frontend
        self._refuse_unlike()

    def __call__(self, shard: int) -> dict[str, Any]:
        try:
            return json.loads(self.out.read(note_name(shard)))
        except FileNotFoundError:
            pass
        self._count(shard)
        began, worked = time.perf_counter(), time.process_time()
        with self.out.open(ITEMS) as file:
            rows = pq.ParquetFile(file).read_row_group(shard)
        with one_thread():
            table, vectors, quarantine = self._embedded(rows)
        note: dict[str, Any] = {"shard": shard, "plan": self.job.plan, "rows": len(table), "quarantine": quarantine}
        if len(table):
            held = io.BytesIO()
            write_table(held, table, vectors, self.job.classes, self.job.about)
            content = held.getvalue()
            with suppress(FileNotFoundError):  # of another worker, when this one was taken for dead
                return json.loads(self.out.read(note_name(shard)))
            self._write(shard_name(shard), content)
            note |= {"dimensions": vectors.shape[1], "bytes": len(content)}
            note["sha256"] = hashlib.sha256(content).hexdigest()
        spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}
        note |= {"node": self.node, **spent, **_memory()}
        self._write(note_name(shard), json_text(note).encode())
        return note

    def _count(self, shard: int) -> None:
        """Stop where a shard has ended so many workers that it will end the next: a decoder can crash, memory run out.

        Ray gives what a lost worker was at to another one, for ever.
        """
        try:
            begun = int(self.out.read(tries_name(shard)))
        except (FileNotFoundError, ValueError):
            begun = 0
        if begun >= TRIES:
            raise AffectspaceError(
                f"{TRIES} workers, one after another, have ended while they embedded shard {shard}, the items "
                f"{self._named(shard)}: nodes are lost that often, or have too little memory, or one of these files "
                "ends whoever reads it; the same command tries again"
            )
        self._write(tries_name(shard), str(begun + 1).encode())

    def _embedded(self, rows: pa.Table) -> tuple[pa.Table, np.ndarray, list[list[str]]]:
        """The columns of those items that can be read, their vectors, and why the others cannot."""
        ids, sources = rows.column("id").to_pylist(), rows.column(SOURCE).to_pylist()
        kept, faulty, vectors, chances = [], [], [], []
        for start in range(0, len(ids), BLOCK):
            block = sources[start : start + BLOCK]
            made = list(self._extracted(block))
            good = [place for place, each in enumerate(made) if each.values is not None]
            faulty += [[ids[start + place], each.reason] for place, each in enumerate(made) if each.values is None]
            kept += [start + place for place in good]
            if good:
                found = by_length(
                    self.model,
                    np.array([len(made[place].values) for place in good]),  # pyright: ignore[reportArgumentType]
                    lambda part, made=made, good=good: [made[good[row]].values for row in part],
                    [block[place]["group"] for place in good],
                )
                vectors.append(found[0])
                chances.append(found[1])
        if not kept:
            self._refuse_unmounted(sources)
            return rows.slice(0, 0), np.empty((0, 0), np.float32), faulty
        said = answered(self.model, np.concatenate(chances))
        known = rows.drop_columns([SOURCE]).take(kept)
        columns = {"id": known.column("id")}
        columns["probabilities"] = pa.array(said["probabilities"], pa.list_(pa.float32(), len(self.job.classes)))
        columns["prediction"] = pa.array(said["prediction"], pa.large_string())
        if "predicted_value" in said:
            columns["predicted_value"] = pa.array(said["predicted_value"], pa.float64())
        columns |= {name: known.column(name) for name in known.column_names if name not in columns}
        return pa.table(columns), np.ascontiguousarray(np.concatenate(vectors), np.float32), faulty

    def _extracted(self, sources: Sequence[dict[str, Any]]) -> Iterator[Extracted]:
        for start in range(0, len(sources), FETCHED):
            part = sources[start : start + FETCHED]
            with _here([each["path"] for each in part], self.node) as names:
                given = [Source(each["path"], each["start"], each["end"], each["box"]) for each in part]
                frontend: Any = _Reader(self.frontend, names)
                yield from extract_all(frontend, given, workers=1)

    def _named(self, shard: int) -> str:
        with self.out.open(ITEMS) as file:
            ids = pq.ParquetFile(file).read_row_group(shard, columns=["id"]).column("id").to_pylist()
        return f"{ids[0]} to {ids[-1]}"

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.out.write(name, content)
        except OSError as error:
            raise AffectspaceError(
                f"{self.node} cannot write {self.out.path(name)}: {error.strerror or error}; see to the place, and the "
                "same command goes on"
            ) from error

    def _refuse_blind(self) -> None:
        """Stop where this machine does not see what the one that planned sees."""
        try:
            seen = json.loads(self.out.read(PLAN))["id"]
        except (OSError, ValueError, KeyError):
            seen = None
        if seen != self.job.plan:
            raise InputError(
                f"{self.node} does not see the plan in {self.out}; every node writes there, so mount it on all of them "
                "by this path, or give a store as --out, such as s3://bucket/folder"
            )
        for root in self.job.roots:
            if not os.path.isdir(root):
                raise InputError(
                    f"{self.node} has no folder {root}, in which media lie; mount it there as on all other nodes, or "
                    "give the corpus by its URL in a store"
                )

    def _refuse_unlike(self) -> None:
        """Stop where this machine would embed otherwise than the one that planned: that would not be one space."""
        remedy = "install the same there, or take it out of the cluster"
        here = versions_here()
        for name, planned in self.job.versions.items():
            if here[name] != planned:
                raise InputError(f"{self.node} has {name} {here[name]}, and this was planned with {planned}; {remedy}")
        if self.frontend.fingerprint != self.job.features:
            raise InputError(
                f"{self.node} makes features {self.frontend.fingerprint}, and {self.job.features} were planned; "
                f"{remedy}"
            )

    def _refuse_unmounted(self, sources: Sequence[dict[str, Any]]) -> None:
        """Stop where each of the files that were there when they were planned is gone: the folder is empty here."""
        paths = [packed(each["path"])[0] for each in sources if each["bytes"] is not None]
        if paths and len(paths) == len(sources) and not any(path.exists() for path in paths):
            raise InputError(
                f"{self.node} sees none of {len(paths)} files that were there when they were planned, the first "
                f"{paths[0]}; mount their folder there as on all other nodes, or give the corpus by its URL in a store"
            )


class _Reader:
    """A front end that is given URLs, too, and reads the files that were fetched from there.

    It tells no hash of what it reads: none is kept of a space, and it is a twentieth of the work.
    """

    def __init__(self, frontend: Frontend, names: Mapping[str, Path | None]):
        self._frontend, self._names = frontend, names

    def read(self, path: str, *part: Any) -> Any:
        if path not in self._names:
            return self._frontend.read(path, *part)
        if (file := self._names[path]) is None:
            raise MediaError(f"there is no file {path}; check the path in the table")
        try:
            return self._frontend.read(str(file), *part)
        except MediaError as error:
            raise MediaError(str(error).replace(str(file), path)) from error

    def sha256(self, read: Any) -> str:
        return ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frontend, name)


@contextmanager
def _here(paths: Sequence[str], node: str) -> Iterator[dict[str, Path | None]]:
    """Those of the paths that are URLs, and files of this machine that hold what lies there, for as long as needed."""
    urls = list(dict.fromkeys(path for path in paths if is_url(path)))
    if not urls:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="affectspace-") as folder:
        names: dict[str, Path | None] = {}
        for root in dict.fromkeys(url.rpartition("/")[0] for url in urls):
            own = [url for url in urls if url.rpartition("/")[0] == root]
            try:
                found = Place(root).read_many([url.rpartition("/")[2] for url in own])
            except InputError:
                raise
            except AffectspaceError as error:
                raise AffectspaceError(f"{node}: {error}") from error
            for url, content in zip(own, found):
                names[url] = None if content is None else Path(folder, f"{len(names)}{os.path.splitext(url)[1]}")
                if content is not None:
                    Path(folder, str(names[url])).write_bytes(content)
        yield names


def _laid_out(files: Mapping[str, bytes]) -> "tempfile.TemporaryDirectory[str]":
    folder = tempfile.TemporaryDirectory(prefix="affectspace-")
    for name, content in files.items():
        path = Path(folder.name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _loaded(job: Job, sent: str | None, node: str) -> Model:
    if sent is None and model_sha256(job.run) != job.model:
        raise InputError(f"{node} has another model in {job.run} than was planned with; mount the same run there")
    model = load_model(sent or job.run)
    return model if job.device == "cpu" else model.on(job.device)


def _memory() -> dict[str, int]:
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
    except OSError:  # where there is no /proc, getrusage has another unit, too
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rss": pages * os.sysconf("SC_PAGE_SIZE"), "peak_rss": peak}
