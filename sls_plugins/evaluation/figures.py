"""Boils decided rows down to the figures of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sls_plugins.errors import InputError
from sls_plugins.evaluation.metrics import Interval, calibration_error, log_r2, mean_interval
from sls_plugins.evaluation.results import Decided, Policy
from sls_plugins.types import Source

__all__ = ["Figures", "figures_of", "policy_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of a run over `queries` rows.

    `hit_rate` is the share of queries that the cache answered, `wrong_hit_rate` the share of those
    whose answer was wrong. `shares` are the candidates' shares of all queries (the cache's is
    `hit_rate`). `explored` calls were not the best value, on purpose, and were expected to cost
    `explored_usd` more in all than those (cheaper ones count 0). The last three compare
    predictions with what came, over calls; None if unknown.
    """

    queries: int
    quality: Interval
    cost_usd: float
    usd_per_query: float
    calls: int
    hits: int
    unanswered: int
    hit_rate: float
    wrong_hits: int
    wrong_hit_rate: float
    shares: Mapping[str, float]
    explored: int
    explored_usd: float
    predicted_quality: float | None
    calibration_error: float | None
    log_cost_r2: float | None


def figures_of(decided: Sequence[Decided], candidates: Sequence[str] = ()) -> Figures:
    """The figures of these rows; `candidates` are given a share even when never chosen.

    Raises InputError when there is no row.
    """
    if not decided:
        raise InputError(
            "no row is left to make figures of: check the trace, --limit, --warm-split"
        )
    hits = [row for row in decided if row.source is Source.CACHE]
    called = [row for row in decided if row.source is Source.MODEL and row.candidate is not None]
    wrong = sum(row.quality < 1 for row in hits)
    counts = Counter(row.candidate for row in called)
    cost_usd = sum(row.cost_usd for row in decided)
    predicted = [(row.predicted_quality, row.quality) for row in called]
    known = [(p, q) for p, q in predicted if p is not None]
    costs = [(row.predicted_cost_usd, row.cost_usd) for row in called]
    paid = [(p, c) for p, c in costs if p is not None]
    explored = [row.explored_usd for row in called if row.explored_usd is not None]
    names = dict.fromkeys([*candidates, *(name for name in counts if name is not None)])
    return Figures(
        queries=len(decided),
        quality=mean_interval([row.quality for row in decided]),
        cost_usd=cost_usd,
        usd_per_query=cost_usd / len(decided),
        calls=len(called),
        hits=len(hits),
        unanswered=len(decided) - len(hits) - len(called),
        hit_rate=len(hits) / len(decided),
        wrong_hits=wrong,
        wrong_hit_rate=wrong / len(hits) if hits else 0.0,
        shares={name: counts[name] / len(decided) for name in names},
        explored=len(explored),
        explored_usd=sum(max(usd, 0.0) for usd in explored),
        predicted_quality=sum(p for p, _ in known) / len(known) if known else None,
        calibration_error=calibration_error([p for p, _ in known], [q for _, q in known]),
        log_cost_r2=log_r2([p for p, _ in paid], [c for _, c in paid]),
    )


def policy_of(figures: Figures, name: str = "SLS", note: str = "") -> Policy:
    """A run as a line of the table, beside its rivals."""
    return Policy(
        name=name,
        quality=figures.quality.mean,
        quality_low=figures.quality.low,
        quality_high=figures.quality.high,
        usd_per_query=figures.usd_per_query,
        cost_usd=figures.cost_usd,
        calls=figures.calls,
        hit_rate=figures.hit_rate,
        note=note,
    )
