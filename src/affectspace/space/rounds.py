"""Deep Gaussian Mixture Sub-space: train, find classes within the classes, train on those, and so on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from affectspace.errors import InputError
from affectspace.files import atomic_path, held, write_json
from affectspace.neighbours.quality import space_figures
from affectspace.space.of_corpus import sole_label
from affectspace.space.space import Space
from affectspace.space.subclasses import SubClasses, find_subclasses, stability
from affectspace.training.data import Data, prepare
from affectspace.training.evaluate import predict
from affectspace.training.model import load_model
from affectspace.training.recipe import Recipe
from affectspace.training.train import train

__all__ = ["Round", "train_rounds"]

STABILITY_SEEDS = range(5)


@dataclass(frozen=True)
class Round:
    """One round, finished.

    Args:
        number: from 1.
        folder: the run; its ``space.parquet`` holds every item, its ``subclasses.parquet`` what comes next.
        trained_on: how many classes and sub-classes it was trained on.
        figures: of the test items by the original classes, see :func:`affectspace.neighbours.space_figures`.
        stability: mean adjusted Rand index, over classes and pairs of seeds, of the sub-classes found in its space;
            NaN where every class stays whole.
    """

    number: int
    folder: Path
    trained_on: int
    figures: dict[str, float]
    stability: float


def train_rounds(
    recipe: Recipe, folder: str | Path, rounds: int = 5, *, resume: bool = False, quiet: bool = False
) -> list[Round]:
    """Train ``rounds`` times: first on the classes, then on l sub-classes of each, for l = 2, 3, ...

    After a round all items are embedded, and a mixture of Gaussians with one component more is fitted by EM to the
    training items of each **original** class. The next round begins with the weights of this one, and is trained on
    the components. Items outside training belong to no component: to each of their class's in equal parts. All is
    measured by the original classes.

    A call that was ended goes on with ``resume`` where it was: a finished round is not trained again.

    Args:
        recipe: a run of its own; a term such as ``gaussian_manifold`` makes classes Gaussian. Its protocol names one
            fold.
        folder: where to; ``round-01``, ``round-02``, ... are run folders in it, ``rounds.json`` has the figures.
        rounds: how many, at least 1.
        resume: go on with what lies in ``folder``.
        quiet: no progress bars.

    Raises:
        InputError: fewer than one round, a folder in use, or what :func:`affectspace.training.train` raises.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", Deep Gaussian Mixture Sub-space.
    """
    folder = Path(folder)
    if rounds < 1:
        raise InputError(f"rounds is {rounds}; train for at least 1")
    if (folder / "recipe.toml").is_file() or (not resume and (folder / "round-01").exists()):
        raise InputError(f"{folder} already holds a run, or rounds; go on with rounds by --resume, or choose another")
    done: list[Round] = []
    with held(folder, f"another process trains rounds in {folder}; wait for it, or choose another folder"):
        data = prepare(recipe, quiet=quiet)
        labels = _labels(data)
        start, found = None, None
        for number in range(1, rounds + 1):
            place = folder / f"round-{number:02d}"
            own = recipe.model_copy(update={"name": f"{recipe.name}-round-{number}"})
            # The first round learns the classes as the recipe says, from votes where there are some.
            seen = data if found is None else _on_subclasses(data, found)
            train(own, place, resume=True, data=seen, start=start, quiet=quiet)
            model = load_model(place)
            start = model.encoder.state_dict()
            rows = np.arange(len(data.items))
            space = _space(data, predict(model.encoder, seen, rows).embeddings, labels, place)
            figures = _figures(space, data)
            found = find_subclasses(space.take(data.split.train), number + 1, recipe.seed)
            agreed = stability(found.space, number + 1, STABILITY_SEEDS)
            _save(found, place)
            done.append(Round(number, place, len(seen.classes), figures, float(agreed["mean"].mean())))
            write_json(folder / "rounds.json", [_told(each) for each in done])
    return done


def _labels(data: Data) -> np.ndarray:
    """``(items,)`` the class of each item, None where the raters are torn."""
    return sole_label(data.targets.numpy(), data.classes)


def _space(data: Data, embeddings: np.ndarray, labels: np.ndarray, place: Path) -> Space:
    """Every item, kept with the run."""
    parts = np.full(len(data.items), "unused", dtype=object)
    for part in ("train", "validate", "test"):
        parts[getattr(data.split, part)] = part
    items = pd.DataFrame(
        {
            "id": data.items["key"].to_numpy(),
            "corpus": data.items["corpus"].to_numpy(),
            "label": labels,
            "target": list(data.targets.numpy()),
            "split": parts,
            "speaker": data.items["speaker"].to_numpy(),
        }
    )
    space = Space(items, embeddings, data.classes, {"model": str(place.resolve())})
    space.save(place / "space.parquet")
    return space


def _figures(space: Space, data: Data) -> dict[str, float]:
    targets = data.targets.numpy()
    train_rows, test_rows = data.split.train, data.split.test
    if not len(test_rows):
        return {}
    return space_figures(
        space.vectors[test_rows], targets[test_rows], len(data.classes), space.vectors[train_rows], targets[train_rows]
    )


def _save(found: SubClasses, place: Path) -> None:
    """``id``, ``class`` and ``subclass`` of every training item; missing where its raters are torn."""
    names = np.array([*found.names, None], dtype=object)[found.assignment]
    items = found.space.items
    table = pd.DataFrame({"id": items["id"].to_numpy(), "class": items["label"].to_numpy(), "subclass": names})
    with atomic_path(place / "subclasses.parquet") as path:
        table.to_parquet(path, index=False)


def _on_subclasses(data: Data, found: SubClasses) -> Data:
    """The same items, whose classes are the sub-classes."""
    shares = (np.arange(len(data.classes))[:, None] == found.classes_of).astype(np.float32)
    targets = data.targets.numpy() @ (shares / shares.sum(1, keepdims=True).clip(min=1))
    known = found.assignment >= 0
    targets[data.split.train[known]] = np.eye(len(found), dtype=np.float32)[found.assignment[known]]
    return replace(data, targets=torch.from_numpy(targets), classes=found.names)


def _told(each: Round) -> dict[str, Any]:
    return {
        "round": each.number,
        "folder": each.folder.name,
        "trained_on": each.trained_on,
        "stability": each.stability,
        **each.figures,
    }
