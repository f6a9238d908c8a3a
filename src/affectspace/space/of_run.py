"""The space of a finished run: what its predictions hold, and where the media of its items lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import open_corpus
from affectspace.errors import InputError
from affectspace.space.of_corpus import media_of, sole_label
from affectspace.space.own_columns import own_columns, typed
from affectspace.training.run import Run

__all__ = ["classes_stand_in_order", "read_run"]


def read_run(path: Path) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], dict[str, Any]]:
    """Items, vectors, classes and origin of the items that a run has embedded.

    An item's label is its most probable class, missing where the raters are tied. Media are looked up in the
    corpora where the run found them, as are the columns of their own; they are missing where a corpus has gone.

    Raises:
        InputError: the run has several folds, whose spaces are not one, is not finished, or is damaged.
    """
    run = Run(path)
    if run.folds:
        raise InputError(f"{path} holds one space a fold; name one of them, such as {run.folds[0].path}")
    classes, table = run.classes, run.predictions
    rows = {name: _matrix(path, table[name]) for name in ("target", "probabilities", "embedding")}
    target = rows["target"]
    if target.shape[1] != len(classes) or rows["probabilities"].shape[1] != len(classes):
        raise InputError(f"predictions.parquet of run {path} is damaged: it is not of its {len(classes)} classes")
    names = np.array(classes, dtype=object)
    ids = table["item"].astype("string")
    items = pd.DataFrame(
        {
            "id": ids,
            "corpus": ids.str.split("/", n=1).str[0].where(ids.str.contains("/", regex=False)),
            "label": sole_label(target, classes),
            "target": table["target"],
            "probabilities": table["probabilities"],
            "prediction": names[rows["probabilities"].argmax(1)],
            "split": table["split"],
            "speaker": table["speaker"],
        }
    )
    about = {"model": str(path.resolve()), "recipe": run.name, "features": run.data.get("features")}
    if roots := {each["name"]: each["path"] for each in run.data.get("corpora") or () if each.get("path")}:
        about["corpora"] = roots
    known = typed(items.merge(_known(run), on="id", how="left", sort=False))
    return known, rows["embedding"], classes, about


def classes_stand_in_order(about: Mapping[str, Any]) -> bool:
    """Whether the run that made a space says that its classes are levels of one thing.

    Args:
        about: of the space.
    """
    from affectspace.training.recipe_data import stand_in_order  # loads what recipes are made of

    try:
        labels = Run(Path(str(about.get("model") or ""))).recipe.get("labels", {})
    except InputError:
        return False
    return stand_in_order(labels)


def _known(run: Run) -> pd.DataFrame:
    adapters = {Path(entry["path"]).name: entry.get("adapter") for entry in run.recipe.get("corpora", ())}
    found = [pd.DataFrame({"id": []}, dtype="string")]
    for about in run.data.get("corpora") or ():
        root = Path(str(about.get("path") or ""))
        if not about.get("path") or not root.is_dir():
            continue
        try:
            corpus = open_corpus(root, adapters.get(root.name))
            found.append(media_of(corpus).merge(own_columns(corpus)[0], on="id", how="left"))
        except InputError:
            continue  # a corpus that has changed since is no reason to refuse what the run has kept
    return pd.concat(found, ignore_index=True).drop_duplicates("id")


def _matrix(path: Path, column: pd.Series) -> np.ndarray:
    try:
        return np.stack(column.to_list()).astype(np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"predictions.parquet of run {path} is damaged: rows of {column.name!r} differ in length"
        ) from error
