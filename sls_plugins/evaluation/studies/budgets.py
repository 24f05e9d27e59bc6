"""What a mean budget per query brings and costs, learning from zero, at five budgets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.baselines import best_mix
from sls_plugins.evaluation.results import ReplayResult
from sls_plugins.evaluation.rounds import World, load_world, stream
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.settings import Budget

__all__ = ["run"]

TRACE = "routing_mixed_paretobandit"

WARM = "train"

BUDGETS_USD = (8.3e-5, 2.3e-4, 6.6e-4, 1.9e-3, 5.3e-3)

LENGTH = 100
"""Queries in a row that are looked at for bursts."""

COLUMNS = (
    "USD per query", "quality", "lowest", "spent", "most", "worst 100", "best fixed mix",
)  # fmt: skip


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Replays as `sls replay TRACE --warm-split train --budget-usd-per-query B --no-cache`."""
    world = load_world(setup.trace(TRACE), setup.limit)
    rows: list[tuple[float, ...]] = []
    for usd in BUDGETS_USD:
        found = []
        for seed in setup.seeds:
            budget = Budget(usd_per_query=usd)
            found.append(_figures(world, stream(world, setup, budget, seed, warm_split=WARM), usd))
            advance(len(rows) * len(setup.seeds) + len(found), f"{usd:g}")
        rows.append((usd, *_row(np.array(found))))
    return StudyReport(
        title="Mean budgets per query, from zero",
        tables=(
            Table(
                title=f"{TRACE}, figures on all but the split {WARM!r}, {len(setup.seeds)} seeds",
                columns=COLUMNS,
                rows=tuple(rows),
                note="spent, most (of all seeds) and worst 100 (queries in a row, of all seeds) as "
                "shares of the budget. The mix is the best in hindsight at the same spend.",
            ),
        ),
    )


def _figures(world: World, result: ReplayResult, usd: float) -> tuple[float, ...]:
    """Quality, spent, worst window, quality of the mix."""
    counted = result.counted
    cost = np.array([row.cost_usd for row in counted]) / usd
    quality = float(np.mean([row.quality for row in counted]))
    length = min(LENGTH, len(cost))
    worst = float(np.convolve(cost, np.full(length, 1.0 / length), "valid").max())
    later = [at for at, row in enumerate(world.rows) if row.split != WARM]
    mix = best_mix(world.outcomes.rows(later), float(cost.mean()) * usd)
    return quality, float(cost.mean()), worst, mix.quality


def _row(found: NDArray[np.float64]) -> tuple[float, ...]:
    quality, spent, worst, mix = found.T
    return (
        round(float(quality.mean()), 4),
        round(float(quality.min()), 4),
        round(float(spent.mean()), 3),
        round(float(spent.max()), 3),
        round(float(worst.max()), 3),
        round(float(mix.mean()), 4),
    )
