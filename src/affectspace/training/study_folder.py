"""The folder of a study where that of one of its runs is wanted: known by its files, as studies lie floors above."""

import shlex
from pathlib import Path

from affectspace.errors import InputError

__all__ = ["refuse_study"]


def refuse_study(folder: str | Path) -> None:
    """Raise where a folder is a study's, which holds many models and is none itself.

    Raises:
        InputError: it names a finished run of the study, or says that there is none and how the study goes on.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp(), "mine")
        >>> (folder / "runs").mkdir(parents=True)
        >>> refuse_study(folder)
        >>> (folder / "study.toml").touch()
        >>> refuse_study(folder)
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: /tmp/.../mine is a study, and none of its runs is finished; go on with it by: ...
    """
    folder = Path(folder)
    plan, runs = folder / "study.toml", folder / "runs"
    if not (plan.is_file() and runs.is_dir()):
        return
    if found := _finished(runs):
        raise InputError(f"{folder} is a study of several runs; name one of them, such as {shlex.quote(str(found))}")
    raise InputError(
        f"{folder} is a study, and none of its runs is finished; go on with it by: "
        f"{shlex.join(['affectspace', 'study', str(plan), '--out', str(folder)])}"
    )


def _finished(runs: Path) -> Path | None:
    """The first finished run, or fold of a run, that has a model; they lie in RECIPE/SPLIT/seed-N, folds below that."""
    for pattern in ("*/*/seed-*", "*/*/seed-*/fold-*"):
        for run in sorted(runs.glob(pattern)):
            if (run / "metrics.json").is_file() and (run / "model" / "config.json").is_file():
                return run
    return None
