"""The recipe of the page on ordered labels is one (its Python runs with that of all pages)."""

import re
import tomllib
from pathlib import Path

from affectspace.training import make_recipe

PAGE = Path(__file__).parents[1] / "docs/ordered.md"


def test_the_recipe_of_the_page_is_one():
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    rest = {"corpora": [{"path": "mine"}], "protocol": {"kind": "leave_one_out", "by": "speaker"}}
    recipe = make_recipe({"name": "ages", **rest, **tomllib.loads(block)})
    assert recipe.labels.thresholds == (18, 60)
    assert recipe.terms[0].kind == "ordered_emd"
