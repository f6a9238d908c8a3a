"""What the commands of a space share: opening it or some of it, waiting while somebody looks on, names beside it."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from affectspace.cli.tell import quoted

if TYPE_CHECKING:  # --help has no use for pandas
    from affectspace.space import Space

__all__ = ["Where", "beside", "chosen", "onwards", "repeated", "working"]

LONGEST = 80  # characters of conditions in a name

Where = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)]
"""Conditions on the columns of a space, several after one ``--where``; see :mod:`affectspace.space.conditions`."""


def chosen(path: Path, where: Sequence[str] = ()) -> "Space":
    """A space from its file or run folder, or the items of it that meet all conditions.

    Raises:
        InputError: what :meth:`affectspace.space.Space.open` and :meth:`~affectspace.space.Space.where` raise.
    """
    from affectspace.space import Space

    space = Space.open(path)
    return space.where(*where) if where else space


def repeated(where: Sequence[str]) -> list[str]:
    """The words of a command that set these conditions."""
    return ["--where", *where] if where else []


def onwards(space: "Space", path: Path) -> str:
    """What to look at next: discovering starts from labels, and summarising does without."""
    return f"affectspace {'discover' if (space.labels >= 0).any() else 'summarise'} {quoted(path)}"


def beside(space: Path, what: str, where: Sequence[str] = (), ending: str = "") -> Path:
    """A path beside a space, named after it and after the conditions, so that no part takes the place of the whole.

    Example:
        >>> str(beside(Path("spaces/faces.parquet"), "-map", ending=".png"))
        'spaces/faces-map.png'
        >>> str(beside(Path("faces.parquet"), "-discovered", ["label=young", "split!=train"]))
        'faces-discovered-label=young,split!=train'
        >>> str(beside(Path("faces.parquet"), "-discovered", ["label=young|old"]))  # no system forbids such a name
        'faces-discovered-label=young+old-3ae4490a'
    """
    name = space.stem if space.suffix == ".parquet" else space.resolve().name
    return space.with_name(f"{name}{what}{_told(where)}{ending}")


def _told(conditions: Sequence[str]) -> str:
    """Conditions as a part of a name; what cannot stand in it is replaced, and a hash keeps it apart from others."""
    if not conditions:
        return ""
    given = ",".join(conditions)
    told = re.sub(r"[^\w.,=!+ -]", "-", given.replace("|", "+"))[:LONGEST].rstrip(" .")
    return f"-{told}" if told == given else f"-{told}-{hashlib.sha256(given.encode()).hexdigest()[:8]}"


@contextmanager
def working(words: str, quiet: bool = False) -> Iterator[None]:
    """Say what is being done while it is, on a terminal; nothing in a pipe."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(f"{words} ..."):
        yield
