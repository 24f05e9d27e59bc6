"""Measures how long a stream's source takes, and not how long its reader does."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Generic, Self, TypeVar

from sls_plugins.protocols import Clock

__all__ = ["Stopwatch"]

ChunkT = TypeVar("ChunkT")


class Stopwatch(Generic[ChunkT]):
    """Runs while a source is asked for its next chunk; while a caller holds one it stands still.

    A clock that was set back counts as no time.
    """

    def __init__(self, clock: Clock) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self.took_s = 0.0

    def watch(self, source: Iterable[ChunkT]) -> Iterator[ChunkT]:
        """The chunks of a source, from a watch set to zero."""
        self.took_s = 0.0
        return _Watched(self, source)

    def awatch(self, source: AsyncIterable[ChunkT]) -> AsyncIterator[ChunkT]:
        """The chunks of an async source, from a watch set to zero."""
        self.took_s = 0.0
        return _AsyncWatched(self, source)

    def __enter__(self) -> Self:
        self._start_s = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        self.took_s += max(0.0, self._clock() - self._start_s)


class _Watched(Generic[ChunkT]):
    """No generator, so that nothing is left open when the caller goes away."""

    def __init__(self, stopwatch: Stopwatch[ChunkT], source: Iterable[ChunkT]) -> None:
        self._stopwatch = stopwatch
        self._source = iter(source)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChunkT:
        with self._stopwatch:
            return next(self._source)


class _AsyncWatched(Generic[ChunkT]):
    def __init__(self, stopwatch: Stopwatch[ChunkT], source: AsyncIterable[ChunkT]) -> None:
        self._stopwatch = stopwatch
        self._source = aiter(source)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkT:
        with self._stopwatch:
            return await anext(self._source)
