"""Whole numbers as options take them: cyclopts alone rounds, so that 1.5 processes were two."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from affectspace.errors import InputError

__all__ = ["Whole"]


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    """What was typed, as a whole number."""
    typed = tokens[0]
    try:
        return int(typed.value)
    except ValueError:
        raise InputError(f"{typed.keyword} is {typed.value!r}; a whole number is needed") from None


Whole = Annotated[int, Parameter(converter=_whole)]
