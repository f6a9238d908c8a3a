"""A loss that is not finite: the batch is kept for looking at, and the error names what can be done."""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from affectspace.encoders import Batch, Modality
from affectspace.errors import DivergedError
from affectspace.files import atomic_path, write_json

__all__ = ["diverged"]


def diverged(
    folder: Path, state: dict[str, Any], batch: Batch, ids: list[str], loss: float, values: dict[str, Tensor]
) -> DivergedError:
    """Save the batch and its items in ``folder/diverged``; the error to raise.

    ``batch.safetensors`` has the features as ``values`` and ``lengths``, of several modalities as ``values.NAME`` and
    ``lengths.NAME``; ``batch.json`` the item of each row, and of which features all are finite.

    Args:
        folder: of the run.
        state: ``epoch`` and ``step`` that are done.
        batch: that was being trained on; rows beyond ``ids`` are its last items a second time.
        ids: of its items, in its order.
        loss: of the batch.
        values: of its terms.
    """
    ids = ids + ids[2 * len(ids) - len(batch.lengths) :]
    several = batch.modalities is not None
    features = batch.modalities or {"features": Modality(batch.values, batch.lengths)}
    kept = {"targets": batch.targets, "triplets": batch.triplets}
    for name, each in features.items():
        end = f".{name}" if several else ""
        kept |= {f"values{end}": each.values, f"lengths{end}": each.lengths}
    with atomic_path(folder / "diverged" / "batch.safetensors") as path:
        path.write_bytes(save({name: value.cpu().contiguous() for name, value in kept.items() if value is not None}))
    bad = {
        name: next((item for item, clip in zip(ids, each.values) if not torch.isfinite(clip).all()), None)
        for name, each in features.items()
    }
    about = {
        "epoch": state["epoch"] + 1,
        "step": state["step"] + 1,
        "loss": str(loss),
        "terms": {name: float(value) for name, value in values.items()},
        "finite": {name: item is None for name, item in bad.items()},
        "items": ids,
    }
    write_json(folder / "diverged" / "batch.json", about)
    which = {name: f"the {name} features" if several else "the features" for name in features}
    why = (
        " and ".join(f"{which[name]} of {item} are not finite" for name, item in bad.items() if item is not None)
        or "its features are finite: lower training.learning_rate or set training.clip_gradient, with another --out"
    )
    what = "a weight or gradient" if math.isfinite(loss) else "the loss"
    return DivergedError(
        f"{what} is not finite in epoch {about['epoch']}, step {about['step']} "
        f"({', '.join(f'{name} {value:.4g}' for name, value in about['terms'].items())}); {why}. "
        f"The batch and its items are in {folder / 'diverged'}"
    )
