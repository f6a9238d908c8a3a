"""A trained model measured on a corpus that it never saw."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError, LeakError
from affectspace.metrics import scores
from affectspace.protocols import Split, audit, namesakes
from affectspace.training.absent import absent_classes
from affectspace.training.below_data import refuse_other_below
from affectspace.training.evaluate import Predictions, figures, figures_of_space
from affectspace.training.finder_file import finder_file
from affectspace.training.gather import Gathered, gather
from affectspace.training.model import Model, load_model
from affectspace.training.multimodal import subsets
from affectspace.training.recipe_data import CorpusEntry
from affectspace.training.recipe_file import load_recipe
from affectspace.training.run import Run

__all__ = ["evaluate_on"]

BATCH = 128
KNOWN = ("train", "validate")


def evaluate_on(
    run: Run, corpus: str | Path, adapter: str | None = None, allow: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Scores of the run's model on all labelled items of ``corpus``, nothing of which it may know.

    Raises:
        LeakError: a speaker, session, script or recording of the corpus took part in training or
            selection, and ``allow`` does not name it.
        InputError: no finished model, a corpus without usable items, or an unknown word in ``allow``.
    """
    model = load_model(run.path)
    entry = CorpusEntry(path=str(Path(corpus).resolve()), adapter=adapter)
    # the model's labels, since it knows the thresholds that training has learned; items without one are not asked for
    recipe = load_recipe(run.path / "recipe.toml").model_copy(
        update={"corpora": (entry,), "labels": model.recipe.labels, "unlabelled": None}
    )
    if finder_file(recipe):  # the one that the model has kept, wherever the data have gone
        recipe = recipe.model_copy(update={"data": model.recipe.data, "features": model.recipe.features})
    refuse_other_below(recipe, model.digests)
    gathered = gather(recipe)
    _refuse_known(run, gathered.items, allow)
    embeddings, probabilities = _answers(model, gathered, gathered.inputs.keys())
    rows = np.arange(len(gathered.items))
    targets = gathered.targets.numpy()
    predictions = Predictions(rows, targets, probabilities, embeddings, gathered.numbers, model.cut)
    measured = figures(predictions, run.metrics["geometry"], recipe.labels.ordered)
    if len(known := run.predictions.query("split == 'train'")):  # kept where the run has measured its space
        trained = [np.stack(list(known[name])) for name in ("target", "probabilities", "embedding")]
        k = (run.metrics.get("neighbours") or {}).get("k")
        before = Predictions(np.arange(len(known)), trained[0], trained[1], trained[2])
        measured |= figures_of_space(predictions, before, k)
    return {
        "corpus": gathered.about[0]["name"],
        "items": len(gathered.items),
        "scores": measured,
        **({"by_modality": _by_modality(model, gathered)} if recipe.modalities else {}),
        "absent": absent_classes(targets, model.classes),
        "namesakes": namesakes(
            run.split[run.split["part"].isin(KNOWN)], gathered.items, run.split[run.split["part"] == "unlabelled"]
        ),
        "data": gathered.about[0],
    }


def _answers(model: Model, gathered: Gathered, shown: Collection[str]) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and probabilities of all labelled items, as if they had no modalities but those shown."""
    groups = model.groups_of(gathered.items)
    parts = []
    for rows in np.array_split(np.arange(len(gathered.items)), -(-len(gathered.items) // BATCH)):
        clips = {
            name: [each[row] if name in shown else each[row][:0] for row in rows]
            for name, each in gathered.inputs.items()
        }
        given = clips if model.recipe.modalities else clips["features"]
        parts.append(model(given, groups and [groups[row] for row in rows]))
    embeddings, probabilities = (np.concatenate(arrays) for arrays in zip(*parts))
    return embeddings, probabilities


def _by_modality(model: Model, gathered: Gathered) -> dict[str, dict[str, float]]:
    """As the run's own figures of test items: of every subset, over the items that have any of it."""
    found = {}
    for names in subsets(gathered.inputs):
        has = np.any([gathered.inputs[name].lengths[: len(gathered.items)] > 0 for name in names], axis=0)
        if has.any():
            _, probabilities = _answers(model, gathered, names)
            told = scores(gathered.targets.numpy()[has], probabilities[has], ordered=model.recipe.labels.ordered)
            found["+".join(names)] = {"items": int(has.sum()), **told}
    return found


def _refuse_known(run: Run, items: pd.DataFrame, allow: tuple[str, ...]) -> None:
    known = run.split[run.split["part"].isin([*KNOWN, "unlabelled"])]
    if known.empty:
        raise InputError(f"run {run.path} has no record of what it was trained on, so nothing proves this to be a test")
    both = pd.concat([known, items], ignore_index=True)
    train, validate = (np.flatnonzero(both["part"].isin(parts)) for parts in (("train", "unlabelled"), ("validate",)))
    split = Split("evaluate", train, validate, np.arange(len(known), len(both)))
    leaks = [leak for leak in audit(both, split, allow) if "test" in leak.parts]
    if leaks:
        told = "\n".join(f"- {leak.fact}" for leak in leaks)  # remedies are for recipes
        groups = " ".join(f"--allow {group}" for group in dict.fromkeys(leak.group for leak in leaks))
        raise LeakError(
            f"this corpus is no test of {run.path}: {_why_known(known, items)}\n{told}\n"
            f"a score on it is none of a test, and for other ends is shown by: {groups}"
        )


def _why_known(known: pd.DataFrame, items: pd.DataFrame) -> str:
    """Whether the corpus itself was trained on, and what would be a test instead."""
    trained, own = sorted({*known["corpus"].dropna()}), [*items["corpus"].dropna().unique()]
    there = " and ".join([", ".join(trained[:-1]), trained[-1]]) if len(trained) > 1 else "".join(trained)
    if both := [name for name in own if name in trained]:
        return f"training knows {both[0]} itself; choose a corpus that is none of {there}"
    return f"it shares with {there}, of which training knows, what is told here; choose another corpus"
