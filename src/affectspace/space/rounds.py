"""Deep Gaussian Mixture Sub-space: train, find classes within the classes, train on those, and so on."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from affectspace.errors import InputError
from affectspace.files import atomic_path, held, write_json
from affectspace.neighbours.quality import K_NN, space_figures
from affectspace.protocols import PARTS
from affectspace.space.of_corpus import sole_label
from affectspace.space.space import Space
from affectspace.space.subclasses import SubClasses, find_subclasses, stability
from affectspace.training.data import Data, Measured
from affectspace.training.evaluate import chosen_neighbours, predict
from affectspace.training.model import load_model
from affectspace.training.prepare import prepare
from affectspace.training.recipe import Recipe
from affectspace.training.run import Run
from affectspace.training.train import train

__all__ = ["Round", "train_rounds"]

STABILITY_SEEDS = range(5)
BETWEEN_CLASSES = {"guided_emd", "entropic_emd"}  # terms that keep a distance for each two of the recipe's classes
COUNTS = ("round", "folder", "trained_on", "found", "stability")  # of a line of rounds.json; the rest are figures


@dataclass(frozen=True)
class Round:
    """One round, finished.

    Args:
        number: from 1.
        folder: the run; its ``space.parquet`` holds every item, its ``subclasses.parquet`` the sub-classes found there,
            on which the next round is trained.
        trained_on: how many sub-classes it was trained on, those that the round before has found; in the first round
            the classes.
        found: how many sub-classes were found in its space.
        figures: of the test items by the original classes, see :func:`affectspace.neighbours.space_figures`;
            ``knn_k`` training items vote, as many as in the figures of the run itself.
        stability: mean adjusted Rand index, over classes and pairs of seeds, of the sub-classes found in its space;
            NaN where every class stays whole.
    """

    number: int
    folder: Path
    trained_on: int
    found: int
    figures: dict[str, float]
    stability: float


def train_rounds(
    recipe: Recipe, folder: str | Path, rounds: int = 5, *, resume: bool = False, quiet: bool = False
) -> list[Round]:
    """Train ``rounds`` times: round l on l sub-classes of each class, the first on the classes themselves.

    After round l all items are embedded, and a mixture of l + 1 Gaussians is fitted by EM to the training items of each
    **original** class. Its components are the round's ``subclasses.parquet``; the next round begins with the weights of
    this one and is trained on them. So the net of the last round tells apart what the round **before** it has found;
    what the last has found itself, one more of each class, is what a further round would be trained on.

    **Votes.** The first round learns from votes as the recipe says. A training item whose votes one class leads is
    fitted as one of that class, and from then on learned as its component alone. One whose raters are torn, several
    classes leading together, is of no class: it is left out of the mixtures, and ``subclasses.parquet`` has no class
    and no component for it. It is trained on all the same, by its votes: what a class has of them goes to the
    components of that class in equal parts, as no label says in which of them the item lies.

    All is selected and measured by the original classes, a class being as probable as its sub-classes together; the
    model of each round answers for those classes too.

    A call that was ended goes on with ``resume`` where it was: a finished round is read, neither trained nor embedded
    again. Fewer rounds than there are leave the others as they are.

    Args:
        recipe: a run of its own, of named classes; a term such as ``gaussian_manifold`` makes them Gaussian. Its
            protocol names one fold.
        folder: where to; ``round-01``, ``round-02``, ... are run folders in it, ``rounds.json`` has the figures.
        rounds: how many, at least 1.
        resume: go on with what lies in ``folder``.
        quiet: no progress bars.

    Raises:
        InputError: fewer than one round, labels that are not named classes, a term with distances between classes,
            a folder in use, raters torn on every training item, training items that changed between rounds, or what
            :func:`affectspace.training.train` raises.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", Deep Gaussian Mixture Sub-space.
    """
    folder = Path(folder)
    if rounds < 1:
        raise InputError(f"rounds is {rounds}; train for at least 1")
    _refuse_other_classes(recipe)
    if (folder / "recipe.toml").is_file() or (not resume and (folder / "round-01").exists()):
        raise InputError(f"{folder} already holds a run, or rounds; go on with rounds by --resume, or choose another")
    done: list[Round] = []
    with held(folder, f"another process trains rounds in {folder}; wait for it, or choose another folder"):
        data = prepare(recipe, quiet=quiet)
        labels = _labels(data)
        _refuse_torn(labels[data.split.train])
        lines = _lines(folder) if resume else {}
        for number in range(1, rounds + 1):
            place = folder / f"round-{number:02d}"
            own = recipe.model_copy(update={"name": f"{recipe.name}-round-{number}"})
            # The first round learns the classes as the recipe says, from votes where there are some.
            seen, start = data, None
            if done:
                seen = _on_subclasses(data, done[-1].folder)
                start = load_model(done[-1].folder).encoder.state_dict()
            run = train(own, place, resume=True, data=seen, start=start, quiet=quiet)
            if kept := _kept(place, lines.get(number)):
                done.append(kept)
                continue
            rows = np.arange(len(data.items))
            space = _space(data, predict(load_model(place).encoder, seen, rows).embeddings, labels, place)
            found = find_subclasses(space.take(data.split.train), number + 1, recipe.seed)
            _save(found, place)
            agreed = float(stability(found.space, number + 1, STABILITY_SEEDS)["mean"].mean())
            done.append(Round(number, place, len(seen.classes), len(found), _figures(space, data, run), agreed))
            lines[number] = _told(done[-1])
            write_json(folder / "rounds.json", [lines[each] for each in sorted(lines)])
    return done


def _labels(data: Data) -> np.ndarray:
    """``(items,)`` the class of each item, None where the raters are torn."""
    return sole_label(data.targets.numpy(), data.classes)


def _space(data: Data, embeddings: np.ndarray, labels: np.ndarray, place: Path) -> Space:
    """Every item, kept with the run."""
    parts = np.full(len(data.items), "unused", dtype=object)
    for part in PARTS:
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


def _figures(space: Space, data: Data, run: Run) -> dict[str, float]:
    targets = data.targets.numpy()
    train_rows, test_rows = data.split.train, data.split.test
    if not len(test_rows):
        return {}
    known = (space.vectors[train_rows], targets[train_rows])
    k = _voters(space, data, run) or K_NN
    return space_figures(space.vectors[test_rows], targets[test_rows], len(data.classes), *known, k_nn=k)


def _voters(space: Space, data: Data, run: Run) -> int | None:
    """How many training items vote, as validation items choose; None where nothing validates."""
    if chosen := run.neighbours:  # where the run has measured its space itself
        return chosen[0]
    validate, trained, targets = data.split.validate, data.split.train, data.targets.numpy()
    if not len(validate):
        return None
    vectors = space.vectors
    return chosen_neighbours(vectors[validate], targets[validate], vectors[trained], targets[trained])["k"]


def _save(found: SubClasses, place: Path) -> None:
    """``id``, ``class`` and ``subclass`` of every training item; missing where its raters are torn."""
    names = np.array([*found.names, None], dtype=object)[found.assignment]
    items = found.space.items
    table = pd.DataFrame({"id": items["id"].to_numpy(), "class": items["label"].to_numpy(), "subclass": names})
    with atomic_path(place / "subclasses.parquet") as path:
        table.to_parquet(path, index=False)


def _on_subclasses(data: Data, before: Path) -> Data:
    """The same items, learned by the sub-classes that the round before has found and measured by the classes.

    Torn training items have none; they are learned by their votes, each class's shared out among its sub-classes.
    """
    table = pd.read_parquet(before / "subclasses.parquet")
    if table["id"].tolist() != data.items["key"].iloc[data.split.train].tolist():
        raise InputError(
            f"the training items are no longer those of {before}; restore the corpora, or choose another folder"
        )
    assignment, names, parents = np.full(len(table), -1), [], []
    for place, name in enumerate(data.classes):
        own = table["subclass"].where(table["class"] == name)
        # By their numbers, which one stem precedes. A class without an item of its own alone stays whole.
        for part in sorted(own.dropna().unique(), key=lambda part: (len(part), part)) or [name]:
            assignment[(own == part).to_numpy(bool, na_value=False)] = len(names)
            names.append(part)
            parents.append(place)
    shares = (np.arange(len(data.classes))[:, None] == parents).astype(np.float32)
    targets = data.targets.numpy() @ (shares / shares.sum(1, keepdims=True))
    known = assignment >= 0
    targets[data.split.train[known]] = np.eye(len(names), dtype=np.float32)[assignment[known]]
    whole = Measured(data.targets, data.classes, torch.tensor(parents))
    return replace(data, targets=torch.from_numpy(targets), classes=tuple(names), whole=whole)


def _refuse_other_classes(recipe: Recipe) -> None:
    if recipe.labels.kind != "classes":
        raise InputError(
            f"labels.kind is {recipe.labels.kind!r}, and rounds look for classes within named ones, whose parts have "
            'no order; legal here: "classes"'
        )
    if terms := sorted({entry.kind for entry in recipe.terms} & BETWEEN_CLASSES):
        raise InputError(
            f"the term {terms[0]} keeps a distance for each two classes, and rounds train on sub-classes, which have "
            "none; leave it out, or train once by affectspace train"
        )


def _refuse_torn(labels: np.ndarray) -> None:
    if pd.isna(labels).all():
        raise InputError(
            f"the raters of all {len(labels)} training items are torn between classes, so that no class has an item in "
            'which to look for sub-classes; take labels.dimension = "label", or train once by affectspace train'
        )


def _lines(folder: Path) -> dict[int, dict[str, Any]]:
    """What ``rounds.json`` tells of each round so far, by its number."""
    path = folder / "rounds.json"
    try:
        return {line["round"]: line for line in json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else {}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and --resume writes it anew") from error


def _kept(place: Path, line: dict[str, Any] | None) -> Round | None:
    """A round that is finished, as it was; None where something of it is missing."""
    files = ("metrics.json", "space.parquet", "subclasses.parquet")
    if line is None or not all((place / name).is_file() for name in files):
        return None
    stability = math.nan if line["stability"] is None else line["stability"]
    figures = {name: math.nan if value is None else value for name, value in line.items() if name not in COUNTS}
    found = pd.read_parquet(place / "subclasses.parquet", columns=["class", "subclass"]).dropna().drop_duplicates()
    return Round(line["round"], place, line["trained_on"], len(found), figures, stability)


def _told(each: Round) -> dict[str, Any]:
    told = (each.number, each.folder.name, each.trained_on, each.found, each.stability)
    return {**dict(zip(COUNTS, told, strict=True)), **each.figures}
