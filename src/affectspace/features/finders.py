"""What finds faces, by the name that recipes and commands give it."""

from affectspace.errors import InputError
from affectspace.features.face import FaceFinder
from affectspace.features.face_finder import CascadeFinder
from affectspace.features.yunet import YuNetFinder

__all__ = ["named_finder"]


def named_finder(name: str, find: str = "largest") -> FaceFinder:
    """The finder of a name.

    Args:
        name: ``"cascade"``: :class:`CascadeFinder`; the path of an ONNX file: :class:`YuNetFinder`.
        find: ``"largest"`` or ``"all"`` faces.

    Raises:
        InputError: a name that is neither, or a finder whose package is not installed.

    Example:
        >>> named_finder("haar")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no finder 'haar'; legal: cascade, or the path of a YuNet file (.onnx)
    """
    if name == "cascade":
        return CascadeFinder(find)
    if name.endswith(".onnx"):
        return YuNetFinder(name, find)
    raise InputError(f"there is no finder {name!r}; legal: cascade, or the path of a YuNet file (.onnx)")
