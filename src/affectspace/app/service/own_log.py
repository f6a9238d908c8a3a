"""What the service writes for its operator, and nothing besides."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["own_log"]


@contextmanager
def own_log() -> Iterator[None]:
    """Let nothing reach standard error but what Python writes there.

    Libraries of C that decode uploads tell there, past Python, what they have met in them: words of a client, and as
    many lines as it likes.

    Example:
        >>> with own_log():
        ...     _ = os.write(2, b"Illegal header 0x4d79206e616d65")
    """
    before, kept = sys.stderr, os.dup(2)
    before.flush()
    with open(os.devnull, "wb") as nowhere, open(kept, "w", buffering=1, errors="backslashreplace") as own:
        os.dup2(nowhere.fileno(), 2)
        sys.stderr = own
        try:
            yield
        finally:
            own.flush()
            sys.stderr = before
            os.dup2(kept, 2)
