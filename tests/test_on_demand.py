"""Names of a package that are imported once they are asked for."""

import sys
from types import ModuleType

import pytest

from affectspace.on_demand import on_demand


def test_a_name_is_imported_when_it_is_asked_for_and_kept(monkeypatch):
    package = ModuleType("made_up")
    monkeypatch.setitem(sys.modules, "made_up", package)
    package.here = 1
    find, names = on_demand("made_up", {"sqrt": "math", "gone": "math"})
    assert "sqrt" not in vars(package)
    assert find("sqrt")(4) == vars(package)["sqrt"](4) == 2
    assert {"here", "sqrt", "gone"} <= set(names())
    with pytest.raises(AttributeError, match="module 'made_up' has no attribute 'sqr'"):
        find("sqr")
    with pytest.raises(AttributeError, match="'math' has no attribute 'gone'"):
        find("gone")


def test_modules_that_names_come_from_can_be_asked_for():
    import affectspace.labels

    assert affectspace.labels.geometry.__name__ == "affectspace.labels.geometry"
