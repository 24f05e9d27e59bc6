"""Example values for the contracts of stores, awkward on purpose."""

from __future__ import annotations

import numpy as np

from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    Decision,
    Estimate,
    Outcome,
    OutcomeKind,
    Query,
    Reservation,
    Source,
    Space,
    Usage,
    Vector,
)

__all__ = [
    "SPACE",
    "make_decision",
    "make_entry",
    "make_hit",
    "make_outcome",
    "make_query",
    "make_reservation",
    "make_vector",
]

SPACE = Space("acme", "system prompt ✓")
THIRD = 1 / 3
TENTHS = 0.1 + 0.2


def make_vector(seed: int = 0, dimension: int = 7) -> Vector:
    """A unit vector, shape (dimension,), drawn by seed."""
    vector = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def make_query(query_id: str = "q1") -> Query:
    """A query that uses every field."""
    return Query(
        text=f"Wie heißt «{query_id}»?\n日本語 🙂",
        id=query_id,
        task="translate",
        tenant=SPACE.tenant,
        scope=SPACE.scope,
        needs=frozenset({"tools", "json"}),
        input_tokens=120,
        max_output_tokens=64,
        max_usd=TENTHS,
        allow=frozenset({"small", "large"}),
        deny=frozenset({"old"}),
        cacheable=False,
        payload=object(),
    )


def make_decision(decision_id: str = "d1", query_id: str = "q1") -> Decision:
    """A decision among three candidates whose numbers have no short decimal form."""
    estimates = tuple(
        Estimate(
            candidate=name,
            quality=THIRD / (place + 1),
            quality_sd=TENTHS / 7,
            cost_usd=1e-7 * THIRD,
            cost_high_usd=5e-324,
            latency_s=None if place else THIRD,
            output_tokens=None if place else 41.7,
            news=TENTHS / (place + 3),
        )
        for place, name in enumerate(("small", "large", "other"))
    )
    return Decision(
        id=decision_id,
        query_id=query_id,
        candidate="small",
        ranking=("small", "large", "other"),
        estimates=estimates,
        propensity=1 - THIRD,
        price=1 / 7e-5,
        seed=2**63 + 11,
        why="quality – λ·cost",
        created_s=1_700_000_000.123456,
        task="translate",
        ineligible=(("old", "denied by the query"), ("tiny", "context window")),
    )


def make_entry(entry_id: str = "e1", key: str = "key 1", space: Space = SPACE) -> CacheEntry:
    """A cache row whose answer uses every field that is stored."""
    answer = Answer(
        text="Er heißt «x».\n",
        candidate="small",
        decision_id=entry_id,
        usage=Usage(input_tokens=9, output_tokens=5, cached_tokens=2, reasoning_tokens=1),
        cost_usd=TENTHS,
        latency_s=THIRD,
        payload='{"type": "ai", "data": "ü"}',
        failures=(("large", "429"),),
    )
    return CacheEntry(
        id=entry_id,
        space=space,
        key=key,
        query_id="q1",
        text="Wie heißt x?",
        answer=answer,
        task="translate",
        created_s=100.5,
        good=THIRD,
        bad=1 - THIRD,
    )


def make_hit(hit_id: str = "h1", entry: CacheEntry | None = None) -> CacheHit:
    """A hit on a cache row."""
    return CacheHit(
        id=hit_id,
        query_id="q1",
        entry=entry or make_entry(),
        similarity=1 - THIRD / 10,
        p_right=1 - TENTHS / 10,
        exact=False,
        created_s=200.25,
        propensity=0.99,
    )


def make_outcome(
    decision_id: str = "d1",
    kind: OutcomeKind = OutcomeKind.ANSWERED,
    *,
    candidate: str = "small",
    quality: float | None = None,
) -> Outcome:
    """A line about `make_decision(decision_id)`, which was logged with `make_vector()`."""
    answered = kind is OutcomeKind.ANSWERED
    return Outcome(
        decision_id=decision_id,
        query=make_query(),
        vector=make_vector(),
        candidate=candidate,
        kind=kind,
        source=Source.MODEL,
        quality=quality,
        quality_source="" if quality is None else "user",
        weight=TENTHS,
        usage=Usage(input_tokens=9, output_tokens=5, estimated=True) if answered else None,
        cost_usd=1e-6 * THIRD if answered else None,
        latency_s=THIRD if answered else None,
        error="timeout after 3 s" if kind is OutcomeKind.FAILED else "",
        estimate=make_decision().estimate_of(candidate),
        propensity=1 - THIRD,
        answer_text="Er heißt «x».\n" if answered else "",
        nearest_id="e9",
        nearest_similarity=THIRD,
        created_s=1_700_000_001.5,
    )


def make_reservation(
    reservation_id: str = "r1", usd: float = 0.25, expires_s: float = 1e12
) -> Reservation:
    """Money held, for very long unless told otherwise."""
    return Reservation(id=reservation_id, usd=usd, expires_s=expires_s)
