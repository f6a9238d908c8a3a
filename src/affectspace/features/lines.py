"""Lines that tell how far things are where no terminal shows a bar."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console

__all__ = ["Lines", "counted_lines"]

FIRST = 10.0  # seconds until the first line; so much, and then twice as much from line to line ...
EVERY = 60.0  # ... and no more than this

T = TypeVar("T")


class Lines:
    """A line now and then, at growing intervals of up to a minute; none on a terminal, which has a bar.

    Args:
        console: to print on.
        quiet: print nothing at all.

    Example:
        >>> import io
        >>> console = Console(file=io.StringIO())
        >>> Lines(console).tell("1 of 3 items")  # too early
        >>> console.file.getvalue()
        ''
    """

    def __init__(self, console: Console, quiet: bool = False):
        self._console = None if quiet or console.quiet or console.is_terminal else console
        self._wait, self._last = FIRST, time.monotonic()

    def tell(self, text: str) -> None:
        """Print it, where it is time to."""
        if self._console is not None and time.monotonic() - self._last >= self._wait:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)
            self._wait, self._last = min(2 * self._wait, EVERY), time.monotonic()


def counted_lines(items: Iterable[T], what: str, total: int, lines: Lines, done: int = 0) -> Iterator[T]:
    """The same items; lines such as ``features: 900 of 3,107 items`` as they go by, ``done`` of them before."""
    for number, item in enumerate(items, 1 + done):
        yield item
        lines.tell(f"{what}: {number:,} of {total:,} items")
