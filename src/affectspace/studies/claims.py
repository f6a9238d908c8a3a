"""Runs that are trained on a cluster: claimed by a rename, put in their place by another, whoever else is at work.

A run is trained in a hidden folder beside its place, of which the name holds a token of this attempt alone::

    runs/CE/there/.seed-0.5f3a9c0e1b2d4f68.claimed   ->   runs/CE/there/seed-0

What there is of the run, in its place or in the folder of an attempt whose machine was lost, is taken by renaming it.
Of several who try only one can, and a machine that was thought lost and works on has no path to it any more: what it
writes then makes another folder, which it cannot put in the place, since that folder is not the one that it claimed.
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from affectspace.files import flush, sha256
from affectspace.studies.status import finished

__all__ = ["Claim", "claim", "claimed_folders", "claimed_of", "digests", "give_back"]

HIDDEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.(?P<why>claimed|removed)")
TAKEN = {errno.ENOTEMPTY, errno.EEXIST}  # a folder is there
WAIT = 0.02  # seconds
TRAINED = ("checkpoints", "metrics.json", "metrics.jsonl")  # of which a run that has trained has some
BEGUN = {"environment.txt", "data.json", "split.parquet", "recipe.toml"}  # which a run needs to go on
NO_RESULT = {"checkpoints"}  # what a run leaves that nobody reads once it is finished


@dataclass(frozen=True)
class Claim:
    """A run that is this attempt's alone, until another takes it.

    Args:
        place: where the run belongs.
        work: where it is trained.
        mark: an open descriptor of ``work`` as it was claimed.
    """

    place: Path
    work: Path
    mark: int

    def put_in_place(self) -> bool:
        """Rename the folder to its place; whether it was still ours, and the first there.

        What is ours and comes second is removed: the other is finished and has the same content.
        """
        try:
            while self._ours():
                try:
                    os.rename(self.work, self.place)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno not in TAKEN:
                        raise
                    if finished(self.place):
                        _remove(self.work, self.place)
                        return False
                    # Somebody has begun it in its place, which no attempt on a cluster does.
                    with suppress(FileNotFoundError):
                        os.rename(self.place, _hidden(self.place))
                else:
                    flush(self.place.parent)
                    _remove_what_is_left(self.place)
                    return True
            return False
        finally:
            os.close(self.mark)

    def _ours(self) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self.mark), os.stat(self.work))
        return False


def claim(place: Path) -> Claim | None:
    """Take a run for this attempt, with whatever there is of it; None where it is finished.

    Args:
        place: where the run belongs.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    while not finished(place):
        work = _hidden(place)
        there = next(iter(_begun(place)), None)
        try:
            if there is None:
                work.mkdir()
            else:
                os.rename(there, work)
            mark = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            time.sleep(WAIT)  # another was faster, or the storage still lists what is no more
            continue
        claimed = Claim(place, work, mark)
        if there == place and finished(work):  # between the question and the rename somebody has put it in its place
            claimed.put_in_place()
            continue
        # Who holds the old one is ended, or is to be taken for that.
        (work / ".lock").unlink(missing_ok=True)
        return claimed
    return None


def give_back(folder: Path) -> None:
    """Put what lost attempts have left in the runs' places, and remove what is there twice; for who holds the study.

    Of a run whose place is taken by something else nothing is removed.
    """
    for place in sorted({place for place, _, _ in _hidden_folders(folder)}):
        there = next(iter(_begun(place)), None)
        if there is not None and there != place and _begins(there):
            if place.is_dir() and all(path.name in BEGUN or path.name.startswith(".") for path in place.iterdir()):
                _remove(place, place)  # of one that was ended before it had begun
            try:
                os.rename(there, place)
            except OSError:
                continue
        _remove_what_is_left(place)


def claimed_folders(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Places of runs that are claimed, each with the folder in which it is trained."""
    yield from ((place, path) for place, path, why in _hidden_folders(folder) if why == "claimed")


def claimed_of(places: Iterable[Path]) -> set[Path]:
    """Which of these runs are claimed; every folder in which they lie is listed once."""
    wanted = set(places)
    listed = {top: os.listdir(top) for top in {place.parent for place in wanted} if top.is_dir()}
    fits = ((top, HIDDEN.fullmatch(name)) for top, names in listed.items() for name in names)
    return wanted & {top / fit["name"] for top, fit in fits if fit and fit["why"] == "claimed"}


def digests(place: Path) -> dict[str, str]:
    """SHA-256 of every file of a finished run, by its path below it."""
    return {str(path.relative_to(place)): sha256(path) for path in sorted(_results(place))}


def _results(place: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in NO_RESULT]
        yield from (Path(top, name) for name in files if not name.startswith("."))


def _hidden_folders(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    for top in ("grid", "runs"):
        for place, folders, files in os.walk(folder / top):
            if "recipe.toml" in files:
                folders.clear()  # what is within a run is its own
                continue
            for name in folders:
                if found := HIDDEN.fullmatch(name):
                    yield Path(place, found["name"]), Path(place, name), found["why"]
            folders[:] = [name for name in folders if not name.startswith(".")]


def _begun(place: Path) -> list[Path]:
    """What there is of a run, the best first: in its place, else the attempt whose checkpoint is the newest."""
    left = [path for path in _left_of(place) if _usable(path)]
    left.sort(key=lambda path: (_begins(path), _newest(path)), reverse=True)
    there = _begins(place) or (place.is_dir() and not any(map(_begins, left)))
    return [place] * there + left


def _begins(path: Path) -> bool:
    """Whether a run has begun here; the recipe alone is of one that has lost its folder as it was about to begin."""
    return all((path / name).is_file() for name in BEGUN)


def _usable(path: Path) -> bool:
    """Whether a run can go on or begin here; a part of what it leaves is of one that has lost its folder."""
    return _begins(path) or not any((path / name).exists() for name in ("recipe.toml", *TRAINED))


def _newest(path: Path) -> str:
    return max((step.name for step in path.glob("checkpoints/step-*")), default="")


def _left_of(place: Path, why: str = "claimed") -> list[Path]:
    """Folders in which attempts train this run, or have; or those that are being removed."""
    names = os.listdir(place.parent) if place.parent.is_dir() else []
    fits = ((name, HIDDEN.fullmatch(name)) for name in sorted(names))
    return [place.parent / name for name, fit in fits if fit and (fit["name"], fit["why"]) == (place.name, why)]


def _remove_what_is_left(place: Path) -> None:
    for left in _left_of(place):
        _remove(left, place)
    for half in _left_of(place, "removed"):
        shutil.rmtree(half, ignore_errors=True)


def _remove(folder: Path, place: Path) -> None:
    """Remove an attempt's folder, renamed first: who is about to take it has either all of it or nothing."""
    own = _hidden(place, "removed")
    with suppress(FileNotFoundError):
        os.rename(folder, own)
        shutil.rmtree(own, ignore_errors=True)


def _hidden(place: Path, why: str = "claimed") -> Path:
    return place.with_name(f".{place.name}.{secrets.token_hex(8)}.{why}")
