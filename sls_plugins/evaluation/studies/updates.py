"""How much of the gain is left when feedback is rare, late, wrong and given to complaining."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.rounds import load_world, settings_for
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


Cell: TypeAlias = tuple[float, int, Crowd]
"""Share of answers that are graded, queries until a grade comes, who gives it."""

Wanted: TypeAlias = tuple[str, Cell, int]
"""A replay: trace, cell, seed."""

CLEAN = Crowd(name="clean", wrong=0.0, complaints=1.0, source="trace")
NOISY = Crowd(name="5 % wrong", wrong=0.05, complaints=1.0, source="thumbs")
BIASED = Crowd(name="5 % wrong, complains 3x", wrong=0.05, complaints=3.0, source="thumbs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One replay: value (quality less price times cost) and quality per query.

    `estimated` and `true` are the mean quality of called answers.
    """

    value: float
    quality: float
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


def study_cells(setup: StudySetup, advance: Advance, cells: list[Cell]) -> StudyReport:
    """These cells of the table, each relative to no feedback and to full, immediate, clean one.

    Replays do not know of each other: as many run at once as there are processors for us.
    """
    names = [name for name in PRICES if not setup.only or name in setup.only]
    ends = [(0.0, 0, CLEAN), (1.0, 0, CLEAN)]
    wanted = [
        (name, cell, seed)
        for name in names
        for cell in dict.fromkeys([*ends, *cells])
        for seed in setup.seeds
    ]
    ran = _replayed_at_once(setup, wanted, advance)
    rows = []
    for name in names:
        alone = _alone(setup, name)
        for cell in cells:
            runs = [ran[name, cell, seed] for seed in setup.seeds]
            bounds = [[ran[name, end, seed].value for end in ends] for seed in setup.seeds]
            rows.append((name, *_told(cell, runs, bounds), _over(alone, runs, bounds)))
    table = Table(
        title="what is left of the gain",
        columns=(
            "trace", "feedback", "rate", "delay", "share", "worst seed", "quality", "error",
            "largest", "over single",
        ),
        rows=tuple(rows),
        note="share: of the gain in quality less price times cost that full, immediate, clean "
        "feedback brings over none; over single: over the best single candidate; quality: of all "
        "answers; error: estimated less true mean quality of called answers (largest: over seeds); "
        f"{len(setup.seeds)} seeds",
    )  # fmt: skip
    return StudyReport(title="Feedback as it really comes", tables=(table,))


def _alone(setup: StudySetup, name: str) -> float:
    """What the best single candidate is worth in hindsight: quality less price times cost."""
    every = _world(setup.trace(name), setup.limit).outcomes
    return float((every.quality - PRICES[name] * every.cost_usd).mean(axis=0).max())


def _over(alone: float, runs: list[Ran], bounds: list[list[float]]) -> float | str:
    """Share of full feedback's gain over the best single candidate."""
    gain = float(np.mean([full for _, full in bounds])) - alone
    reached = float(np.mean([one.value for one in runs])) - alone
    return reached / gain if gain > 0.0 else "no gain"


def _told(cell: Cell, runs: list[Ran], bounds: list[list[float]]) -> tuple[str | float, ...]:
    """A cell's line of the table, from its replays and what none and full feedback bring."""
    share = np.array(
        [(one.value - none) / (full - none) for one, (none, full) in zip(runs, bounds, strict=True)]
    )
    errors = np.array([one.estimated - one.true for one in runs])
    quality = float(np.mean([one.quality for one in runs]))
    rate, delay, crowd = cell
    told = (float(share.mean()), float(share.min()), quality, float(errors.mean()))
    return (crowd.name, rate, delay, *told, float(np.abs(errors).max()))


def _replayed_at_once(
    setup: StudySetup, wanted: list[Wanted], advance: Advance
) -> dict[Wanted, Ran]:
    """All replays, in processes of their own that each keep a trace in memory."""
    context = multiprocessing.get_context("spawn")
    workers = min(os.cpu_count() or 1, len(wanted))
    ran: dict[Wanted, Ran] = {}
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {pool.submit(_replayed, setup, *one): one for one in wanted}
        for done in as_completed(waiting):
            ran[waiting[done]] = done.result()
            advance(len(ran), f"{waiting[done][0]}, replay {len(ran)} of {len(wanted)}")
    return ran


_world = lru_cache(maxsize=1)(load_world)


def _replayed(setup: StudySetup, name: str, cell: Cell, seed: int) -> Ran:
    """One replay."""
    world = _world(setup.trace(name), setup.limit)
    rate, delay, crowd = cell
    options = ReplayOptions(
        feedback_rate=rate,
        feedback_delay=delay,
        seed=seed,
        wrong=crowd.wrong,
        complaints=crowd.complaints,
        source=crowd.source,
    )
    price, clock, receipts = PRICES[name], VirtualClock(), Receipts()
    settings = settings_for(setup, world.candidates, Budget(price=price), seed).model_copy(
        update={"cache": CacheSettings(enabled=name in CACHED)}
    )

    def tick(_decided: object) -> None:
        clock.tick()

    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        result = replay(world.rows, engine, receipts, options, tick)
        estimated = engine.updates.quality().mean
    quality = np.array([row.quality for row in result.counted])
    cost = np.array([row.cost_usd for row in result.counted])
    called = [row.quality for row in result.counted if row.source is Source.MODEL]
    return Ran(
        value=float((quality - price * cost).mean()),
        quality=float(quality.mean()),
        estimated=estimated,
        true=float(np.mean(called)),
    )
