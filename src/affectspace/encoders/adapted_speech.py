"""A speech model of ``transformers`` adapted by LoRA as an encoder, from samples to an embedding."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affectspace.encoders.batch import Batch
from affectspace.encoders.head import EmbeddingHead
from affectspace.encoders.layer_mix import MixedLayers
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.speech_source import open_speech_source
from affectspace.encoders.speech_trunk import SpeechTrunk
from affectspace.extras import refuse_missing

__all__ = ["AdaptedSpeech"]

FULL_SCALE = 32768.0  # 16-bit steps to full scale
# The two layers of a block that look at a frame alone. Those of attention are passed by in WavLM, whose attention takes
# their weights and not their answers: adapters there would learn nothing.
ADAPTED = {"whisper": ("fc1", "fc2")}
ADAPTED_ELSEWHERE = ("intermediate_dense", "output_dense")


class AdaptedSpeech(nn.Module):
    r"""Samples to an embedding and class logits, through a speech model whose weights stay as they are.

    Each of the two layers :math:`W` that look at a frame in every block becomes
    :math:`W x + \frac{\alpha}{r} B A x`, in which :math:`A` has ``rank`` rows and :math:`B`, which begins as 0, as many
    columns. They learn, and with them :class:`MixedLayers` and the head of :class:`ImageEncoder` behind the model's
    hidden states. The model itself answers as in evaluation throughout; see :class:`SpeechTrunk`, which also tells
    which clips are run together.

    A state holds what learns, and nothing of the model: that is opened again from its source.

    Args:
        source: folder with ``config.json``, safetensors and ``preprocessor_config.json``, or the model's name on the
            hub. Code in a model is never run, and weights in any other format are refused.
        classes: number of classes.
        dimensions: of the embedding.
        rank: of the adapters.
        alpha: what their answers are multiplied by, times the rank.
        layers: the hidden states that are weighed, 0 being what the first block reads; None: all of them. Blocks above
            the highest of them are left out.
        pooling: over frames: ``"mean"``, or ``"attentive"`` statistics.
        layer_norm: whether each hidden state is brought to mean 0 and variance 1 first.
        non_negative: whether a ReLU follows the embedding, as f-similarity needs.
        dropout: share of the pooled features left out while training, in ``[0, 1)``.
        probe: whether the output layer only reads the embedding, and sends no gradient into it.
        revision: which commit of a model on the hub; None: the newest. ``trunk.source.revision`` is that which was
            taken.

    Shape:
        batch values ``(items, samples, 1)`` in 16-bit steps, as :class:`~affectspace.features.Waveform` keeps them;
        embedding ``(items, dimensions)``; logits ``(items, classes)``; layers ``features``, what was pooled.

    Raises:
        InputError: ``transformers`` or ``peft`` is not installed, no such model, no safetensors, a model of something
            else than speech, or hidden states that it does not have.
        ValueError: dropout outside ``[0, 1)``, a pooling that there is not, or no block to adapt.

    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022; for emotion in speech, and on
    these layers, Feng & Narayanan, "PEFT-SER", ACII 2023.
    """

    def __init__(
        self,
        source: str | Path,
        classes: int,
        dimensions: int = 64,
        rank: int = 8,
        alpha: float = 16.0,
        layers: Sequence[int] | None = None,
        pooling: str = "mean",
        layer_norm: bool = True,
        non_negative: bool = False,
        dropout: float = 0.0,
        probe: bool = False,
        revision: str | None = None,
    ):
        super().__init__()
        refuse_missing("pretrained", "LoRA needs", "peft")
        if layers is not None and not max(layers, default=1):
            raise ValueError("layers is [0], below which there is no block to adapt; name a higher one too")
        opened = open_speech_source(source, revision)
        self.trunk = SpeechTrunk(opened, layers).requires_grad_(False)
        _adapt(self.trunk.model, ADAPTED.get(opened.family, ADAPTED_ELSEWHERE), rank, alpha)
        self.mixed = MixedLayers(opened.width, len(self.trunk.layers), pooling, layer_norm)
        self.head = EmbeddingHead(self.mixed.features, classes, dimensions, non_negative, dropout, probe)
        self.register_state_dict_post_hook(_leave_the_model_out)
        self.register_load_state_dict_post_hook(_miss_no_model)
        self.trunk.eval()

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        return self.head.sizes

    def forward(self, batch: Batch) -> Outputs:
        samples, lengths = batch.values.squeeze(-1) / FULL_SCALE, batch.lengths.to(batch.values.device)
        pooled: list[Tensor] = []
        order: list[int] = []
        for rows in self.trunk.together(lengths.tolist()):
            own = lengths[rows]
            pooled.append(self.mixed(*self.trunk(samples[rows, : int(own.max())], own)))
            order += rows
        back = torch.tensor(order, device=samples.device).argsort()
        return self.head(torch.cat(pooled)[back])


def _adapt(model: nn.Module, names: Sequence[str], rank: int, alpha: float) -> None:
    """Put an adapter beside each linear layer of these names; all other weights stay as they are."""
    from peft import LoraConfig, inject_adapter_in_model  # pyright: ignore[reportMissingImports]

    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    targets = [name for name in linear if name.rpartition(".")[2] in names]
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets), model)  # pyright: ignore[reportArgumentType]


def _is_of_the_model(key: str) -> bool:
    return "trunk." in key and ".lora_" not in key


def _leave_the_model_out(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    for key in [key for key in state if _is_of_the_model(key)]:
        del state[key]


def _miss_no_model(module: nn.Module, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if not _is_of_the_model(key)]
