"""``affectspace map``"""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, beside, chosen, onwards, working
from affectspace.cli.tell import next_commands
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    import pandas as pd

    from affectspace.space import Space


def map(
    *spaces: Path,
    by: str | None = None,
    markers: str | None = None,
    new: Path | None = None,
    where: Where = (),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Draw one or several spaces of the same items as maps side by side, from one start (t-SNE).

    Parameters
    ----------
    spaces
        Parquet files that affectspace embed wrote, or finished run folders.
    by
        The column that gives the colours, such as label, prediction, corpus or speaker [default: label; where no item
        has one, prediction].
    markers
        The column that gives the shapes, of at most eight values; the column of the colours: both tell the same
        [default: language, where colours are of the label and there are several; else the column of the colours].
    new
        Another space, whose items are placed into the map of the first without moving it.
    where
        Only items of the first space for which these hold, such as split=test or carried=no.
    out
        A .png, .svg or .pdf file [default: NAME-map.png beside the first space, with the conditions behind NAME-map].
    as_json
        Print where each item lies as JSON, for machines.
    """
    paths = list(spaces)
    if not paths:
        raise InputError("name at least one space: affectspace map faces.parquet")
    if new is not None and len(paths) > 1:
        raise InputError("--new places items into one map; name one space")
    path = new_file(out or beside(paths[0], "-map", where, ".png"))
    if path.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise InputError(f"--out {path} ends in {path.suffix!r}; a picture is .png, .svg or .pdf")
    from affectspace.space.same_items import same_items

    opened = same_items([chosen(paths[0], where), *(chosen(each) for each in paths[1:])], [str(each) for each in paths])
    added = None if new is None else chosen(new)
    told_by = by is not None
    by = by or _telling(opened[0])
    column = _column(opened[0], by, paths[0])
    placed_column = None if added is None or new is None else _column(added, by, new)
    shaped_by = markers or _shaping(opened[0], added, by)
    shape = placed_shape = None
    if shaped_by is not None and shaped_by != by:
        import pandas as pd

        shape = _column(opened[0], shaped_by, paths[0], "--markers")
        placed_shape = None if added is None or new is None else _column(added, shaped_by, new, "--markers")
        _refuse_many(shape if placed_shape is None else pd.concat([shape, placed_shape]).rename(shaped_by))
    if added is not None and added.dimensions != opened[0].dimensions:
        raise InputError(
            f"{new} has {added.dimensions} dimensions and {paths[0]} has {opened[0].dimensions}; items are placed "
            "into the map of the model that embedded them"
        )

    from affectspace.report.map_picture import Drawn, draw_maps
    from affectspace.space.map_of_space import MapOfSpace
    from affectspace.space.maps import bounded_perplexity, tsne_maps
    from affectspace.space.medoids import class_medoids
    from affectspace.space.of_run import classes_stand_in_order

    with working(f"drawing {len(column):,} items", as_json):
        maps = tsne_maps([each.vectors for each in opened])
        placed = None if added is None else MapOfSpace(maps[0], opened[0].vectors).place(added.vectors)
        names = [str(given.stem if given.is_file() else given.resolve().name) for given in paths]
        drawn = [
            Drawn(name, positions, class_medoids(each) if by == "label" else (), placed)
            for name, positions, each in zip(names, maps, opened)
        ]
        used = bounded_perplexity(len(column))
        about = f"{len(column):,} items, perplexity {used:.3g}." if used else f"{len(column)} items: too few for t-SNE."
        order = opened[0].classes if by in {"label", "prediction"} else ()
        ordered = bool(order) and classes_stand_in_order(opened[0].about)
        draw_maps(
            drawn, column, path, order=order, ordered=ordered, placed=placed_column, markers=_tested(shape, opened[0]),
            placed_markers=placed_shape, about=about,
        )  # fmt: skip
    if as_json:
        told = {"out": str(path), "ids": opened[0].items["id"].tolist(), "maps": [each.tolist() for each in maps]}
        told |= {"by": by, "colours": _cells(column), "markers": None, "shapes": None}
        if shape is not None:
            told |= {"markers": shaped_by, "shapes": _cells(shape)}
        if placed is not None and added is not None:
            told |= {"new_ids": added.items["id"].tolist(), "new": placed.tolist()}
        print(json_text(told))
        return
    print(f"map of {len(column):,} items{'' if added is None else f' and {len(added):,} new ones'}: {path}")
    if where:
        print(f"Only items with {' and '.join(where)}.")
    if shape is not None and markers is None:
        print(f"Colour is the {by}, shape the {shaped_by}; --markers names another column.")
    if not told_by and by != "label":
        print(f"No item has a label, so colour is the {by}; --by names another column.")
    next_commands(f"open it: {path.resolve().as_uri()}", onwards(opened[0], paths[0]))


def _telling(space: "Space") -> str:
    """The column that tells most of the items: their labels, else what a model or their source says of them."""
    columns = [name for name in ("label", "prediction", "corpus") if space.items[name].notna().any()]
    return next(iter(columns), "label")


def _shaping(space: "Space", added: "Space | None", by: str) -> str | None:
    """``language``, where labels give the colours and the items are of several, but not of more than shapes tell."""
    from affectspace.report.map_colours import MOST_SHAPES

    both = [each.items for each in (space, added) if each is not None]
    if by != "label" or any("language" not in items for items in both):
        return None
    spoken = {name for items in both for name in items["language"].dropna()}
    return "language" if 1 < len(spoken) <= MOST_SHAPES else None


def _tested(shape: "pd.Series | None", space: "Space") -> "pd.Series | None":
    """Languages, those of which every item was tested named so, where others train."""
    if shape is None or shape.name != "language" or "split" not in space.items:
        return shape
    test = (space.items["split"] == "test").fillna(False).to_numpy(bool)
    tested = {str(name) for name in shape[test].dropna()} - {str(name) for name in shape[~test].dropna()}
    return shape.map(lambda name: f"{name} (tested)" if str(name) in tested else name) if not test.all() else shape


def _refuse_many(shape: "pd.Series") -> None:
    """Raise before anything is computed where there are more values than shapes."""
    from affectspace.report.map_colours import shapes_of

    try:
        shapes_of(shape)
    except InputError as error:
        raise InputError(f"--markers: {error}") from None


def _cells(column: "pd.Series") -> list[object]:
    """A column for JSON, None where a cell is missing."""
    return column.astype(object).where(column.notna(), None).tolist()


def _column(space: "Space", name: str, path: Path, flag: str = "--by") -> "pd.Series":
    if name not in space.items:
        legal = [str(column) for column in space.items if column not in {"target", "probabilities"}]
        near = difflib.get_close_matches(name, legal, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"{flag} {name!r} is no column of {path}; {meant}There are {', '.join(legal)}")
    if name in {"target", "probabilities"}:
        raise InputError(f"{flag} {name!r} holds a number for each class; name label or prediction")
    return space.items[name]
