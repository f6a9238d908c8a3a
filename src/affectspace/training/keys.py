"""What runs share: one text for all recipes that read the same items, or the same split of them."""

import json
from typing import Any

from affectspace.training.recipe import Recipe

__all__ = ["KEPT_ITEMS", "KEPT_SPLITS", "items_key", "split_key"]

KEPT_ITEMS = 4  # tables and maps of features that a process keeps; the features themselves stay on disk
KEPT_SPLITS = 32


def items_key(recipe: Recipe) -> str:
    """Recipes of one key use the same items, with the same targets and features."""
    features = recipe.features.model_dump(mode="json", exclude={"normalise"})
    # Waveforms are opened only where augmentation reads them.
    return _text(recipe, "data", "corpora", "labels") + json.dumps(features) + str(recipe.augment.reads_samples)


def split_key(recipe: Recipe) -> str:
    """Recipes of one key train and test on the same of them, normalised alike."""
    return items_key(recipe) + _text(recipe, "features", "protocol")


def _text(recipe: Recipe, *sections: str) -> str:
    whole: dict[str, Any] = recipe.model_dump(mode="json", include=set(sections))
    return json.dumps([whole[section] for section in sections])
