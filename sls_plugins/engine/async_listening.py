"""One answer's chunks for several readers in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from sls_plugins import flow
from sls_plugins.engine.listening import Ear
from sls_plugins.engine.waiting import landed_async
from sls_plugins.errors import ProviderError, SLSError
from sls_plugins.types import Answer

__all__ = ["AsyncSharedStream", "Following"]

ChunkT = TypeVar("ChunkT")


class AsyncSharedStream(Generic[ChunkT]):
    """`SharedStream` for async readers: a task of its own pulls a chunk when one is wanted.

    So a reader that is cancelled while it waits does not take the source with it.
    """

    def __init__(
        self, source: AsyncGenerator[ChunkT, None], kind: type, candidate: Callable[[], str]
    ) -> None:
        """`kind` tells who understands the chunks, `candidate` who says them.

        One reader is in already.
        """
        self.kind = kind
        self.candidate = candidate
        self.chunks: list[ChunkT] = []
        self._source = source
        self._error: SLSError | None = None
        self._readers = 1
        self._waiting = False
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    def join(self) -> bool:
        """Become a reader; False if nobody here reads any more."""
        here = self._pump is not None and self._pump.get_loop() is asyncio.get_running_loop()
        self._readers += bool(here and self._readers)
        return here and bool(self._readers)

    async def hear(self) -> AsyncGenerator[ChunkT, None]:
        """The chunks from the first, for one who is in; raises what the source raises."""
        pump = self._pump = self._pump or self._started()
        try:
            place = 0
            while True:
                while place == len(self.chunks) and not pump.done():
                    self._wanted.set()
                    await self._changed.wait()
                if place == len(self.chunks):
                    break
                yield self.chunks[place]
                place += 1
            if pump.cancelled():
                raise ProviderError(self.candidate(), "the stream was interrupted")
            pump.result()
            if self._error is not None:
                raise self._error
        finally:
            self._readers -= 1
            if not self._readers:
                await self._stop(pump)

    def _started(self) -> asyncio.Task[None]:
        pump = asyncio.create_task(self._run())
        pump.add_done_callback(self._tell)
        return pump

    async def _stop(self, pump: asyncio.Task[None]) -> None:
        if self._waiting:  # the source stands still, so that it can be settled at once
            await self._source.aclose()
        if not pump.done():
            pump.cancel()
            await asyncio.wait([pump])

    async def _run(self) -> None:
        try:
            await self._demand()
            async for chunk in self._source:
                self.chunks.append(chunk)
                self._tell()
                await self._demand()
        except SLSError as error:
            self._error = error

    async def _demand(self) -> None:
        self._waiting = True
        await self._wanted.wait()
        self._wanted.clear()
        self._waiting = False

    def _tell(self, _pump: object = None) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Following(Generic[ChunkT]):
    """Waits for somebody else's answer, passing on its chunks; `landed` is what became of it."""

    def __init__(self, effect: flow.Follow, until_s: float, ear: Ear[ChunkT]) -> None:
        self.landed = flow.Landed(flow.Landing.LATE)
        self._effect = effect
        self._until_s = until_s
        self._ear = ear
        self._heard: Answer | None = None

    async def chunks(self) -> AsyncGenerator[ChunkT, None]:
        """The chunks of the other's stream, if it streams for listeners like this one."""
        flight = self._effect.flight
        while True:
            version, stream, landing = flight.look()
            if isinstance(stream, AsyncSharedStream) and self._joins(stream):
                async with aclosing(self._listen(stream)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                version, _, landing = flight.look()
            landing = landing or await landed_async(flight, version, self._until_s)
            if landing is not None:
                self.landed = flow.Landed(landing, self._heard)
                return

    def _joins(self, stream: AsyncSharedStream[ChunkT]) -> bool:
        able = self._effect.listens and stream.kind is self._ear.kind
        return self._heard is None and able and stream.join()

    async def _listen(self, shared: AsyncSharedStream[ChunkT]) -> AsyncGenerator[ChunkT, None]:
        """Pass chunks on. Raises what breaks the stream after its first chunk."""
        told = False
        try:
            async with aclosing(shared.hear()) as chunks:
                async for chunk in chunks:
                    if not told:
                        self._ear.heard(self._effect, shared.candidate())
                        told = True
                    yield chunk
        except SLSError:
            if told:
                raise
        if told:
            self._heard = self._ear.join(shared.chunks)
