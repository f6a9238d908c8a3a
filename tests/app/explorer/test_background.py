"""Long work is done once, and its fault is told to everybody who asks."""

import threading

import pytest

from affectspace.app.explorer.background import Later


def test_it_is_made_once_and_only_when_asked():
    made, go = [], threading.Event()

    def make():
        go.wait()
        made.append(1)
        return "map"

    later = Later(make, "drawing")
    assert not later.begun
    assert [later.ask() for _ in range(3)] == [(False, None)] * 3
    go.set()
    assert later.wait() == "map"
    assert later.ask() == (True, "map")
    assert made == [1]


def test_what_is_nothing_is_a_result_too():
    later = Later(lambda: None, "looking")
    assert later.wait() is None
    assert later.ask() == (True, None)


def test_a_fault_is_told_every_time():
    def make():
        raise ValueError("no neighbours")

    later = Later(make, "drawing")
    for _ in range(2):
        with pytest.raises(ValueError, match="no neighbours"):
            later.wait()
