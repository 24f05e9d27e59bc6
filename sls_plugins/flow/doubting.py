"""Doubts stored answers: one that is hardly believed is weighed against a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sls_plugins.flow.parts import Parts
from sls_plugins.types import CacheEntry, CacheHit, CacheMiss, Evidence, Outcome, Query

__all__ = ["doubted", "outvoted", "overruled"]

SURE = 0.97
"""From this value on a stored answer is served without more ado."""


def doubted(parts: Parts, query: Query, hit: CacheHit) -> CacheHit | CacheMiss:
    """The hit; or a miss with an offer, if it is worth asking whether its answer is right."""
    if parts.witnesses is None or len(parts.candidates) < 2:  # who would be asked has said it
        return hit
    with parts.lock:
        belief = parts.witnesses.believe(query, hit.entry)
    if belief is None:
        return hit
    right = belief.right if hit.exact else hit.p_right * belief.right
    if right - belief.worth >= SURE:
        return hit
    return CacheMiss(
        why="a model was worth more",
        nearest=hit.entry,
        similarity=hit.similarity,
        p_right=right,
        evidence=replace(hit.evidence or Evidence(), chance=1.0),
        offer=replace(hit, p_right=right, grey=True),
        worth=belief.worth,
    )


def outvoted(parts: Parts, outcome: Outcome) -> bool:
    """A fresh answer is not worth keeping: another one to such queries is probably right."""
    if parts.witnesses is None:
        return False
    with parts.lock:
        return parts.witnesses.outvoted(outcome)


def overruled(parts: Parts, query: Query) -> Callable[[CacheEntry], bool] | None:
    """Tells stored answers that are passed over, as another one to such queries is believed."""
    if parts.witnesses is None:
        return None
    with parts.lock:
        return parts.witnesses.overruled(query)
