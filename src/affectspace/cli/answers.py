"""What a search answers: of a space that is read whole, and of an index that is not."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectspace.cli.spaces import chosen, onwards, working
from affectspace.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from affectspace.space import Space

__all__ = ["Answer", "of_index", "of_space"]


@dataclass(frozen=True)
class Answer:
    """What was found.

    Args:
        asked: what is known of the query.
        an_item: whether it is one of the items.
        space: that holds those found.
        kept: their rows in it, and distances, the nearest first.
        searched: how many items were; None where the engine does not tell.
        onwards: a command to go on with, if there is one.
    """

    asked: dict[str, Any]
    an_item: bool
    space: "Space"
    kept: list[tuple[int, float]]
    searched: int | None
    onwards: str = ""


def of_space(path: Path, query: str, count: int, where: Sequence[str], quiet: bool) -> Answer:
    """The items of a file or of a run that are nearest to a query.

    Raises:
        InputError: what opening it, the query or the conditions raise.
    """
    from affectspace.neighbours.nearest import Neighbours

    whole = chosen(path)
    among = whole.which(*where) if where else None
    searched = len(whole) if among is None else int(among.sum())
    ids = whole.items["id"]
    held = (ids == query).to_numpy(bool)
    if held.any():
        row = int(held.argmax())
        asked = {str(name): value for name, value in whole.items.iloc[row].to_dict().items()}
        vector = whole.vectors[row]
    else:
        if not Path(query).is_file():
            near = ids[ids.str.endswith(f"/{query}")].tolist()[:1] or difflib.get_close_matches(query, ids[:20_000], 1)
            _refuse_query(query, "space", near, ids.iloc[0])
        asked, vector = _embedded(whole.about, whole.dimensions, Path(query), "space", quiet)
    with working("searching", quiet):
        # To look for one query through an approximate index costs more than to look through all, as it must be built.
        near = Neighbours(whole.vectors, kind="exact")
        distances, rows = near.search(vector[None], min(count + 1, searched), among)
    kept = [(row, float(d)) for row, d in zip(rows[0], distances[0]) if row >= 0 and ids[row] != asked["id"]][:count]
    # A file may be named as an item is, and then it is that item.
    return Answer(asked, asked["id"] in set(ids), whole, kept, searched, onwards(whole, path))


def of_index(place: str, query: str, count: int, where: Sequence[str], quiet: bool) -> Answer:
    """The items of an index that are nearest to a query; only those found are read.

    Raises:
        InputError: what opening it, the query or the conditions raise.
    """
    import numpy as np

    from affectspace.space.engines import open_index
    from affectspace.space.engines.found import space_of

    index = open_index(place)
    try:
        manifest = index.manifest
        held = index.get([query])
        if len(held):
            item = space_of(held, manifest)
            asked = {str(name): value for name, value in item.items.iloc[0].to_dict().items()}
            vector = item.vectors[0]
        else:
            if not Path(query).is_file():
                first = index.search(np.zeros((1, manifest.dimensions)), 1).ids[0, 0]
                _refuse_query(query, "index", [], first)
            asked, vector = _embedded(manifest.about, manifest.dimensions, Path(query), "index", quiet)
        with working("searching", quiet):
            found = index.search(vector[None], count + 1, where)
        near = [
            (name, float(d)) for name, d in zip(found.ids[0], found.distances[0]) if name not in (None, asked["id"])
        ]
        near = near[:count]
        space = space_of(index.get([name for name, _ in near]) if near else held, manifest)
    finally:
        index.close()
    kept = [(row, distance) for row, (_, distance) in enumerate(near)]
    return Answer(asked, bool(len(held)), space, kept, found.searched)


def _refuse_query(query: str, where: str, near: Sequence[str], first: str | None) -> None:
    meant = f"did you mean {near[0]!r}?" if near else f"ids look like {first!r}"
    raise InputError(f"--query {query!r} is neither an item of the {where} nor a file; {meant}")


def _embedded(
    about: dict[str, Any], dimensions: int, file: Path, what: str, quiet: bool
) -> "tuple[dict[str, Any], np.ndarray]":
    from affectspace.space.embed import embed
    from affectspace.training import load_model
    from affectspace.training.hub_model import named_on_hub

    model = about.get("model")
    if not model:
        raise InputError(
            f"the {what} does not say which model made it, so {file} cannot be embedded; query an id of it"
        )
    if not (Path(str(model)).exists() or named_on_hub(str(model))):
        raise InputError(
            f"the model of the {what}, {model}, is not there, so {file} cannot be embedded; put it back, work in the "
            "folder where it was embedded, or query one of its ids"
        )
    with working(f"embedding {file}", quiet):
        found = embed(load_model(str(model)), [file], quiet=True)
    if len(found.table) != 1:
        raise InputError(f"{file} holds {len(found.table)} items; a query is one recording or one picture")
    item = {str(name): value for name, value in found.table.iloc[0].to_dict().items()}
    vector = item.pop("vector")
    if len(vector) != dimensions:
        raise InputError(
            f"the model {model} gives {len(vector)} dimensions and the {what} has {dimensions}; it has been "
            "trained anew since, so embed the items again"
        )
    return item, vector
