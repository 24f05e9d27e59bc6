"""Serves the nearest stored answer where a call was planned."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sls_plugins.flow.effects import Effect, Later, Serve
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.types import Answer, CacheHit

__all__ = ["checked_later", "served", "spare_hit"]


def spare_hit(parts: Parts, planned: Planned) -> CacheHit | None:
    """The nearest stored answer that was refused, if it is probably right all the same."""
    miss = planned.miss
    if miss.nearest is None or miss.p_right is None or miss.p_right < parts.cache_at_cap:
        return None
    return _hit(parts, planned)


def checked_later(parts: Parts, planned: Planned) -> Generator[Effect, Any, Answer | None]:
    """The acceptable answer that was refused as a check, if the driver calls behind our back.

    The planned call goes on as it would have: it is paid, logged and learnt from.
    """
    miss = planned.miss
    if not parts.audit_later or not miss.is_audit or miss.nearest is None:
        return None
    taken: bool = yield Later(planned)
    if not taken:
        return None
    return (yield from served(parts, planned, _hit(parts, planned)))


def served(parts: Parts, planned: Planned, hit: CacheHit) -> Generator[Effect, Any, Answer]:
    """Write a hit down, tell who listens, and give its answer."""
    yield Serve(planned.query, planned.vector, hit)
    parts.plugins.decided(planned.query, hit)
    parts.plugins.answered(planned.query, hit.answer)
    return hit.answer


def _hit(parts: Parts, planned: Planned) -> CacheHit:
    miss = planned.miss
    assert miss.nearest is not None
    return CacheHit(
        id=parts.ids(),
        query_id=planned.query.id,
        entry=miss.nearest,
        similarity=miss.similarity or 0.0,
        p_right=miss.p_right or 0.0,
        exact=False,
        created_s=parts.clock(),
    )
