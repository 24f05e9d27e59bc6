"""Answers chunk by chunk: the streaming drivers.

Before the first chunk a failing candidate is replaced by the next one. After it the stream breaks
with a `ProviderError` that carries the answer so far, unless the policy lets another candidate go
on. A stream that is closed early is an answer cut short: it is charged and logged with what was
really used, and never cached; unless others listen to it, who then bring it to its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from sls_plugins import flow
from sls_plugins.engine.async_listening import AsyncSharedStream, Following
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.listening import Ear, SharedStream, follow_stream
from sls_plugins.engine.stopwatch import Stopwatch
from sls_plugins.engine.stream_hedging import open_async, open_first
from sls_plugins.engine.stream_hosts import (
    RAISES,
    AsyncStreamHost,
    ResumingHost,
    StreamHost,
    StreamPolicy,
)
from sls_plugins.errors import ProviderError, SLSError
from sls_plugins.types import Answer, Source

__all__ = ["AnswerStream", "AsyncAnswerStream"]

ChunkT = TypeVar("ChunkT")
Steps = Generator[flow.Effect, Any, Answer]
InThread = Callable[[Callable[[], object]], Awaitable[object]]


class _Stream(Generic[ChunkT]):
    """What both streams share: who answers, what was said, and how a stream ends early."""

    def __init__(
        self,
        parts: flow.Parts,
        steps: Steps,
        host: StreamHost[ChunkT] | AsyncStreamHost[ChunkT],
        policy: StreamPolicy,
    ) -> None:
        self._parts = parts
        self._steps = steps
        self._join = host.join
        self._resuming = host if isinstance(host, ResumingHost) and policy.takeovers else None
        self._policy = policy
        self._start_s = parts.clock()
        self._watch = Stopwatch[ChunkT](parts.clock)
        self._waited_s = 0.0
        self._said: list[ChunkT] = []
        self._seen = 0
        self._takeovers = 0
        self._late = False
        self._heard = False
        self._ear: Ear[ChunkT] = Ear(type(host), host.join, self._hears)
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

    def _opened(self, effect: flow.Call) -> Any:
        """The candidate's chunks, which go on after what others have said."""
        name = effect.candidate.name
        estimate = effect.decision.estimate_of(name)
        self.known = Answer(
            text="", candidate=name, decision_id=effect.decision.id, estimate=estimate
        )
        self._seen = len(self._said)
        if effect.hedge is None:
            self._waited_s = 0.0
        self._left_s(name)
        if self._seen == 0:
            return None
        assert self._resuming is not None
        self._takeovers += 1
        return self._resuming.resume(effect.candidate, effect.query, tuple(self._said))

    def _raced(self, effect: flow.Call) -> str:
        """Who spoke first, of two who were asked; the wait for that counts as his."""
        if effect.hedge is not None:
            self._waited_s = self._parts.clock() - effect.hedge.start_s
        return effect.candidate.name

    def _left_s(self, name: str) -> float | None:
        """Seconds until the deadline. Raises ProviderError when it has passed."""
        if self._is_late():
            raise ProviderError(name, f"the deadline of {self._policy.deadline_s:g} s has passed")
        deadline_s = self._policy.deadline_s
        return deadline_s and self._start_s + deadline_s - self._parts.clock()

    def _is_late(self) -> bool:
        deadline_s = self._policy.deadline_s
        if deadline_s is not None and self._parts.clock() >= self._start_s + deadline_s:
            self._late = True
        return self._late

    def _whole(self) -> Answer:
        """The answer of this candidate, after whatever others have said before it."""
        if self._seen == 0:
            return self._own()
        own = self._own()
        whole = self._join(self._said)
        return replace(own, text=whole.text, payload=whole.payload, raw=whole.raw, cacheable=False)

    def _own(self) -> Answer:
        """What this candidate said, with the time its source took unless the host knows better."""
        answer = self._join(self._said[self._seen :])
        if answer.latency_s is not None:
            return answer
        return replace(answer, latency_s=self._waited_s + self._watch.took_s)

    def _broken(self, error: ProviderError) -> ProviderError:
        """The same error, knowing what the caller has already seen, and whether to go on."""
        has_own = len(self._said) > self._seen
        may_go_on = (
            self._resuming is not None
            and self._takeovers < self._policy.takeovers
            and self._resuming.may_resume(self._said)
        )
        return ProviderError(
            error.candidate,
            str(error).removeprefix(f"{error.candidate}: "),
            retry_after_s=error.retry_after_s,
            partial=self._own() if has_own else None,
            stops=self._is_late() or (bool(self._said) and not may_go_on),
        )

    def _hears(self, known: Answer) -> None:
        """Chunks of an answer come that somebody else gets."""
        self._heard = True
        self.known = known

    def _until_s(self) -> float:
        """When to stop waiting for somebody else's answer, on the monotonic clock."""
        flights = self._parts.flights
        return time.monotonic() + (0.0 if flights is None else flights.wait_s)

    def _is_replayed(self, answer: Answer) -> bool:
        """A stored answer is still to be told: its chunks were not heard while others got it."""
        return answer.source is Source.CACHE and not self._heard

    def _done(self, answer: Answer) -> Answer:
        self.answer = self.known = answer
        return answer

    def _cut_short(self) -> None:
        """Drive the flow to its end with what was said until the caller went away."""
        if len(self._said) == self._seen:
            return
        try:
            effect = self._steps.send(replace(self._own(), cacheable=False))
            while True:
                effect = self._steps.send(flow.perform(self._parts, effect))
        except StopIteration as done:
            self._done(done.value)


