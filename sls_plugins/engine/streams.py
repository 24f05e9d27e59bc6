"""Answers chunk by chunk: the streaming drivers.

Before the first chunk a failing candidate is replaced by the next one. After it the stream breaks
with a `ProviderError` that carries the answer so far. A stream that is closed early is an answer
cut short: it is charged and logged with what was really used, and never cached.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from sls_plugins import flow
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.stopwatch import Stopwatch
from sls_plugins.errors import ProviderError, SLSError
from sls_plugins.types import Answer, Candidate, Query, Source

__all__ = ["AnswerStream", "AsyncAnswerStream", "AsyncStreamHost", "StreamHost"]

ChunkT = TypeVar("ChunkT")
Steps = Generator[flow.Effect, Any, Answer]
InThread = Callable[[Callable[[], object]], Awaitable[object]]


class StreamHost(Protocol[ChunkT]):
    """How a host streams: opens a candidate's stream, joins chunks, replays a cached answer."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[ChunkT]:
        """Begin a candidate's answer."""

    def join(self, chunks: Sequence[ChunkT]) -> Answer:
        """The whole answer of these chunks; its latency is measured by whoever drives the host."""

    def replay(self, answer: Answer) -> Iterator[ChunkT]:
        """A cached answer as chunks."""


class AsyncStreamHost(Protocol[ChunkT]):
    """How an async host streams."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[ChunkT]:
        """Begin a candidate's answer."""

    def join(self, chunks: Sequence[ChunkT]) -> Answer:
        """The whole answer of these chunks."""

    def replay(self, answer: Answer) -> Iterator[ChunkT]:
        """A cached answer as chunks."""


class _Stream(Generic[ChunkT]):
    """What both streams share: who answers, and how a stream ends early."""

    def __init__(self, parts: flow.Parts, steps: Steps) -> None:
        self._parts = parts
        self._steps = steps
        self._watch = Stopwatch[ChunkT](parts.clock)
        self.known = Answer(text="")
        self.answer: Answer | None = None

    @property
    def decision_id(self) -> str:
        """The decision; empty before the first chunk."""
        return self.known.decision_id

    @property
    def candidate(self) -> str:
        """Who answers; empty before the first chunk."""
        return self.known.candidate

    @property
    def source(self) -> Source:
        """Where the chunks come from."""
        return self.known.source

    def _opened(self, effect: flow.Call) -> None:
        name = effect.candidate.name
        estimate = effect.decision.estimate_of(name)
        self.known = Answer(
            text="", candidate=name, decision_id=effect.decision.id, estimate=estimate
        )

    def _timed(self, answer: Answer) -> Answer:
        """The answer with the time that its source took, unless the host knows better."""
        if answer.latency_s is not None:
            return answer
        return replace(answer, latency_s=self._watch.took_s)

    def _done(self, answer: Answer) -> Answer:
        self.answer = self.known = answer
        return answer

    def _cut_short(self, partial_answer: Answer) -> None:
        """Drive the flow to its end with what was said until the caller went away."""
        try:
            effect = self._steps.send(replace(partial_answer, cacheable=False))
            while True:
                effect = self._steps.send(flow.perform(self._parts, effect))
        except StopIteration as done:
            self._done(done.value)


class AnswerStream(_Stream[ChunkT]):
    """Iterate once for the chunks; afterwards `answer` is the whole answer.

    `known` is what is known of it so far: with the first chunk the decision, the candidate (or the
    cache) and what was expected.
    """

    def __init__(self, parts: flow.Parts, steps: Steps, host: StreamHost[ChunkT]) -> None:
        """Made by `Engine.stream`."""
        super().__init__(parts, steps)
        self._host = host
        self._chunks = self._run()

    def __iter__(self) -> Iterator[ChunkT]:
        return self._chunks

    def __next__(self) -> ChunkT:
        return next(self._chunks)

    def close(self) -> None:
        """Stop early; what was used is charged."""
        self._chunks.close()

    def _run(self) -> Generator[ChunkT, None, None]:
        steps = self._steps
        try:
            effect = next(steps)
            while True:
                try:
                    if isinstance(effect, flow.Call):
                        result: object = yield from self._call(effect)
                    else:
                        result = flow.perform(self._parts, effect)
                except SLSError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as done:
            answer = self._done(done.value)
        finally:
            steps.close()
        if answer.source is Source.CACHE:
            yield from self._host.replay(answer)

    def _call(self, effect: flow.Call) -> Generator[ChunkT, None, Answer]:
        name = effect.candidate.name
        self._opened(effect)
        chunks: list[ChunkT] = []
        try:
            with provider(name):
                source = self._host.open(effect.candidate, effect.query)
                for chunk in self._watch.watch(source):
                    chunks.append(chunk)
                    yield chunk
        except GeneratorExit:
            self._cut_short(self._timed(self._host.join(chunks)))
            raise
        except ProviderError as error:
            raise _broken(
                error, self._timed(self._host.join(chunks)) if chunks else None
            ) from error.__cause__
        with provider(name):
            return self._timed(self._host.join(chunks))


class AsyncAnswerStream(_Stream[ChunkT]):
    """`AnswerStream` for async hosts."""

    def __init__(
        self,
        parts: flow.Parts,
        steps: Steps,
        host: AsyncStreamHost[ChunkT],
        in_thread: InThread,
    ) -> None:
        """Made by `AsyncEngine.stream`."""
        super().__init__(parts, steps)
        self._host = host
        self._in_thread = in_thread
        self._said: list[ChunkT] = []
        self._chunks = self._run()

    def __aiter__(self) -> AsyncIterator[ChunkT]:
        return self._chunks

    async def __anext__(self) -> ChunkT:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Stop early; what was used is charged."""
        await self._chunks.aclose()

    async def _run(self) -> AsyncGenerator[ChunkT, None]:
        steps = self._steps
        try:
            effect = next(steps)
            while True:
                try:
                    if isinstance(effect, flow.Call):
                        async with aclosing(self._call(effect)) as chunks:
                            async for chunk in chunks:
                                yield chunk
                        with provider(effect.candidate.name):
                            result: object = self._timed(self._host.join(self._said))
                    else:
                        result = await self._in_thread(partial(flow.perform, self._parts, effect))
                except SLSError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as done:
            answer = self._done(done.value)
        finally:
            steps.close()
        if answer.source is Source.CACHE:
            for chunk in self._host.replay(answer):
                yield chunk

    async def _call(self, effect: flow.Call) -> AsyncGenerator[ChunkT, None]:
        self._opened(effect)
        self._said = []
        source = self._host.open(effect.candidate, effect.query)
        try:
            with provider(effect.candidate.name):
                async for chunk in self._watch.awatch(source):
                    self._said.append(chunk)
                    yield chunk
        except (GeneratorExit, asyncio.CancelledError):
            if self._said:
                self._cut_short(self._timed(self._host.join(self._said)))
            raise
        except ProviderError as error:
            answer = self._timed(self._host.join(self._said)) if self._said else None
            raise _broken(error, answer) from error.__cause__
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()


def _broken(error: ProviderError, partial_answer: Answer | None) -> ProviderError:
    """The same error, knowing what the caller has already seen."""
    return ProviderError(
        error.candidate,
        str(error).removeprefix(f"{error.candidate}: "),
        retry_after_s=error.retry_after_s,
        partial=partial_answer,
    )
