"""A loss that is not finite: the batch is kept for looking at, and the error names what can be done."""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from affectspace.encoders import Batch
from affectspace.errors import DivergedError
from affectspace.files import atomic_path, write_json

__all__ = ["diverged"]


def diverged(
    folder: Path, state: dict[str, Any], batch: Batch, ids: list[str], loss: float, values: dict[str, Tensor]
) -> DivergedError:
    """Save the batch and its items in ``folder/diverged``; the error to raise."""
    with atomic_path(folder / "diverged" / "batch.safetensors") as path:
        kept = {"values": batch.values, "lengths": batch.lengths, "targets": batch.targets, "triplets": batch.triplets}
        path.write_bytes(save({name: value.cpu().contiguous() for name, value in kept.items() if value is not None}))
    terms = {name: float(value) for name, value in values.items()}
    about = {"epoch": state["epoch"] + 1, "step": state["step"] + 1, "loss": str(loss), "terms": terms, "items": ids}
    write_json(folder / "diverged" / "batch.json", about)
    bad = [item for item, clip in zip(ids, batch.values) if not torch.isfinite(clip).all()]
    why = (
        f"the features of {bad[0]} are not finite"
        if bad
        else "its features are finite: lower training.learning_rate or set training.clip_gradient, with another --out"
    )
    what = "a weight or gradient" if math.isfinite(loss) else "the loss"
    return DivergedError(
        f"{what} is not finite in epoch {about['epoch']}, step {about['step']} "
        f"({', '.join(f'{name} {value:.4g}' for name, value in terms.items())}); {why}. "
        f"The batch and its items are in {folder / 'diverged'}"
    )
