"""Work that takes long, done once, while the page goes on answering."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Later"]

T = TypeVar("T")
ONE_AT_A_TIME = threading.Lock()  # two at once would only take turns


class Later(Generic[T]):
    """A result that is begun when somebody first asks for it, and is there at some later asking.

    Args:
        make: what makes it; it runs in a thread that ends with the program.
        says: what is being done meanwhile, such as ``"drawing the map"``.

    Example:
        >>> later = Later(lambda: 6 * 7, "computing")
        >>> later.wait()
        42
        >>> later.ask()
        (True, 42)
    """

    def __init__(self, make: Callable[[], T], says: str):
        self.says = says
        self._make = make
        self._begun = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: list[T] = []
        self._fault: Exception | None = None

    @property
    def begun(self) -> bool:
        """Whether anybody has asked."""
        return self._thread is not None

    def ask(self) -> tuple[bool, T | None]:
        """Whether the result is there, and the result; the first to ask begins it.

        Raises:
            Exception: what making it has raised, every time.
        """
        with self._begun:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.says, daemon=True)
                self._thread.start()
        if self._fault is not None:
            raise self._fault.with_traceback(None)  # else it would grow with each asking
        return (True, self._found[0]) if self._found else (False, None)

    def wait(self) -> T:
        """The result, once it is there."""
        self.ask()
        assert self._thread is not None
        self._thread.join()
        self.ask()
        return self._found[0]

    def _run(self) -> None:
        try:
            with ONE_AT_A_TIME:
                self._found.append(self._make())
        except Exception as error:  # it is told to everybody who asks
            self._fault = error
