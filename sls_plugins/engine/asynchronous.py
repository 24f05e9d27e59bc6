"""The engine for async hosts: the same parts, another driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from sls_plugins import flow
from sls_plugins.engine.blocking import Engine
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.streams import AsyncAnswerStream, AsyncStreamHost
from sls_plugins.errors import SLSError
from sls_plugins.protocols import AsyncCall
from sls_plugins.types import Answer, CacheHit, Candidate, Decision, Query

__all__ = ["AsyncEngine"]

ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")
THREADS = 8


class AsyncEngine:
    """`Engine` for async hosts: encoding and the database run in a few threads of its own.

    It shares cache, learnt state and budget with the `Engine` it was made from.
    """

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine; closing either closes both."""
        self.engine = engine
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sls")

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates, with their prices."""
        return self.engine.candidates

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as far as a tokenizer is at hand (else an estimate)."""
        return self.engine.count_tokens(text)

    async def plan(self, query: Query) -> CacheHit | Decision:
        """Decide without calling."""
        planned = await self._drive(flow.plan(self.engine.parts, query), _no_call)
        return planned if isinstance(planned, CacheHit) else planned.decision

    async def answer(self, query: Query, call: AsyncCall) -> Answer:
        """The whole flow; `await call(candidate, query)` makes the call.

        Raises NoCandidateLeft, with every cause, or BudgetExhausted. Cancelling gives back what
        was reserved.
        """
        return await self._drive(flow.answer(self.engine.parts, query), call)

    def stream(self, query: Query, host: AsyncStreamHost[ChunkT]) -> AsyncAnswerStream[ChunkT]:
        """The whole flow, chunk by chunk."""
        parts = self.engine.parts
        return AsyncAnswerStream(parts, flow.answer(parts, query), host, self._in_thread)

    async def record(self, decision_id: str, answer: Answer) -> None:
        """Tell what came of a decision of `plan`."""
        await self._in_thread(partial(self.engine.record, decision_id, answer))

    async def feedback(
        self, decision_id: str, quality: float, *, source: str = "user", weight: float = 1.0
    ) -> None:
        """Say how good an answer was (0…1). Raises InvalidFeedbackError, UnknownDecisionError."""
        await self._in_thread(
            partial(self.engine.feedback, decision_id, quality, source=source, weight=weight)
        )

    async def revoke(self, decision_id: str) -> None:
        """Never again serve the stored answer that this decision made or used."""
        await self._in_thread(partial(self.engine.revoke, decision_id))

    async def close(self) -> None:
        """Save what was learnt; let go of files and threads."""
        await self._in_thread(self.engine.close)
        self._pool.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        """Run blocking work. If cancelled meanwhile, wait for it first, so that nothing leaks."""
        job = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            raise

    async def _drive(self, steps: Generator[flow.Effect, Any, ResultT], call: AsyncCall) -> ResultT:
        """Perform effects until the flow returns."""
        try:
            effect = next(steps)
            while True:
                try:
                    result = await self._perform(effect, call)
                except SLSError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as done:
            value: ResultT = done.value
            return value
        finally:
            steps.close()

    async def _perform(self, effect: flow.Effect, call: AsyncCall) -> object:
        if not isinstance(effect, flow.Call):
            return await self._in_thread(partial(flow.perform, self.engine.parts, effect))
        with provider(effect.candidate.name):
            return await call(effect.candidate, effect.query)


async def _no_call(candidate: Candidate, query: Query) -> Answer:
    raise AssertionError(f"plan must not call {candidate.name} for {query.id}")
