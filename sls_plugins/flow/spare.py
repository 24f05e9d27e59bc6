"""What is left to serve when the cap pays for nobody any more."""

from __future__ import annotations

from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.types import CacheHit

__all__ = ["spare_hit"]


def spare_hit(parts: Parts, planned: Planned) -> CacheHit | None:
    """The nearest stored answer that was refused, if it is probably right all the same."""
    miss = planned.miss
    if miss.nearest is None or miss.p_right is None or miss.p_right < parts.cache_at_cap:
        return None
    return CacheHit(
        id=parts.ids(),
        query_id=planned.query.id,
        entry=miss.nearest,
        similarity=miss.similarity or 0.0,
        p_right=miss.p_right,
        exact=False,
        created_s=parts.clock(),
    )
