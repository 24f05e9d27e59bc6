"""The engine for async hosts: the same parts, another driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Protocol, TypeVar

from sls_plugins import flow
from sls_plugins.engine.background import AsyncBackground
from sls_plugins.engine.batch import AsyncBatchPlan
from sls_plugins.engine.beside import Beside
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.desk import AsyncEngineCache
from sls_plugins.engine.hedging import race_async
from sls_plugins.engine.retries import call_again_async
from sls_plugins.engine.roster import Roster
from sls_plugins.engine.stream_hosts import RAISES, AsyncStreamHost, StreamPolicy
from sls_plugins.engine.streams import AsyncAnswerStream
from sls_plugins.engine.stretch import Ended, to_wait
from sls_plugins.engine.waiting import follow_async
from sls_plugins.errors import SLSError
from sls_plugins.protocols import AsyncCall
from sls_plugins.types import Answer, CacheHit, Candidate, Decision, Feedback, Query

__all__ = ["AsyncEngine"]

ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")


class Blocking(Protocol):
    """What is needed of the blocking engine."""

    parts: flow.Parts

    def close(self) -> None:
        """Save and let go."""


class AsyncEngine:
    """`Engine` for async hosts: encoding and the database run in a few threads of its own.

    It shares cache, learnt state and budget with the engine it is made from; `Engine.as_async`
    gives one that lives as long as the engine. `beside` are its threads: hosts that do work
    on the loop before they ask await `beside.begin()` first, so that a thousand calls at once leave
    the loop free.
    """

    def __init__(self, engine: Blocking) -> None:
        """Wrap an engine; no thread is started before it is needed."""
        self.parts = engine.parts
        self._close = engine.close
        self.beside = Beside()
        self.cache = AsyncEngineCache(engine.parts, self.beside.run)
        self._later = AsyncBackground()

    @property
    def candidates(self) -> Roster:
        """The candidates, with their prices; others can be added, or removed, at any time."""
        return Roster(self.parts)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as far as a tokenizer is at hand (else an estimate)."""
        return self.parts.tokens.count(text).tokens

    async def plan(self, query: Query) -> CacheHit | Decision:
        """Decide without calling."""
        planned = await self._drive(flow.plan(self.parts, query), _no_call)
        return planned if isinstance(planned, CacheHit) else planned.decision

    async def answer(self, query: Query | Callable[[], Query], call: AsyncCall) -> Answer:
        """The whole flow; `await call(candidate, query)` makes the call.

        A query that takes work to make may be given as what makes it, beside the loop. Raises
        NoCandidateLeft, with every cause, or BudgetExhausted. Cancelling gives back what was
        reserved.
        """
        if isinstance(query, Query):
            return await self._drive(flow.answer(self.parts, query), call)
        return await self._drive(_made(self.parts, copy_context(), query), call)

    def stream(
        self, query: Query, host: AsyncStreamHost[ChunkT], policy: StreamPolicy = RAISES
    ) -> AsyncAnswerStream[ChunkT]:
        """The whole flow, chunk by chunk."""
        steps = flow.answer(self.parts, query)
        return AsyncAnswerStream(self.parts, steps, host, self.beside.run, policy)

    async def schedule(
        self,
        queries: Sequence[Query],
        *,
        budget_usd: float | None = None,
        min_quality: float | None = None,
        name: str | None = None,
    ) -> AsyncBatchPlan:
        """Plan a batch known in advance; `await plan.run(call)` runs it."""
        aim = flow.BatchAim(budget_usd=budget_usd, min_quality=min_quality)
        name = name if name is not None else self.parts.ids()

        def plan() -> flow.Batch:
            return flow.Batch(self.parts, flow.lay_out(self.parts, queries, name), aim)

        batch = await self.beside.run(plan)
        return AsyncBatchPlan(batch, len(queries), name, self._work)

    async def _work(self, work: flow.Planned, call: AsyncCall) -> Answer:
        return await self._drive(flow.carry_out(self.parts, work), call)

    async def record(self, decision_id: str, answer: Answer) -> None:
        """Tell what came of a decision of `plan`."""
        await self.beside.run(partial(flow.record, self.parts, decision_id, answer))

    async def feedback(
        self,
        decision_id: str,
        quality: float,
        *,
        source: str = "user",
        weight: float = 1.0,
        feedback_id: str = "",
    ) -> None:
        """Say how good an answer was (0…1). Raises InvalidFeedbackError, UnknownDecisionError."""
        told = Feedback(
            decision_id=decision_id,
            quality=quality,
            source=source,
            weight=weight,
            id=feedback_id,
        )
        await self.beside.run(partial(flow.feedback, self.parts, told))

    async def revoke(self, decision_id: str) -> None:
        """Never again serve the stored answer that this decision made or used."""
        await self.beside.run(partial(flow.revoke, self.parts, decision_id))

    async def close(self) -> None:
        """Close the engine: save what was learnt; let go of files and threads."""
        await asyncio.to_thread(self._close)
        self.stop()

    def stop(self) -> None:
        """Let go of the threads, once they have done what they were given."""
        self.beside.stop()

    async def _drive(self, steps: Generator[flow.Effect, Any, ResultT], call: AsyncCall) -> ResultT:
        """Drive the flow to its end: waits on the loop, all between them in one go in a thread."""
        ahead = partial(to_wait, self.parts, steps)
        try:
            step = await self.beside.run(partial(ahead, partial(next, steps)))
            while not isinstance(step, Ended):
                try:
                    told = await self._wait(step, call)
                except SLSError as error:
                    begin: Callable[[], flow.Effect] = partial(steps.throw, error)
                else:
                    begin = partial(steps.send, told)
                step = await self.beside.run(partial(ahead, begin))
            return step.value
        finally:
            steps.close()

    async def _wait(self, effect: flow.Call | flow.Follow | flow.Later, call: AsyncCall) -> object:
        if isinstance(effect, flow.Later):
            return self._later.take(self._work(effect.planned, call))
        if isinstance(effect, flow.Follow):
            assert self.parts.flights is not None
            return await follow_async(effect.flight, self.parts.flights.wait_s)

        async def attempt(candidate: Candidate) -> Answer:
            async def once() -> Answer:
                with provider(candidate.name):
                    return await call(candidate, effect.query)

            return await call_again_async(self.parts.health.rules, once)

        if effect.hedge is not None:
            return await race_async(
                effect.hedge, effect.candidate, attempt, lambda answer: answer, self.beside.run
            )
        return await attempt(effect.candidate)


def _made(
    parts: flow.Parts, context: Context, make: Callable[[], Query]
) -> Generator[flow.Effect, Any, Answer]:
    """The flow of a query that is made when it begins, in the caller's context."""
    return (yield from flow.answer(parts, context.run(make)))


async def _no_call(candidate: Candidate, query: Query) -> Answer:
    raise AssertionError(f"plan must not call {candidate.name} for {query.id}")
