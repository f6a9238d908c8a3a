"""A model as one function of tensors: what it reads, what it answers, and what must be done before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from affectspace.encoders import MLP, AdaptedSpeech, Batch, ConvPool, LayerMix, MultimodalEncoder
from affectspace.errors import InputError
from affectspace.export.conv_pool_graph import ConvPoolGraph
from affectspace.export.mel_graph import MelGraph
from affectspace.export.normal_graph import NormalGraph
from affectspace.features import Faces, LogMel, Normaliser
from affectspace.training import Model
from affectspace.training.answers import answers
from affectspace.training.frontends import make_frontend, make_views
from affectspace.training.recipe_features import (
    FaceFeatures,
    FunctionalsFeatures,
    LogMelFeatures,
    RelativeFunctionalsFeatures,
    VectorFeatures,
)

__all__ = ["OUTPUTS", "Graph", "Reads", "graph_of"]

OUTPUTS = ("embedding", "probabilities")
VECTORS = FunctionalsFeatures | RelativeFunctionalsFeatures | VectorFeatures  # one frame an item
# What is left to whoever calls a graph that reads features, by the kind of these.
MAKES = {
    "functionals": "openSMILE computes the functionals, a program of its own that no graph holds",
    "relative_functionals": "openSMILE computes what they are made of, a program of its own that no graph holds",
    "vectors": "somebody has computed the vectors",
    "words": "words are looked up in a table",
    "pretrained_text": "a model of others makes vectors of the words",
    "pretrained_speech": "a model of others makes the hidden states",
    "face_sequence": "faces are found in a video, and seen by another net",
}


@dataclass(frozen=True)
class Reads:
    """What a graph is given.

    Args:
        name: of its first input: ``"samples"``, ``"pixels"`` or ``"features"``.
        shape: of that input, what each axis is; a number where it is fixed.
        dtype: of that input.
        lengths: what the second input, ``"lengths"``, counts; None: there is none.
        shortest: the least that such a length may be.
        before: what must be done before the graph, a sentence.
    """

    name: str
    shape: tuple[str | int, ...]
    dtype: torch.dtype
    lengths: str | None
    shortest: int
    before: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs, in their order."""
        return (self.name, "lengths") if self.lengths else (self.name,)


class Graph(nn.Module):
    """From samples, pixels or features to embeddings and probabilities, as :class:`Model` answers.

    Args:
        model: whose weights it has.
        reads: what it is given.

    Shape:
        what ``reads`` tells, and lengths ``(items,)`` int64 where it tells any, to embeddings ``(items, dimensions)``
        and probabilities ``(items, classes)``, float32. Padding behind the length of an item has no part in its answer.
    """

    parents: Tensor | None

    def __init__(self, model: Model, reads: Reads):
        super().__init__()
        self.reads, self.frontend = reads, _frontend(model)
        given = reads.name == "samples"  # else energies are
        self.mel = MelGraph(self.frontend) if given and isinstance(self.frontend, LogMel) else None
        self.normal = NormalGraph(model.normaliser)
        self.net = ConvPoolGraph(model.encoder) if isinstance(model.encoder, ConvPool) else model.encoder
        self.views = make_views(model.recipe)
        parents = model.parents
        self.register_buffer("parents", None if parents is None else torch.eye(len(model.classes))[parents])
        self.eval()

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if values.ndim == 4:
            values = values.flatten(1, 2).float()
        if self.reads.name == "features" and values.ndim == 2:
            values = values[:, None]
        counts = torch.full_like(values[:, 0, 0], values.shape[1], dtype=torch.long) if lengths is None else lengths
        if self.mel is not None:
            values, counts = self.mel(values, counts)
        values = self.normal(values, counts)
        embedding, probabilities = answers(self.net, Batch(values, counts), self.views)
        return embedding, probabilities if self.parents is None else probabilities @ self.parents

    def batch(self, items: Sequence[np.ndarray]) -> tuple[Tensor, ...]:
        """Items as the graph is given them, padded to the longest.

        Args:
            items: of each the samples ``(samples,)``, pixels ``(side, side, channels)`` or features ``(frames,
                dimensions)``.
        """
        if self.reads.lengths is None:
            stacked = torch.from_numpy(np.stack(items)).to(self.reads.dtype)
            return (stacked[:, 0] if stacked.ndim == 3 and len(self.reads.shape) == 2 else stacked,)
        values = [torch.from_numpy(np.asarray(item)).to(self.reads.dtype) for item in items]
        padded = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)
        return padded, torch.tensor([len(item) for item in items])


def graph_of(model: Model) -> Graph:
    """The graph of a model, in evaluation mode.

    Raises:
        InputError: a model of several modalities, or one that adapts a speech model of others: it says why.
    """
    return Graph(model, _reads(model)).requires_grad_(False)


def _frontend(model: Model) -> LogMel | Faces | None:
    """What makes features, where a graph holds it or is told of it; nothing of others need be installed or there."""
    if isinstance(model.recipe.features, LogMelFeatures | FaceFeatures):
        frontend = make_frontend(model.recipe)
        assert isinstance(frontend, LogMel | Faces), "made of these"
        return frontend
    return None


def _reads(model: Model) -> Reads:
    encoder, features = model.encoder, model.recipe.features
    if isinstance(encoder, MultimodalEncoder):
        raise InputError(
            f"this model reads several modalities ({', '.join(model.recipe.modalities)}), of which an item may lack "
            "any; a graph of it is not offered, so give the model itself: --to hub"
        )
    if isinstance(encoder, AdaptedSpeech):
        raise InputError(
            "this model adapts a speech model of others, which sorts recordings by length and runs them one by one; a "
            "graph of that is not offered, so give the model itself: --to hub"
        )
    frontend = _frontend(model)
    if isinstance(frontend, LogMel):
        frame = int(frontend.sample_rate * frontend.frame_ms / 1000)
        rate = f"a recording is decoded, mixed to one channel and brought to {frontend.sample_rate:,} samples a second"
        return Reads("samples", ("items", "samples"), torch.float32, "samples", frame, rate)
    if isinstance(frontend, Faces):
        side, channels = frontend.side, frontend.dimensions
        found = "is cut to its middle square" if frontend.finder is None else "has its face found and cut out"
        cut = f"a picture is decoded, {found}, resized to {side} x {side} pixels, {'grey' if channels == 1 else 'RGB'}"
        return Reads("pixels", ("items", side, side, channels), torch.uint8, None, 1, cut)
    dimensions, before = _dimensions(encoder, model.normaliser), MAKES[features.kind]
    if isinstance(features, VECTORS):
        return Reads("features", ("items", dimensions), torch.float32, None, 1, before)
    if isinstance(encoder, LayerMix) and not encoder.frames:  # its frames are its layers, of which there are so many
        shape = ("items", len(encoder.mixed.scores), dimensions)
        return Reads("features", shape, torch.float32, None, 1, before)
    return Reads("features", ("items", "frames", dimensions), torch.float32, "frames", 1, before)


def _dimensions(encoder: nn.Module, normaliser: Normaliser) -> int:
    """Numbers in a frame of features."""
    match encoder:
        case MLP():
            return encoder.input.in_features
        case ConvPool():
            return encoder.convolution.in_channels
        case LayerMix():
            return encoder.width * (len(encoder.mixed.scores) if encoder.frames else 1)
    assert normaliser.pooled is not None, "no other net reads features"
    return len(normaliser.pooled.mean)
