"""The processes that train the runs of a study on a Ray cluster, whose nodes may come and go meanwhile."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from affectspace.clusters import Unfit, head_answers, nodes, wanted
from affectspace.errors import AffectspaceError
from affectspace.studies.backlog import Backlog, Held
from affectspace.studies.executor import LIVES, AtWork
from affectspace.studies.job import Answer, Job
from affectspace.studies.ray_nodes import FitNodes
from affectspace.studies.ray_room import Room, room_on
from affectspace.studies.ray_seat import Seat
from affectspace.studies.same_files import Arrivals

__all__ = ["RayPool"]

TICK = 1.0  # seconds after which it is asked again which nodes there are
HEADLESS = 20.0  # seconds without its head node after which a cluster is given up; Ray ends the program after 60
HINT = 30.0  # seconds without any process after which that is told


class RayPool:
    """A process on each CPU, or each GPU, of every node that can do the work; for who is connected to the cluster.

    A node that cannot do the work is left out, one that joins is used, and the jobs of one that is lost are done by
    others; all that is told.

    Args:
        folder: the study's, which all nodes must see.
        needed: other places that they must see, with what each is.
        cache: the folders of features here.
        most: processes at once; None for as many as there are CPUs, or GPUs where these are used.
        tell: what happens to nodes, in sentences.
        devices: of all recipes. With "cuda" each process takes a GPU of its own, or a share of one where more processes
            are asked for than there are GPUs; so it does with "auto" on nodes that offer any.

    Attributes:
        processes: how many there are, or were to begin with.
        taken_up: jobs whose process ended under them and that another went on with.

    Raises:
        InputError: on entering: no node can do the work; why, for each.
    """

    keeps_data = True

    def __init__(
        self,
        folder: Path,
        needed: Mapping[str, str],
        cache: Sequence[Path],
        most: int | None,
        tell: Callable[[str], None],
        devices: Collection[str] = ("cpu",),
    ):
        self.folder, self.most, self.tell = folder.resolve(), most, tell
        self.cache = [each.resolve() for each in cache]
        self.processes = 0
        self.taken_up: list[Job] = []
        self.beat: Callable[[], None] = lambda: None
        self._cuda = "cuda" in devices
        self._room = Room(gpus=self._cuda or "auto" in devices)
        needs = wanted(self.folder, needed, self.cache, self._cuda)
        self._nodes = FitNodes(needs, lambda node: self._room.offers(node), tell)
        self._unborn: dict[str, int] = {}  # processes in a row that ended before they were ready, by node
        self._deaths: dict[Path, list[str]] = {}  # nodes on which a run has ended its process
        self._deadly: set[str] = set()  # data of which one has been ended that only opened them
        self._arrivals = Arrivals(self.folder)
        self._seats: list[Seat] = []
        self._listed = self._idle_since = self._answered = time.monotonic()

    def __enter__(self) -> Self:
        self._nodes.__enter__()
        self._room = room_on((sight.node for sight in self._nodes.fit.values()), self.most, self._room.gpus)
        self.processes = self._wanted_seats()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._nodes.__exit__()

    def _end(self) -> None:
        for seat in self._seats:
            seat.end()
        self._seats.clear()

    @property
    def held(self) -> list[Held]:
        """What data each process holds; nothing, where it is yet to be started."""
        held = [seat.held.copy() for seat in self._seats]
        return held + [Held() for _ in range(self.processes - len(held))]

    @property
    def lost(self) -> list[str]:
        """Names of nodes that were lost."""
        return self._nodes.lost

    @property
    def left_out(self) -> dict[str, str]:
        """Nodes that cannot do the work, and why."""
        return {each.node.name: each.why for each in self._nodes.unfit}

    @property
    def at_work(self) -> list[AtWork]:
        """What each process does."""
        now = time.monotonic()
        return [
            AtWork(seat.node.name, seat.job.folder if seat.job else None, now - seat.began if seat.job else 0.0)
            for seat in self._seats
        ]

    def run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        """Do all jobs, as :meth:`affectspace.studies.pool.Pool.run` does.

        A job is given up when it has ended three processes by itself; those that ended with their node do not count.

        Raises:
            AffectspaceError: the connection to the cluster is lost.
        """
        from ray.exceptions import RayError

        try:
            self._run([job.anywhere for job in jobs], _in_given_words(jobs, tell))
        except (ConnectionError, RayError) as error:
            self._seats.clear()
            raise AffectspaceError(
                f"the connection to the Ray cluster is lost ({_first_line(error)}); runs that are finished stay, and "
                "the same command goes on with the others once its head node is up"
            ) from error
        except BaseException:
            self._end()  # what they still say would be taken for answers of the next call
            raise

    def _run(self, jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> None:
        import ray

        waiting, left = Backlog(jobs), len(jobs)
        self._deaths.clear()
        self._deadly.clear()
        self._arrivals.clear()
        self._idle_since = self._answered = time.monotonic()
        while left:
            if not self._has_head():
                time.sleep(TICK)
                continue
            self._fill(left)
            for seat in self._seats:
                idle = seat.ready and seat.answer is None
                if idle and (job := waiting.next_for(seat.held, self._others(seat))):
                    seat.give(job, time.monotonic())
            self._hint()
            asked = self._nodes.asked
            seats = {seat.answer: seat for seat in self._seats if seat.answer is not None}
            refs = [*asked, *seats]
            if refs:
                came, _ = ray.wait(refs, num_returns=1, timeout=TICK)
            else:
                came = []
                time.sleep(TICK)  # no node is left that could do the work, until one joins
            for ref in came:
                if ref in asked:
                    self._nodes.heard(ref)
                elif (done := self._came(seats[ref], waiting)) is not None:
                    left -= 1
                    tell(*done)
            for done in self._arrivals.settled():
                left -= 1
                tell(*done)
            if time.monotonic() - self._listed >= TICK:
                self._list(waiting)
            self.beat()

    # ---- nodes

    def _has_head(self) -> bool:
        """Whether the head node answers; what Ray is asked meanwhile waits for it, and after a minute ends the program.

        Raises:
            ConnectionError: it has not for too long.
        """
        now = time.monotonic()
        if head_answers():
            self._answered = now
        elif now - self._answered > HEADLESS:
            raise ConnectionError("its head node does not answer")
        return self._answered == now

    def _list(self, waiting: Backlog[Job]) -> None:
        """See which nodes have joined and which are gone."""
        self._listed = time.monotonic()
        if not self._has_head():  # it may have gone a moment ago
            return
        there = self._nodes.look_again()
        for seat in [seat for seat in self._seats if seat.node.id not in there]:
            self._lose(seat, waiting)
        for deaths in self._deaths.values():  # its processes may end before it is known that a node is lost
            deaths[:] = [node_id for node_id in deaths if node_id in there]

    def _wanted_seats(self) -> int:
        seats = sum(self._room.seats(sight.node) for sight in self._nodes.fit.values())
        return seats if self.most is None else min(self.most, seats)

    def _fill(self, left: int) -> None:
        """All processes that have room, as far as there is something to do for them, on the emptiest nodes first."""
        for _ in range(min(self._wanted_seats(), left) - len(self._seats)):
            taken = {key: sum(seat.node.id == key for seat in self._seats) for key in self._nodes.fit}
            room = {key: self._room.seats(sight.node) for key, sight in self._nodes.fit.items()}
            free = [key for key in room if taken[key] < room[key]]
            best = self._nodes.fit[min(free, key=lambda key: taken[key] / room[key])]
            self._seats.append(Seat(best, self.cache, self._room.share(best.node), self._cuda))
        self.processes = max(self._wanted_seats(), 1)

    def _hint(self) -> None:
        """Tell that nothing can be done for want of a process; once, each time that there is none any more."""
        now = time.monotonic()
        if any(seat.ready for seat in self._seats):
            self._idle_since = now
        elif now - self._idle_since > HINT:
            self._idle_since = float("inf")
            what = "CPUs or GPUs" if self._room.gpus else "CPUs"
            why = f"its {what} are busy with other work" if self._nodes.fit else "no node that can do the work is left"
            self.tell(f"waiting for the Ray cluster: {why}")

    # ---- processes

    def _others(self, seat: Seat) -> list[Held]:
        return [other.held for other in self._seats if other is not seat]

    def _came(self, seat: Seat, waiting: Backlog[Job]) -> tuple[Job, Answer] | None:
        """What a process has said: nothing to tell yet, or how its job ended."""
        import ray
        from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

        try:
            said: Any = ray.get(seat.answer)
        except RayTaskError as error:
            said = {"error": _first_line(error.cause or error), "code": 1, "trace": str(error)}
        except RayError as error:  # its process is gone, or could not be started
            if seat not in self._seats or not head_answers():
                return None  # in the latter case it is asked again, or all is lost
            if isinstance(error, ActorUnavailableError) or seat.node.id not in {node.id for node in nodes()}:
                self._lose(seat, waiting)
                return None
            return self._died(seat, error, waiting)
        if not seat.ready:
            if "error" in said:
                return self._died(seat, RuntimeError(said["error"]), waiting)
            seat.ready, seat.answer = True, None
            self._unborn[seat.node.id] = 0
            job = waiting.first_for(seat.held, self._others(seat))
            if job is not None and self._opens_ahead(job):
                seat.open(job)
            return None
        job, seat.job, seat.answer = seat.job, None, None
        if job is None:
            if "error" in said and seat.ahead is not None:
                seat.held.forget(seat.ahead)  # the run will tell why
            return None
        if said.pop("taken", False):  # by a process of which this one knows nothing; it may have ended by now
            return self._again(job, seat.node.id, said["error"], waiting)
        files = said.pop("files", None)
        answer = Answer(**said, new_items=seat.opens)
        if files is None:
            return job, answer
        self._arrivals.add(job, answer, files, seat.node.name)
        return None

    def _opens_ahead(self, job: Job) -> bool:
        """Whether a process opens the data of a job before it is given that: not where opening is what is measured.

        Nor where that has ended a process: as part of the run it counts, and after three of them the run is given up.
        """
        return not (job.scratch or job.only_open or job.split_key in self._deadly)

    def _lose(self, seat: Seat, waiting: Backlog[Job]) -> None:
        """A process that is gone with its node, or out of reach, as far as can be told: it does not count."""
        self._seats.remove(seat)
        seat.end()
        if seat.job is not None:
            waiting.again(seat.job)
            self.taken_up.append(seat.job)

    def _died(self, seat: Seat, error: Exception, waiting: Backlog[Job]) -> tuple[Job, Answer] | None:
        self._seats.remove(seat)
        seat.end()
        job = seat.job
        if job is None and seat.ahead is not None:
            self._deadly.add(seat.ahead.split_key)
            return None
        if job is None:
            key = seat.node.id
            self._unborn[key] = self._unborn.get(key, 0) + 1
            if self._unborn[key] >= LIVES and key in self._nodes.fit:
                why = f"processes that train runs cannot start there: {_first_line(error)}"
                self._nodes.leave_out(Unfit(seat.node, why))
            if not self._nodes.fit:
                raise AffectspaceError("; ".join(f"node {name}: {why}" for name, why in self.left_out.items()))
            return None
        why = f"its process was ended {LIVES} times, the last on node {seat.node.name}: {_cause(error)}"
        return self._again(job, seat.node.id, why, waiting)

    def _again(self, job: Job, node_id: str, why: str, waiting: Backlog[Job]) -> tuple[Job, Answer] | None:
        """Let a job be done once more, unless it has been that often: then why it is given up."""
        deaths = self._deaths.setdefault(job.folder, [])
        deaths.append(node_id)
        if len(deaths) >= LIVES:
            return job, Answer(error=why, code=1)
        waiting.again(job)
        self.taken_up.append(job)
        return None


def _in_given_words(jobs: Sequence[Job], tell: Callable[[Job, Answer], None]) -> Callable[[Job, Answer], None]:
    given = {job.folder.absolute(): job for job in jobs}
    return lambda job, answer: tell(given[job.folder], answer)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")


def _cause(error: Exception) -> str:
    """Why Ray thinks that a process has ended."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = next((line for line in lines if "Worker exit detail:" in line), "")
    told = told.partition("Worker exit detail:")[2].partition("Some common causes")[0].strip().rstrip(".")
    return (told or _first_line(error)) + "; is there enough memory? --processes with a smaller number needs less"
