"""Which runs a study is made of, each with its folder and its whole recipe, stage by stage.

Grid runs come first; what they choose shapes the recipes' own grids; what both choose shapes the final runs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from affectspace.errors import InputError
from affectspace.files import write_json
from affectspace.studies.data import Fold, Question, StudyData, fold_key
from affectspace.studies.recipes import StudyRecipes, points
from affectspace.studies.study import slug
from affectspace.training.dotted import canonical
from affectspace.training.keys import items_key, split_key
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_file import dump_recipe
from affectspace.training.recipe_protocol import Inner, LeaveOneOut
from affectspace.training.recipe_training import Monitor

__all__ = [
    "Choice",
    "Planned",
    "PointNumbers",
    "plan_final",
    "plan_grid",
    "plan_own",
]


@dataclass(frozen=True)
class Planned:
    """One run: where it lies below the study's folder, and the whole recipe that it is trained by.

    Args:
        stage: "grid" chooses for all recipes, "own" for one, "final" is tested.
        recipe: name of the recipe in the study; the others likewise.
        folder: relative to the study's.
        settings: what the recipe is trained by.
        point: number of the tried settings, in grids.
        inner: number of the group that validates, in grids.
    """

    stage: Literal["grid", "own", "final"]
    recipe: str
    split: str
    fold: Fold
    seed: int
    folder: Path
    settings: Recipe
    point: int | None = None
    inner: int | None = None

    @cached_property
    def text(self) -> str:
        """The whole recipe as it stands in the run's folder."""
        return dump_recipe(self.settings)

    @cached_property
    def items_key(self) -> str:
        """Runs of one key use the same items."""
        return items_key(self.settings)

    @cached_property
    def split_key(self) -> str:
        """Runs of one key read the same data, divided alike."""
        return split_key(self.settings)

    @cached_property
    def work(self) -> str:
        """Runs of one text do the same in each epoch, be it on other data: what they read, change, train and watch."""
        recipe = self.settings
        sections = {"features", "modalities", "unlabelled", "augment", "encoder", "monitor"}
        read = recipe.model_dump(mode="json", include=sections, exclude_none=True)
        rhythm = {"batch_size", "length_pool", "precision", "device", "threads"}
        terms = [(term.kind, getattr(term, "pairs", "")) for term in recipe.terms]
        return canonical([read, terms, recipe.training.model_dump(mode="json", include=rhythm)])

    @property
    def cost_key(self) -> tuple[str, str, str]:
        """Runs that cost about the same for each epoch."""
        return ("final" if self.stage == "final" else "grid", self.work, self.split)


@dataclass(frozen=True)
class Choice:
    """What the inner runs of one fold of one split have chosen.

    Args:
        shared: settings for all recipes.
        epoch: the epoch of all recipes, where it is chosen.
        own: settings of single recipes.
    """

    shared: dict[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    own: dict[str, dict[str, Any]] = field(default_factory=dict)


Choices = Mapping[Question, Choice]


class PointNumbers:
    """Numbers of tried settings, which stay theirs when values are added, left out or put in another order.

    Args:
        known: recipe -> settings by number, as an earlier call has left them.
    """

    def __init__(self, known: Mapping[str, list[dict[str, Any]]] | None = None):
        self.known: dict[str, list[dict[str, Any]]] = {name: list(tried) for name, tried in (known or {}).items()}

    @classmethod
    def read(cls, path: Path) -> "PointNumbers":
        """Those of an earlier call, where there was one.

        Raises:
            InputError: the file is damaged.
        """
        if not path.is_file():
            return cls()
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls({name: [dict(point) for point in tried] for name, tried in known.items()})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, which numbers the settings that were tried, is damaged ({error}); restore it, or move "
                f"{path.parent} away: its runs are then trained again"
            ) from error

    def write(self, path: Path) -> None:
        """Keep them for the next call, where there are any."""
        if self.known:
            write_json(path, self.known)

    def number(self, recipe: str, settings: dict[str, Any]) -> int:
        """The number of these settings of a recipe; new ones get the next.

        Example:
            >>> numbers = PointNumbers({"CE": [{"a": 1}]})
            >>> numbers.number("CE", {"a": 2}), numbers.number("CE", {"a": 1})
            (1, 0)
        """
        tried = self.known.setdefault(recipe, [])
        texts = [canonical(point) for point in tried]
        if canonical(settings) not in texts:
            tried.append(settings)
            return len(tried) - 1
        return texts.index(canonical(settings))


def plan_grid(recipes: StudyRecipes, data: StudyData, numbers: PointNumbers) -> list[Planned]:
    """The inner runs that choose for all recipes."""
    grid = recipes.study.grid
    if grid is None or grid.recipe is None:
        return []
    found = []
    for split, fold in data.questions:
        for settings in points(grid.values):
            recipe = recipes.of(grid.recipe, split, settings)
            number = numbers.number(grid.recipe, settings)
            found += _inner_runs(recipes, data, "grid", grid.recipe, split, fold, number, _inner(recipe, grid.epoch))
    return found