class AnswerStream(_Stream[ChunkT]):
    """Iterate once for the chunks; afterwards `answer` is the whole answer.

    `known` is what is known of it so far: with the first chunk the decision, the candidate (or the
    cache) and what was expected.
    """

    def __init__(
        self,
        parts: flow.Parts,
        steps: Steps,
        host: StreamHost[ChunkT],
        policy: StreamPolicy = RAISES,
    ) -> None:
        """Made by `Engine.stream`."""
        super().__init__(parts, steps, host, policy)
        self._host = host
        self._shared = SharedStream(self._run(), type(host), lambda: self.candidate)
        self._chunks = self._shared.hear()

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
                    elif isinstance(effect, flow.Follow):
                        result = yield from follow_stream(effect, self._until_s(), self._ear)
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
        if self._is_replayed(answer):
            yield from self._host.replay(answer)

    def _call(self, effect: flow.Call) -> Generator[ChunkT, None, Answer]:
        name, raced = effect.candidate.name, None
        if effect.flight is not None:
            effect.flight.publish(self._shared)
        try:
            if effect.hedge is not None and not self._said:
                effect, raced = open_first(effect, effect.hedge, self._host)
                name = self._raced(effect)
            with provider(name):
                source = self._opened(effect) or raced
                source = source or self._host.open(effect.candidate, effect.query)
                for chunk in self._watch.watch(source):
                    self._said.append(chunk)
                    yield chunk
                    self._left_s(name)
                return self._whole()
        except GeneratorExit:
            self._cut_short()
            raise
        except ProviderError as error:
            raise self._broken(error) from error.__cause__


class AsyncAnswerStream(_Stream[ChunkT]):
    """`AnswerStream` for async hosts."""

    def __init__(
        self,
        parts: flow.Parts,
        steps: Steps,
        host: AsyncStreamHost[ChunkT],
        in_thread: InThread,
        policy: StreamPolicy = RAISES,
    ) -> None:
        """Made by `AsyncEngine.stream`."""
        super().__init__(parts, steps, host, policy)
        self._host = host
        self._in_thread = in_thread
        self._result: object = None
        self._shared = AsyncSharedStream(self._run(), type(host), lambda: self.candidate)
        self._chunks = self._shared.hear()

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
                    async with aclosing(self._perform(effect)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                except SLSError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(self._result)
        except StopIteration as done:
            answer = self._done(done.value)
        finally:
            steps.close()
        if self._is_replayed(answer):
            for chunk in self._host.replay(answer):
                yield chunk

    async def _perform(self, effect: flow.Effect) -> AsyncGenerator[ChunkT, None]:
        """The chunks that an effect brings, if any; leaves its result."""
        if isinstance(effect, flow.Call):
            async with aclosing(self._call(effect)) as chunks:
                async for chunk in chunks:
                    yield chunk
            with provider(effect.candidate.name):
                self._result = self._whole()
        elif isinstance(effect, flow.Follow):
            following = Following(effect, self._until_s(), self._ear)
            async with aclosing(following.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
            self._result = following.landed
        else:
            self._result = await self._in_thread(partial(flow.perform, self._parts, effect))

    async def _call(self, effect: flow.Call) -> AsyncGenerator[ChunkT, None]:
        name, source, raced = effect.candidate.name, None, None
        if effect.flight is not None:
            effect.flight.publish(self._shared)
        try:
            if effect.hedge is not None and not self._said:
                effect, raced = await self._race(effect, effect.hedge)
                name = self._raced(effect)
            with provider(name):
                source = self._opened(effect) or raced
                source = source or self._host.open(effect.candidate, effect.query)
                chunks = self._watch.awatch(source)
                while isinstance(step := await self._next(chunks, name), _Came):
                    self._said.append(step.chunk)
                    yield step.chunk
        except GeneratorExit:  # whoever closes a stream finds it settled
            self._cut_short()
            raise
        except asyncio.CancelledError:  # which may come to many streams at once
            await self._in_thread(self._cut_short)
            raise
        except ProviderError as error:
            raise self._broken(error) from error.__cause__
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    async def _race(
        self, effect: flow.Call, hedge: flow.Hedge
    ) -> tuple[flow.Call, AsyncGenerator[ChunkT, None]]:
        """Who speaks first, and all his chunks, if they come in time."""
        limit = asyncio.timeout(self._left_s(effect.candidate.name))
        try:
            with provider(effect.candidate.name):
                async with limit:
                    return await open_async(effect, hedge, self._host, self._in_thread)
        finally:
            self._late = self._late or limit.expired()

    async def _next(self, chunks: AsyncIterator[ChunkT], name: str) -> _Came[ChunkT] | None:
        """The next chunk, if it comes in time."""
        limit = asyncio.timeout(self._left_s(name))
        try:
            async with limit:
                return _Came(await anext(chunks))
        except StopAsyncIteration:
            return None
        finally:
            self._late = self._late or limit.expired()


@dataclass(frozen=True, slots=True)
class _Came(Generic[ChunkT]):
    """A chunk that has come, whatever it is."""

    chunk: ChunkT
