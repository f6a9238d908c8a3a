"""``affectspace atlas``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, beside, chosen, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

SHOWN = 5  # media that cannot be read


def atlas(
    space: Path,
    *,
    out: Path | None = None,
    where: Where = (),
    media: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Write a space as one table that embedding-atlas shows: a map, neighbours, labels, text, pictures and recordings.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, or a finished run folder.
    out
        A .parquet file [default: NAME-atlas.parquet beside the space, with the conditions behind it].
    where
        Only items for which these hold, such as split=test or label=sad|angry.
    media
        Put pictures and recordings into the table; --no-media leaves them out, and the file stays small.
    as_json
        Print what was done as JSON, for machines.
    """
    path = new_file(out or beside(space, "-atlas", where, ".parquet"))
    if path.suffix != ".parquet":
        raise InputError(f"--out {path} ends in {path.suffix!r}; the table is Parquet, so end it in .parquet")
    if path.resolve() == space.resolve():
        raise InputError(f"--out {path} is the space itself; name another file")

    from affectspace.space.atlas import write_atlas

    opened = chosen(space, where)
    with working(f"drawing {len(opened):,} items", as_json):
        faults = write_atlas(opened, path, media)
    import pyarrow.parquet as pq

    columns = pq.read_schema(path).names
    words = "text" if "text" in columns else "id"
    options = ["--x", "x", "--y", "y", "--neighbors", "neighbors", "--text", words]
    options += ["--image", "image"] if "image" in columns else []
    if as_json:
        print(json_text({"out": str(path), "items": len(opened), "columns": columns, "left_out": faults}))
        return
    print(f"{len(opened):,} items -> {path} ({path.stat().st_size / 1e6:,.1f} MB; {', '.join(columns)})")
    for fault in faults[:SHOWN]:
        print(f"left out: {fault}")
    if len(faults) > SHOWN:
        print(f"... and {len(faults) - SHOWN:,} more; --json tells all")
    next_commands(
        f"embedding-atlas {quoted(path, *options)}   (pip install embedding-atlas, in an environment of its own)"
    )
