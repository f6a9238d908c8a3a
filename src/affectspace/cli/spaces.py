"""What the commands of a space share: opening it or some of it, waiting while somebody looks on, names beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from affectspace.cli.tell import quoted

if TYPE_CHECKING:  # --help has no use for pandas
    from affectspace.space import Space

__all__ = ["Where", "beside", "chosen", "onwards", "working"]

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


def onwards(space: "Space", path: Path) -> str:
    """What to look at next: discovering starts from labels, and summarising does without."""
    return f"affectspace {'discover' if (space.labels >= 0).any() else 'summarise'} {quoted(path)}"


def beside(space: Path, what: str) -> Path:
    """A path beside a space, named after it.

    Example:
        >>> str(beside(Path("spaces/faces.parquet"), "-map.png"))
        'spaces/faces-map.png'
    """
    return space.with_name((space.stem if space.suffix == ".parquet" else space.resolve().name) + what)


@contextmanager
def working(words: str, quiet: bool = False) -> Iterator[None]:
    """Say what is being done while it is, on a terminal; nothing in a pipe."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(f"{words} ..."):
        yield
