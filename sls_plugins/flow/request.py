"""One request, from a query to an answer, as a generator that asks for effects.

The caller of the generator (a driver) performs each effect, sends its result, or throws the
`SLSError` it met. `ProviderError` and `BudgetExhausted` make the flow go on with the next
candidate. Closing the generator gives back whatever money is still held.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeAlias

from sls_plugins.errors import (
    BudgetExhausted,
    ProviderError,
    StorageError,
    UnknownDecisionError,
    UnusableAnswerError,
)
from sls_plugins.flow.completing import completed
from sls_plugins.flow.effects import (
    Call,
    Decide,
    Effect,
    Encode,
    FindExact,
    FindNear,
    Finish,
    Grade,
    Reserve,
)
from sls_plugins.flow.flights import Landing
from sls_plugins.flow.hedging import Hedge, hedge_of
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.flow.spare import checked_later, served, spare_hit
from sls_plugins.flow.together import Boarding, Found, landing_of, plan_together
from sls_plugins.flow.tries import Tries
from sls_plugins.protocols import Grade as Verdict
from sls_plugins.types import (
    Answer,
    CacheHit,
    CacheMiss,
    Outcome,
    OutcomeKind,
    Query,
)

__all__ = ["answer", "plan"]

_log = logging.getLogger(__name__)


Planning: TypeAlias = Generator[Effect, Any, CacheHit | Planned]
Together: TypeAlias = Generator[Effect, Any, Found]
Answering: TypeAlias = Generator[Effect, Any, Answer]


def plan(parts: Parts, query: Query) -> Planning:
    """Steps 1–5: a cache hit, or a decision. Raises NoCandidateLeft if nothing is eligible."""
    decision_id = parts.ids()
    query = query if query.id else replace(query, id=decision_id)
    from_cache = parts.cache is not None and query.cacheable
    miss: CacheMiss | None = None
    if from_cache:
        same: CacheHit | CacheMiss | None = yield FindExact(query, decision_id, weigh=True)
        if isinstance(same, CacheHit):
            parts.plugins.decided(query, same)
            return same
        miss = same
    vector = yield Encode(query.text)
    if from_cache and miss is None:
        near: CacheHit | CacheMiss = yield FindNear(query, vector, decision_id, weigh=True)
        if isinstance(near, CacheHit):
            parts.plugins.decided(query, near)
            return near
        miss = near
    miss = miss or CacheMiss(why="the cache is off for this query")
    decided: Planned | CacheHit = yield Decide(query, vector, decision_id, miss)
    if isinstance(decided, CacheHit):
        parts.plugins.decided(query, decided)
    else:
        parts.plugins.decided(decided.query, decided.decision)
    return decided


def answer(parts: Parts, query: Query) -> Answering:
    """Steps 1–8. Raises NoCandidateLeft, BudgetExhausted, or ProviderError if a stream broke."""
    boarding = Boarding()
    together = parts.flights is not None and parts.cache is not None and query.cacheable
    try:
        planning: Together = plan(parts, query)
        if together:
            planning = plan_together(parts, query, boarding)
        found = yield from planning
        if isinstance(found, Planned):
            result = yield from _called(parts, found, boarding)
        else:
            result = found.answer if isinstance(found, CacheHit) else found
            parts.plugins.answered(query, result)
    finally:
        if boarding.flight is not None and parts.flights is not None:
            parts.flights.land(boarding.flight, boarding.landing)
    return result


def _called(parts: Parts, planned: Planned, boarding: Boarding) -> Answering:
    """Steps 6–8: a candidate's answer, or a stored one that will do.

    That is when a call was only to check on it, and can be made later, or nobody can be paid.
    """
    at_once: Answer | None = yield from checked_later(parts, planned)
    if at_once is not None:
        boarding.landing = Landing.FOUND
        return at_once
    try:
        return (yield from carry_out(parts, planned, boarding))
    except BudgetExhausted:
        hit = spare_hit(parts, planned)
        if hit is None:
            raise
    return (yield from served(parts, planned, hit))


def carry_out(parts: Parts, planned: Planned, boarding: Boarding | None = None) -> Answering:
    """Call a decision's candidates in order until one has answered. Raises as `answer` does."""
    boarding = boarding if boarding is not None else Boarding()
    tries = Tries(planned)
    for name in planned.decision.ranking:
        if not (tries.open(name) and tries.may_cost(name) and tries.may_begin(name, parts)):
            continue
        try:
            result: Answer = yield from _watched(parts, planned, name, tries, boarding)
        except UnusableAnswerError as error:
            said = yield from _unusable(parts, planned, error, tuple(tries.failures))
            if not tries.unusable(error, said):
                boarding.landing = Landing.PRIVATE
                return said
        except ProviderError as error:
            tries.broke(error, (yield from _failed(parts, planned, error)))
        except BudgetExhausted as error:
            tries.causes[name] = error
        else:
            parts.sessions.note(planned.query, result.candidate)
            parts.plugins.answered(planned.query, result)
            return result
    last = tries.end()
    boarding.landing = Landing.PRIVATE
    return last


