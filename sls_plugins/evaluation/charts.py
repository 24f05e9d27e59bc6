"""Turns decided rows into curves over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.results import Chart, Decided, Policy, Series
from sls_plugins.types import Source

__all__ = ["CACHE_LABEL", "charts_of", "hit_chart", "quality_chart", "share_chart", "spend_chart"]

CACHE_LABEL = "cache"
"""How the cache is called among the candidates."""

POINTS = 240
"""Most points that a curve is drawn with."""

Floats = NDArray[np.float64]


def charts_of(decided: Sequence[Decided], rivals: Sequence[Policy] = ()) -> tuple[Chart, ...]:
    """All pictures of a run; rivals are drawn for comparison where that makes sense."""
    return (
        quality_chart(decided, rivals),
        spend_chart(decided, rivals),
        share_chart(decided),
        hit_chart(decided),
    )


def quality_chart(decided: Sequence[Decided], rivals: Sequence[Policy] = ()) -> Chart:
    """Quality of the last queries, since the start, and the rivals' means as level lines."""
    quality = _column(decided, lambda row: row.quality)
    window = _window(len(decided))
    level = [_level(policy.name, policy.quality, len(decided)) for policy in rivals]
    return Chart(
        title="Quality over time",
        x_label="queries",
        y_label="mean quality (0…1)",
        series=(
            _series(f"SLS, last {window} queries", _moving(quality, window)),
            _series("SLS, since the start", _running(quality)),
            *level,
        ),
    )


def spend_chart(decided: Sequence[Decided], rivals: Sequence[Policy] = ()) -> Chart:
    """Money spent so far; rivals spend at their mean rate."""
    spent = np.cumsum(_column(decided, lambda row: row.cost_usd))
    pace = np.arange(1, len(decided) + 1, dtype=np.float64)
    others = [_series(policy.name, pace * policy.usd_per_query, rival=True) for policy in rivals]
    return Chart(
        title="Spend over time",
        x_label="queries",
        y_label="USD spent so far",
        series=(_series("SLS", spent), *others),
    )


def share_chart(decided: Sequence[Decided]) -> Chart:
    """Who answered the last queries: the cache and each candidate, stacked to 1."""
    window = _window(len(decided))
    answered = [_answerer(row) for row in decided]
    names = sorted({name for name in answered if name != CACHE_LABEL})
    if CACHE_LABEL in answered:
        names.insert(0, CACHE_LABEL)
    series = [
        _series(name, _moving(np.asarray([a == name for a in answered], dtype=np.float64), window))
        for name in names
    ]
    return Chart(
        title="Who answered",
        x_label="queries",
        y_label=f"share of the last {window} queries",
        series=tuple(series),
        stacked=True,
    )


def hit_chart(decided: Sequence[Decided]) -> Chart:
    """Share of queries that the cache answered, and share of hits that were wrong."""
    hits = _column(decided, lambda row: float(row.source is Source.CACHE))
    wrong = _column(decided, lambda row: float(row.source is Source.CACHE and row.quality < 1))
    window = _window(len(decided))
    so_far = np.cumsum(wrong) / np.maximum(np.cumsum(hits), 1.0)
    return Chart(
        title="Semantic cache",
        x_label="queries",
        y_label="share (0…1)",
        series=(
            _series(f"hit rate, last {window} queries", _moving(hits, window)),
            _series("hit rate, since the start", _running(hits)),
            _series("wrong hits among hits, since the start", so_far),
        ),
    )


def _answerer(row: Decided) -> str:
    return CACHE_LABEL if row.source is Source.CACHE else row.candidate or "nobody"


def _column(decided: Sequence[Decided], value: Callable[[Decided], float]) -> Floats:
    return np.asarray([value(row) for row in decided], dtype=np.float64)


def _window(rows: int) -> int:
    """How many queries a moving mean looks back: a twentieth, but at least 20."""
    return max(1, min(rows, max(20, rows // 20)))


def _running(values: Floats) -> Floats:
    """Mean of all values so far, shape (n,)."""
    result: Floats = np.cumsum(values) / np.arange(1, len(values) + 1)
    return result


def _moving(values: Floats, window: int) -> Floats:
    """Mean of the last `window` values (fewer at the start), shape (n,)."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    result: Floats = (total[ends] - total[starts]) / (ends - starts)
    return result


def _series(name: str, values: Floats, *, rival: bool = False) -> Series:
    """A curve thinned to `POINTS` points, the last one kept; x counts queries from 1."""
    count = len(values)
    picked = np.unique(np.linspace(0, count - 1, min(POINTS, count)).round().astype(int))
    at, curve = (picked + 1).astype(float).tolist(), values[picked].tolist()
    return Series(name, tuple(at), tuple(curve), rival)


def _level(name: str, value: float, rows: int) -> Series:
    return Series(name, (1.0, float(rows)), (value, value), rival=True)
