"""Processes that do not find each other say so, and what to do."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed.elastic.rendezvous import RendezvousParameters
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import create_backend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import DynamicRendezvousHandler, RendezvousTimeout

from affectspace.errors import AffectspaceError
from affectspace.training import meeting
from affectspace.training.started import Started


@pytest.fixture
def port(monkeypatch) -> int:
    """A free one; nobody waits long for anybody."""
    monkeypatch.setattr(meeting, "JOINING", timedelta(seconds=1))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_process_whose_others_never_come_names_them(port):
    with pytest.raises(AffectspaceError, match=r"process 0 of 3 has not met the others .*: process 1, 2 has not come"):
        meeting.meet(Started(0, 3, 0, f"127.0.0.1:{port}"))


def test_nobody_at_the_address(port):
    words = r"process 1 of 2 has not met the others at 127\.0\.0\.1:\d+ .* look at what they tell, and at MASTER_ADDR"
    with pytest.raises(AffectspaceError, match=words):
        meeting.meet(Started(1, 2, 0, f"127.0.0.1:{port}"))


def test_a_port_that_another_program_uses(port):
    with socket.socket() as other:
        other.bind(("", port))
        other.listen()
        with pytest.raises(AffectspaceError, match="another program uses that port; set MASTER_PORT to one that is"):
            meeting.meet(Started(0, 2, 0, f"127.0.0.1:{port}"))


def test_an_agent_that_leads_to_the_first_process_of_before(port, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    store = meeting.TCPStore("127.0.0.1", port, None, True, wait_for_workers=False)
    store.set(meeting.KEY, "127.0.0.1 1")  # where nobody is any more
    with pytest.raises(AffectspaceError, match="start torchrun with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 on each"):
        meeting.meet(Started(1, 2, 0, f"127.0.0.1:{port}"))


def test_what_elastic_runs_set_leads_all_to_one_address(port, monkeypatch):
    """A machine joins whose address sorts first, so that it is the first: torch's own agents, and what they tell.

    Without the variable torch 2.13 tells those that stay the address of before.
    """
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")

    def agent(address: str, host: bool) -> DynamicRendezvousHandler:
        told = RendezvousParameters("c10d", f"127.0.0.1:{port}", "mine", 1, 2, address, is_host=host)
        backend, store = create_backend(told)
        timeout = RendezvousTimeout(last_call=timedelta(seconds=5))
        return DynamicRendezvousHandler.from_backend("mine", store, backend, 1, 2, address, timeout)

    stays = agent("127.0.0.2", True)
    assert stays.next_rendezvous().rank == 0
    comes = agent("127.0.0.1", False)
    with ThreadPoolExecutor(2) as both:
        joined = both.submit(comes.next_rendezvous)
        while not stays.num_nodes_waiting():  # as an agent looks, and then starts its processes again
            pass
        again = both.submit(stays.next_rendezvous).result(60)
        new = joined.result(60)
    assert (new.rank, again.rank) == (0, 1)
    first, other = (vars(each.bootstrap_store_info) for each in (new, again))
    assert first == other
