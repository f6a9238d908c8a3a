"""The script that draws is found in an installed package, or its absence is told with the remedy."""

import pytest

from affectspace.app.explorer import scatter_library as module
from affectspace.app.explorer.scatter_library import scatter_library
from affectspace.errors import InputError


def test_the_script_defines_what_the_page_calls():
    pytest.importorskip("pydeck")
    script = scatter_library().read_text(encoding="utf-8")
    assert "createDeck" in script
    assert scatter_library().name in (module.Path(module.__file__).parent / "page" / "points_webgl.js").read_text()


def test_a_package_that_is_missing_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(
        InputError, match=r'no_such_package_at_all, not installed; pip install "affectspace\[explore\]"'
    ):
        scatter_library()


def test_a_file_that_is_missing_is_named_with_its_remedy(monkeypatch):
    pytest.importorskip("pydeck")
    monkeypatch.setattr(module, "PLACE", "nbextension/static/other.js")
    with pytest.raises(InputError, match=r"other\.js of pydeck is gone, .* --no-deps pydeck brings it back"):
        scatter_library()
