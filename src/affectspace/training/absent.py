"""Classes that no item of a part has, which the figures of that part leave out."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from affectspace.metrics import occurring

__all__ = ["absent_classes"]


def absent_classes(targets: ArrayLike, names: Sequence[str]) -> list[str]:
    """The classes that are the most probable one of no item.

    Args:
        targets: ``(items, classes)`` probabilities.
        names: of the classes.

    Example:
        >>> absent_classes([[1, 0, 0], [0, 0, 1]], ["young", "middle", "old"])
        ['middle']
    """
    return [name for name, occurs in zip(names, occurring(targets, len(names))) if not occurs]
