"""The training items that a model keeps, so that a new item can be placed among them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from affectspace.errors import InputError
from affectspace.files import json_text
from affectspace.training.far import Far
from affectspace.training.hub_model import model_folder
from affectspace.training.profile import Profile

__all__ = ["FILE", "Known", "load_known"]

FILE = "known.safetensors"
HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Known:
    """Training items as a model keeps them.

    Args:
        ids: corpus/id of each.
        languages: of each; None where its corpus states none.
        labels: the most probable class of each by its raters; None where several are tied.
        embeddings: ``(items, dimensions)`` float16, the items as the net places them.
        profiles: ``(items, at most 128)`` float16, their features; see :class:`Profile`.
        profile: makes such of new ones.
        far: when a new item lies far from all of them.
        trained_on: how many labelled items training had, of several modalities those that have all of them; these are
            all of them or some.
    """

    ids: tuple[str, ...]
    languages: tuple[str | None, ...]
    labels: tuple[str | None, ...]
    embeddings: np.ndarray
    profiles: np.ndarray
    profile: Profile
    far: Far
    trained_on: int

    def __len__(self) -> int:
        return len(self.ids)

    def distances(self, embedding: np.ndarray, described: np.ndarray) -> dict[str, np.ndarray]:
        """Euclidean distances ``(items,)`` of a new item to each of these, by embedding and by features.

        Args:
            embedding: ``(dimensions,)``.
            described: ``(numbers,)``, what :func:`~affectspace.training.profile.described_all` makes of its features.
        """
        profile = self.profile(described[None])[0]
        return {"embedding": _away(self.embeddings, embedding), "features": _away(self.profiles, profile)}

    def to_kth(self, distances: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Of such distances those to the k-th nearest item."""
        return {name: float(np.partition(each, self.far.k - 1)[self.far.k - 1]) for name, each in distances.items()}

    def save(self, folder: Path) -> None:
        """Write them into the folder of a model that is being made, as one safetensors file."""
        arrays = {
            "embeddings": self.embeddings,
            "profiles": self.profiles,
            "profile.mean": self.profile.mean,
            "profile.scale": self.profile.scale,
        }
        if self.profile.directions is not None:
            arrays["profile.directions"] = self.profile.directions
        about = {
            "ids": self.ids, "languages": self.languages, "labels": self.labels, "trained_on": self.trained_on,
            "far": asdict(self.far),
        }  # fmt: skip
        (folder / FILE).write_bytes(save(arrays, {"affectspace": json_text(about)}))


def in_half(values: np.ndarray) -> np.ndarray:
    """Float16, which keeps three digits; what it cannot hold becomes the largest that it can."""
    return np.clip(np.nan_to_num(values), -HALF, HALF).astype(np.float16)


def load_known(folder: str | Path) -> Known | None:
    """The training items of a run's model, of a model folder, or of a model on the hub; None where it keeps none.

    Raises:
        InputError: a damaged file.
    """
    folder = model_folder(folder)
    path = (folder / "model" if (folder / "model").is_dir() else folder) / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            held: dict[str, np.ndarray] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about: dict[str, Any] = json.loads(file.metadata()["affectspace"])
        profile = Profile(held["profile.mean"], held["profile.scale"], held.get("profile.directions"))
        ids, languages, labels = (tuple(about[name]) for name in ("ids", "languages", "labels"))
        embeddings, profiles = held["embeddings"], held["profiles"]
        if len({len(each) for each in (ids, languages, labels, embeddings, profiles)}) != 1:
            raise ValueError("its arrays are not of as many items as it names")
        far = Far(**about["far"])
        return Known(ids, languages, labels, embeddings, profiles, profile, far, int(about["trained_on"]))
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise InputError(f"{path} is damaged: {error}; restore the folder from a copy, or train again") from error


def _away(items: np.ndarray, one: np.ndarray) -> np.ndarray:
    gaps = items.astype(np.float64) - one
    return np.sqrt(np.einsum("nd,nd->n", gaps, gaps))
