"""What is left of the gain if few answers are graded, and late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sls_plugins.evaluation.baselines import Outcomes, best_mix, singles
from sls_plugins.evaluation.replay import ReplayOptions, in_order
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.trials import Trial, over_seeds, qualities, trial
from sls_plugins.settings import Budget

__all__ = ["run"]

LOGS, MIXED = "log_parsing_a", "routing_mixed_paretobandit"

LOG_PRICE = 300.0

BUDGETS = (8.3e-5, 2.3e-4, 6.6e-4)

FULL, FEW, LATE = (1.0, 0), (0.1, 100), (1.0, 1000)
"""Share of answers that are graded, and how many queries later."""


@dataclass(frozen=True, slots=True)
class Gains:
    """One setting: quality, spend (share of the rival's) and gain over the rival, by seed."""

    quality: list[float]
    spend: list[float]
    gain: list[float]


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Logs with the cache, mixed questions without, each at three kinds of feedback."""
    logs, mixed = (load_world(setup.trace(name), setup.limit) for name in (LOGS, MIXED))
    rows: list[tuple[str | float, ...]] = []
    for kind in (FULL, FEW, LATE):
        rows.append(_row(LOGS, kind, rows, _logs(logs, setup, kind)))
        advance(len(rows), f"{LOGS} {kind}")
    tables = [_table(f"{LOGS}, cache on, price {LOG_PRICE:g}; rival: best single model", rows)]
    for usd in BUDGETS:
        rows = []
        for kind in (FULL, FEW):
            rows.append(_row(MIXED, kind, rows, _mixed(mixed, setup, usd, kind)))
            advance(len(tables) * 3 + len(rows), f"{MIXED} {usd:.3g} {kind}")
        tables.append(_table(f"{MIXED}, {usd:.3g} USD per query; rival: best fixed mix", rows))
    return StudyReport(title="Few and late grades", tables=tuple(tables))


def _logs(world: World, setup: StudySetup, kind: tuple[float, int]) -> Gains:
    best = max(singles(world.outcomes), key=lambda one: one.quality)
    found = Gains([], [], [])
    for seed in setup.seeds:
        how = Trial(budget=Budget(price=LOG_PRICE), options=_options(kind, seed), cache=True)
        decided = trial(world, setup, how).decided
        quality = float(qualities(decided).mean())
        found.quality.append(quality)
        found.spend.append(sum(row.cost_usd for row in decided) / best.cost_usd)
        found.gain.append(quality - best.quality)
    return found


def _mixed(world: World, setup: StudySetup, usd: float, kind: tuple[float, int]) -> Gains:
    outcomes = _tested(world)
    found = Gains([], [], [])
    for seed in setup.seeds:
        options = ReplayOptions(
            seed=seed, feedback_rate=kind[0], feedback_delay=kind[1], warm_split="train"
        )
        how = Trial(budget=Budget(usd_per_query=usd), options=options)
        counted = trial(world, setup, how).counted
        quality = float(qualities(counted).mean())
        spent = float(np.mean([row.cost_usd for row in counted]))
        found.quality.append(quality)
        found.spend.append(spent / usd)
        found.gain.append(quality - best_mix(outcomes, spent).quality)
    return found


def _tested(world: World) -> Outcomes:
    """Outcomes of the rows that count."""
    places = {row.query_id: place for place, row in enumerate(world.rows)}
    kept = [places[row.query_id] for row, warm in in_order(world.rows, "train") if not warm]
    every = world.outcomes
    return Outcomes(every.names, every.quality[kept], every.cost_usd[kept])


def _options(kind: tuple[float, int], seed: int) -> ReplayOptions:
    return ReplayOptions(seed=seed, feedback_rate=kind[0], feedback_delay=kind[1])


def _row(
    trace: str, kind: tuple[float, int], rows: list[tuple[str | float, ...]], found: Gains
) -> tuple[str | float, ...]:
    """One line; the first of a table is what the others' gain is set against."""
    gain = float(np.mean(found.gain))
    full = float(rows[0][-1]) if rows else gain
    return (
        trace,
        kind[0],
        kind[1],
        over_seeds(found.quality),
        over_seeds(found.spend, 3),
        over_seeds(found.gain),
        round(gain / full, 3) if full > 0 else "no gain",
        gain,
    )


def _table(title: str, rows: list[tuple[str | float, ...]]) -> Table:
    return Table(
        title=title,
        columns=(
            "trace", "graded", "delay", "quality", "spend, share", "gain", "of full feedback's",
        ),
        rows=tuple(row[:-1] for row in rows),
        note="spend: share of the budget, or of the best single model's spend.",
    )  # fmt: skip
