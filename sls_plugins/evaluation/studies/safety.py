"""Whether the policy is ever worse than the best fixed mix of two candidates at equal spend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InputError
from sls_plugins.evaluation.baselines import best_mix
from sls_plugins.evaluation.results import ReplayResult
from sls_plugins.evaluation.rounds import World, load_world, stream
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.settings import Budget

__all__ = ["run"]

LEARNT = 1000
"""Outcomes after which the policy is held to it; of short traces the second half counts."""

BUDGETS = 7

SLACK = 0.003
"""Quality that it may be below the mix."""

COLUMNS = (
    "trace", "rows counted", "budget", "quality", "mix", "difference", "worst seed", "noise",
    "spent",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One trace at one budget: a value per seed."""

    trace: str
    rows: int
    usd: float
    quality: NDArray[np.float64]
    mix: NDArray[np.float64]
    spent: NDArray[np.float64]
    noise: float

    @property
    def difference(self) -> NDArray[np.float64]:
        """Quality less the mix's, by seed."""
        return self.quality - self.mix


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """All routing traces with recorded costs in the folder, seven budgets, all seeds."""
    cells, done = [], 0
    for world in _worlds(setup):
        for usd in budgets_of(world):
            cells.append(_cell(world, setup, usd))
            done += 1
            advance(done, f"{world.name} {usd:.3g}")
    if not cells:
        raise InputError(f"no routing trace with costs is in {setup.traces}")
    return _report(cells, setup)


def _worlds(setup: StudySetup) -> Iterator[World]:
    for name in setup.routing():
        world = load_world(setup.trace(name), setup.limit)
        if world.priced and len(world.rows) >= 2:
            yield world


def budgets_of(world: World) -> list[float]:
    """Seven budgets between the cheapest candidate's mean cost and the best one's, by ratio."""
    quality, cost = world.outcomes.quality.mean(axis=0), world.outcomes.cost_usd.mean(axis=0)
    low, high = float(cost.min()), float(cost[quality.argmax()])
    shares = np.arange(1, BUDGETS + 1) / (BUDGETS + 1)
    return [float(usd) for usd in low * (max(high, 2.0 * low) / low) ** shares]


def _cell(world: World, setup: StudySetup, usd: float) -> Cell:
    start = min(LEARNT, len(world.rows) // 2)
    later = world.outcomes.after(start)
    quality, mix, spent, noise = [], [], [], []
    for seed in setup.seeds:
        result = stream(world, setup, Budget(usd_per_query=usd), seed)
        found, mean_usd = _after(result, start)
        rival = best_mix(later, mean_usd)
        quality.append(found.mean())
        mix.append(rival.quality)
        spent.append(mean_usd / usd)
        pair = rival.share * later.quality[:, rival.first]
        pair = pair + (1 - rival.share) * later.quality[:, rival.second]
        noise.append(float((found - pair).std()) / np.sqrt(len(found)))
    return Cell(
        trace=world.name,
        rows=len(world.rows) - start,
        usd=usd,
        quality=np.array(quality),
        mix=np.array(mix),
        spent=np.array(spent),
        noise=float(np.mean(noise)),
    )


def _after(result: ReplayResult, start: int) -> tuple[NDArray[np.float64], float]:
    """Quality of the rows that count, and what they cost on average."""
    rows = result.decided[start:]
    return np.array([row.quality for row in rows]), float(np.mean([row.cost_usd for row in rows]))


def _report(cells: list[Cell], setup: StudySetup) -> StudyReport:
    rows = tuple(
        (
            cell.trace,
            cell.rows,
            cell.usd,
            round(float(cell.quality.mean()), 4),
            round(float(cell.mix.mean()), 4),
            round(float(cell.difference.mean()), 4),
            round(float(cell.difference.min()), 4),
            round(cell.noise, 4),
            round(float(cell.spent.mean()), 3),
        )
        for cell in cells
    )
    long = [cell for cell in cells if cell.rows >= LEARNT]
    notes = tuple(_told(name, some) for name, some in (("all", cells), ("long", long)) if some)
    return StudyReport(
        title="The policy beside the best fixed mix of two, at equal spend",
        tables=(
            Table(
                title=f"After {LEARNT} outcomes (of short traces: the second half), "
                f"{len(setup.seeds)} seeds",
                columns=COLUMNS,
                rows=rows,
                note="The mix is the best of all pairs in hindsight, on the very rows that count. "
                "noise: one standard error of the difference.",
            ),
        ),
        notes=notes,
    )


def _told(which: str, cells: list[Cell]) -> str:
    gaps = np.concatenate([cell.difference for cell in cells])
    below = int((gaps < -SLACK).sum())
    beyond = sum(float(cell.difference.mean()) < -SLACK - 2 * cell.noise for cell in cells)
    rows = f"{LEARNT} rows and more count" if which == "long" else "all traces"
    return (
        f"{rows}: {below} of {gaps.size} runs are more than {SLACK} below the mix, the worst of "
        f"all is {gaps.min():+.4f}; {beyond} of {len(cells)} budgets are so by more than chance."
    )
