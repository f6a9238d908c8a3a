"""The executor of a study that is trained elsewhere, by the engine that was asked for."""

import glob
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from affectspace.clusters import RayAt, Slurm, Where, connect
from affectspace.studies.executor import Executor
from affectspace.studies.slurm_pool import AT_ONCE, SlurmPool, refuse_no_slurm
from affectspace.training.recipe import Recipe

__all__ = ["cluster_pool", "connected", "places"]


def connected(on: Where) -> AbstractContextManager[object]:
    """A connection to the engine, for the length of a block; none is needed for this machine.

    Raises:
        InputError: it is not there, or cannot be used from here.
    """
    match on:
        case RayAt():
            return connect(on)
        case Slurm():
            refuse_no_slurm()
    return nullcontext()


def cluster_pool(
    on: Where, folder: Path, recipes: Iterable[Recipe], most: int | None, tell: Callable[[str], None]
) -> AbstractContextManager[Executor]:
    """Processes on the Ray cluster that this one is connected to, or by SLURM.

    Args:
        on: which of them.
        folder: the study's.
        recipes: all that it trains, in any of their variants.
        most: processes at once; None for as many as there are CPUs, or GPUs where these are used; by SLURM for 16.
        tell: what happens to nodes, or to SLURM, in sentences.
    """
    if isinstance(on, Slurm):
        return SlurmPool(most or AT_ONCE, folder, tell)
    from affectspace.studies.ray_pool import RayPool
    from affectspace.training.frontends import cache_folders

    recipes = list(recipes)
    devices = {recipe.training.device for recipe in recipes}
    return RayPool(folder, places(recipes), cache_folders(), most, tell, devices)


def places(recipes: Iterable[Recipe]) -> dict[str, str]:
    """What a machine must see to train by these recipes: corpora and tables of vectors, each with what it is."""
    found: dict[str, str] = {}
    for recipe in recipes:
        root = Path(recipe.settled().data)
        for entry in recipe.corpora:
            found[str(root / entry.path)] = f"corpus {entry.path}"
        for view in recipe.per_modality().values():
            if path := getattr(view.features, "path", None):
                place = root / str(path)
                while glob.has_magic(str(place)):
                    place = place.parent
                found[str(place)] = "vectors"
    return found
