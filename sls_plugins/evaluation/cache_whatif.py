"""What a stricter bound on wrong hits would have cost, from the receipts of hits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from sls_plugins.errors import InputError
from sls_plugins.storage import Database
from sls_plugins.storage.tables import decisions, outcomes
from sls_plugins.types import OutcomeKind, Source

__all__ = ["CacheWhatIf", "stricter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWhatIf:
    """Of so many hits so many would have been calls: what they would cost, errors they spare."""

    hits: int
    dropped: int
    usd: float
    wrong: float


def stricter(database: Database, max_error: float) -> CacheWhatIf:
    """Hits that were surer than this stay; the others are calls at the mean cost of a call.

    A looser bound cannot be told: what a refused neighbour would have said nobody knows. Raises
    InputError if nothing was ever served from the cache.
    """
    hits = select(decisions.c.p_right).where(decisions.c.source == Source.CACHE.value)
    cost = select(func.avg(outcomes.c.cost_usd)).where(
        outcomes.c.kind == OutcomeKind.ANSWERED.value, outcomes.c.source == Source.MODEL.value
    )
    chances = [float(row.p_right) for row in database.read(lambda sql: sql.execute(hits).all())]
    usd = float(database.read(lambda sql: sql.execute(cost).scalar()) or 0.0)
    if not chances:
        raise InputError("the log holds no answer from the cache")
    unsure = [chance for chance in chances if 1.0 - chance > max_error]
    return CacheWhatIf(
        hits=len(chances),
        dropped=len(unsure),
        usd=usd * len(unsure),
        wrong=sum(1.0 - chance for chance in unsure),
    )
