"""Performs every effect but the call itself: short, blocking, safe in any thread."""

from __future__ import annotations

import logging
from dataclasses import replace

from sls_plugins.errors import NoCandidateLeft, StorageError
from sls_plugins.flow.doubting import doubted, outvoted
from sls_plugins.flow.effects import (
    Board,
    BoardNear,
    Decide,
    Effect,
    Encode,
    FindExact,
    FindNear,
    Finish,
    Grade,
    Later,
    Overhear,
    Reserve,
    Serve,
)
from sls_plugins.flow.finding import exact_hit, near_hit
from sls_plugins.flow.flights import Flights
from sls_plugins.flow.judging import verdict
from sls_plugins.flow.lines import log_outcome
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.flow.receipts import overhear
from sls_plugins.scheduler import eligible
from sls_plugins.types import (
    CACHE,
    CacheHit,
    CacheMiss,
    Decision,
    Estimate,
    Evidence,
    Query,
    Vector,
)

__all__ = ["perform"]

_log = logging.getLogger(__name__)


def perform(parts: Parts, effect: Effect) -> object:
    """The effect's result. Raises what the part raises; TypeError for a `Call`."""
    result: object = None
    match effect:
        case Encode(text):
            result = parts.encoder.encode([text])[0]
        case FindExact() if parts.cache is not None:
            result = _exact(parts, effect)
        case FindNear() if parts.cache is not None:
            result = _near(parts, effect)
        case Board() | BoardNear() if parts.flights is not None:
            result = _board(parts, parts.flights, effect)
        case Overhear() | Serve() | Later():
            result = _served(parts, effect)
        case Decide():
            result = _decide(parts, effect)
        case Reserve(reservation_id, usd):
            parts.ledger.reserve(reservation_id, usd)
        case Grade(query, answer):
            result = verdict(parts, query, answer)
        case Finish():
            _finish(parts, effect)
        case _:
            raise TypeError(f"a driver performs {effect!r} itself")
    return result


def _served(parts: Parts, effect: Overhear | Serve | Later) -> object:
    """Receipts of answers for which nobody was called, and which the cache did not offer."""
    if isinstance(effect, Later):
        return False  # only a driver can
    if isinstance(effect, Overhear):
        return overhear(parts, effect)
    _noted(parts, effect.query, effect.vector, effect.hit)
    return None


def _noted(parts: Parts, query: Query, vector: Vector | None, found: object) -> None:
    """Keep the receipt of a hit, and tell the scheduler of a query that cost nothing."""
    if isinstance(found, CacheHit):
        parts.log.add_hit(found, query, vector)
        with parts.lock:
            parts.scheduler.skip(query)


def _board(parts: Parts, flights: Flights, effect: Board | BoardNear) -> object:
    """Find who answers this query, or one like it, already."""
    if isinstance(effect, Board):
        return flights.board(effect.query)
    query, cache = effect.query, parts.cache

    def follows(leader: Query, similarity: float, agreeing: int) -> bool:
        return cache is not None and cache.follows(query, leader, similarity, agreeing)

    return flights.board_near(effect.flight, effect.vector, follows)


def _exact(parts: Parts, effect: FindExact) -> CacheHit | CacheMiss | None:
    """A hit with its receipt, or a miss if the stored answer is to be weighed."""
    found: CacheHit | CacheMiss | None = exact_hit(parts, effect.query, effect.decision_id)
    if effect.weigh and isinstance(found, CacheHit):
        found = doubted(parts, effect.query, found)
    _noted(parts, effect.query, None, found)
    return found


def _near(parts: Parts, effect: FindNear) -> CacheHit | CacheMiss:
    """A hit with its receipt; or a miss, which may have an offer to be weighed."""
    query, vector, decision_id = effect.query, effect.vector, effect.decision_id
    found = near_hit(parts, query, vector, decision_id, audit=effect.audit)
    if effect.weigh and isinstance(found, CacheHit):
        found = doubted(parts, query, found)
    if effect.weigh and isinstance(found, CacheHit) and found.grey:
        evidence = replace(found.evidence or Evidence(), chance=1.0)  # if refused, truth comes out
        return CacheMiss(
            why="a model was worth more",
            nearest=found.entry,
            similarity=found.similarity,
            p_right=found.p_right,
            evidence=evidence,
            offer=found,
        )
    _noted(parts, query, vector, found)
    return found


def _offered(miss: CacheMiss) -> tuple[Estimate, ...]:
    """The stored answer as a candidate: it is right with P(right), and costs nothing."""
    if miss.offer is None:
        return ()
    return (
        Estimate(
            candidate=CACHE, quality=miss.offer.p_right, quality_sd=0.0, cost_usd=0.0,
            cost_high_usd=0.0, latency_s=0.0,
        ),
    )  # fmt: skip


def _telling(
    parts: Parts, query: Query, miss: CacheMiss, estimates: tuple[Estimate, ...]
) -> tuple[Estimate, ...]:
    """Beside an offer of which more is worth knowing, asking is worth as much as it may tell."""
    if miss.worth <= 0.0 or parts.witnesses is None:
        return estimates
    telling = parts.witnesses.telling
    return tuple(replace(one, news=miss.worth * telling(query, one.candidate)) for one in estimates)


def _decide(parts: Parts, effect: Decide) -> Planned | CacheHit:
    """Steps 4 and 5. Raises NoCandidateLeft if nothing is eligible."""
    query, miss = effect.query, effect.miss
    if query.input_tokens is None:
        query = replace(query, input_tokens=parts.tokens.count(query.text).tokens)
    candidates = tuple(parts.candidates.values())
    fit, ineligible = eligible(query, candidates, query.input_tokens or 0, parts.health)
    if not fit:
        raise NoCandidateLeft(query.id, dict(ineligible))
    seed = parts.seed_of(effect.decision_id)
    purse = parts.ledger.purse()
    with parts.lock:
        told = parts.predictor.predict_one(query, effect.vector, fit)
        if parts.witnesses is not None:
            told = parts.witnesses.adjusted(query, told)
        told = _telling(parts, query, miss, told)
        estimates = parts.sessions.adjust(query, told, parts.candidates)
        choice = parts.scheduler.decide(query, (*estimates, *_offered(miss)), purse, seed)
    if miss.offer is not None and choice.ranking[0] == CACHE:
        parts.log.add_hit(miss.offer, query, effect.vector)
        return miss.offer
    ranking = tuple(name for name in choice.ranking if name != CACHE)
    decision = Decision(
        id=effect.decision_id,
        query_id=query.id,
        candidate=ranking[0],
        ranking=ranking,
        estimates=estimates,
        propensity=choice.propensity,
        price=choice.price,
        seed=seed,
        why=choice.why,
        created_s=parts.clock(),
        task=query.task,
        ineligible=tuple(ineligible),
        terms=choice.terms,
    )
    planned = Planned(decision=decision, query=query, vector=effect.vector, miss=miss)
    parts.log.add_decision(decision, query, effect.vector, planned.nearest, miss.evidence)
    return planned


def _finish(parts: Parts, effect: Finish) -> None:
    outcome = effect.outcome
    if outcome.cost_usd is not None:
        parts.ledger.settle(effect.reservation_id, outcome.cost_usd)
    if effect.answer is not None and parts.cache is not None and not outvoted(parts, outcome):
        try:
            parts.cache.admit(outcome.query, outcome.vector, effect.answer, outcome)
        except StorageError as error:  # the line of the log matters more, and can wait
            _log.error("the answer of %s is not cached: %s", outcome.decision_id, error)
    log_outcome(parts, outcome)
