"""A tracker by its name, and where it keeps what it is told: on this machine unless something else is named."""

from pathlib import Path
from typing import TYPE_CHECKING

from affectspace.errors import InputError

if TYPE_CHECKING:
    from affectspace.trackers.follow import Tracker

__all__ = ["TRACKERS", "open_tracker"]

TRACKERS = ("tensorboard", "mlflow", "wandb")
PROJECT = "affectspace"


def open_tracker(
    name: str,
    folder: str | Path | None = None,
    *,
    uri: str | None = None,
    project: str = PROJECT,
    online: bool = False,
) -> "Tracker":
    """The tracker ``name``; only a ``uri`` or ``online`` lets anything leave this machine.

    What the environment says of MLflow's or W&B's server is not enough for that.

    Args:
        name: one of :data:`TRACKERS`.
        folder: where it keeps what it is told; ``tracked/NAME`` by default.
        uri: for MLflow, the server or store to use in place of ``folder``.
        project: MLflow's experiment, or W&B's project.
        online: for W&B, send runs to its server.

    Raises:
        InputError: another name, something that the tracker has no use for, or a tracker that is not installed.

    Example:
        >>> open_tracker("comet")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: there is no tracker 'comet'; choose tensorboard, mlflow or wandb
    """
    if name not in TRACKERS:
        raise InputError(f"there is no tracker {name!r}; choose {', '.join(TRACKERS[:-1])} or {TRACKERS[-1]}")
    if uri is not None and name != "mlflow":
        raise InputError(f"--uri names a store of MLflow, and {name} has none; leave it out, or use --to mlflow")
    if uri is not None and folder is not None:
        raise InputError("--uri and --out both say where MLflow keeps its runs; name one of them")
    if online and name != "wandb":
        raise InputError(f"--online is W&B's, and {name} never goes online by it; leave it out, or use --to wandb")
    folder = Path(folder) if folder is not None else Path("tracked") / name
    if name == "tensorboard":
        if project != PROJECT:
            raise InputError("--project is MLflow's or W&B's, and tensorboard has none; leave it out, or use --out")
        from affectspace.trackers.tensorboard_files import TensorBoardFiles

        return TensorBoardFiles(folder)
    if name == "wandb":
        from affectspace.trackers.wandb_runs import WandbRuns

        return WandbRuns(folder, project, online)
    from affectspace.trackers.mlflow_store import MLflowStore

    if uri is not None:
        return MLflowStore(uri, project)
    folder.mkdir(parents=True, exist_ok=True)
    return MLflowStore(f"sqlite:///{folder.resolve() / 'mlflow.db'}", project, folder / "artifacts")
