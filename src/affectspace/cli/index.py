"""``affectspace index``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.spaces import beside, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text


def index(
    space: Path,
    *,
    out: Path | None = None,
    on: str = "faiss",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Make an index of a space, which affectspace search reads in place of it, a few megabytes at a time.

    Where the command was cut off, the same one goes on.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, or a folder of shards with their manifest.json.
    out
        The folder to write; default beside the space, ending in .index.
    on
        faiss: files of this machine. milvus: Milvus Lite, in the folder, too. Or milvus://HOST:PORT/NAME: the
        collection NAME of a server, which others may search meanwhile.
    as_json
        Print what was done as JSON, for machines.
    """
    far = on.startswith(("milvus://", "milvus+tls://"))
    if not far and on not in ("faiss", "milvus"):
        raise InputError(f"--on {on} is no engine; legal: faiss, milvus, milvus://HOST:PORT/NAME")
    if far and out is not None:
        raise InputError(f"--out {out} is a folder, and --on {on} keeps nothing in one; leave one of them out")
    place = on if far else str(new_folder(out or beside(space, "", ending=".index")))

    from affectspace.space.engines import Source, build_index

    source = Source(space)
    with working(f"indexing {source.items:,} items", as_json):
        made = build_index(source, place, "milvus" if far else on)
    try:
        told, first = made.manifest, next(source.batches()).column("id")[0].as_py()
    finally:
        made.close()
    repeated = source.items - told.items
    if as_json:
        answer = {
            "out": place, "engine": told.engine, "kind": told.kind, "items": told.items, "dimensions": told.dimensions,
            "recall": told.recall, "classes": list(told.classes), "columns": told.columns,
            "columns_left_out": source.left_out, "repeated": repeated,
        }  # fmt: skip
        print(json_text(answer))
        return
    how = "exact" if told.kind == "exact" else f"{told.kind}, finds {100 * told.recall:.1f} % of the 10 nearest"
    print(f"{told.items:,} items, {told.dimensions} dimensions -> {place} ({told.engine}, {how})")
    for name, why in source.left_out.items():
        print(f"left out: column {name}: {why}")
    if repeated:
        print(f"note: {repeated:,} items have an id that a later one has, too, and that one is kept")
    searched = f"affectspace search {quoted(place, '--query', first)}"
    next_commands(
        searched,
        *([f"{searched} --where label={quoted(told.classes[0])}"] if told.classes and "label" in told.columns else []),
    )
