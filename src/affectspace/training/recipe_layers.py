"""Which layers the net of a recipe has, and whether what its terms read and its convolutions leave is there."""

import difflib
from collections.abc import Mapping, Sequence

from affectspace.training.recipe_encoder import ConvPoolEncoder, Encoder, MLPEncoder, MultimodalEncoderEntry
from affectspace.training.recipe_features import FaceSequenceFeatures, Features, LogMelFeatures
from affectspace.training.recipe_modalities import ModalityEntry, SequenceNet
from affectspace.training.recipe_terms import GuidedEMDEntry, MatchingEntry, Term

__all__ = ["layer_sizes", "refuse_empty_convolutions", "refuse_unknown_layers"]


def layer_sizes(encoder: Encoder, modalities: Mapping[str, ModalityEntry]) -> dict[str, int | None]:
    """Dimensions of the layers that a term may read, by their names; None where only the net itself knows.

    Example:
        >>> layer_sizes(ConvPoolEncoder(hidden=64), {})
        {'embedding': 64, 'fc2': 64}
    """
    match encoder:
        case MultimodalEncoderEntry():
            latents = {name: entry.net.latent for name, entry in modalities.items()}
            return {"embedding": sum(latents.values()), **latents}
        case ConvPoolEncoder() | MLPEncoder():
            return {"embedding": encoder.hidden, "fc2": encoder.hidden}
    return {"embedding": encoder.dimensions, "features": None}


def refuse_unknown_layers(terms: Sequence[Term], sizes: Mapping[str, int | None]) -> None:
    """Stop where a term reads a layer that the net does not have.

    Args:
        terms: of a recipe.
        sizes: as :func:`layer_sizes` tells.

    Raises:
        ValueError: it names the key, the layer, the nearest that there is, and all of them.

    Example:
        >>> refuse_unknown_layers([GuidedEMDEntry(kind="guided_emd", layer="fc3")], {"embedding": 64, "fc2": 64})
        Traceback (most recent call last):
        ...
        ValueError: terms.0.layer is 'fc3', and this net has no such layer; did you mean 'fc2'? legal: embedding, fc2
    """
    for place, term in enumerate(terms):
        match term:
            case MatchingEntry():
                verb, key, names = "names", "between", term.between
            case GuidedEMDEntry():
                verb, key, names = "is", "layer", (term.layer,)
            case _:
                continue
        for name in names:
            if name not in sizes:
                near = difflib.get_close_matches(name, sizes, 1, 0.5)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"terms.{place}.{key} {verb} {name!r}, and this net has no such layer; {hint}legal: "
                    f"{', '.join(sizes)}"
                )


def refuse_empty_convolutions(modalities: Mapping[str, ModalityEntry]) -> None:
    """Stop where a convolution leaves nothing of its input, as far as that is known without the data.

    Raises:
        ValueError: it names the modality, the convolution and what would be legal.
    """
    for name, entry in modalities.items():
        if isinstance(entry.net, SequenceNet):
            from affectspace.encoders.convolutions import convolutions_of, shrunk  # loads torch, as modalities do

            width = _width(entry.features)
            sizes = {"frames": entry.net.frames} | ({} if width is None else {"dimensions": width})
            try:
                shrunk(sizes, convolutions_of(entry.net.convolutions))
            except ValueError as error:
                raise ValueError(f"modalities.{name}.net: {error}") from None


def _width(features: Features) -> int | None:
    """Numbers in a frame; None where a table or a net of others decides."""
    match features:
        case LogMelFeatures():
            return features.bands
        case FaceSequenceFeatures(run=None, source=None):
            return features.pixels**2
    return None
