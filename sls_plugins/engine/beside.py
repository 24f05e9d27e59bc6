"""Blocking work beside an event loop, in portions that leave the loop free."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Beside"]

ResultT = TypeVar("ResultT")

MOST_THREADS = 8
IN_FLIGHT = 8
"""How much work is handed to the threads at once. The rest waits in line, so that the loop never
has the results of hundreds of requests to go through before it comes round."""

AT_ONCE = 8
"""How many tasks go on in one round of the loop: a few milliseconds' work of a host and ours."""

ROOM = 32
"""From so much waiting work on nobody new begins: a thousand half-begun calls would but be kept in
memory, where the garbage collector goes through all of them while everything stands still."""


class Beside:
    """A few threads beside event loops, and a line of its own for each loop.

    No more threads than processors: each thread that has work makes the loop wait longer for
    Python's lock.
    """

    def __init__(self, threads: int | None = None) -> None:
        """No thread is started before it is needed."""
        threads = threads or min(MOST_THREADS, max(2, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sls")
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def begin(self) -> None:
        """Return when a new call may begin: at once, unless there are many of them."""
        line = self._line()
        await line.turn(line.newcomers)

    async def go_on(self) -> None:
        """Return when a call that waited for others may go on: before all newcomers."""
        line = self._line()
        await line.turn(line.others)

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """The result of blocking work, which is done in a thread when its turn comes.

        If cancelled while it runs, wait for it first, so that nothing leaks.
        """
        line = self._line()
        line.working += 1
        try:
            async with line.slots:
                job = asyncio.get_running_loop().run_in_executor(self._pool, work)
                try:
                    return await asyncio.shield(job)
                except asyncio.CancelledError:
                    await asyncio.wait([job])
                    raise
        finally:
            line.working -= 1
            line.wake()

    def stop(self) -> None:
        """Let go of the threads, once they have done what they were given."""
        self._pool.shutdown(wait=True)

    def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        return line


class _Line:
    """Who waits in one loop; it does not keep the loop alive."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(IN_FLIGHT)
        self.working = 0
        self.newcomers: deque[asyncio.Future[None]] = deque()
        self.others: deque[asyncio.Future[None]] = deque()
        self._left = AT_ONCE
        self._is_due = False

    async def turn(self, line: deque[asyncio.Future[None]]) -> None:
        """Wait in one of the two lines, if one has to."""
        if self._may_pass(line) and not line:
            self._left -= 1
            self._schedule()
            return
        waiting = asyncio.get_running_loop().create_future()
        line.append(waiting)
        self._schedule()
        await waiting

    def wake(self) -> None:
        """Work was done: there may be room for others."""
        if self.newcomers:
            self._schedule()

    def _may_pass(self, line: deque[asyncio.Future[None]]) -> bool:
        return self._left > 0 and (line is self.others or self.working < ROOM)

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._is_due = False
        self._left = AT_ONCE
        for line in (self.others, self.newcomers):
            while line and self._may_pass(line):
                first = line.popleft()
                if not first.done():  # it may have been cancelled
                    first.set_result(None)
                    self._left -= 1
        if self._left < AT_ONCE:
            self._schedule()
