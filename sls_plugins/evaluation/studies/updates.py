"""How much of the gain is left when feedback is rare, late, wrong and given to complaining."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.rounds import World, load_world, settings_for
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget, CacheSettings
from sls_plugins.types import Source

__all__ = ["run", "study_cells"]

PRICES = {"log_parsing_a": 300.0, "routing_mixed_paretobandit": 60.0}
"""The price of money, by trace: quality that a dollar must buy."""

CACHED = frozenset({"log_parsing_a"})

RATES = (1.0, 0.3, 0.1, 0.05)
DELAYS = (0, 100, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What feedback is like: share of wrong labels, complaints per praise, who gives it."""

    name: str
    wrong: float
    complaints: float
    source: str


CLEAN = Crowd(name="clean", wrong=0.0, complaints=1.0, source="trace")
NOISY = Crowd(name="5 % wrong", wrong=0.05, complaints=1.0, source="thumbs")
BIASED = Crowd(name="5 % wrong, complains 3x", wrong=0.05, complaints=3.0, source="thumbs")


@dataclass(frozen=True, slots=True)
class Ran:
    """One replay: value (quality less price times cost) per query; estimated and true quality."""

    value: float
    estimated: float
    true: float


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Every rate, delay and crowd on both traces."""
    cells = [
        (rate, delay, crowd)
        for crowd in (CLEAN, NOISY, BIASED)
        for rate in RATES
        for delay in DELAYS
    ]
    return study_cells(setup, advance, cells)


def study_cells(
    setup: StudySetup, advance: Advance, cells: list[tuple[float, int, Crowd]]
) -> StudyReport:
    """These cells of the table, each relative to no feedback and to full, immediate, clean one."""
    rows, done = [], 0
    for name, price in PRICES.items():
        world = load_world(setup.trace(name), setup.limit)
        for rate, delay, crowd, runs in _ran(setup, world, price, cells):
            share = np.array([gain for gain, _ in runs])
            errors = np.array([ran.estimated - ran.true for _, ran in runs])
            told = (float(share.mean()), float(share.min()), float(errors.mean()))
            rows.append((name, crowd.name, rate, delay, *told, float(np.abs(errors).max())))
            done += 1
            advance(done, name)
    table = Table(
        title="what is left of the gain",
        columns=("trace", "feedback", "rate", "delay", "share", "worst seed", "error", "largest"),
        rows=tuple(rows),
        note="share: of the gain in quality less price times cost that full, immediate, clean "
        "feedback brings over none; error: estimated less true mean quality of called answers "
        f"(largest: over seeds); {len(setup.seeds)} seeds",
    )
    return StudyReport(title="Feedback as it really comes", tables=(table,))


def _ran(
    setup: StudySetup, world: World, price: float, cells: list[tuple[float, int, Crowd]]
) -> Iterator[tuple[float, int, Crowd, list[tuple[float, Ran]]]]:
    ends = [
        (
            _replayed(setup, world, price, seed, ReplayOptions(feedback_rate=0.0, seed=seed)),
            _replayed(setup, world, price, seed, ReplayOptions(seed=seed)),
        )
        for seed in setup.seeds
    ]
    for rate, delay, crowd in cells:
        runs = []
        for seed, (none, full) in zip(setup.seeds, ends, strict=True):
            options = ReplayOptions(
                feedback_rate=rate,
                feedback_delay=delay,
                seed=seed,
                wrong=crowd.wrong,
                complaints=crowd.complaints,
                source=crowd.source,
            )
            ran = _replayed(setup, world, price, seed, options)
            runs.append(((ran.value - none.value) / (full.value - none.value), ran))
        yield rate, delay, crowd, runs


def _replayed(
    setup: StudySetup, world: World, price: float, seed: int, options: ReplayOptions
) -> Ran:
    clock, receipts = VirtualClock(), Receipts()
    settings = settings_for(setup, world.candidates, Budget(price=price), seed).model_copy(
        update={"cache": CacheSettings(enabled=world.name in CACHED)}
    )

    def tick(_decided: object) -> None:
        clock.tick()

    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        result = replay(world.rows, engine, receipts, options, tick)
        estimated = engine.updates.quality().mean
    quality = np.array([row.quality for row in result.counted])
    cost = np.array([row.cost_usd for row in result.counted])
    called = [row.quality for row in result.counted if row.source is Source.MODEL]
    return Ran(float((quality - price * cost).mean()), estimated, float(np.mean(called)))
