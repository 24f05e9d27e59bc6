"""Times the scheduler alone, and beside it what a hard cap costs: the database's commit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import numpy as np

from sls_plugins.scheduler import Aim, LagrangeScheduler
from sls_plugins.scheduler.ledger import BudgetLedger, Cap
from sls_plugins.storage import open_stores
from sls_plugins.types import Estimate, Outcome, OutcomeKind, Purse, Query

__all__ = ["decide_ms", "reserve_ms"]


def decide_ms(candidates: int, times: int, seed: int = 0) -> list[float]:
    """Milliseconds of each decision over so many candidates, learning in between."""
    rng, scheduler = np.random.default_rng(seed), LagrangeScheduler(Aim(usd_per_query=0.001))
    sample = []
    for number in range(times):
        query, offers = Query(text="A query", id=str(number)), _offers(candidates, rng)
        start_s = time.perf_counter()
        choice = scheduler.decide(query, offers, Purse(), number * 7919)
        sample.append(1000 * (time.perf_counter() - start_s))
        chosen = next(one for one in offers if one.candidate == choice.ranking[0])
        scheduler.learn_one(
            Outcome(
                decision_id=query.id,
                query=query,
                vector=None,
                candidate=chosen.candidate,
                kind=OutcomeKind.ANSWERED,
                quality=float(rng.random() < chosen.quality),
                cost_usd=chosen.cost_usd,
                estimate=chosen,
            )
        )
    return sample


def _offers(candidates: int, rng: np.random.Generator) -> tuple[Estimate, ...]:
    costs = 1e-4 * 100.0 ** np.sort(rng.random(candidates))
    return tuple(
        Estimate(
            candidate=f"model-{place}",
            quality=float(rng.random()),
            quality_sd=0.05,
            cost_usd=float(cost),
            cost_high_usd=2.0 * float(cost),
        )
        for place, cost in enumerate(costs)
    )


def reserve_ms(times: int, clock: Callable[[], float] = time.time) -> list[float]:
    """Milliseconds to hold money under a cap in SQLite on disk: one durable commit each."""
    with tempfile.TemporaryDirectory() as folder:
        stores = open_stores(f"sqlite:///{folder}/sls.db", clock)
        cap = Cap(usd=1e6, window="day")
        ledger = BudgetLedger(stores.accounts, cap=cap, clock=clock, hold_s=600.0)
        sample = []
        for number in range(times):
            start_s = time.perf_counter()
            ledger.reserve(str(number), 0.001)
            sample.append(1000 * (time.perf_counter() - start_s))
            ledger.settle(str(number), 0.001)
        stores.database.close()
    return sample
