"""A training step of the full-size cross-modal net against the same net written down in plain torch functions.

    python benchmarks/cross_modal_net.py

1,582 functionals, 18 faces of 342 and 22 words of 1,024, latents of 128, four classes, batches of 128 of which a tenth
have no face: cross-entropy, 0.2 of the reconstruction, 0.1 of matching the latents of sound with the two others;
forward, backward, Adam, one thread. Both begin with equal weights, get the same batches and take turns, so that a busy
machine slows both; times are CPU time, the smallest of the rounds, a ratio the median over them. Their losses are
compared at each step, and drift apart by rounding only. ``without decoders`` is our step where nothing is
reconstructed. Peak memory is that of a fresh process which does nothing but two steps.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from affectspace.encoders import Batch, LinearAutoencoder, Modality, MultimodalEncoder, SequenceAutoencoder
from affectspace.losses import CrossModalMatchingLoss

BATCH, CLASSES, ROUNDS = 128, 4, 5
FRAMES = {"visual": 18, "lexical": 22}
RECONSTRUCTION, MATCHING = 0.2, 0.1

Step = Callable[[Batch], float]


def net(decode: bool = True) -> MultimodalEncoder:
    torch.manual_seed(0)
    visual, lexical = SequenceAutoencoder.visual(), SequenceAutoencoder.lexical()
    nets = {"acoustic": LinearAutoencoder.acoustic(), "visual": visual, "lexical": lexical}
    return MultimodalEncoder(nets, CLASSES, decode=decode)


def batch(random: np.random.Generator) -> Batch:
    targets = random.integers(0, CLASSES, BATCH)
    modalities = {}
    for name, dimensions, longest in (("acoustic", 1582, 1), ("visual", 342, 24), ("lexical", 1024, 30)):
        shape = (BATCH, dimensions) if name == "acoustic" else (BATCH, longest, dimensions)
        lengths = torch.from_numpy(random.integers(longest // 8 + 1, longest + 1, BATCH))
        if name == "visual":
            lengths[torch.from_numpy(random.random(BATCH) < 0.1)] = 0
        modalities[name] = Modality(torch.from_numpy(random.standard_normal(shape, np.float32)), lengths)
    one_hot = torch.eye(CLASSES)[torch.from_numpy(targets)]
    return Batch(torch.empty(BATCH, 0), torch.ones(BATCH), one_hot, modalities=modalities)


def ours(decode: bool = True, low: bool = False) -> Step:
    encoder, matching = net(decode), CrossModalMatchingLoss()
    optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-3)

    def step(batch: Batch) -> float:
        assert batch.modalities is not None
        assert batch.targets is not None
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            outputs = encoder(batch)
        acoustic, visual, lexical = outputs.layers.values()
        loss = functional.cross_entropy(outputs.logits, batch.targets)
        loss = loss + MATCHING * matching(acoustic, [visual, lexical], groups=batch.targets)
        for name, made in outputs.reconstructions.items():
            modality = batch.modalities[name]
            target, counts = encoder.autoencoders[name].target(modality.values, modality.lengths)
            error = (made - target).square().mean(-1)
            loss = loss + RECONSTRUCTION * error[counts].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


class Plain:
    """The same net as one writes it down, layer by layer, on weights by their names."""

    def __init__(self, weights: dict[str, Tensor]):
        self.weights = {name: weight.clone().requires_grad_() for name, weight in weights.items()}

    def of(self, layer: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]

    def linear(self, name: str, values: Tensor) -> Tensor:
        return functional.linear(values, *self.of(name))

    def normalise(self, name: str, values: Tensor) -> Tensor:
        centred = values - values.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        weight, bias = self.of(name)
        return centred / spread * weight + bias

    def stack(self, name: str, values: Tensor, layers: int) -> Tensor:
        for number in range(layers):
            values = self.linear(f"{name}.{2 * number}", values.relu() if number else values)
        return values

    def attend(self, name: str, queries: Tensor, others: Tensor, outside: Tensor | None = None) -> Tensor:
        parts = (("query", queries), ("key", others), ("value", others))
        query, key, value = (
            self.linear(f"{name}.{part}", x).reshape(len(x), x.shape[1], 4, -1).transpose(1, 2) for part, x in parts
        )
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        if outside is not None:
            scores = scores.masked_fill(outside[:, None, None], -1e9)
        heads = scores.softmax(-1) @ value
        return self.linear(f"{name}.output", heads.transpose(1, 2).reshape(*queries.shape[:2], -1))

    def block(self, name: str, frames: Tensor, outside: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        attended = self.attend(f"{name}.attention", frames, frames, outside)
        frames = self.normalise(f"{name}.after_attention", frames + attended)
        if memory is not None:
            attended = self.attend(f"{name}.to_memory", frames, memory)
            frames = self.normalise(f"{name}.after_memory", frames + attended)
        return self.normalise(f"{name}.after_layers", frames + self.stack(f"{name}.layers", frames, 2))

    def encode(self, name: str, values: Tensor, outside: Tensor) -> Tensor:
        frames = values
        for number in range(2):
            frames = self.block(f"nets.{name}.attending.{number}", frames, outside)
        image = (frames * ~outside[..., None])[:, None]
        for number, stride in enumerate((2, 2, 3) if name == "visual" else (2, 3)):
            layer = f"nets.{name}.down.{2 * number}"
            image = functional.conv2d(image, *self.of(layer), stride, 1).relu()
        return self.stack(f"nets.{name}.encoder", image.flatten(1), 1 if name == "visual" else 2)

    def decode(self, name: str, latent: Tensor) -> Tensor:
        flat = self.stack(f"nets.{name}.decoder", latent, 1 if name == "visual" else 2)
        image = flat.reshape(-1, *((32, 2, 29) if name == "visual" else (4, 4, 171)))
        for number, stride in enumerate((3, 2, 2) if name == "visual" else (3, 2)):
            layer = f"nets.{name}.up.{2 * number + 1}"
            image = functional.conv_transpose2d(image.relu(), *self.of(layer), stride, 1)
        frames = memory = image[:, 0]
        for number in range(2):
            frames = self.block(f"nets.{name}.unfolding.{number}", frames, memory=memory)
        return self.linear(f"nets.{name}.output", frames)

    def loss(self, batch: Batch, matching: CrossModalMatchingLoss) -> Tensor:
        assert batch.modalities is not None
        assert batch.targets is not None
        sound = batch.modalities["acoustic"].values
        latents = {"acoustic": self.stack("nets.acoustic.encoder", sound, 3)}
        error = (self.stack("nets.acoustic.decoder", latents["acoustic"], 3) - sound).square().mean()
        for name, frames in FRAMES.items():
            modality = batch.modalities[name]
            lengths = modality.lengths.clamp(max=frames)
            outside = torch.arange(frames) >= lengths[:, None]
            values = modality.values[:, :frames] * ~outside[..., None]
            target = torch.zeros_like(values)
            for row, length in enumerate(lengths.tolist()):
                target[row, :length] = values[row, :length].flip(0)
            latents[name] = self.encode(name, values, outside) * (lengths > 0)[:, None]
            errors = (self.decode(name, latents[name]) - target).square().mean(-1)
            error = error + (errors * ~outside).sum() / (~outside).sum()
        logits = self.linear("classifier.0", torch.cat(list(latents.values()), -1))
        matched = matching(latents["acoustic"], [latents["visual"], latents["lexical"]], groups=batch.targets)
        entropy = functional.cross_entropy(logits, batch.targets)
        return entropy + MATCHING * matched + RECONSTRUCTION * error


def plain() -> Step:
    written, matching = Plain(net().state_dict()), CrossModalMatchingLoss()
    optimiser = torch.optim.Adam(written.weights.values(), lr=1e-3)

    def step(batch: Batch) -> float:
        loss = written.loss(batch, matching)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


STEPS: dict[str, Callable[[], Step]] = {
    "plain": plain,
    "ours": ours,
    "ours, bfloat16": lambda: ours(low=True),
    "ours, without decoders": lambda: ours(decode=False),
}


def peak(name: str) -> float:
    """GB that a fresh process holds at most."""
    done = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    if sys.argv[1:]:
        random, step = np.random.default_rng(0), STEPS[sys.argv[1]]()
        for _ in range(2):
            step(batch(random))
        # ru_maxrss would be no less than that of the process which started this one, exec or not
        status = Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20)
        return
    random = np.random.default_rng(0)
    steps = {name: make() for name, make in STEPS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    losses: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        given = batch(random)
        for name, step in steps.items():
            began = time.process_time()
            losses[name].append(step(given))
            seconds[name].append(time.process_time() - began)
    gap = np.abs(np.array(losses["ours"]) / losses["plain"] - 1)
    print(f"loss {losses['plain'][0]:.4f} to {losses['plain'][-1]:.4f} in {ROUNDS} steps of the plain net")
    print(f"ours is off by {gap[0]:.0e} of it at the first step, {gap.max():.0e} at most")
    print(f"{'':24s}{'s a step':>9s}{'steps a s':>11s}{'x plain':>9s}{'peak GB':>9s}")
    for name, times in seconds.items():
        ratio = np.median(np.divide(seconds["plain"], times))
        print(f"{name:24s}{min(times):9.2f}{1 / min(times):11.3f}{ratio:9.2f}{peak(name):9.2f}")


if __name__ == "__main__":
    main()
