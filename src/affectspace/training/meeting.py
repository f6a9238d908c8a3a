"""How processes that torchrun or srun has started find each other, however often they are started again."""

import os
import socket
import time
from contextlib import suppress
from datetime import timedelta

import torch
from torch import distributed as dist

from affectspace.errors import AffectspaceError
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
        AffectspaceError: the others have not come in ten minutes, or nobody can be met at the address.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    host, port = own.address.rsplit(":", 1)
    shared = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        if shared:
            store = _new_store(own, host, int(port))
        else:
            store = TCPStore(host, int(port), own.count, own.rank == 0, JOINING, wait_for_workers=False)
    except dist.DistError as error:
        raise _not_met(own, f"{str(error).splitlines()[0].rstrip('.')}", shared) from error
    here = [f"affectspace/here/{rank}" for rank in range(own.count)]
    try:
        store.set(here[own.rank], "")
        store.wait(here, JOINING)  # beginning the group waits as long as the group does later, which is PATIENCE
    except dist.DistError as error:
        raise _not_met(own, _missing(store, here), shared) from error
    dist.init_process_group(backend, store=store, rank=own.rank, world_size=own.count, timeout=PATIENCE)


def _not_met(own: Started, why: str, shared: bool) -> AffectspaceError:
    """What to do where the processes have not found each other."""
    if "EADDRINUSE" in why:
        return AffectspaceError(
            f"process {own.rank} of {own.count} cannot be met at {own.address}, as another program uses that port; set "
            "MASTER_PORT to one that is free, the same for all"
        )
    elastic = (
        "; where machines come and go, start torchrun with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 on each, as it else "
        "leads those that stay to the first process of before"
    )
    return AffectspaceError(
        f"process {own.rank} of {own.count} has not met the others at {own.address} in {_minutes()}: {why}; look at "
        "what they tell, and at MASTER_ADDR, MASTER_PORT and the network between the machines"
        + (elastic if shared else "")
    )


def _minutes() -> str:
    return f"{JOINING.total_seconds() / 60:g} minutes"


def _missing(store: TCPStore, here: list[str]) -> str:
    """Who has not come."""
    try:
        gone = [str(rank) for rank, key in enumerate(here) if not store.check([key])]
    except dist.DistError:  # the first one's store, which has ended with it
        gone = []
    return f"process {', '.join(gone)} has not come" if gone else "the first has ended"


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
    raise dist.DistStoreError("no first process was there")
