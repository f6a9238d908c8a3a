"""W&B: runs that are written offline and stay on this machine until somebody syncs them; online only where asked."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from affectspace.errors import InputError
from affectspace.files import held, in_use, json_text, sha256, write_text
from affectspace.trackers.names import cut
from affectspace.trackers.record import Record

__all__ = ["WandbRuns"]

os.environ["WANDB_ERROR_REPORTING"] = "false"  # before it is loaded: it tells its makers of errors else

try:
    import wandb
except ImportError as error:
    raise InputError(
        f'runs of W&B are written by wandb, which cannot be loaded ({error}); pip install "affectspace[wandb]"'
    ) from error

TOLD = "affectspace.txt"  # beside an offline run: the hash of what it was told
LONGEST_TAG = 64  # characters


class WandbRuns:
    """Keeps each run as one of W&B with our id: figures by epoch, final ones as its summary, the recipe as its config.

    Offline, a run is a folder ``offline-run-TIME-ID``. It is written whole and aside, then takes the place of that of
    before; one that holds all already stays. ``wandb sync`` of a run that was synced before replaces it there, as both
    have one id. Online, epochs that the server has already are not sent again.

    Args:
        folder: where offline runs are kept, and what is written on the way.
        project: of W&B.
        online: send runs to W&B's server, or to that of ``WANDB_BASE_URL``, as the user that is logged in there.
    """

    def __init__(self, folder: str | Path, project: str, online: bool = False):
        self.folder, self.project, self.online = Path(folder), project, online

    def write(self, record: Record) -> None:
        """See :class:`affectspace.trackers.follow.Tracker`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = _digest(record, self.project)
        before = sorted(self.folder.glob(f"offline-run-*-{record.id}"))
        sent = self.folder / f"online-{record.id}.txt"
        told = [sent] if self.online else [path / TOLD for path in before[-1:]]
        if any(path.is_file() and path.read_text(encoding="utf-8") == digest for path in told):
            return
        with _aside(self.folder) as aside:
            self._log(record, aside)
            if self.online:
                write_text(sent, digest)
                return
            (written,) = aside.glob(f"wandb/offline-run-*-{record.id}")
            write_text(written / TOLD, digest)
            for path in before:
                shutil.rmtree(path)
            written.rename(self.folder / written.name)

    def _log(self, record: Record, aside: Path) -> None:
        settings = wandb.Settings(
            console="off", silent=True, disable_git=True, disable_code=True, save_code=False,
            x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True, x_save_requirements=False,
        )  # fmt: skip
        group = record.name.rpartition("/")[0]
        try:
            run = wandb.init(
                mode="online" if self.online else "offline", dir=str(aside), project=self.project, id=record.id,
                name=record.name, group=group or None, config=_config(record), tags=_tags(record), settings=settings,
                resume="allow" if self.online else None,
            )  # fmt: skip
        except wandb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"W&B does not take run {record.name} ({reason}); wandb login, or leave out --online"
            ) from error
        for epoch, figures in record.points.items():
            if epoch >= run.step:  # what the server has is never sent twice
                run.log(figures, step=epoch)
        run.summary.update(record.final)
        for path in record.files:
            kept = shutil.copy(path, run.dir)  # a link, which is what save makes of other files, would end with the run
            run.save(kept, base_path=run.dir, policy="now")
        run.finish(exit_code=1 if record.state == "failed" else 0)


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder to write in that is gone in the end, as are those of writers that were killed; others write on."""
    with ExitStack() as stack:
        place = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX)  # nobody sweeps between the making of a folder and its lock
            for leftover in folder.glob(".wandb.*.partial"):
                if not in_use(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
            aside = Path(tempfile.mkdtemp(prefix=".wandb.", suffix=".partial", dir=folder))
            stack.callback(shutil.rmtree, aside, ignore_errors=True)
            stack.enter_context(held(aside, f"{aside} is in use"))
        finally:
            os.close(place)
        yield aside


def _config(record: Record) -> dict[str, Any]:
    return {**record.settings, **{f"run.{name}": value for name, value in record.tags.items()}}


def _tags(record: Record) -> list[str]:
    """Short words to filter by."""
    told = (record.tags.get("recipe", ""), f"seed {record.tags.get('seed', '')}", *_corpora(record))
    return list(dict.fromkeys(cut(tag, LONGEST_TAG) for tag in told if tag.strip()))


def _corpora(record: Record) -> list[str]:
    return record.tags.get("corpora", "").split(", ")


def _digest(record: Record, project: str) -> str:
    """Of all that is told, files by what they hold."""
    told = asdict(replace(record, files=(), begun=0.0, told=0.0))
    files = [(path.name, sha256(path)) for path in record.files]
    return hashlib.sha256(json_text([project, told, files]).encode()).hexdigest()
