"""One training of a study, and how it ended."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from affectspace.training.keys import items_key, split_key
from affectspace.training.recipe import Recipe

__all__ = ["Answer", "Job"]


@dataclass(frozen=True)
class Job:
    """One training: what, and where to.

    Args:
        folder: of the run.
        recipe: of the run.
        scratch: the folder is only for measuring, and is removed after.
        only_open: nothing is trained, its data are only opened.
    """

    folder: Path
    recipe: Recipe
    scratch: bool = False
    only_open: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """What a process is told of it."""
        recipe = self.recipe.model_dump(mode="json", exclude_none=True)
        return {"folder": str(self.folder), "recipe": recipe, "scratch": self.scratch, "only_open": self.only_open}

    @property
    def anywhere(self) -> "Job":
        """The same on any machine, whatever folder is the current one there."""
        return replace(self, folder=self.folder.absolute(), recipe=self.recipe.settled())

    @cached_property
    def split_key(self) -> str:
        """Jobs of one key read the same data, divided alike."""
        return split_key(self.recipe)

    @cached_property
    def items_key(self) -> str:
        """Jobs of one key use the same items."""
        return items_key(self.recipe)


@dataclass(frozen=True)
class Answer:
    """How a job ended.

    Args:
        seconds: of training, None where it failed.
        data_seconds: of opening its data, before that.
        new_items: whether its process held none of them, not even in another split.
        error: why it failed, in a sentence.
        code: the exit code that stands for that fault.
        full: the disk is full, so that nothing else can be done either.
        trace: of a fault that is ours.
    """

    seconds: float | None = None
    data_seconds: float = 0.0
    new_items: bool = False
    error: str = ""
    code: int = 0
    full: bool = False
    trace: str = ""
