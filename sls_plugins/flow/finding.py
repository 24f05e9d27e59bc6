"""Looks for a stored answer, in one way for requests, batches and hosts' own caches."""

from __future__ import annotations

import logging

from sls_plugins.errors import StorageError
from sls_plugins.flow.doubting import overruled
from sls_plugins.flow.parts import Parts
from sls_plugins.types import CacheHit, CacheMiss, Query, Vector

__all__ = ["exact_hit", "near_hit", "stored_answer"]

_log = logging.getLogger(__name__)


def stored_answer(
    parts: Parts, query: Query, vector: Vector, decision_id: str
) -> CacheHit | CacheMiss:
    """The stored answer that may be served, exact or near, or why there is none."""
    return exact_hit(parts, query, decision_id) or near_hit(parts, query, vector, decision_id)


def exact_hit(parts: Parts, query: Query, decision_id: str) -> CacheHit | None:
    """The answer stored under this very text.

    None while the database is away, for a model can still be called; and where another answer is
    believed, which may be stored nearby.
    """
    if parts.cache is None or not query.cacheable:
        return None
    try:
        hit = parts.cache.find_exact(query, decision_id)
    except StorageError as error:
        _log.error("the cache was not asked for %s: %s", decision_id, error)
        return None
    if hit is None:
        return None
    passed = overruled(parts, query)
    return None if passed is not None and passed(hit.entry) else hit


def near_hit(
    parts: Parts, query: Query, vector: Vector, decision_id: str, *, audit: bool = True
) -> CacheHit | CacheMiss:
    """The nearest stored answer that may be served, but for those that another one overrules."""
    if parts.cache is None or not query.cacheable:
        return CacheMiss(why="the cache is off for this query")
    try:
        return parts.cache.find_near(
            query, vector, decision_id, audit=audit, passed=overruled(parts, query)
        )
    except StorageError as error:
        _log.error("the cache was not asked for %s: %s", decision_id, error)
        return CacheMiss(why="the database is away")
