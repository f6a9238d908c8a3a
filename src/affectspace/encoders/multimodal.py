"""Items of several modalities: a latent of each, all side by side, and what is told of them together."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from affectspace.encoders.batch import Batch, Modality
from affectspace.encoders.layers import connected
from affectspace.encoders.linear_autoencoder import LinearAutoencoder
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.sequence_autoencoder import SequenceAutoencoder

__all__ = ["Autoencoder", "MultimodalEncoder", "hidden_modalities"]

Autoencoder = LinearAutoencoder | SequenceAutoencoder


class MultimodalEncoder(nn.Module):
    """Modalities, any of which an item may lack, to one embedding and class logits.

    Each modality's autoencoder gives a latent; the latents side by side are the embedding, and logits are made of that.
    The latent of a modality that an item lacks is 0, whatever lies in the item's values, and no gradient reaches the
    autoencoder from there. So one net answers about items with any of its modalities; to see what it says without one,
    set its lengths to 0. About an item that has none it says the same always. Under autocast the autoencoders
    run in low precision, the rest in that of the weights.

    Args:
        nets: the autoencoder of each modality, by its name, in the order of the embedding.
        classes: number of classes.
        hidden: units of layers between the embedding and the logits, with ReLU; none as published.
        dropout: share of the embedding that the logits are made without while training, in ``[0, 1)``.
        modality_dropout: the chance of each modality of an item to be left out of the embedding while training, in
            ``[0, 1]``, see :func:`hidden_modalities`. Its latent in ``layers`` stays.
        decode: whether modalities are reconstructed while training; more than half of the work is saved without.

    Shape:
        batch modalities as :class:`Modality`, others than ``nets`` are not looked at; embedding
        ``(items, sum of latents)``; logits ``(items, classes)``; layers ``(items, latent)`` by modality;
        reconstructions, while training, in the shape that the autoencoder's ``target`` has.

    Raises:
        ValueError: no nets, a modality named ``embedding``, dropouts or sizes outside their ranges; a batch without
            one of the modalities.

    Source: Liang, Li & Jin, "Semi-supervised Multi-modal Emotion Recognition with Cross-Modal Distribution Matching",
    ACM Multimedia 2020; leaving out modalities as in Neverova et al., "ModDrop", TPAMI 2016.

    Example:
        >>> nets = {"acoustic": LinearAutoencoder(88, latent=16), "lexical": SequenceAutoencoder(50, 12, latent=16)}
        >>> acoustic = Modality(torch.randn(3, 88), torch.tensor([1, 1, 0]))
        >>> lexical = Modality(torch.randn(3, 9, 50), torch.tensor([9, 0, 4]))
        >>> batch = Batch(torch.empty(3, 0), torch.ones(3), modalities={"acoustic": acoustic, "lexical": lexical})
        >>> outputs = MultimodalEncoder(nets, classes=4)(batch)
        >>> outputs.embedding.shape, outputs.reconstructions["lexical"].shape
        (torch.Size([3, 32]), torch.Size([3, 12, 50]))
    """

    def __init__(
        self,
        nets: Mapping[str, Autoencoder],
        classes: int,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        modality_dropout: float = 0.0,
        decode: bool = True,
    ):
        super().__init__()
        if not nets or "embedding" in nets:
            given = ", ".join(nets) or "none"
            raise ValueError(f"modalities are {given}; give one or more, and 'embedding' is the name of them together")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it is a share in [0, 1)")
        if not 0 <= modality_dropout <= 1:
            raise ValueError(f"modality_dropout is {modality_dropout}; it is a chance in [0, 1]")
        self.nets = nn.ModuleDict(nets)
        self.modality_dropout = modality_dropout
        self.decode = decode
        self.dropout = nn.Dropout(dropout)
        self.classifier = connected((sum(net.latent for net in nets.values()), *hidden, classes))

    @property
    def autoencoders(self) -> dict[str, Autoencoder]:
        """The autoencoder of each modality."""
        return {name: cast(Autoencoder, net) for name, net in self.nets.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """Dimensions of the layers that a loss may read, by their names."""
        latents = {name: net.latent for name, net in self.autoencoders.items()}
        return {"embedding": sum(latents.values()), **latents}

    def forward(self, batch: Batch) -> Outputs:
        nets, given = self.autoencoders, self._modalities(batch)
        latents = {name: net.encode(given[name].values, given[name].lengths) for name, net in nets.items()}
        latents = {name: latent.masked_fill(~given[name].present[:, None], 0) for name, latent in latents.items()}
        made = {name: net.decode(latents[name]) for name, net in nets.items()} if self.training and self.decode else {}
        # A thousandth of the work: low precision would cost digits and gain no time.
        with torch.autocast(batch.values.device.type, enabled=False):
            dtype = next(self.classifier.parameters()).dtype
            latents = {name: latent.to(dtype) for name, latent in latents.items()}
            made = {name: reconstruction.to(dtype) for name, reconstruction in made.items()}
            embedding = torch.cat(self._shown(list(latents.values()), given), -1)
            return Outputs(embedding, self.classifier(self.dropout(embedding)), latents, made)

    def _shown(self, latents: list[Tensor], given: dict[str, Modality]) -> list[Tensor]:
        # without a chance nothing is drawn, so that other draws are those of a net that knows no such thing
        if not self.training or not self.modality_dropout:
            return latents
        present = torch.stack([modality.present for modality in given.values()], -1)
        hidden = hidden_modalities(present, self.modality_dropout).unbind(-1)
        return [latent.masked_fill(left_out[:, None], 0) for latent, left_out in zip(latents, hidden)]

    def _modalities(self, batch: Batch) -> dict[str, Modality]:
        given = batch.modalities or {}
        missing = [name for name in self.nets if name not in given]
        if missing:
            told = f"has no {', '.join(missing)}, only {', '.join(given)}" if given else "has no modalities"
            expected = f"expected {', '.join(self.nets)}, with lengths of 0 where an item lacks one"
            raise ValueError(f"the batch {told}; {expected}")
        return {name: given[name] for name in self.nets}


def hidden_modalities(present: Tensor, chance: float) -> Tensor:
    """Draw which modalities of each item are hidden, but never all that it has.

    Each is hidden with the chance given, by itself. Where that hides all, one of them, any with the same chance, is
    shown after all. With a chance of 1 each item shows one modality.

    Args:
        present: ``(items, modalities)`` bool, which each item has.
        chance: in ``[0, 1]``.

    Returns:
        ``(items, modalities)`` bool; False where there is nothing to hide. Drawn from torch's generator of the device.

    Example:
        >>> hidden_modalities(torch.tensor([[True, False], [False, False]]), 1.0)
        tensor([[False, False],
                [False, False]])
    """
    draws = torch.rand(present.shape, device=present.device).masked_fill(~present, -1)
    hidden = present & (draws < chance)
    # the largest draw of an item is below the chance only if all are
    return hidden.scatter(-1, draws.argmax(-1, keepdim=True), False)
