"""What is handed from process to process when shards are embedded; loads nothing that embeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """All that a process must know to embed shards of a plan.

    Args:
        out: the URL or folder that shards are written to.
        plan: the plan's id.
        run: where the model is.
        model: its SHA-256.
        roots: folders in which media lie.
        classes: of the model.
        about: of the space.
        features: the fingerprint of its front end.
        versions: of packages by which vectors may differ, where it was planned.
        device: of torch, that the net runs on.
    """

    out: str
    plan: str
    run: str
    model: str
    roots: tuple[str, ...]
    classes: tuple[str, ...]
    about: Mapping[str, Any]
    features: str
    versions: Mapping[str, str]
    device: str = "cpu"
