"""Commands and options that are typed and that there are not, told as all other faults are."""

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain

from cyclopts import CycloptsError, UnknownCommandError, UnknownOptionError

__all__ = ["unknown_told"]

NEAR = 0.75  # how alike words are that may be meant for each other


def unknown_told(error: CycloptsError, commands: Sequence[str]) -> str:
    """What is unknown, what there is, and where to look; empty for another fault.

    Args:
        error: of the command line.
        commands: all that there are.
    """
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        typed = error.unused_tokens[0]
        if error.command_chain and error.app:  # a command that has commands of its own
            commands = [name for name in error.app if not name.startswith("-")]
        return f"there is no command {typed!r}; {_meant(typed, commands)}legal: {', '.join(commands)}"
    if isinstance(error, UnknownOptionError):
        typed = str(error.token.keyword or error.token.value)
        options = [name for each in error.argument_collection for name in each.names if each.parse]
        command = " ".join(chain(["affectspace"], error.command_chain or ()))
        return f"{command} has no option {typed}; {_meant(typed, options)}see {command} --help"
    return ""


def _meant(typed: str, there: Iterable[str]) -> str:
    near = difflib.get_close_matches(typed, list(there), 1, NEAR)
    return f"did you mean {near[0]}? " if near else ""
