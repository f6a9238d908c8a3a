"""``affectspace summarise``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.spaces import Where, beside, chosen, repeated, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.files import atomic_path, json_text

USUAL_GROUPS = 40


def summarise(
    space: Path,
    *,
    groups: Whole | None = None,
    per_group: Whole = 8,
    where: Where = (),
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show a whole collection at a glance: groups of alike items, each by its most typical ones.

    Parameters
    ----------
    space
        A Parquet file that affectspace embed wrote, or a finished run folder; no labels are needed.
    groups
        How many groups [default: 40, or as many as there are items].
    per_group
        How many items stand for each.
    where
        Only items for which these hold, such as split=test or carried=no, as if there were no others.
    out
        The folder for summary.csv and summary.html [default: NAME-summary beside the space, with the conditions
        behind it].
    as_json
        Print the groups as JSON, for machines.
    """
    for name, value in (("groups", groups), ("per-group", per_group)):
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; legal: at least 1")
    opened = chosen(space, where)
    if groups is None:
        groups = min(USUAL_GROUPS, len(opened))
    if groups > len(opened):
        raise InputError(f"--groups is {groups}, and there are {len(opened)} items; legal: 1 to {len(opened)}")
    folder = new_folder(out or beside(space, "-summary", where))

    from affectspace.report.space_pages import summary_page
    from affectspace.space.summary import summarise as summarise_space

    with working("finding groups", as_json):
        found = summarise_space(opened, groups=groups, per_group=per_group, seed=0)
        with atomic_path(folder / "summary.csv") as aside:
            found.table.drop(columns="row").to_csv(aside, index=False)
        page = summary_page(opened, found, folder / "summary.html", rest="summary.csv")
    parts = [(part["id"].tolist(), int(part["size"].iloc[0])) for _, part in found.table.groupby("group")]
    if as_json:
        told = [{"size": size, "items": names} for names, size in parts]
        print(json_text({"items": len(opened), "out": str(folder), "coverage": found.coverage, "groups": told}))
        return
    if where:
        print(f"{len(opened):,} items with {' and '.join(where)}")
    sizes = [size for _, size in parts]
    print(f"{len(opened):,} items in {len(parts)} groups of {min(sizes):,} to {max(sizes):,}")
    print(f"{len(found.table):,} items stand for them -> {folder / 'summary.csv'}, {page}")
    next_commands(
        f"open it in a browser: {page.resolve().as_uri()}", f"affectspace map {quoted(space, *repeated(where))}"
    )
