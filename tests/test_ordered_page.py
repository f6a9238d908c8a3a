"""The recipes of the page on ordered labels are some (its Python runs with that of all pages)."""

import re
import tomllib
from pathlib import Path

from affectspace.training import make_recipe

PAGE = Path(__file__).parents[1] / "docs/ordered.md"


def test_the_recipes_of_the_page_are_some():
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    rest = {"corpora": [{"path": "mine"}], "protocol": {"kind": "leave_one_out", "by": "speaker"}}
    cut, filled = (make_recipe({"name": "ages", **rest, **tomllib.loads(block)}) for block in blocks)
    assert cut.labels.thresholds == (18, 60)
    assert filled.labels.bins == 8
    assert {recipe.terms[0].kind for recipe in (cut, filled)} == {"ordered_emd"}
