"""Embedding spaces whose geometry is the geometry of the labels."""

from typing import TYPE_CHECKING

from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same name, for readers, editors and type checkers
    from affectspace.estimator import EmotionSpace

__all__ = ["EmotionSpace"]
__version__ = "0.1.0"

# What an estimator needs takes seconds, which the command line has no use for.
__getattr__, __dir__ = on_demand(__name__, {"EmotionSpace": ".estimator"})
