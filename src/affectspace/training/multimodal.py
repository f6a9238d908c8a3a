"""The net of several modalities that a recipe names, and what it says of items with some of these alone."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from affectspace.encoders import LinearAutoencoder, MultimodalEncoder, SequenceAutoencoder
from affectspace.errors import InputError
from affectspace.metrics import chance_linear_cka, cross_modal_retrieval, linear_cka
from affectspace.training.data import Data
from affectspace.training.evaluate import Predictions, figures, predict
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_modalities import LinearNet, MultimodalEncoderEntry

__all__ = ["figures_of_modalities", "make_multimodal", "subsets"]


def make_multimodal(
    recipe: Recipe, entry: MultimodalEncoderEntry, sizes: Mapping[str, int], classes: int
) -> MultimodalEncoder:
    """The encoder of the recipe's modalities, of which one frame has so many ``sizes``.

    Raises:
        InputError: a net that cannot be made for features of this size; it names the modality.
    """
    reads = any(term.kind == "reconstruction" for term in recipe.terms)
    nets: dict[str, LinearAutoencoder | SequenceAutoencoder] = {}
    for name, modality in recipe.modalities.items():
        net = modality.net
        try:
            if isinstance(net, LinearNet):
                nets[name] = LinearAutoencoder(sizes[name], net.latent, net.hidden)
            else:
                nets[name] = SequenceAutoencoder(
                    sizes[name], net.frames, net.latent, net.heads, net.blocks, net.convolutions, net.hidden
                )
        except ValueError as error:
            raise InputError(f"modalities.{name}.net: {error}") from None
    return MultimodalEncoder(nets, classes, entry.hidden, entry.dropout, entry.modality_dropout, decode=reads)


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Every choice of one or more, fewer ones first.

    Example:
        >>> subsets(["acoustic", "lexical"])
        [('acoustic',), ('lexical',), ('acoustic', 'lexical')]
    """
    given = list(names)
    return [chosen for count in range(1, len(given) + 1) for chosen in combinations(given, count)]


def figures_of_modalities(model: nn.Module, data: Data, recipe: Recipe, rows: np.ndarray) -> dict[str, Any]:
    """What a net says of ``rows`` by some of their modalities alone, and how well these match.

    ``by_modality`` has the figures of every subset of two modalities or more being hidden or shown, by their names
    joined with ``+``, with the number of items that have any of them; items that have none are not among those.
    ``matching`` has, for each two modalities, :func:`affectspace.metrics.cross_modal_retrieval` of their latents over
    the items that have both.
    """
    has = {name: each.clips.lengths[rows] > 0 for name, each in data.inputs.items()}
    by_modality, latents = {}, {}
    for names in subsets(data.inputs):
        there = np.any([has[name] for name in names], axis=0)
        if not there.any():
            continue
        found = predict(model, data.showing(names), rows[there])
        by_modality["+".join(names)] = {"items": int(there.sum()), **figures(found, None, recipe.labels.ordered)}
        if len(names) == 1:
            latents[names[0]] = _latent(found, model, names[0]), there
    matching = {}
    for first, other in combinations(latents, 2):
        both = latents[first][1] & latents[other][1]
        if both.sum() > 1:
            a, b = (latents[name][0][both[latents[name][1]]] for name in (first, other))
            matching[f"{first}+{other}"] = {"items": int(both.sum()), **_matching(a, b)}
    return {"by_modality": by_modality, "matching": matching}


def _matching(first: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """How well latents of the same items match; which are nearest is asked of latents of one size only."""
    told = {"linear_cka": linear_cka(first, other), "chance_linear_cka": chance_linear_cka(first, other)}
    return told | cross_modal_retrieval(first, other) if first.shape == other.shape else told


def _latent(found: Predictions, model: Any, name: str) -> np.ndarray:
    """``(items, latent)`` of a modality, which lies in the embedding among those of the others."""
    start = 0
    for other, size in model.sizes.items():
        if other == name:
            return found.embeddings[:, start : start + size]
        start += size if other != "embedding" else 0
    raise AssertionError(f"the net has no modality {name}")
