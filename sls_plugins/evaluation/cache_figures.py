"""Boils the rows of a cache replay down to figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sls_plugins.evaluation.metrics import Interval, mean_interval, rate_interval
from sls_plugins.evaluation.results import JsonValue

__all__ = ["COLD_LABELS", "COLD_WINDOW", "CacheDecided", "CacheFigures", "cold_share", "figures_of"]

COLD_LABELS = 300
"""After how many labels a cache should be warm."""

COLD_WINDOW = 1000
"""Possible hits after them that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheDecided:
    """One row as it was decided.

    `right` is None on a miss, `exact` a repeat of the same text, `possible` says that the row's
    group was seen before, `told` that a miss told whether a stored answer would have been right.
    `cost_usd` and `latency_s` are what the row's call costs, where the trace knows.
    """

    query_id: str
    hit: bool
    from_query_id: str | None = None
    right: bool | None = None
    exact: bool = False
    stream: str = ""
    possible: bool = False
    told: bool = False
    cost_usd: float | None = None
    latency_s: float | None = None

    def line(self) -> dict[str, JsonValue]:
        """The row as `--decisions` writes it."""
        return {
            "query_id": self.query_id,
            "hit": self.hit,
            "from_query_id": self.from_query_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFigures:
    """Counts of some rows; `found_share` is the share of right hits in those that were possible.

    Savings are what the hits' calls would have cost, None where the trace does not tell.
    """

    queries: int
    hits: int
    wrong: int
    exact: int
    near_wrong: int
    possible: int
    labels: int
    wrong_share: Interval
    saved_usd: Interval | None
    saved_s: Interval | None

    @property
    def found_share(self) -> float:
        """Right hits in possible ones."""
        return (self.hits - self.wrong) / self.possible if self.possible else 0.0

    def facts(self) -> dict[str, JsonValue]:
        """Counts and rates; `near_wrong_share` is about hits that were no exact repeats."""
        near = self.hits - self.exact
        return {
            "queries": self.queries,
            "hits": self.hits,
            "hit_rate": self.hits / self.queries if self.queries else 0.0,
            "ideal_hit_rate": self.possible / self.queries if self.queries else 0.0,
            "found_share": self.found_share,
            "wrong_hits": {"count": self.wrong, **_share(self.wrong_share)},
            "exact_hits": self.exact,
            "near_hits": near,
            "near_wrong_share": self.near_wrong / near if near else 0.0,
            "labels": self.labels,
            "saved_usd": None if self.saved_usd is None else _sum(self.saved_usd),
            "saved_s": None if self.saved_s is None else _sum(self.saved_s),
        }


def figures_of(rows: Sequence[CacheDecided]) -> CacheFigures:
    """The figures of these rows."""
    hits = [row for row in rows if row.hit]
    near = [row for row in hits if not row.exact]
    wrong = sum(not row.right for row in hits)
    return CacheFigures(
        queries=len(rows),
        hits=len(hits),
        wrong=wrong,
        exact=len(hits) - len(near),
        near_wrong=sum(not row.right for row in near),
        possible=sum(row.possible for row in rows),
        labels=sum(row.told for row in rows),
        wrong_share=rate_interval(wrong, len(hits)),
        saved_usd=_saved([row.cost_usd for row in hits]),
        saved_s=_saved([row.latency_s for row in hits]),
    )


def cold_share(rows: Sequence[CacheDecided], labels: int = COLD_LABELS) -> float | None:
    """The share found of the next 1,000 possible hits after so many labels; None if too few came.

    Set it beside the share found in the end, `found_share` of the last rows.
    """
    told = 0
    for place, row in enumerate(rows):
        told += row.told
        if told >= labels:
            possible = [later for later in rows[place + 1 :] if later.possible][:COLD_WINDOW]
            return figures_of(possible).found_share if possible else None
    return None


def _saved(values: Sequence[float | None]) -> Interval | None:
    """The sum over hits with the 95 % interval of their mean, times their number."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, count = mean_interval(known), len(known)
    low = None if mean.low is None else count * mean.low
    high = None if mean.high is None else count * mean.high
    return Interval(math.fsum(known), low, high)


def _share(interval: Interval) -> dict[str, JsonValue]:
    return {"share": interval.mean, "low": interval.low, "high": interval.high}


def _sum(interval: Interval) -> dict[str, JsonValue]:
    return {"sum": interval.mean, "low": interval.low, "high": interval.high}
