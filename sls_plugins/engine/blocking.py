"""The engine for blocking hosts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from sls_plugins import flow
from sls_plugins.engine.asynchronous import AsyncEngine
from sls_plugins.engine.background import Background
from sls_plugins.engine.batch import BatchPlan
from sls_plugins.engine.boundary import provider
from sls_plugins.engine.desk import EngineCache
from sls_plugins.engine.hedging import race
from sls_plugins.engine.learnt import EngineUpdates
from sls_plugins.engine.retries import call_again
from sls_plugins.engine.roster import Roster
from sls_plugins.engine.stream_hosts import RAISES, StreamHost, StreamPolicy
from sls_plugins.engine.streams import AnswerStream
from sls_plugins.engine.waiting import follow
from sls_plugins.errors import SLSError, StorageError
from sls_plugins.protocols import Call
from sls_plugins.types import Answer, CacheHit, Candidate, Decision, Feedback, Query

__all__ = ["Engine"]

ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")


class Engine:
    """Answers queries from the cache or with the candidate that is worth its price, and learns.

    Made by `build`. Threads may share it. Close it (or use it in a `with` block) so that what was
    learnt is saved; whatever reached the database is not lost without that either. `cache` is the
    cache alone: for looking up, keeping and clearing.
    """

    def __init__(self, parts: flow.Parts, closers: tuple[Callable[[], None], ...] = ()) -> None:
        """`closers` are called in order by `close`."""
        self.parts = parts
        self._closers = closers
        self.cache = EngineCache(parts)
        self.updates = EngineUpdates(parts, self.plan)
        self._open = True
        self._later = Background()
        self._twin = AsyncEngine(self)

    @property
    def candidates(self) -> Roster:
        """The candidates, with their prices; others can be added, or removed, at any time."""
        return Roster(self.parts)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as far as a tokenizer is at hand (else an estimate)."""
        return self.parts.tokens.count(text).tokens

    def plan(self, query: Query) -> CacheHit | Decision:
        """Decide without calling. Tell what came of it by `record` and `feedback`."""
        planned = self._drive(flow.plan(self.parts, query), _no_call)
        return planned if isinstance(planned, CacheHit) else planned.decision

    def answer(self, query: Query, call: Call) -> Answer:
        """The whole flow; `call(candidate, query)` makes the call.

        Raises NoCandidateLeft, with every cause, or BudgetExhausted.
        """
        return self._drive(flow.answer(self.parts, query), call)

    def stream(
        self, query: Query, host: StreamHost[ChunkT], policy: StreamPolicy = RAISES
    ) -> AnswerStream[ChunkT]:
        """The whole flow, chunk by chunk; until the first chunk another candidate may take over.

        `policy` says what becomes of a stream that breaks later, and how long it may take.
        """
        return AnswerStream(self.parts, flow.answer(self.parts, query), host, policy)

    def schedule(
        self,
        queries: Sequence[Query],
        *,
        budget_usd: float | None = None,
        min_quality: float | None = None,
        name: str | None = None,
    ) -> BatchPlan:
        """Plan a batch known in advance: the most quality in a budget, or a mean quality cheaply.

        Look at the plan, then `run` it. Equal queries are answered once, stored answers are free.
        A plan of the same `name` and queries goes on where an earlier one stopped. Raises
        InputError for an aim that is out of reach, saying what could be had.
        """
        aim = flow.BatchAim(budget_usd=budget_usd, min_quality=min_quality)
        name = name if name is not None else self.parts.ids()
        batch = flow.Batch(self.parts, flow.lay_out(self.parts, queries, name), aim)
        return BatchPlan(batch, len(queries), name, self._work)

    def _work(self, work: flow.Planned, call: Call) -> Answer:
        return self._drive(flow.carry_out(self.parts, work), call)

    def record(self, decision_id: str, answer: Answer) -> None:
        """Tell what came of a decision of `plan`: its usage, cost and latency.

        Raises UnknownDecisionError, or InputError if it was a cache hit.
        """
        flow.record(self.parts, decision_id, answer)

    def feedback(
        self,
        decision_id: str,
        quality: float,
        *,
        source: str = "user",
        weight: float = 1.0,
        feedback_id: str = "",
    ) -> None:
        """Say how good an answer was (0…1), at once or days later, in any process.

        The same `feedback_id` is taken in once; with another grade it is a correction. Raises
        InvalidFeedbackError, or UnknownDecisionError: the grade then waits for its decision.
        """
        told = Feedback(
            decision_id=decision_id,
            quality=quality,
            source=source,
            weight=weight,
            id=feedback_id,
        )
        flow.feedback(self.parts, told)

    def revoke(self, decision_id: str) -> None:
        """Never again serve the stored answer that this decision made or used."""
        flow.revoke(self.parts, decision_id)

    def as_async(self) -> AsyncEngine:
        """This engine for async hosts; the same object every time."""
        return self._twin

    def close(self) -> None:
        """Save what was learnt; let go of files and threads. A second call does nothing."""
        if not self._open:
            return
        self._open = False
        self._later.close()
        self._twin.stop()
        try:
            self._save()
        finally:
            for closer in self._closers:
                closer()

    def _save(self) -> None:
        """Earlier losses, which a database tells once (they are logged), hinder no snapshot."""
        try:
            self.parts.learner.save()
        except StorageError as error:
            if not error.retryable:
                raise
            self.parts.learner.save()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _drive(self, steps: Generator[flow.Effect, Any, ResultT], call: Call) -> ResultT:
        """Perform effects until the flow returns."""
        try:
            effect = next(steps)
            while True:
                try:
                    result = self._perform(effect, call)
                except SLSError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as done:
            value: ResultT = done.value
            return value
        finally:
            steps.close()

    def _perform(self, effect: flow.Effect, call: Call) -> object:
        if isinstance(effect, flow.Follow) and self.parts.flights is not None:
            return follow(effect.flight, self.parts.flights.wait_s)
        if isinstance(effect, flow.Later):
            return self._later.take(partial(self._work, effect.planned, call))
        if not isinstance(effect, flow.Call):
            return flow.perform(self.parts, effect)

        def attempt(candidate: Candidate) -> Answer:
            def once() -> Answer:
                with provider(candidate.name):
                    return call(candidate, effect.query)

            return call_again(self.parts.health.rules, once)

        if effect.hedge is not None:
            return race(effect.hedge, effect.candidate, attempt, lambda answer: answer)
        return attempt(effect.candidate)


def _no_call(candidate: Candidate, query: Query) -> Answer:
    raise AssertionError(f"plan must not call {candidate.name} for {query.id}")
