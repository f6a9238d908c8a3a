"""Packages whose versions decide what comes out."""

from importlib.metadata import version

import affectspace

__all__ = ["versions_here"]


def versions_here() -> dict[str, str]:
    """By name; without what tells for which device torch was built, as that rounds no differently.

    Example:
        >>> list(versions_here())
        ['affectspace', 'torch']
    """
    return {"affectspace": affectspace.__version__, "torch": version("torch").partition("+")[0]}
