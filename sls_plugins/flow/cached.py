"""The cache alone, for hosts which call their models themselves."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeAlias

from sls_plugins.flow.effects import Effect, Encode, FindExact, FindNear, Finish, Grade
from sls_plugins.flow.finding import near_hit
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.perform import perform
from sls_plugins.flow.receipts import receipt_of
from sls_plugins.protocols import Grade as Verdict
from sls_plugins.types import (
    Answer,
    CacheHit,
    CacheMiss,
    Outcome,
    OutcomeKind,
    Query,
    Vector,
)

__all__ = ["keep", "look_up"]

Looking: TypeAlias = Generator[Effect, Any, CacheHit | CacheMiss]


def look_up(parts: Parts, query: Query) -> Looking:
    """Steps 1–3: a hit, recorded like any other, or why there is none. Nothing is decided."""
    decision_id = parts.ids()
    query = query if query.id else replace(query, id=decision_id)
    if parts.cache is None or not query.cacheable:
        return CacheMiss(why="the cache is off for this query")
    found: CacheHit | CacheMiss | None = yield FindExact(query, decision_id)
    if found is None:
        vector = yield Encode(query.text)
        found = yield FindNear(query, vector, decision_id)
    if isinstance(found, CacheHit):
        parts.plugins.decided(query, found)
    return found


def keep(parts: Parts, query: Query, answer: Answer) -> str:
    """Take in an answer that was given elsewhere; returns the decision id for feedback on it.

    It is graded, logged and learnt like one of our own, so that the cache hears whether the
    neighbour which it refused would have been right; but no choice was made and nothing is charged.
    """
    decision_id = parts.ids()
    query = query if query.id else replace(query, id=decision_id)
    vector: Vector = parts.encoder.encode([query.text])[0]
    kept = replace(answer, decision_id=decision_id)
    verdict = perform(parts, Grade(query, kept))
    found = near_hit(parts, query, vector, decision_id)  # also if only to check on it
    entry = found.entry if isinstance(found, CacheHit) else found.nearest
    nearest = (entry.id, found.similarity or 0.0) if entry else None
    receipt = receipt_of(parts, query, kept, "answered elsewhere, kept for the cache")
    parts.log.add_decision(receipt, query, vector, nearest, found.evidence)
    outcome = Outcome(
        decision_id=decision_id,
        query=query,
        vector=vector,
        candidate=kept.candidate,
        kind=OutcomeKind.ANSWERED,
        usage=kept.usage,
        latency_s=kept.latency_s,
        answer_text=kept.text,
        nearest_id=nearest[0] if nearest else None,
        nearest_similarity=nearest[1] if nearest else None,
        evidence=found.evidence,
        created_s=parts.clock(),
    )
    if isinstance(verdict, Verdict):
        outcome = replace(
            outcome,
            quality=verdict.quality,
            quality_source=verdict.source,
            weight=verdict.weight,
        )
    perform(parts, Finish(outcome, decision_id, kept))
    return decision_id
