"""The faults that affectspace reports to people, each with the exit code of the command line.

A message names the value, what is legal, and the remedy; it is one sentence or two, never a stack.
"""

__all__ = ["AffectspaceError", "DivergedError", "InputError", "LeakError", "MediaError"]


class AffectspaceError(Exception):
    """Anything that affectspace reports as a sentence instead of a traceback.

    Attributes:
        common: whether every process of a training raises it, so that it is enough if the first one tells it.
    """

    exit_code = 1
    common = False


class InputError(AffectspaceError, ValueError):
    """A recipe, table, label or argument that cannot be used as given."""

    exit_code = 2


class MediaError(InputError):
    """A recording or an image that cannot be read as what it claims to be."""


class LeakError(InputError):
    """A split in which a group that must stay apart occurs on both sides."""


class DivergedError(AffectspaceError):
    """Training met a loss that is not finite and stopped."""

    exit_code = 3
