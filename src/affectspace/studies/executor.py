"""What trains the runs of a study, here or elsewhere, as the study sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from affectspace.studies.backlog import Held
from affectspace.studies.job import Answer, Job

__all__ = ["LIVES", "AtWork", "Executor"]

LIVES = 3  # so many times a run may end its process


@dataclass(frozen=True)
class AtWork:
    """A process, and what it does.

    Args:
        node: the machine, by name.
        folder: of the run that it trains; None where it trains none.
        seconds: that it has been at it.
    """

    node: str
    folder: Path | None = None
    seconds: float = 0.0


class Executor(Protocol):
    """What trains the runs of a study: processes here, on a Ray cluster, or by SLURM.

    Attributes:
        processes: how many there are.
        keeps_data: whether a process lives on from one call to the next, and keeps the data that it has opened.
        taken_up: jobs whose process ended under them and that another went on with.
        beat: called every couple of seconds while it works.
    """

    processes: int
    keeps_data: bool
    taken_up: list[Job]
    beat: Callable[[], None]

    @property
    def held(self) -> list[Held]:
        """What data each process holds."""
        ...

    @property
    def at_work(self) -> list[AtWork]:
        """What each process does."""
        ...

    @property
    def lost(self) -> Sequence[str]:
        """Names of machines that were lost."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Machines that cannot do the work, and why."""
        ...

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs; ``tell`` is called with each one's answer as it comes, and may raise to stop."""
        ...
