"""Where a path lies that a recipe names: below its data, or where it says in full."""

import glob
from pathlib import Path

from affectspace.errors import InputError
from affectspace.files import inside
from affectspace.training.recipe import Recipe

__all__ = ["named_path"]


def named_path(recipe: Recipe, key: str, path: str) -> Path:
    """The path below the recipe's ``data``, or an absolute one: large tables and models lie where they lie.

    Args:
        recipe: its ``data``.
        key: of the recipe that names it, for the error.
        path: or a pattern of several.

    Raises:
        InputError: a relative path, or a file of the pattern, leaves ``data``, by ``..`` or by a link.

    Example:
        >>> from types import SimpleNamespace
        >>> named_path(SimpleNamespace(data="mine"), "features.path", "sound/*.npz")
        PosixPath('mine/sound/*.npz')
    """
    if Path(path).is_absolute():
        return Path(path)
    for each in (path, *(glob.glob(path, root_dir=recipe.data) if glob.has_magic(path) else ())):
        try:
            inside(recipe.data, each)
        except InputError:
            raise InputError(
                f"{key} {each!r} leaves the recipe's data, {Path(recipe.data).resolve()}; name a path below it, or an "
                "absolute one"
            ) from None
    return Path(recipe.data) / path
