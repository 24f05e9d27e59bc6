"""Blocking work beside an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from sls_plugins.engine.beside import AT_ONCE, IN_FLIGHT, ROOM, Beside


async def rounds_of(pass_by: Callable[[], object], count: int) -> list[int]:
    """In which round of the loop each of so many tasks went on."""
    now, running = 0, True
    passed: list[int] = []

    async def count_rounds() -> None:
        nonlocal now
        while running:
            now += 1
            await asyncio.sleep(0)

    async def one() -> None:
        await pass_by()  # type: ignore[misc]
        passed.append(now)

    counting = asyncio.create_task(count_rounds())
    await asyncio.gather(*(one() for _ in range(count)))
    running = False
    await counting
    return passed


@pytest.mark.parametrize("name", ["begin", "go_on"])
async def test_a_few_go_on_in_each_round(name: str) -> None:
    """Of many tasks that start together a few go on at a time, in the order in which they came."""
    beside = Beside()

    passed = await rounds_of(getattr(beside, name), 100)

    assert passed == sorted(passed)
    assert max(passed.count(each) for each in passed) <= AT_ONCE
    beside.stop()


async def test_a_lone_task_does_not_wait() -> None:
    """Nobody waits when nobody else begins."""
    beside = Beside()

    assert await rounds_of(beside.begin, 1) == [1]
    beside.stop()


async def test_no_more_begin_than_there_is_room_for() -> None:
    """While much work waits for threads nobody new begins, but those who have begun go on."""
    beside, release = Beside(), threading.Event()
    work = [asyncio.create_task(beside.run(release.wait)) for _ in range(ROOM)]
    await asyncio.sleep(0)

    newcomer = asyncio.create_task(beside.begin())
    await beside.go_on()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not newcomer.done()

    release.set()
    await asyncio.gather(*work)
    await newcomer
    beside.stop()


async def test_who_is_cancelled_in_line_takes_no_place() -> None:
    """A task that is cancelled while it waits lets those behind it pass."""
    beside = Beside()
    tasks = [asyncio.create_task(beside.begin()) for _ in range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    for task in tasks[AT_ONCE : 2 * AT_ONCE]:
        task.cancel()

    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert [each is None for each in ended] == (
        [True] * AT_ONCE + [False] * AT_ONCE + [True] * AT_ONCE
    )
    beside.stop()


async def test_cancelled_work_is_waited_for() -> None:
    """Whoever is cancelled gets away when the thread has finished, so that nothing leaks."""
    beside, release, done = Beside(), threading.Event(), threading.Event()

    def work() -> None:
        release.wait()
        done.set()

    task = asyncio.create_task(beside.run(work))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert done.is_set()
    beside.stop()


def test_each_loop_has_a_line_of_its_own() -> None:
    """Loops that come after one another, or run in other threads, do not wait for each other."""
    beside = Beside()

    async def crowd() -> int:
        await asyncio.gather(*(beside.run(lambda: None) for _ in range(2 * IN_FLIGHT)))
        return len(await rounds_of(beside.begin, 20))

    assert [asyncio.run(crowd()) for _ in range(3)] == [20, 20, 20]
    beside.stop()
