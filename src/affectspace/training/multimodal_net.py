"""The net of several modalities that a recipe names."""

from collections.abc import Mapping

from affectspace.encoders import LinearAutoencoder, MultimodalEncoder, SequenceAutoencoder
from affectspace.errors import InputError
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_modalities import LinearNet, MultimodalEncoderEntry

__all__ = ["make_multimodal"]


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
