"""How near the quality of the best single candidate one comes without any aim, and for how much."""

from __future__ import annotations

import numpy as np

from sls_plugins.errors import InputError
from sls_plugins.evaluation.rounds import World, load_world, stream
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.settings import Budget

__all__ = ["run"]

COLUMNS = (
    "trace", "rows", "best single", "its quality", "quality", "lowest", "in the end", "spend",
    "spend in the end",
)  # fmt: skip


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """All routing traces in the folder, without the cache, learning from zero."""
    rows: list[tuple[Cell, ...]] = []
    for name in setup.routing():
        world = load_world(setup.trace(name), setup.limit)
        if len(world.rows) >= 2:
            rows.append(_row(world, setup))
            advance(len(rows), name)
    if not rows:
        raise InputError(f"there is no routing trace in {setup.traces}")
    return StudyReport(
        title="Without an aim",
        tables=(
            Table(
                title=f"Whole traces, from zero, {len(setup.seeds)} seeds",
                columns=COLUMNS,
                rows=tuple(rows),
                note="best single: of all candidates in hindsight. In the end: the last half, "
                "quality less the best single candidate's. spend: of what that one costs.",
            ),
        ),
    )


def _row(world: World, setup: StudySetup) -> tuple[Cell, ...]:
    """Means over the seeds."""
    means = world.outcomes.quality.mean(axis=0)
    best = int(means.argmax())
    found = [_run(world, setup, seed, best) for seed in setup.seeds]
    quality, later, spend, spend_later = (round(float(mean), 4) for mean in np.mean(found, axis=0))
    lowest = round(min(row[0] for row in found), 4)
    told = (round(float(means[best]), 4), quality, lowest, later, spend, spend_later)
    return (world.name, len(world.rows), world.outcomes.names[best], *told)


def _run(
    world: World, setup: StudySetup, seed: int, best: int
) -> tuple[float, float, float, float]:
    """Quality; the last half's less the best single's; spend, of the best single's, of both."""
    half = len(world.rows) // 2
    decided = stream(world, setup, Budget(), seed).decided
    quality = np.array([row.quality for row in decided])
    usd = np.array([row.cost_usd for row in decided])
    rival, rival_usd = world.outcomes.quality[:, best], world.outcomes.cost_usd[:, best]
    return (
        float(quality.mean()),
        float((quality - rival)[half:].mean()),
        float(usd.sum() / rival_usd.sum()),
        float(usd[half:].sum() / rival_usd[half:].sum()),
    )
