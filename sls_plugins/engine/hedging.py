"""Two calls at once: the second is started when the first is late, the first good answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

from sls_plugins import flow
from sls_plugins.types import Answer, Candidate

__all__ = ["race", "race_async"]

InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]

Ends: TypeAlias = dict[str, Answer | BaseException | None]
"""How the calls of candidates ended; None: cancelled."""


def race(hedge: flow.Hedge, candidate: Candidate, attempt: Callable[[Candidate], Answer]) -> Answer:
    """The first good answer. Raises what the first call raised, if neither brought one.

    A blocking call cannot be cancelled: the slower one ends in its own thread, where it is settled.
    """
    pool = ThreadPoolExecutor(2, thread_name_prefix="sls-hedge")
    errors: dict[str, BaseException] = {}
    running = {pool.submit(copy_context().run, attempt, candidate): candidate.name}
    won = False
    try:
        if not wait(running, timeout=hedge.late_s).done:
            second = hedge.begin()
            if second is not None:
                running[pool.submit(copy_context().run, attempt, second)] = second.name
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, error = running.pop(future), future.exception()
                if error is None:
                    hedge.won(name)
                    won = True
                    return future.result()
                errors[name] = error
    finally:
        pool.shutdown(wait=False)
        _account(hedge, errors, won=won)
        for future, name in running.items():
            future.add_done_callback(partial(_ended, hedge, name, won))
    raise errors[hedge.first]


def _ended(hedge: flow.Hedge, name: str, won: bool, future: Future[Answer]) -> None:  # noqa: FBT001 - called back
    error = future.exception()
    _account(hedge, {name: future.result() if error is None else error}, won=won)


async def race_async(
    hedge: flow.Hedge,
    candidate: Candidate,
    attempt: Callable[[Candidate], Coroutine[Any, Any, Answer]],
    in_thread: InThread,
) -> Answer:
    """The same for async hosts: the slower call is cancelled."""
    ends: Ends = {}
    running = {asyncio.ensure_future(attempt(candidate)): candidate.name}
    won = False
    try:
        if not (await asyncio.wait(running, timeout=hedge.late_s))[0]:
            second: Candidate | None = await in_thread(hedge.begin)
            if second is not None:
                running[asyncio.ensure_future(attempt(second))] = second.name
        while running:
            ready, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ready:
                name, end = running.pop(task), _end(task)
                if isinstance(end, Answer):
                    hedge.won(name)
                    won = True
                    return end
                ends[name] = end
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        ends |= {name: None if task.cancelled() else _end(task) for task, name in running.items()}
        if ends:
            await in_thread(partial(_account, hedge, ends, won=won))
    error = ends[hedge.first]
    assert isinstance(error, BaseException)
    raise error


def _end(task: asyncio.Future[Answer]) -> Answer | BaseException:
    error = task.exception()
    return task.result() if error is None else error


def _account(
    hedge: flow.Hedge, ends: Mapping[str, Answer | BaseException | None], *, won: bool
) -> None:
    """Settle the calls that did not win; without a winner the first is the flow's own business."""
    for name, end in ends.items():
        if name == hedge.first and not won:
            continue
        if isinstance(end, BaseException):
            hedge.failed(name, end)
        else:
            hedge.lost(name, end)
