"""What a command cannot do without and was not typed, told as all other faults are."""

import inspect
from itertools import chain

from cyclopts import CycloptsError, MissingArgumentError

__all__ = ["missing_told"]


def missing_told(error: CycloptsError) -> str:
    """What is missing, where it stands, and where to look; empty for another fault.

    Args:
        error: of the command line.
    """
    if not isinstance(error, MissingArgumentError) or error.argument is None or error.target is None:
        return ""
    command = " ".join(chain(["affectspace"], error.command_chain or ()))
    if error.keyword:
        return f"{command} needs a value behind {error.keyword}; see {command} --help"
    needed = {name: _typed(parameter) for name, parameter in inspect.signature(error.target).parameters.items()}
    missing = needed[error.argument.field_info.name]
    return f"{command} needs {missing}: {' '.join([command, *filter(None, needed.values())])}; see {command} --help"


def _typed(parameter: inspect.Parameter) -> str:
    """How an argument is typed, or a needed option; empty for an option that may be left out."""
    word = parameter.name.upper()
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"[{word} ...]"
    if parameter.default is not parameter.empty:
        return ""
    return f"--{parameter.name} {word}" if parameter.kind is parameter.KEYWORD_ONLY else word
