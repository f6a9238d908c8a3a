"""How a call of a study ended: what it has trained, what failed, and the exit code of that."""

from dataclasses import dataclass, field
from pathlib import Path

from affectspace.errors import AffectspaceError, DivergedError
from affectspace.studies.study import Study

__all__ = ["Failure", "FullDisk", "Outcome"]


class FullDisk(AffectspaceError):
    """The disk is full: nothing can go on, and nothing that is finished is lost."""


@dataclass(frozen=True)
class Failure:
    """A run that failed by itself: where it lies, why, the exit code of such a fault, and the trace of one of ours."""

    folder: Path
    error: str
    code: int
    trace: str = ""


@dataclass
class Outcome:
    """How a call of a study ended.

    Args:
        study: what was asked for.
        folder: where it lies.
        planned: how many runs it has, those of folds and grids counted one by one.
        finished: how many of them are, now.
        ran: how many this call has trained.
        diverged: runs of the grid that diverged, now or before; what they tried is not chosen.
        failures: other runs that failed in this call.
        blocked: what could not be run, as runs failed that were to choose for it.
        unplanned: folders of runs that the study no longer plans.
        replaced: how many runs of other recipes were moved away.
        taken_up: runs whose process ended under them, and with which another went on.
        lost: names of nodes of a cluster that were lost.
        versions: of packages of which the runs have seen several.
        seconds: of this call.
        predicted: what was predicted for all of it before it began to train; None where too little was known.
    """

    study: Study
    folder: Path
    planned: int = 0
    finished: int = 0
    ran: int = 0
    diverged: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    unplanned: list[Path] = field(default_factory=list)
    replaced: int = 0
    taken_up: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    versions: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    predicted: float | None = None

    @property
    def exit_code(self) -> int:
        """0, or that of the gravest failure; settings of which all diverged are one."""
        diverged = DivergedError.exit_code if self.blocked else 0
        return max((failure.code for failure in self.failures), default=diverged)
