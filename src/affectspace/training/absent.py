"""Classes that no item of a part has, which the figures of that part leave out."""

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from affectspace.metrics import occurring

__all__ = ["absent_classes", "absent_told"]

WHICH = {"validate": "validation item", "test": "test item"}


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


def absent_told(absent: Mapping[str, Sequence[str]], classes: int) -> list[str]:
    """A sentence for each part that lacks classes.

    Args:
        absent: by "validate", "test" or "unseen.CORPUS", as in ``metrics.json``.
        classes: how many are named.

    Example:
        >>> absent_told({"test": ["old"]}, 5)
        ['No test item is of class old: UAR, chance and F1 of them are means over the other 4 classes.']
        >>> absent_told({"unseen.mine": ["old", "middle"]}, 3)
        ['No item of mine is of class old, middle: UAR, chance and F1 of them are of the one other class.']
    """
    sentences = []
    for part, names in absent.items():
        if not names:
            continue
        which = WHICH.get(part) or f"item of {part.removeprefix('unseen.')}"
        left = classes - len(names)
        means = f"means over the other {left} classes" if left > 1 else "of the one other class"
        sentences.append(f"No {which} is of class {', '.join(names)}: UAR, chance and F1 of them are {means}.")
    return sentences
