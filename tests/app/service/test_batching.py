"""Many askers, answered together: each gets its own answer, and its own fault."""

import asyncio
import threading

import pytest

from affectspace.app.service.batching import Batching


def asked(batching, *raw):
    async def all_of_them():
        try:
            return await asyncio.gather(*map(batching.ask, raw), return_exceptions=True)
        finally:
            batching.close()

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("workers", [1, 3])
def test_each_asker_gets_the_answer_to_its_own_question(workers):
    sizes = []
    batching = Batching(int, lambda many: [each**2 for each in many], workers, most=7, observe=sizes.append)
    assert asked(batching, *map(str, range(200))) == [number**2 for number in range(200)]
    assert sum(sizes) == 200
    assert max(sizes) <= 7


def test_who_is_ready_meanwhile_goes_together():
    begun, sizes = threading.Event(), []

    def run(many):
        begun.wait()  # until all are asked for, the first is held up
        sizes.append(len(many))
        return many

    async def ask():
        batching = Batching(lambda raw: raw, run, workers=2, most=32)
        first = asyncio.create_task(batching.ask(0))
        rest = [asyncio.create_task(batching.ask(number)) for number in range(1, 20)]
        await asyncio.sleep(0)
        begun.set()
        found = await asyncio.gather(first, *rest)
        await asyncio.to_thread(batching.close)
        return found

    assert asyncio.run(ask()) == [*range(20)]
    assert len(sizes) < 20


def test_a_fault_is_that_of_the_item_that_has_it():
    def run(many):
        if 3 in many:
            raise ValueError("three")
        return many

    found = asked(Batching(int, run, workers=2), "1", "2", "x", "3", "4")
    assert (found[0], found[1], found[4]) == (1, 2, 4)
    assert "invalid literal" in str(found[2])
    assert str(found[3]) == "three"


def test_who_has_gone_is_not_prepared():
    seen, may = [], threading.Event()

    def prepare(raw):
        may.wait()
        seen.append(raw)
        return raw

    async def ask():
        batching = Batching(prepare, lambda many: many, workers=1)
        tasks = [asyncio.create_task(batching.ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        may.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(batching.close)
        return found

    found = asyncio.run(ask())
    assert (found[0], found[2], seen) == (0, 2, [0, 2])
    assert isinstance(found[1], asyncio.CancelledError)


def test_who_goes_while_being_prepared_is_not_run():
    begun, may, ran = threading.Event(), threading.Event(), []

    def prepare(raw):
        begun.set()
        may.wait()
        return raw

    def run(many):
        ran.extend(many)
        return many

    async def ask():
        batching = Batching(prepare, run, workers=1)
        tasks = [asyncio.create_task(batching.ask(number)) for number in range(2)]
        await asyncio.to_thread(begun.wait)
        tasks[0].cancel()
        await asyncio.sleep(0)
        may.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(batching.close)
        return found

    found = asyncio.run(ask())
    assert (found[1], ran) == (1, [1])
    assert isinstance(found[0], asyncio.CancelledError)


def test_closing_answers_what_was_asked_before():
    batching = Batching(int, lambda many: many, workers=2)
    assert batching.alive
    assert asked(batching, *map(str, range(50))) == [*range(50)]
    assert not batching.alive
