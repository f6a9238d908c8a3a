"""What ``selection.json`` records of a study's choices: which are made, and among how many settings and epochs."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

__all__ = ["Choices"]


class Choices:
    """A light reader of the record; where there is none, nothing was chosen.

    Args:
        record: by "name of split/fold-03", or "/all" of a split without folds: what was tried and chosen there.

    Example:
        >>> tried = [{"stage": "shared", "set": {"lr": rate}} for rate in (0.1, 0.01, 0.001)]
        >>> found = Choices({"random/all": {"tried": tried, "shared": {"set": {"lr": 0.1}}, "open": ["KL"]}})
        >>> found.shared_settings, found.shared_epochs, found.own_settings("KL"), found.open
        (3, 1, 1, frozenset({('KL', 'random')}))
    """

    def __init__(self, record: Mapping[str, Mapping[str, Any]]):
        self.record = record

    @cached_property
    def open(self) -> frozenset[tuple[str, str]]:
        """Recipe and split of which some settings are not chosen yet."""
        waiting = ((name, key) for key, entry in self.record.items() for name in entry.get("open") or ())
        return frozenset((name, key.rpartition("/")[0]) for name, key in waiting)

    @property
    def shared_settings(self) -> int:
        """Among how many settings one recipe has chosen for all; 1 where among none, or an epoch alone."""
        made = [entry for entry in self.record.values() if (entry.get("shared") or {}).get("set")]
        return max((_tried(entry, "shared") for entry in made), default=1)

    @property
    def shared_epochs(self) -> int:
        """Among how many epochs one recipe has chosen for all, on the split with most; 1 where among none."""
        made = [entry for entry in self.record.values() if (entry.get("shared") or {}).get("epoch") is not None]
        return max((len(entry.get("curve") or ()) for entry in made), default=1)

    def own_settings(self, recipe: str) -> int:
        """Among how many settings a recipe has chosen for itself alone, on the split with most; 1 where among none."""
        made = [entry for entry in self.record.values() if recipe in (entry.get("own") or ())]
        return max((1, *(_tried(entry, "own", recipe) for entry in made)))


def _tried(entry: Mapping[str, Any], stage: str, recipe: str | None = None) -> int:
    """How many settings were tried for all recipes ("shared"), or by one for itself ("own")."""
    tried = [each for each in entry.get("tried") or () if each.get("stage") == stage]
    return sum(recipe in (None, each.get("recipe")) for each in tried)
