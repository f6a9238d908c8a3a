"""What runs share: one text for all recipes that read the same items, or the same split of them."""

import json
from typing import Any

from affectspace.training.recipe import Recipe

__all__ = ["KEPT_ITEMS", "KEPT_SPLITS", "items_key", "split_key", "tables_key"]

KEPT_ITEMS = 4  # tables and maps of features that a process keeps; the features themselves stay on disk
KEPT_SPLITS = 32


def tables_key(recipe: Recipe) -> str:
    """Recipes of one key read the same tables, with the same targets and the same items at fault there."""
    read = [bool(recipe.modalities), recipe.features and recipe.features.kind, recipe.unlabelled is None]
    return _text(recipe, "data", "corpora", "corrections", "labels") + json.dumps(read)


def items_key(recipe: Recipe) -> str:
    """Recipes of one key use the same items, with the same targets and features."""
    features = {
        name: view.features.model_dump(mode="json", exclude={"normalise"})
        for name, view in recipe.per_modality().items()
    }
    without_label = "without" if recipe.unlabelled is None else "taught" if recipe.semi_supervised else "baseline"
    if recipe.features is not None and recipe.features.kind == "waveform":
        features["heard by"] = {"source": getattr(recipe.encoder, "source", None)}  # it says how short they may be
    # Waveforms are opened only where augmentation reads them.
    return (
        _text(recipe, "data", "corpora", "corrections", "labels")
        + json.dumps(features)
        + f"{recipe.augment.reads_samples} {without_label}"
    )


def split_key(recipe: Recipe) -> str:
    """Recipes of one key train and test on the same of them, normalised alike."""
    normalised = {name: view.features.normalise.model_dump(mode="json") for name, view in recipe.per_modality().items()}
    labelled = [recipe.training.labelled_share, recipe.seed if recipe.training.labelled_share < 1 else None]
    taught = recipe.semi_supervised
    unlabelled = taught and [taught.limit, taught.transductive, recipe.seed]
    return items_key(recipe) + json.dumps([normalised, labelled, unlabelled]) + _text(recipe, "protocol", "views")


def _text(recipe: Recipe, *sections: str) -> str:
    whole: dict[str, Any] = recipe.model_dump(mode="json", include=set(sections))
    return json.dumps([whole[section] for section in sections])
