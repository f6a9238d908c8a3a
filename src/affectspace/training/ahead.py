"""What comes next is made while the present is at work."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

Made = TypeVar("Made")


def ahead(source: Iterable[Made]) -> Iterator[Made]:
    """The same things in the same order; the next is made in a thread while the last is used.

    One thing is held ready. What making it raises is raised where it would be handed out. The thread ends
    with the source, or when the iterator is closed.

    Example:
        >>> list(ahead(number * number for number in range(4)))
        [0, 1, 4, 9]
    """
    made = iter(source)
    end = object()
    with ThreadPoolExecutor(1, "ahead") as thread:
        waiting = thread.submit(next, made, end)
        while (found := waiting.result()) is not end:
            waiting = thread.submit(next, made, end)
            yield found  # type: ignore[misc]  # the end never comes here
