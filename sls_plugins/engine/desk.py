"""The cache alone, for hosts which call their models themselves and for those who tend it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from sls_plugins import flow
from sls_plugins.cache.keys import exact_key
from sls_plugins.errors import InputError
from sls_plugins.storage.reports import SqlCacheReports
from sls_plugins.types import (
    Answer,
    CacheHit,
    CacheMiss,
    CacheRow,
    CacheStats,
    Erased,
    Query,
    Selection,
)

__all__ = ["AsyncEngineCache", "EngineCache"]

ResultT = TypeVar("ResultT")


class InThread(Protocol):
    """Runs blocking work beside the event loop."""

    def __call__(self, work: Callable[[], ResultT]) -> Awaitable[ResultT]:
        """The work's result."""


class EngineCache:
    """What an engine's cache does on its own: `engine.cache`. Threads may share it."""

    def __init__(self, parts: flow.Parts) -> None:
        """Made by `Engine`."""
        self._parts = parts

    def look_up(self, query: Query) -> CacheHit | CacheMiss:
        """What the cache alone says: a hit (recorded, so that feedback is welcome), or a miss."""
        return _drive(self._parts, flow.look_up(self._parts, query))

    def keep(self, query: Query, answer: Answer) -> str:
        """Take in an answer that was given elsewhere; returns a decision id for `feedback`.

        It is stored if it is worth storing, and the cache learns from it; it is not charged.
        `answer.candidate` tells who gave it: a candidate of this engine or any other name.
        """
        return flow.keep(self._parts, query, answer)

    def stats(self) -> CacheStats:
        """Rows; queries, hits, wrong hits and savings by task, from the whole log."""
        return self._reports().stats()

    def show(self, wanted: str) -> CacheRow | None:
        """A stored row by its id, or by the id of a decision that used it."""
        return self._reports().show(wanted)

    def revoke(self, entry_id: str) -> None:
        """Never again serve this row; of an alias: the answer not under this key."""
        if self._parts.cache is not None:
            self._parts.cache.revoke(entry_id)

    def rebuild(self) -> int:
        """Make the index anew from the rows, while it serves; returns how many entries it has."""
        if self._parts.cache is None:
            return 0
        self._parts.cache.forget(())
        return len(self._parts.cache.stock().index.ids())

    def _reports(self) -> SqlCacheReports:
        if self._parts.reports is None:
            raise InputError("this engine's store tells nothing of its cache")
        return self._parts.reports

    def clear(self, tenant: str = "", scope_prefix: str = "") -> int:
        """Never again serve a tenant's answers whose scope begins so; returns how many.

        That holds in every process and after a restart. It reads all rows of the cache.
        """
        return self._parts.cache.clear(tenant, scope_prefix) if self._parts.cache else 0

    def forget(
        self,
        *,
        ids: Sequence[str] = (),
        tenant: str | None = None,
        scope: str | None = None,
        text: str | None = None,
        older_than_s: float | None = None,
    ) -> Erased:
        """Erase queries with their answers, decisions and outcomes, so that no byte is left.

        Decision or row ids; or all of a tenant, of the scopes that begin so, with this text, that
        are older than so many seconds (what is given narrows the choice). It leaves no text and no
        vector in any file of this engine, and takes as long as copying them.
        """
        before_s = None if older_than_s is None else self._parts.clock() - older_than_s
        wanted = Selection(
            ids=tuple(ids) or None,
            tenant=tenant,
            scope=scope,
            key=None if text is None else exact_key(text),
            before_s=before_s,
        )
        return flow.forget(self._parts, wanted)


class AsyncEngineCache:
    """`EngineCache` for async hosts: `await async_engine.cache.look_up(query)`."""

    def __init__(self, parts: flow.Parts, in_thread: InThread) -> None:
        """Made by `AsyncEngine`."""
        self._cache = EngineCache(parts)
        self._in_thread = in_thread

    async def look_up(self, query: Query) -> CacheHit | CacheMiss:
        """What the cache alone says: a hit (recorded, so that feedback is welcome), or a miss."""
        return await self._in_thread(partial(self._cache.look_up, query))

    async def keep(self, query: Query, answer: Answer) -> str:
        """Take in an answer that was given elsewhere; returns a decision id for `feedback`."""
        return await self._in_thread(partial(self._cache.keep, query, answer))

    async def clear(self, tenant: str = "", scope_prefix: str = "") -> int:
        """Never again serve a tenant's answers whose scope begins so; returns how many."""
        return await self._in_thread(partial(self._cache.clear, tenant, scope_prefix))

    async def stats(self) -> CacheStats:
        """Rows; queries, hits, wrong hits and savings by task, from the whole log."""
        return await self._in_thread(self._cache.stats)

    async def show(self, wanted: str) -> CacheRow | None:
        """A stored row by its id, or by the id of a decision that used it."""
        return await self._in_thread(partial(self._cache.show, wanted))

    async def revoke(self, entry_id: str) -> None:
        """Never again serve this row; of an alias: the answer not under this key."""
        await self._in_thread(partial(self._cache.revoke, entry_id))

    async def rebuild(self) -> int:
        """Make the index anew from the rows, while it serves; returns how many entries it has."""
        return await self._in_thread(self._cache.rebuild)

    async def forget(self, **wanted: Any) -> Erased:
        """Erase queries with their answers; the keywords are those of `EngineCache.forget`."""
        return await self._in_thread(partial(self._cache.forget, **wanted))


def _drive(parts: flow.Parts, steps: Generator[flow.Effect, Any, ResultT]) -> ResultT:
    """Perform the effects of a flow that calls nobody."""
    try:
        effect = next(steps)
        while True:
            effect = steps.send(flow.perform(parts, effect))
    except StopIteration as done:
        value: ResultT = done.value
        return value
    finally:
        steps.close()
