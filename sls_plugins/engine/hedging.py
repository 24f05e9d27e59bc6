"""Two calls at once: the second is started when the first is late, the first good answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar

from sls_plugins import flow
from sls_plugins.types import Answer, Candidate

__all__ = ["InThread", "race", "race_async"]

T = TypeVar("T")

InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]

Said: TypeAlias = Callable[[T], Answer | None]
"""What a call that was too slow has said, told from what it brought in the end."""


def race(
    hedge: flow.Hedge, candidate: Candidate, attempt: Callable[[Candidate], T], said: Said[T]
) -> T:
    """The first good result. Raises what the first call raised, if neither brought one.

    A blocking call cannot be cancelled: the slower one ends in its own thread, where it is settled
    at what it `said`.
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
        account = _Account(hedge, said, won=won)
        account.all(errors, {})
        for future, name in running.items():
            future.add_done_callback(partial(account.ended, name))
    raise errors[hedge.first]


async def race_async(
    hedge: flow.Hedge,
    candidate: Candidate,
    attempt: Callable[[Candidate], Coroutine[Any, Any, T]],
    said: Said[T],
    in_thread: InThread,
) -> T:
    """The same for async hosts: the slower call is cancelled."""
    errors: dict[str, BaseException] = {}
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
                name, error = running.pop(task), task.exception()
                if error is None:
                    hedge.won(name)
                    won = True
                    return task.result()
                errors[name] = error
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        account = _Account(hedge, said, won=won)
        if errors or running:
            await in_thread(partial(account.all, errors, running))
    raise errors[hedge.first]


class _Account:
    """Settles the calls that did not win; without a winner the first is the flow's own business."""

    def __init__(self, hedge: flow.Hedge, said: Said[Any], *, won: bool) -> None:
        self._hedge = hedge
        self._said: Said[Any] = said
        self._won = won

    def all(
        self, errors: Mapping[str, BaseException], slower: Mapping[asyncio.Task[Any], str]
    ) -> None:
        """All calls that have ended."""
        for name, error in errors.items():
            self._failed(name, error)
        for task, name in slower.items():
            self.ended(name, task)

    def ended(self, name: str, call: Future[Any] | asyncio.Task[Any]) -> None:
        """A call that was too slow has ended, or was cancelled."""
        error = None if call.cancelled() else call.exception()
        if error is not None:
            self._failed(name, error)
        elif self._settles(name):
            self._hedge.lost(name, None if call.cancelled() else self._said(call.result()))

    def _failed(self, name: str, error: BaseException) -> None:
        if self._settles(name):
            self._hedge.failed(name, error)

    def _settles(self, name: str) -> bool:
        return self._won or name != self._hedge.first
