"""How processes that torchrun or srun has started find each other, however often they are started again."""

import os
import socket
import time
from contextlib import suppress
from datetime import timedelta

import torch
from torch import distributed as dist

from affectspace.training.started import Started

__all__ = ["meet"]

# Who makes features for all may need days; one that is gone is noticed at once, by its closed connection.
PATIENCE = timedelta(days=30)
JOINING = timedelta(minutes=10)
KEY = "affectspace/first"
TCPStore = dist.TCPStore  # pyright: ignore[reportPrivateImportUsage]


def meet(own: Started) -> None:
    """Begin torch's process group: gloo for what lies in memory, NCCL for what lies on GPUs.

    The store that torchrun keeps for its workers outlives them, and with it what they have written there: a process
    that is started again would read where others were before and wait for them (pytorch issue 135712). So the first
    process keeps a store of its own, which ends with it, and leaves in torchrun's only where that is.

    Raises:
        RuntimeError: the others have not come in ten minutes.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    host, port = own.address.rsplit(":", 1)
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        store = _new_store(own, host, int(port))
    else:
        store = TCPStore(host, int(port), own.count, own.rank == 0, JOINING, wait_for_workers=False)
    dist.init_process_group(backend, store=store, rank=own.rank, world_size=own.count, timeout=PATIENCE)


def _new_store(own: Started, host: str, port: int) -> TCPStore:
    """The first process's own store, found by what it leaves in the one that was there before."""
    before = TCPStore(host, port, None, False, JOINING, wait_for_workers=False)
    if own.rank == 0:
        with socket.create_connection((host, port)) as way:
            address = way.getsockname()[0]
        seen_as = host if address.startswith("127.") or address == "::1" else address
        store = TCPStore(seen_as, 0, own.count, True, JOINING, wait_for_workers=False)
        before.set(KEY, f"{seen_as} {store.port}")
        return store
    until = time.monotonic() + JOINING.total_seconds()
    while time.monotonic() < until:
        host, port = (text := before.get(KEY).decode()).split()[0], int(text.split()[1])
        with suppress(OSError), socket.create_connection((host, port), timeout=5):  # of a life before nobody answers
            return TCPStore(host, port, own.count, False, JOINING, wait_for_workers=False)
        time.sleep(0.2)
    raise RuntimeError(f"no first process was met in {JOINING}; look at what it tells, and at the network between them")