def _watched(
    parts: Parts,
    planned: Planned,
    name: str,
    tries: Tries,
    boarding: Boarding,
) -> Answering:
    """Try a candidate, and tell how well it, or who was called beside it, was."""
    ended, hedge = False, hedge_of(parts, planned, name, tries)
    try:
        result = yield from _try(parts, planned, hedge, name, tries, boarding)
        ended = True
        parts.health.end(result.candidate)
    except ProviderError as error:
        ended = True
        broken = None if isinstance(error, UnusableAnswerError) else error
        parts.health.end(error.candidate, broken)
        raise
    finally:
        if not ended:
            parts.health.cancel(name if hedge is None else hedge.winner)
    return result


def _try(
    parts: Parts,
    planned: Planned,
    hedge: Hedge | None,
    name: str,
    tries: Tries,
    boarding: Boarding,
) -> Answering:
    """Reserve, call, grade, finish. Whatever ends this early gives the money back."""
    decision, candidate = planned.decision, parts.candidates[name]
    reservation_id = f"{decision.id}/{name}"
    settled = False
    try:
        yield Reserve(reservation_id, decision.estimate_of(name).cost_high_usd)
        start_s = parts.clock()
        said: Answer = yield Call(decision, candidate, planned.query, boarding.flight, hedge)
        if hedge is not None:
            name, start_s = hedge.winner, hedge.start_s
            reservation_id = f"{decision.id}/{name}"
        elapsed_s = max(0.0, parts.clock() - start_s)
        result = replace(
            completed(parts, planned.query, name, said),
            decision_id=decision.id,
            latency_s=elapsed_s if said.latency_s is None else said.latency_s,
            failures=tuple(tries.failures),
            estimate=decision.estimate_of(name),
        )
        verdict: Verdict | None = None
        if parts.judges:
            verdict = yield Grade(planned.query, result)
        outcome = _answered(parts, planned, result, verdict)
        settled = True
        try:
            yield Finish(outcome, reservation_id, result)
        except (StorageError, UnknownDecisionError) as error:  # the receipt may be lost, too
            text = "decision %s was answered, but its outcome is not stored (yet): %s"
            _log.error(text, decision.id, error)
            boarding.landing = Landing.PRIVATE
        else:
            boarding.landing = landing_of(outcome, result)
    finally:
        if not settled:
            parts.ledger.release(reservation_id)
    return result


def _answered(parts: Parts, planned: Planned, said: Answer, verdict: Verdict | None) -> Outcome:
    """The log's line about an answer, with what judges said of it."""
    return replace(
        planned.outcome(OutcomeKind.ANSWERED, said.candidate, parts.clock()),
        usage=said.usage,
        cost_usd=said.cost_usd,
        latency_s=said.latency_s,
        answer_text=said.text,
        quality=verdict.quality if verdict else None,
        quality_source=verdict.source if verdict else "",
        weight=verdict.weight if verdict else 1.0,
    )


def _failed(parts: Parts, planned: Planned, error: ProviderError) -> Generator[Effect, Any, float]:
    """Log a failed call; a broken stream is charged for what it had sent. Returns that in USD."""
    partial = error.partial
    outcome = planned.outcome(OutcomeKind.FAILED, error.candidate, parts.clock())
    outcome = replace(outcome, error=str(error.__cause__ or error))
    if isinstance(partial, Answer):
        told = completed(parts, planned.query, error.candidate, partial)
        outcome = replace(outcome, usage=told.usage, cost_usd=told.cost_usd)
    yield Finish(outcome, f"{planned.decision.id}/{error.candidate}")
    return outcome.cost_usd or 0.0


def _unusable(
    parts: Parts,
    planned: Planned,
    error: UnusableAnswerError,
    failures: tuple[tuple[str, str], ...],
) -> Answering:
    """Log an answer in the wrong form: charged like any other, of no quality, never kept."""
    name, decision = error.candidate, planned.decision
    assert isinstance(error.answer, Answer)
    said = replace(
        completed(parts, planned.query, name, error.answer),
        decision_id=decision.id,
        cacheable=False,
        failures=failures,
        estimate=decision.estimate_of(name),
    )
    outcome = replace(
        planned.outcome(OutcomeKind.ANSWERED, name, parts.clock()),
        usage=said.usage,
        cost_usd=said.cost_usd,
        latency_s=said.latency_s,
        answer_text=said.text,
        quality=0.0,
        quality_source="unusable",
    )
    yield Finish(outcome, f"{decision.id}/{name}")
    return said
