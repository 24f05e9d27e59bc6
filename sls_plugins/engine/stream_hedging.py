"""Streams whose first chunk is late: a second one is opened, and whoever speaks first goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from sls_plugins import flow
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.hedging import InThread, race, race_async
from sls_plugins.engine.stream_hosts import AsyncStreamHost, StreamHost
from sls_plugins.types import Answer, Candidate

__all__ = ["Opened", "open_async", "open_first"]

ChunkT = TypeVar("ChunkT")
SourceT = TypeVar("SourceT")


@dataclass(frozen=True, slots=True)
class Opened(Generic[ChunkT, SourceT]):
    """A stream that has begun to speak: its first chunks (one, or none), and the rest of it."""

    candidate: Candidate
    head: tuple[ChunkT, ...]
    rest: SourceT


def open_first(
    effect: flow.Call, hedge: flow.Hedge, host: StreamHost[ChunkT]
) -> tuple[flow.Call, Iterator[ChunkT]]:
    """The call of whoever speaks first, and all its chunks. Raises ProviderError."""

    def attempt(candidate: Candidate) -> Opened[ChunkT, Iterator[ChunkT]]:
        with provider(candidate.name):
            source = iter(host.open(candidate, effect.query))
            for chunk in source:
                return Opened(candidate, (chunk,), source)
            return Opened(candidate, (), source)

    def said(slower: Opened[ChunkT, Iterator[ChunkT]]) -> Answer:
        if isinstance(slower.rest, Generator):
            slower.rest.close()
        return host.join(slower.head)

    found = race(hedge, effect.candidate, attempt, said)
    return replace(effect, candidate=found.candidate), _chained(found)


def _chained(opened: Opened[ChunkT, Iterator[ChunkT]]) -> Iterator[ChunkT]:
    yield from opened.head
    yield from opened.rest


async def open_async(
    effect: flow.Call, hedge: flow.Hedge, host: AsyncStreamHost[ChunkT], in_thread: InThread
) -> tuple[flow.Call, AsyncGenerator[ChunkT, None]]:
    """The same for async hosts: the slower stream is cancelled."""

    async def attempt(candidate: Candidate) -> Opened[ChunkT, AsyncIterator[ChunkT]]:
        with provider(candidate.name):
            source = aiter(host.open(candidate, effect.query))
            async for chunk in source:
                return Opened(candidate, (chunk,), source)
            return Opened(candidate, (), source)

    def said(slower: Opened[ChunkT, AsyncIterator[ChunkT]]) -> Answer:
        return host.join(slower.head)

    found = await race_async(hedge, effect.candidate, attempt, said, in_thread)
    return replace(effect, candidate=found.candidate), _chained_async(found)


async def _chained_async(
    opened: Opened[ChunkT, AsyncIterator[ChunkT]],
) -> AsyncGenerator[ChunkT, None]:
    try:
        for chunk in opened.head:
            yield chunk
        async for chunk in opened.rest:
            yield chunk
    finally:
        if isinstance(opened.rest, AsyncGenerator):
            await opened.rest.aclose()
