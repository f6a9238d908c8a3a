"""``affectspace discover``"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.spaces import Where, beside, chosen, repeated, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    from affectspace.space import Space


def discover(
    space: Path,
    *,
    subclasses: str | None = None,
    errors: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = (),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find classes within classes, and labels that are in doubt, as tables and as pages to look at.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, or a finished run folder.
    subclasses
        Divide each class into this many sub-classes, or as many as "bic" finds [default: bic, unless --errors].
    errors
        List the items whose neighbours disagree with their label [default: yes, unless --subclasses].
    where
        Look only at items for which these hold, such as split=test or label=sad|angry, as if there were no others.
    out
        The folder for subclasses.csv, suspects.csv and their pages [default: NAME-discovered beside the
        space, with the conditions behind it].
    as_json
        Print what was found as JSON, for machines.
    """
    both = subclasses is None and not errors
    components = _components(subclasses or "bic") if both or subclasses is not None else None
    opened = chosen(space, where)
    if not (opened.labels >= 0).any():
        those = f"no item of {space} with {' and '.join(where)} has a label" if where else f"{space} holds no labels"
        raise InputError(f"{those}, from which discovering starts; try affectspace summarise")
    folder = new_folder(out or beside(space, "-discovered", where))
    told: dict[str, Any] = {"items": len(opened), "out": str(folder)}
    if components is not None:
        told["subclasses"] = _subclasses(opened, components, folder, as_json)
    if errors or both:
        told["suspects"] = _suspects(opened, folder, as_json)
    if as_json:
        print(json_text(told))
        return
    if where:
        print(f"{len(opened):,} items with {' and '.join(where)}")
    for line in _lines(told, folder):
        print(line)
    pages = [folder / f"{name}.html" for name in ("subclasses", "suspects") if name in told]
    next_commands(
        *(f"open it in a browser: {page.resolve().as_uri()}" for page in pages),
        f"affectspace map {quoted(space, *repeated(where))}",
    )


def _components(word: str) -> 'int | Literal["bic"]':
    if word == "bic":
        return "bic"
    if not word.isdecimal() or int(word) < 1:
        raise InputError(f"--subclasses is {word!r}; legal: a number of at least 1, or bic")
    return int(word)


def _subclasses(space: "Space", components: 'int | Literal["bic"]', folder: Path, quiet: bool) -> list[dict[str, Any]]:
    import numpy as np
    import pandas as pd

    from affectspace.report.space_pages import subclasses_page
    from affectspace.space.subclasses import find_subclasses

    with working("looking for sub-classes", quiet):
        found = find_subclasses(space, components, seed=0)
        known = np.flatnonzero(found.assignment >= 0)
        inside, ids = found.assignment[known], space.items["id"]
        middle = space.vectors[found.medoids[inside]]
        table = pd.DataFrame(
            {
                "id": ids.iloc[known].to_numpy(),
                "label": space.items["label"].iloc[known].to_numpy(),
                "subclass": np.array(found.names)[inside],
                "medoid": np.isin(known, found.medoids),
                "distance": np.linalg.norm(space.vectors[known] - middle, axis=1),
            }
        )
        order = np.lexsort((known, table["distance"], ~table["medoid"], inside))
        _write(table.iloc[order], folder / "subclasses.csv")
        subclasses_page(found, folder / "subclasses.html", rest="subclasses.csv")
    return [
        {"subclass": name, "class": space.classes[int(whole)], "size": int(size), "medoid": str(ids.iloc[int(medoid)])}
        for name, whole, size, medoid in zip(found.names, found.classes_of, found.sizes, found.medoids)
    ]


def _suspects(space: "Space", folder: Path, quiet: bool) -> dict[str, Any]:
    from affectspace.report.space_pages import suspects_page, too_many
    from affectspace.space.label_errors import suspects

    with working("looking for labels in doubt", quiet):
        found = suspects(space)
        _write(found.assign(neighbours=found["neighbours"].map("|".join)), folder / "suspects.csv")
        suspects_page(space, found, folder / "suspects.html", rest="suspects.csv")
    first = found.head(5)[["id", "label", "suggested", "score"]]
    return {"count": len(found), "first": first.to_dict("records"), "caution": too_many(len(found), len(space))}


def _lines(told: dict[str, Any], folder: Path) -> list[str]:
    lines = []
    if "subclasses" in told:
        classes: dict[str, list[int]] = {}
        for each in told["subclasses"]:
            classes.setdefault(each["class"], []).append(each["size"])
        lines += [f"{name}: {', '.join(f'{size:,}' for size in sizes)} items" for name, sizes in classes.items()]
        lines.append(f"sub-classes -> {folder / 'subclasses.csv'}, {folder / 'subclasses.html'}")
    if "suspects" in told:
        lines += [
            f"in doubt: {each['id']}: labelled {each['label']}, perhaps {each['suggested']} (score {each['score']:.2f})"
            for each in told["suspects"]["first"]
        ]
        count = told["suspects"]["count"]
        lines.append(f"{count:,} labels in doubt -> {folder / 'suspects.csv'}, {folder / 'suspects.html'}")
        lines += [told["suspects"]["caution"]] if told["suspects"]["caution"] else []
    return lines


def _write(table: Any, path: Path) -> None:
    from affectspace.files import atomic_path

    with atomic_path(path) as aside:
        table.to_csv(aside, index=False, float_format="%.6g")
