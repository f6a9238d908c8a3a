"""Names of a package that are imported once they are asked for, where what they need takes seconds to load."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["on_demand"]


def on_demand(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562), which keeps a name once it has been imported.

    Modules of its own that names are imported from can be asked for, too.

    Args:
        package: its name.
        homes: modules by the names that are imported from them; one that begins with a dot is the package's own.

    Example:
        ``__getattr__, __dir__ = on_demand(__name__, {"Space": ".space"})``
    """

    def find(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(homes[name], package), name)
        elif f".{name}" in homes.values():
            value = import_module(f".{name}", package)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return find, names
