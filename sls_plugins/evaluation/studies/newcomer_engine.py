"""What an engine loses that meets a candidate half-way, beside one that knew it from the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.evaluation.labelled import interval
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.results import Decided
from sls_plugins.evaluation.rounds import World, load_world, settings_for
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget

__all__ = ["run"]

TRACES = ("routing_mixed_llmrouter", "routing_mixed_paretobandit")

PRICE = 0.0
"""Money is no object: what counts is who is best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The last quarter of the rows, long after the newcomer came, and its calls after it came."""

    quality: float
    calls: int


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Learning from the chosen one's grade only; the newcomer is added by `candidates.add`."""
    tables, data, done = [], {}, 0
    for name in TRACES:
        world = load_world(setup.trace(name), setup.limit)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for seed in setup.seeds:
            whole = _half(world, setup, seed, "")
            for candidate in world.candidates:
                late = _half(world, setup, seed, candidate.name)
                values = found.setdefault(candidate.name, [])
                values.append((whole.quality, late.quality, float(late.calls)))
                done += 1
                advance(done, f"{name}, seed {seed}, {candidate.name}")
        tables.append(_table(name, found))
        data[name] = {one: [list(each) for each in values] for one, values in found.items()}
    return StudyReport(
        title="A new candidate in a running engine",
        tables=tuple(tables),
        notes=("Quality is of the last quarter of the rows, at a price of money of 0.",),
        data={"known, added, calls": dict(data)},
    )


def _half(world: World, setup: StudySetup, seed: int, newcomer: str) -> Half:
    """One pass; `newcomer` (if any) is missing for the first half."""
    clock, receipts = VirtualClock(), Receipts()
    there = [one for one in world.candidates if one.name != newcomer]
    settings = settings_for(setup, there, Budget(price=PRICE), seed)

    def tick(row: Decided) -> None:  # noqa: ARG001 - the hour goes on, whatever was decided
        clock.tick()

    middle, options = len(world.rows) // 2, ReplayOptions(seed=seed)
    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        replay(world.rows[:middle], engine, receipts, options, tick)
        for candidate in world.candidates:
            if candidate.name == newcomer:
                engine.candidates.add(candidate)
        second = replay(world.rows[middle:], engine, receipts, options, tick)
    decided: Sequence[Decided] = second.decided
    last = decided[len(decided) // 2 :]
    return Half(
        quality=float(np.mean([row.quality for row in last])),
        calls=sum(row.candidate == newcomer for row in decided),
    )


def _table(name: str, found: dict[str, list[tuple[float, float, float]]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one, values in found.items():
        known, added, calls = np.array(values).mean(axis=0).tolist()
        rows.append((one, known, added, added - known, calls))
    every = np.array(list(found.values()))
    known, added, calls = every.mean(axis=(0, 1)).tolist()
    apart = [float(value) for value in (every[:, :, 1] - every[:, :, 0]).mean(axis=0)]
    rows.append(("mean", known, added, interval(apart), calls))
    columns = ("newcomer", "known from the start", "added half-way", "difference", "its calls")
    return Table(title=name, columns=columns, rows=tuple(rows))
