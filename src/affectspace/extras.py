"""What is installed only by those who need it."""

import importlib.util

from affectspace.errors import InputError

__all__ = ["refuse_missing"]

# What people call the packages whose modules have other names.
NAMES = {
    "av": "PyAV",
    "opensmile": "openSMILE",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "skimage": "scikit-image",
}


def refuse_missing(extra: str, needing: str, *modules: str, otherwise: str = "") -> None:
    """Refuse what cannot be done without packages that are not installed; nothing is imported.

    Args:
        extra: of affectspace, which installs them.
        needing: what needs them, with its verb, such as ``video needs``.
        modules: that must be there.
        otherwise: what else there is to know or to do, which ends the sentence.

    Raises:
        InputError: one is missing; it names all that are, and what to type.

    Example:
        >>> refuse_missing("video", "video needs", "json", "no_such_package")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: video needs no_such_package, not installed; pip install "affectspace[video]"
    """
    missing = [NAMES.get(each, each) for each in modules if importlib.util.find_spec(each) is None]
    if missing:
        told = " and ".join(missing)
        raise InputError(f'{needing} {told}, not installed; pip install "affectspace[{extra}]"{otherwise}')
