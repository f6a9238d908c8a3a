"""The script that draws the points of a map, as it lies in an installed package."""

from importlib.util import find_spec
from pathlib import Path

from affectspace.errors import InputError
from affectspace.extras import refuse_missing

__all__ = ["scatter_library"]

# pydeck's wheel carries deck.gl for notebooks; the page uses it by itself (page/points_webgl.js).
PACKAGE, PLACE = "pydeck", "nbextension/static/index.js"


def scatter_library() -> Path:
    """The file of deck.gl, a maintained library that draws with WebGL and needs no ``unsafe-eval``.

    It is a data file of the package ``pydeck``, of which nothing is imported.

    Raises:
        InputError: the package is not installed, or lacks the file.

    Example:
        >>> scatter_library().name                                     # doctest: +SKIP
        'index.js'
    """
    refuse_missing("explore", "drawing maps needs", PACKAGE)
    found = find_spec(PACKAGE)
    path = None if found is None or found.origin is None else Path(found.origin).parent / PLACE
    if path is None or not path.is_file():
        raise InputError(
            f"{PLACE} of {PACKAGE} is gone, which draws the maps; pip install --force-reinstall --no-deps {PACKAGE} "
            "brings it back"
        )
    return path
