"""Embedding spaces whose geometry is the geometry of the labels."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same name, for readers, editors and type checkers
    from affectspace.estimator import EmotionSpace

__all__ = ["EmotionSpace"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "EmotionSpace":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # what an estimator needs takes seconds, which the command line has no use for

    return import_module("affectspace.estimator").EmotionSpace


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
