"""Every recipe runs as it is, on a tiny corpus under each name that it asks for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic
from affectspace.training import load_recipe, train_recipe
from affectspace.training.recipe_data import VectorFeatures

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
LANGUAGES = ("alva", "boro", "cirin")


def corpora_for(recipe, root: Path) -> None:
    for number, entry in enumerate(recipe.corpora):
        name = Path(entry.path).stem
        folder = root / name if Path(entry.path).suffix else root / entry.path
        made = make_synthetic(folder, LANGUAGES[number % 3], name=name, speakers=6, items_per_speaker=8)
        items = pd.read_csv(folder / "items.csv")
        groups = {getattr(recipe.protocol, name, None) for name in ("by", "validate_by")}
        if "session" not in groups:
            items = items.drop(columns="session")  # such corpora know none
            items.to_csv(folder / "items.csv", index=False)
        # Labels that this recipe names beyond the four of the synthetic voices are given to some items.
        others = [c for c in recipe.labels.names if c not in {"angry", "happy", "neutral", "sad"}]
        if recipe.labels.kind == "classes" and others:
            items.loc[items.index % 8 < len(others), "label"] = [
                others[i % 8] for i in items.index if i % 8 < len(others)
            ]
            items.to_csv(folder / "items.csv", index=False)
        if isinstance(recipe.features, VectorFeatures):
            rng = np.random.default_rng(0)
            vectors = {f"{kind}_{i}": rng.normal(size=len(made.items)) for kind in "apd" for i in range(2)}
            table = pd.DataFrame({recipe.features.id_column: items["id"], **vectors})
            table.to_parquet(root / str(recipe.features.path).replace("*", "1"))
            (root / entry.path).write_text(
                f'name = "{name}"\nroot = "{name}"\nitems = "items.csv"\nratings = "ratings.csv"\n'
                "[scales.activation]\nlow = 1\nhigh = 5\n[scales.valence]\nlow = 1\nhigh = 5\n"
            )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(path, tmp_path):
    short = [
        f"data={tmp_path}",
        "training.epochs=2",
        "monitor.snapshots=[1]",
        "training.batch_size=16",
        "training.threads=1",
    ]
    recipe = load_recipe(path, short)
    if recipe.features.kind == "functionals":
        pytest.importorskip("opensmile")
    corpora_for(recipe, tmp_path)
    if getattr(recipe.protocol, "fold", None) == "all":
        recipe = load_recipe(path, [*short, "protocol.fold=0"])
    run = train_recipe(recipe, tmp_path / "run", quiet=True)
    assert run.metrics["name"] == path.stem
    assert 0 <= run.metrics["test"]["uar"] <= 1
    assert not run.metrics["transductive"] or recipe.features.normalise.transductive
