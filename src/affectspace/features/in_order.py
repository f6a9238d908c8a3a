"""A function of many items, one after another or in several processes, with the same result."""

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TypeVar

import torch

from affectspace.errors import AffectspaceError, InputError

__all__ = ["in_order", "one_thread"]

BATCH = 16  # items that a worker takes at a time, where they are small
PROBE_SECONDS = 1.0  # of work, from which the time that is left can be estimated
WORTH_SECONDS = 20.0  # of work left, from which on processes that must first import torch end sooner

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    function: Callable[[Given], Made], items: Sequence[Given], workers: int | None = None, batch: int | None = None
) -> Iterator[Made]:
    """``function(item)`` of every item, in their order, on one thread in each process.

    Args:
        function: of one item alone; picklable, when there are several workers.
        items: picklable, likewise.
        workers: processes; 1: this process alone. None: this process, and a process for every core it may use as soon
            as the work that is left is worth their start.
        batch: items that a worker takes, and gives back, at a time: 1 where one can be as long as a video. None: 16.

    Raises:
        InputError: fewer than one worker.
        AffectspaceError: a worker died.

    Example:
        >>> list(in_order(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; give at least 1, or None to have it chosen")
    batch = batch or BATCH
    with one_thread():
        if workers is None:
            yield from _as_it_pays(function, items, batch)
        elif workers == 1:
            yield from map(function, items)
        else:
            try:
                yield from _in_processes(function, items, workers, batch)
            except BrokenProcessPool as error:
                raise AffectspaceError(f"a worker process died ({error}); {_GUARD}, or use workers=1") from error


_GUARD = 'a script that starts workers needs: if __name__ == "__main__":'


def _as_it_pays(function: Callable[[Given], Made], items: Sequence[Given], batch: int) -> Iterator[Made]:
    cores = _cores()
    began, done, alone = time.monotonic(), 0, cores == 1
    while done < len(items):
        yield function(items[done])
        done += 1
        spent = time.monotonic() - began
        if alone or spent < PROBE_SECONDS or spent / done * (len(items) - done) < WORTH_SECONDS:
            continue
        alone = True
        try:
            for made in _in_processes(function, items[done:], cores, batch):
                yield made
                done += 1
        except BrokenProcessPool:
            warnings.warn(f"worker processes cannot run here, so one process does all; {_GUARD}", stacklevel=2)


def _in_processes(
    function: Callable[[Given], Made], items: Sequence[Given], workers: int, batch: int
) -> Iterator[Made]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin)
    waiting: deque[Future[list[Made]]] = deque()
    try:
        for start in range(0, len(items), batch):
            waiting.append(pool.submit(_batch, function, items[start : start + batch]))
            if len(waiting) > 4 * workers:  # so that results never pile up
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """What a worker does first: keep to one thread, and end with its parent, for whose death nothing else wakes it."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _batch(function: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
    return [function(item) for item in items]


def _cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums over several threads round differently, and small matrices are slower in them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