def plan_own(recipes: StudyRecipes, data: StudyData, choices: Choices, numbers: PointNumbers) -> list[Planned]:
    """The inner runs by which single recipes choose for themselves, given what was chosen for all."""
    found = []
    for split, fold, choice in _chosen(data, choices):
        for name, values in recipes.own_grids.items():
            for settings in points(values):
                recipe = recipes.of(name, split, choice.shared, settings)
                if choice.epoch is not None:
                    recipe = _change(recipe, training={"epochs": choice.epoch, "selection": choice.epoch})
                # A point of its own grid is another thing than the same settings in the grid of all.
                number = numbers.number(name, {**settings, "own": True})
                found += _inner_runs(recipes, data, "own", name, split, fold, number, _inner(recipe))
    return found


def plan_final(recipes: StudyRecipes, data: StudyData, choices: Choices) -> list[Planned]:
    """The runs that are tested."""
    found = []
    for entry in recipes.study.trained:
        for split, fold, choice in _chosen(data, choices):
            if entry.grid and entry.name not in choice.own:
                continue
            recipe = recipes.of(entry.name, split, choice.shared, choice.own.get(entry.name, {}))
            recipe = recipe if choice.epoch is None else _kept_at(recipe, choice.epoch)
            recipe = recipe if fold is None else _change(recipe, protocol={"fold": fold})
            for seed in recipes.study.seeds:
                folder = Path("runs", slug(entry.name), slug(split), f"seed-{seed}")
                folder = folder if fold is None else folder / fold_key(fold)
                settings = recipe.model_copy(update={"seed": seed})
                found.append(Planned("final", entry.name, split, fold, seed, folder, settings))
    return found


def _chosen(data: StudyData, choices: Choices) -> Iterator[tuple[str, Fold, Choice]]:
    """Questions whose settings are chosen; others wait, or cannot go on as their grid runs have failed."""
    for split, fold in data.questions:
        if (split, fold) in choices:
            yield split, fold, choices[split, fold]


def _inner_runs(
    recipes: StudyRecipes,
    data: StudyData,
    stage: Literal["grid", "own"],
    name: str,
    split: str,
    fold: Fold,
    number: int,
    recipe: Recipe,
) -> list[Planned]:
    """Every inner group validates in turn, in runs of several seeds."""
    recipe = recipe if fold is None else _change(recipe, protocol={"fold": fold})
    place = Path("grid", slug(split)) if fold is None else Path("grid", slug(split), fold_key(fold))
    by = recipes.inner_by(recipe)
    found = []
    for group in range(data.inner[name, split, fold]):
        inner = _change(recipe, protocol={"inner": Inner(by=by, fold=group)})
        for seed in range(recipes.study.searched.runs):
            folder = place / f"{slug(name)}-{number}" / f"inner-{group}" / f"seed-{seed}"
            settings = inner.model_copy(update={"seed": seed})
            found.append(Planned(stage, name, split, fold, seed, folder, settings, number, group))
    return found


def _inner(recipe: Recipe, wants_epoch: bool = False) -> Recipe:
    """Nothing is tested or watched in inner runs, so that none goes on after the epoch that it keeps.

    Where the epoch is to be chosen it is the study, with all epochs of all runs before it, that does so.
    """
    recipe = recipe.model_copy(update={"monitor": Monitor(geometry=recipe.monitor.geometry)})
    selection = recipe.training.selection
    if not wants_epoch and not isinstance(selection, int):
        return recipe
    epochs = recipe.training.epochs if wants_epoch else selection
    return _change(recipe, training={"epochs": epochs, "selection": "last"})


def _kept_at(recipe: Recipe, epoch: int) -> Recipe:
    """The recipe once its epoch is chosen: all training items train, and nothing is left to validate on.

    Who validates within the tested speaker's session may not train in any case, and stays where it is.
    """
    nothing = {"validate_share": 0.0}
    if isinstance(recipe.protocol, LeaveOneOut):
        nothing = {} if recipe.protocol.within else {"validate_groups": 0}
    epochs = max(epoch, recipe.training.epochs) if recipe.monitor.test_curve else epoch
    seen = tuple(snapshot for snapshot in recipe.monitor.snapshots if snapshot <= epochs)
    changed = _change(recipe, training={"selection": epoch, "epochs": epochs}, monitor={"snapshots": seen})
    return _change(changed, protocol=nothing)


def _change(recipe: Recipe, **sections: dict[str, Any]) -> Recipe:
    changed = {name: getattr(recipe, name).model_copy(update=update) for name, update in sections.items()}
    return recipe.model_copy(update=changed)
