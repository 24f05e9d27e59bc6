"""Performs every effect but the call itself: short, blocking, safe in any thread."""

from __future__ import annotations

from sls_plugins.flow.effects import (
    Effect,
    Encode,
    FindExact,
    FindNear,
    Finish,
    Grade,
    Reserve,
    WriteDecision,
    WriteHit,
)
from sls_plugins.flow.parts import Parts
from sls_plugins.protocols import Grade as Verdict
from sls_plugins.types import Answer, Outcome, Query

__all__ = ["log_outcome", "perform"]


def perform(parts: Parts, effect: Effect) -> object:
    """The effect's result. Raises what the part raises; TypeError for a `Call`."""
    result: object = None
    match effect:
        case Encode(text):
            result = parts.encoder.encode([text])[0]
        case FindExact(query, decision_id) if parts.cache is not None:
            result = parts.cache.find_exact(query, decision_id)
        case FindNear(query, vector, decision_id) if parts.cache is not None:
            result = parts.cache.find_near(query, vector, decision_id)
        case WriteHit(hit, query, vector):
            parts.log.add_hit(hit, query, vector)
        case WriteDecision(decision, query, vector, nearest):
            parts.log.add_decision(decision, query, vector, nearest)
        case Reserve(reservation_id, usd):
            parts.ledger.reserve(reservation_id, usd)
        case Grade(query, answer):
            result = _verdict(parts, query, answer)
        case Finish():
            _finish(parts, effect)
        case _:
            raise TypeError(f"a driver performs {effect!r} itself")
    return result


def log_outcome(parts: Parts, outcome: Outcome) -> Outcome:
    """Append an outcome, bring cache rows up to date, let the learners read it."""
    logged = parts.log.append(outcome)
    if parts.cache is not None:
        parts.cache.observe(logged)
    parts.learner.observe(logged)
    return logged


def _finish(parts: Parts, effect: Finish) -> None:
    outcome = effect.outcome
    if outcome.cost_usd is not None:
        parts.ledger.settle(effect.reservation_id, outcome.cost_usd)
    if effect.answer is not None and parts.cache is not None:
        parts.cache.admit(outcome.query, outcome.vector, effect.answer)
    log_outcome(parts, outcome)


def _verdict(parts: Parts, query: Query, answer: Answer) -> Verdict | None:
    """The weighted mean of what the judges say; None if none has a verdict."""
    verdicts = [grade for judge in parts.judges if (grade := judge.grade(query, answer))]
    if not verdicts:
        return None
    weight = sum(grade.weight for grade in verdicts)
    return Verdict(
        quality=sum(grade.quality * grade.weight for grade in verdicts) / weight,
        source="+".join(grade.source for grade in verdicts),
        weight=weight,
    )
