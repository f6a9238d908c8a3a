"""Requests of many clients, worked on side by side and then given to the net together."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Batching"]

Raw = TypeVar("Raw")
Ready = TypeVar("Ready")
Result = TypeVar("Result")


@dataclass
class _Job:
    raw: Any
    future: "asyncio.Future"
    loop: asyncio.AbstractEventLoop
    ready: Any = None


class Batching(Generic[Raw, Ready, Result]):
    """Prepares items in several threads, and runs those that are ready together in one.

    Whoever is first to be ready waits for others that are being prepared, but no longer than ``wait``; where nobody
    else is on the way, it waits for nobody. An item whose asker has gone is neither prepared nor run. A fault in a
    batch is that of the item which has it alone: the others are run by themselves.

    Args:
        prepare: of one item, in one of ``workers`` threads; what it raises, the asker gets.
        run: of several items, in their order, in a thread of its own.
        workers: threads that prepare.
        most: items that are run together.
        wait: seconds.
        observe: is told how many items each batch has.

    Example:
        >>> async def both():
        ...     batching = Batching(float, lambda many: [2 * each for each in many], workers=1)
        ...     try:
        ...         return await asyncio.gather(batching.ask("1"), batching.ask("2.5"))
        ...     finally:
        ...         batching.close()
        >>> asyncio.run(both())
        [2.0, 5.0]
    """

    def __init__(
        self,
        prepare: Callable[[Raw], Ready],
        run: Callable[[Sequence[Ready]], Sequence[Result]],
        workers: int,
        most: int = 32,
        wait: float = 0.005,
        observe: Callable[[int], object] = lambda items: None,
    ):
        self._prepare, self._run, self._most, self._wait, self._observe = prepare, run, most, wait, observe
        self._raw: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ready: list[_Job] = []
        self._coming = 0  # items between being asked for and being ready
        self._changed = threading.Condition()  # of these two, and whether more will come
        self._closed = False
        preparing = [threading.Thread(target=self._preparing, name="prepare", daemon=True) for _ in range(workers)]
        self._threads = [*preparing, threading.Thread(target=self._running, name="net", daemon=True)]
        for thread in self._threads:
            thread.start()

    async def ask(self, raw: Raw) -> Result:
        """What ``run`` makes of an item.

        Raises:
            Exception: what ``prepare`` or ``run`` has raised of it.
        """
        loop = asyncio.get_running_loop()
        job = _Job(raw, loop.create_future(), loop)
        with self._changed:
            self._coming += 1
        self._raw.put(job)
        return await job.future

    @property
    def alive(self) -> bool:
        """Whether all threads are at work."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """End the threads, once they have done what was asked before."""
        for _ in self._threads[:-1]:
            self._raw.put(None)
        for thread in self._threads[:-1]:
            thread.join()
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._threads[-1].join()

    def _preparing(self) -> None:
        while (job := self._raw.get()) is not None:
            fault: Exception | None = None
            try:
                if not job.future.cancelled():
                    job.ready = self._prepare(job.raw)
            except Exception as error:  # it is the asker's
                fault = error
            with self._changed:
                self._coming -= 1
                if fault is None and not job.future.cancelled():
                    self._ready.append(job)
                # Who runs them is woken for the first, and when nobody is left to wait for; not for each between.
                if len(self._ready) in {1, self._most} or not self._coming:
                    self._changed.notify()
            if fault is not None:
                _deliver([(job, None, fault)])

    def _running(self) -> None:
        while jobs := self._batch():
            self._observe(len(jobs))
            _deliver(self._results(jobs))

    def _batch(self) -> list[_Job]:
        """Who is ready, at least one, and who gets ready within the patience of the first; none at the end."""
        with self._changed:
            while not self._ready and not self._closed:
                self._changed.wait()
            end = time.monotonic() + self._wait
            while self._coming and len(self._ready) < self._most and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            jobs, self._ready = self._ready[: self._most], self._ready[self._most :]
            return jobs

    def _results(self, jobs: "Sequence[_Job]") -> "list[tuple[_Job, Result | None, Exception | None]]":
        try:
            made = self._run([job.ready for job in jobs])
            return [(job, result, None) for job, result in zip(jobs, made, strict=True)]
        except Exception as error:
            if len(jobs) == 1:
                return [(jobs[0], None, error)]
            return [found for job in jobs for found in self._results([job])]


def _deliver(found: "Sequence[tuple[_Job, object, Exception | None]]") -> None:
    """Wake each asker's loop once for all that it has asked."""
    loops = {id(job.loop): job.loop for job, _, _ in found}
    for key, loop in loops.items():
        own = [each for each in found if id(each[0].loop) == key]
        try:
            loop.call_soon_threadsafe(_settle, own)
        except RuntimeError:  # the loop has ended, and nobody is left to be told
            continue


def _settle(found: "Sequence[tuple[_Job, object, Exception | None]]") -> None:
    for job, result, error in found:
        if job.future.done():  # who asked has gone
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
