"""``affectspace search``"""

import difflib
import filecmp
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, chosen, onwards, repeated, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.uncropped import uncropped_told
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    import numpy as np

    from affectspace.space import Space


def search(
    space: Path,
    *,
    query: str,
    count: int = 10,
    where: Where = (),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find the items of a space that the model finds most alike to an item or to a file.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, or a finished run folder.
    query
        The id of an item, or a recording or picture, which the space's own model embeds.
    count
        How many to find.
    where
        Search only items for which these hold, such as split=test or label=sad|angry.
    out
        Also write a page that shows them.
    as_json
        Print what was found as JSON, for machines.
    """
    if count < 1:
        raise InputError(f"--count is {count}; legal: at least 1")
    if out is not None and new_file(out).suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"--out {out} ends in {out.suffix!r}; the page is HTML, so end it in .html")

    from affectspace.neighbours.nearest import Neighbours

    whole = chosen(space)
    among = whole.which(*where) if where else None
    searched = len(whole) if among is None else int(among.sum())
    asked, vector = _query(whole, query, as_json)
    with working("searching", as_json):
        # To look for one query through an approximate index costs more than to look through all, as it must be built.
        near = Neighbours(whole.vectors, kind="exact")
        distances, rows = near.search(vector[None], min(count + 1, searched), among)
    names = whole.items["id"]
    kept = [(row, float(d)) for row, d in zip(rows[0], distances[0]) if row >= 0 and names[row] != asked["id"]][:count]
    if not kept:
        raise InputError("the query is the only item to be searched; leave out --where, or embed more items")
    found = whole.items.iloc[[row for row, _ in kept]]
    itself = _itself(query, found.iloc[0].to_dict())
    uncropped = "" if itself or asked["id"] in set(names) else uncropped_told(whole, Path(query))
    if out is not None:
        from affectspace.report.space_pages import search_page

        search_page(whole, asked, *_apart(kept), out, " and ".join(where), searched)
    if as_json:
        told = found[["id", "label", "prediction"]].assign(distance=[distance for _, distance in kept])
        rows_told = told.astype(object).where(told.notna(), None).to_dict("records")
        same = {"itself": found["id"].iloc[0] if itself else None}
        print(
            json_text(
                {
                    "query": asked["id"],
                    "searched": searched,
                    "page": out and str(out),
                    **same,
                    "found": rows_told,
                    **({"note": uncropped} if uncropped else {}),
                }
            )
        )
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, how in (("", "right"), ("distance", "right"), ("label", "left"), ("model", "left"), ("id", "left")):
        table.add_column(heading, justify=how, overflow="fold")  # pyright: ignore[reportArgumentType]
    for place, ((_, distance), item) in enumerate(zip(kept, found.to_dict("records")), 1):
        table.add_row(str(place), f"{distance:.3g}", *(_cell(item[name]) for name in ("label", "prediction", "id")))
    print(f"nearest to {asked['id']}, of {searched:,} items:")
    Console(markup=False, highlight=False).print(table)
    if itself:
        print(itself)
    if uncropped:
        print(f"note: {uncropped}")
    if out is None:
        again = ["--query", query, "--count", str(count), *repeated(where)]
        next_commands(
            f"affectspace search {quoted(space, *again, '--out', 'found.html')}",
            onwards(whole, space),
        )
    else:
        print(f"page: {out}")
        next_commands(f"open it in a browser: {out.resolve().as_uri()}")


def _query(space: "Space", query: str, quiet: bool) -> "tuple[dict[str, Any], np.ndarray]":
    """What is known of the query, and its vector."""
    held = (space.items["id"] == query).to_numpy(bool)
    if held.any():
        row = int(held.argmax())
        return {str(name): value for name, value in space.items.iloc[row].to_dict().items()}, space.vectors[row]
    if not Path(query).is_file():
        ids = space.items["id"]
        near = ids[ids.str.endswith(f"/{query}")].tolist()[:1] or difflib.get_close_matches(query, ids[:20_000], 1)
        meant = f"did you mean {near[0]!r}?" if near else f"ids look like {ids.iloc[0]!r}"
        raise InputError(f"--query {query!r} is neither an item of the space nor a file; {meant}")
    return _embedded(space, Path(query), quiet)


def _embedded(space: "Space", file: Path, quiet: bool) -> "tuple[dict[str, Any], np.ndarray]":
    from affectspace.space.embed import embed
    from affectspace.training import load_model
    from affectspace.training.hub_model import named_on_hub

    model = space.about.get("model")
    if not model:
        raise InputError(f"the space does not say which model made it, so {file} cannot be embedded; query an id of it")
    if not (Path(str(model)).exists() or named_on_hub(str(model))):
        raise InputError(
            f"the model of the space, {model}, is not there, so {file} cannot be embedded; put it back, work in the "
            "folder where it was embedded, or query one of its ids"
        )
    with working(f"embedding {file}", quiet):
        found = embed(load_model(str(model)), [file], quiet=True)
    if len(found.table) != 1:
        raise InputError(f"{file} holds {len(found.table)} items; a query is one recording or one picture")
    item = {str(name): value for name, value in found.table.iloc[0].to_dict().items()}
    vector = item.pop("vector")
    if len(vector) != space.dimensions:
        raise InputError(
            f"the model {model} gives {len(vector)} dimensions and the space has {space.dimensions}; it has been "
            "trained anew since, so embed the items again"
        )
    return item, vector


def _itself(query: str, first: dict[Any, Any]) -> str:
    """A sentence where the query is the file of the first item that was found, or a copy of it; else empty."""
    import pandas as pd

    file = Path(query)
    media = [str(first[kind]) for kind in ("image", "audio") if not pd.isna(first[kind])]
    if not file.is_file() or not media:
        return ""
    whole = all(pd.isna(first.get(part)) for part in ("start", "end", "box"))
    if whole and str(file.resolve()) in media:
        return f"The first, {first['id']}, is the query itself: the space holds this file."
    held = [Path(path) for path in media if Path(path).is_file()]
    if whole and any(filecmp.cmp(file, path, shallow=False) for path in held):
        return f"The first, {first['id']}, is a copy of the query: both files are the same."
    return ""


def _apart(kept: "list[tuple[int, float]]") -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    return np.array([row for row, _ in kept]), np.array([distance for _, distance in kept])


def _cell(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else str(value)
