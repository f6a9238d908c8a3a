"""Every recipe runs as it is, on a tiny corpus under each name that it asks for."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora import make_synthetic
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study
from affectspace.training import load_recipe, make_recipe, train, train_recipe
from affectspace.training.dotted import put
from affectspace.training.recipe_data import VectorFeatures

FILES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
STUDIES = [path for path in FILES if "recipes" in tomllib.loads(path.read_text())]
RECIPES = [path for path in FILES if path not in STUDIES]
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


def pictures_for(recipe, folder: Path, seed: int = 0) -> None:
    """Pictures as bright as their class is high; one item in four is tested."""
    folder.mkdir(parents=True)
    rng, names = np.random.default_rng(seed), recipe.labels.names
    rows, votes = [], []
    for number in range(12 * len(names)):
        place = number % len(names)
        pixels = rng.normal(40 + 160 * place / len(names), 12, (recipe.features.side,) * 2)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        cuts = getattr(recipe.labels, "thresholds", None)
        label = names[place] if cuts is None else ([1.0, *cuts])[place]
        split = "test" if number // len(names) % 4 == 0 else "train"
        rows.append({"id": str(number), "image": f"{number}.png", "label": label, "split": split})
        votes += [(str(number), recipe.labels.dimension, names[(place + shift) % len(names)]) for shift in (0, 0, 1)]
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
    if recipe.labels.kind == "classes":
        pd.DataFrame(votes, columns=["item", "dimension", "value"]).to_csv(folder / "ratings.csv", index=False)


SHORT = {"training.epochs": 2, "monitor.snapshots": [1], "training.batch_size": 16, "training.threads": 1}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(path, tmp_path):
    short = [f"data={tmp_path}", *(f"{key}={value}" for key, value in SHORT.items())]
    recipe = load_recipe(path, short)
    if recipe.features.kind == "functionals":
        pytest.importorskip("opensmile")
    if recipe.features.kind == "faces":
        pictures_for(recipe, tmp_path / recipe.corpora[0].path)
    else:
        corpora_for(recipe, tmp_path)
    if getattr(recipe.protocol, "fold", None) == "all":
        recipe = load_recipe(path, [*short, "protocol.fold=0"])
    run = train_recipe(recipe, tmp_path / "run", quiet=True)
    assert run.metrics["name"] == path.stem
    assert 0 <= run.metrics["test"]["uar"] <= 1
    assert not run.metrics["transductive"] or recipe.features.normalise.transductive


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_recipe_of_a_study_runs(path, tmp_path):
    study = load_study(path)
    recipes = StudyRecipes(study, str(path))
    for entry in study.recipes:
        values = recipes.of(entry.name, study.splits[0].name).model_dump()
        values["data"] = str(tmp_path)
        warm = [term.get("warm_up", 0) for term in values["terms"]]
        for key, value in {**SHORT, "training.epochs": 1 + max(warm, default=0)}.items():
            put(values, key, value)
        if values["training"]["items_per_class"]:
            put(values, "training.items_per_class", 4)
        short = make_recipe(values)
        for number, corpus in enumerate(short.corpora):
            if not (folder := tmp_path / corpus.path).exists():
                pictures_for(short, folder, number)
        run = train(short, tmp_path / "runs" / entry.name, quiet=True)
        assert 0 <= run.metrics["test"]["uar"] <= 1
        assert set(run.unseen) == set(getattr(short.protocol, "unseen", ()))
