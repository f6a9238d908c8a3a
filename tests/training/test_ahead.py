"""What comes next is made while the present is at work."""

import threading

import pytest

from affectspace.training.ahead import ahead


def test_everything_comes_in_order_and_one_thing_ahead():
    made = []

    def source():
        for number in range(5):
            made.append((number, threading.current_thread() is threading.main_thread()))
            yield number

    got = ahead(source())
    assert next(got) == 0
    assert list(got) == [1, 2, 3, 4]
    assert made == [(number, False) for number in range(5)]


def test_nothing_and_none_are_no_end():
    assert list(ahead([])) == []
    assert list(ahead([None, None])) == [None, None]


def test_a_fault_is_raised_where_its_thing_would_be():
    def source():
        yield 1
        raise ValueError("second")

    got = ahead(source())
    assert next(got) == 1
    with pytest.raises(ValueError, match="second"):
        next(got)


def test_closing_ends_the_thread():
    before = threading.active_count()
    got = ahead(iter(range(100)))
    next(got)
    got.close()
    assert threading.active_count() == before
