"""``affectspace track``"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError

if TYPE_CHECKING:  # --help has no use for it
    from affectspace.trackers.follow import Tracked


def track(
    *runs: Path,
    to: Literal["tensorboard", "mlflow", "wandb"],
    out: Path | None = None,
    uri: str | None = None,
    project: str = "affectspace",
    online: Annotated[bool, Parameter(negative="")] = False,
    follow: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Tell TensorBoard, MLflow or W&B of runs; nothing leaves this machine without --uri or --online.

    Doing it again adds what has come since.

    Parameters
    ----------
    runs
        Run folders, finished or not, studies, and folders of runs.
    to
        The tracker; it needs the extra of its name: pip install "affectspace[tensorboard]".
    out
        The folder where it keeps the runs [default: tracked/TRACKER].
    uri
        The server or store of MLflow, in place of a folder.
    project
        The experiment of MLflow, or the project of W&B.
    online
        Send the runs to W&B, where you are logged in.
    follow
        Go on as long as any of the runs is being trained.
    """
    if not runs:
        raise InputError(f"name at least one run folder: affectspace track runs/NAME --to {to}")
    if missing := [run for run in runs if not run.is_dir()]:
        raise InputError(f"there is no run folder {missing[0]}; affectspace train makes one")
    if out is not None:
        new_folder(out)

    from affectspace.trackers import open_tracker
    from affectspace.trackers import track as track_runs
    from affectspace.trackers.address import without_login

    tracker = open_tracker(to, out, uri=uri, project=project, online=online)
    try:
        tracked = track_runs(list(runs), tracker, follow=follow, tell=_tell)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was told stays; the same command adds the rest") from None
    place = out or Path("tracked") / to
    if to == "tensorboard":
        next_commands(f"tensorboard --logdir {quoted(place)}")
    elif to == "mlflow":
        store = without_login(uri or f"sqlite:///{place.resolve() / 'mlflow.db'}")
        served = uri is not None and uri.startswith(("http://", "https://"))
        page = f"mlflow server --backend-store-uri {quoted(store)}  # of mlflow itself, see docs/trackers.md"
        next_commands(f"open it in a browser: {store}" if served else page)
    elif online:
        next_commands("open it in a browser: https://wandb.ai/home")
    else:
        next_commands(f"wandb sync {quoted(place)}/offline-run-*  # sends them to W&B")
    if going := sorted(each.name for each in tracked if each.state == "running"):
        some = f"{going[0]} is" if len(going) == 1 else f"{len(going):,} runs are"
        print(f"note: {some} not finished; when more is trained, the same command adds it")


def _tell(tracked: "Tracked") -> None:
    epochs = f"{tracked.epochs:,} epoch{'' if tracked.epochs == 1 else 's'}, " if tracked.epochs else ""
    state = {"finished": "finished", "failed": "diverged", "running": "not finished"}[tracked.state]
    print(f"{tracked.name}: {epochs}{state}", flush=True)
