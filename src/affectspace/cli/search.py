"""``affectspace search``"""

import filecmp
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from affectspace.cli.answers import of_index, of_space
from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, repeated
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.uncropped import uncropped_told
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    import numpy as np


def search(
    space: str,
    *,
    query: str,
    count: Whole = 10,
    where: Where = (),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find the items of a space that the model finds most alike to an item or to a file.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, a finished run folder, or an index that affectspace index has
        made: its folder, or milvus://HOST:PORT/NAME.
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

    from affectspace.space.engines import is_index

    indexed = is_index(space)
    if indexed:
        answer = of_index(space, query, count, where, as_json)
    else:
        answer = of_space(Path(space), query, count, where, as_json)
    whole, asked, kept, searched = answer.space, answer.asked, answer.kept, answer.searched
    if not kept:
        raise InputError("the query is the only item to be searched; leave out --where, or embed more items")
    found = whole.items.iloc[[row for row, _ in kept]]
    itself = _itself(query, found.iloc[0].to_dict())
    uncropped = "" if itself or answer.an_item else uncropped_told(whole, Path(query))
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
    among = "the" if searched is None else f"{searched:,}"
    print(f"nearest to {asked['id']}, of {among} items{' that meet the conditions' if searched is None else ''}:")
    Console(markup=False, highlight=False).print(table)
    if itself:
        print(itself)
    if uncropped:
        print(f"note: {uncropped}")
    if out is None:
        again = ["--query", query, "--count", str(count), *repeated(where)]
        next_commands(
            f"affectspace search {quoted(space, *again, '--out', 'found.html')}",
            *filter(None, [answer.onwards]),
        )
    else:
        print(f"page: {out}")
        next_commands(f"open it in a browser: {out.resolve().as_uri()}")


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
