"""Whether processes that train one net together do so by one recipe, one version and the same data."""

import hashlib
import platform
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

import affectspace
from affectspace.errors import InputError
from affectspace.training.data import Data
from affectspace.training.processes import Processes
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_file import dump_recipe

__all__ = ["contents", "makers", "refuse_differences"]


def refuse_differences(has: Mapping[str, str], together: Processes) -> None:
    """Refuse to train one net by what only some processes have; every process asks this, with what it has.

    Each knows of every batch, and looks only at its share of the items: with other data, or another version that makes
    something else of them, nothing would break, and the net would be of neither.

    Args:
        has: short texts by the name of what they tell of; what explains most is first.
        together: who trains.

    Raises:
        InputError: on all of them, with the first thing that differs.
    """
    every = together.each({"host": socket.gethostname(), "has": dict(has)})
    with together.in_turn():
        first = every[0]
        for rank, other in enumerate(every):
            for what in dict.fromkeys([*first["has"], *other["has"]]):
                here, there = first["has"].get(what), other["has"].get(what)
                if here != there:
                    raise InputError(
                        f"process {rank} on {other['host']} has another {what} than process 0 on {first['host']} "
                        f"({_short(there)}, not {_short(here)}), and they are to train one net; give all of them the "
                        "same recipe, versions and files, by storage that all machines see or by equal copies"
                    )


def makers(recipe: Recipe) -> dict[str, str]:
    """By what a net is trained: versions, and the recipe but for where its data lie."""
    told = recipe.model_copy(update={"data": "", "corrections": None})
    return {
        "affectspace": affectspace.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),  # patches change no answers
        "recipe": _digest(dump_recipe(told)),
    }


def contents(data: Data) -> dict[str, str]:
    """On what a net is trained, as digests."""
    about, told = data.about, {}
    for corpus in about["corpora"]:
        name = corpus["name"]
        told[f"set of tables of corpus {name}"] = corpus["sha256"]
        told[f"file of corrections of corpus {name}"] = (corpus.get("corrections") or {}).get("sha256", "none")
        told[f"set of recordings of corpus {name}, or of features made of them,"] = corpus["items_sha256"]
    told |= {f"file {path}, of which features are made,": sha256 for path, sha256 in about["files_sha256"].items()}
    told["set of features"] = _digest(about["features"], about.get("normalise"))
    split = data.split_table[["key", "part", "audio_sha"]].astype("string").fillna("")
    told["split of the items"] = _digest(*split.to_numpy(str).ravel())
    # rounded, as another machine may round a mean of ratings otherwise
    targets = np.round(data.targets.double().numpy(), 5) + 0.0
    told["set of labels"] = _digest(*data.classes, targets.tobytes())
    return told


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, bytes) else str(part).encode()) + b"\0")
    return digest.hexdigest()


def _short(told: str | None) -> str:
    """A version, or the beginning of a digest."""
    return "none" if told is None else told[:12] if len(told) == 64 else told
