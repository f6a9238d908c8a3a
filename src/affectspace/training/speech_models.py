"""Nets on the layers of a speech model that a recipe names, and what they have learned of these layers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from affectspace.encoders import AdaptedSpeech, LayerMix, MixedLayers, open_speech_source
from affectspace.errors import InputError
from affectspace.training.frontends import make_frontend
from affectspace.training.pretrained_source import source_of
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import LayerMixEntry, PretrainedSpeechEntry
from affectspace.training.recipe_features import PretrainedSpeechFeatures

__all__ = ["base_of", "layer_figures", "make_adapted", "make_layer_mix", "refuse_other_base", "with_known_layers"]


def make_layer_mix(recipe: Recipe, entry: LayerMixEntry, bands: int, classes: int) -> LayerMix:
    """The net that the recipe names, for frames of ``bands`` numbers.

    Raises:
        InputError: layers that the recipe does not name, of a model that cannot be opened.
    """
    features = with_known_layers(recipe).features
    assert isinstance(features, PretrainedSpeechFeatures), "the recipe proves it"
    assert features.layers is not None, "they are known by now"
    framed, layers = features.pool == "none", len(features.layers)
    return LayerMix(
        bands // layers if framed else bands, layers, classes, entry.dimensions, framed, entry.pooling,
        entry.layer_norm, entry.non_negative, entry.dropout, entry.probe,
    )  # fmt: skip


def make_adapted(recipe: Recipe, entry: PretrainedSpeechEntry, classes: int, revision: str | None) -> AdaptedSpeech:
    """The net that the recipe names, with adapters that have learned nothing yet.

    Raises:
        InputError: a model that cannot be opened, or settings that it does not go with.
    """
    try:
        return AdaptedSpeech(
            source_of(recipe, entry.source), classes, entry.dimensions, entry.lora.rank, entry.lora.alpha,
            entry.layers, entry.pooling, entry.layer_norm, entry.non_negative, entry.dropout, entry.probe, revision,
        )  # fmt: skip
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"encoder: {error}") from None


def base_of(encoder: nn.Module) -> dict[str, str | None]:
    """Which model the adapters of a net are of: its hash, and its commit on the hub; empty of any other net."""
    if not isinstance(encoder, AdaptedSpeech):
        return {}
    source = encoder.trunk.source
    return {"sha256": source.sha256, "revision": source.revision}


def refuse_other_base(recipe: Recipe, base: Mapping[str, Any]) -> None:
    """Stop where the model that adapters are of is not where the recipe says, or is another than in training.

    Args:
        recipe: of a saved model.
        base: :func:`base_of` of its net.

    Raises:
        InputError: it names the source and the remedy.
    """
    if not isinstance(recipe.encoder, PretrainedSpeechEntry):
        return
    source, revision = recipe.encoder.source, base["revision"]
    place = source_of(recipe, source)
    if revision is None and not isinstance(place, Path):
        raise InputError(
            f"this model adapts {source}, which is not below {Path(recipe.data).resolve()}: give the folder of its "
            "run, whose recipe.toml says where its data lie, or put it back there"
        )
    if open_speech_source(place, revision).sha256 != base["sha256"]:
        raise InputError(
            f"{source} has changed since this model was trained to adapt it; restore it from a copy, or train again"
        )


def with_known_layers(recipe: Recipe) -> Recipe:
    """The recipe with the layers of its features by their numbers, where it says all of them; else as it is.

    A model is then made again without a look at that of others.
    """
    features = recipe.features
    if not isinstance(features, PretrainedSpeechFeatures) or features.layers is not None:
        return recipe
    chosen = make_frontend(recipe).chosen  # pyright: ignore[reportAttributeAccessIssue]  # that of these features
    return recipe.model_copy(update={"features": features.model_copy(update={"layers": chosen})})


def layer_figures(encoder: nn.Module, recipe: Recipe) -> dict[str, float]:
    """How much part each layer of a speech model has in what a net reads, 1 in all; empty of any other net.

    Args:
        encoder: made by the recipe.
        recipe: it names the layers.

    Returns:
        ``layer_weight.N`` of each layer by its number.
    """
    mixed = getattr(encoder, "mixed", None)
    if not isinstance(mixed, MixedLayers):
        return {}
    weights = mixed.weights.tolist()
    named = recipe.encoder if isinstance(recipe.encoder, PretrainedSpeechEntry) else recipe.features
    layers = getattr(named, "layers", None) or range(len(weights))
    return {f"layer_weight.{layer}": weight for layer, weight in zip(layers, weights, strict=True)}
