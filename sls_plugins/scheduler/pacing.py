"""The price of money over time: spend, or quality, follows the aim."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.burst import Burst
from sls_plugins.scheduler.demand import Demand
from sls_plugins.scheduler.frontier import Hull
from sls_plugins.scheduler.window import ENOUGH, Window
from sls_plugins.types import Purse, State

__all__ = ["Pacer"]

REFILL = 0.99
"""Share of the budget that is paid into the bucket; the rest covers unexpected costs."""

DEPTH = 30.0
"""Budgets that the bucket holds."""

SETPOINT = 0.33
"""Share of the bucket that is kept filled: enough for a dear call, with room for what comes in."""

HORIZON = 35.0
"""Queries over which the bucket is brought back to the setpoint."""

MODEST = 2.0
"""Budgets that a query may always cost, also in debt: the price of money must bring that back."""

FADE = 0.01
"""Share of the flow of money that is forgotten with every query."""

PATIENCE = 0.004
"""Mean quality given away, at most, to refill a bucket that is half as full as it should be."""

SURE = 0.2
"""Share of the flow of a window's money that counts as spent as planned at first."""

TRIM = 1.7
"""By how much at most the plan is corrected for what was spent beside it."""

THRIFT = 0.01
"""Mean quality of its calls that thrift gives away at most; what they say may be stored."""

PENDING = 4096
"""Decisions whose cost is not known yet, at most."""


class Pacer:
    """A bucket of money, refilled by every query, and the price that keeps it well filled.

    The price is solved on the hulls of the last queries so that their cost equals the rate at which
    money may be spent, corrected by how much more or less than planned was spent so far. What
    overflows the bucket is saved for good: a surplus can never be spent in a rush.
    """

    def __init__(self, aim: Aim) -> None:
        """`aim`: what to pace towards."""
        self.aim = aim
        self.window = Window(300)
        self.burst = Burst()
        self.demand = Demand()
        self.share_usd = math.nan
        self.shared = [0.0, 0.0]  # USD spent, USD planned
        self.level = SETPOINT * DEPTH * (aim.usd_per_query or 0.0)
        self.owed = 0.0
        self.spilt_usd = 0.0
        self.flow = [1.0, 1.0]  # budgets spent, budgets planned
        self.pending: dict[str, tuple[float, int]] = {}

    @property
    def purse_usd(self) -> float:
        """What one query may cost now; infinite unless spending is paced."""
        budget = self.aim.usd_per_query
        if budget is None:
            return math.inf
        return max(min(self.level, self.burst.left_usd(budget)), MODEST * budget)

    @property
    def room_usd(self) -> float:
        """What is left of the last hundred queries' budgets; infinite unless spending is paced."""
        budget = self.aim.usd_per_query
        return math.inf if budget is None else self.burst.left_usd(budget)

    @property
    def most_usd(self) -> float:
        """What one query may ever cost; infinite unless spending is paced."""
        budget = self.aim.usd_per_query
        return math.inf if budget is None else DEPTH * budget

    @property
    def tail(self) -> float:
        """How often its high quantile a dear call is allowed for."""
        return 1.0 if self.aim.usd_per_query is None else self.burst.tail

    @property
    def reachable(self) -> float:
        """The mean quality that the best of every call brings, if the target is above it; else 1.

        Not told before some queries are known.
        """
        target = self.aim.target_quality
        if target is None or self.window.added < ENOUGH:
            return 1.0
        most = self.window.best_quality / max(self.window.paid_share, 0.01)
        return most if most < target else 1.0

    def observe(self, hull: Hull | None, purse: Purse) -> None:
        """A query came: remember what it offers (None: it was answered for nothing)."""
        self.window.add(hull)
        self.burst.add()
        if hull is not None:
            self._share(purse)
        if self.aim.usd_per_query is not None:
            budget = self.aim.usd_per_query
            filled = self.level + REFILL * budget
            self.level = min(filled, DEPTH * budget)
            self.spilt_usd = filled - self.level
            planned = min(self._rate_usd, self.window.most_usd)
            self.flow = faded(self.flow, planned / budget)

    def _share(self, purse: Purse) -> None:
        """What is left of a window's budget, shared out among the queries that may still come."""
        self.share_usd = math.nan
        if purse.now_s is not None:
            self.demand.observe(purse.now_s)
        if None not in (purse.now_s, purse.renews_s, purse.available_usd):
            assert purse.now_s is not None
            assert purse.renews_s is not None
            coming = self.demand.expected(purse.now_s, purse.renews_s)
            self.share_usd = (purse.available_usd or 0.0) / coming
            planned = min(self.share_usd, self.window.most_usd / max(self.window.paid_share, 0.01))
            self.shared = faded(self.shared, planned)

    @property
    def _rate_usd(self) -> float:
        """What the next queries may cost on average so that the bucket gets to its setpoint."""
        budget = self.aim.usd_per_query or 0.0
        return max(REFILL * budget + (self.level - SETPOINT * DEPTH * budget) / HORIZON, 0.0)

    def price(self) -> float:
        """The price of money now, quality per USD; below 0 if money would be left over."""
        if math.isnan(self.share_usd):
            return self._aimed()
        spent, planned = (usd + SURE * self.share_usd for usd in self.shared)
        excess = min(max(spent / max(planned, 1e-12), 1.0 / TRIM), TRIM)
        usd = self.share_usd * self.window.paid_share / excess
        paced = self.window.price_for_cost(usd)
        return max(self._aimed(), paced) if self.aim.given else paced

    def _aimed(self) -> float:
        """The price at which the aim is met; thrift's without any."""
        aim = self.aim
        if aim.price is not None:
            return aim.price
        if aim.usd_per_query is not None:
            budget = aim.usd_per_query
            spent, planned = self.flow
            excess = min(max(spent / max(planned, 1e-9), 1.0 / TRIM), TRIM)
            paced = self.window.price_for_cost(self._rate_usd / excess)
            return min(paced, self.window.price_for_quality(self._least_quality(budget)))
        if aim.target_quality is not None:
            asked_for = aim.target_quality + self.owed / HORIZON
            return self.window.price_for_quality(asked_for * self.window.paid_share)
        given = THRIFT * self.window.paid_share
        return self.window.price_for_quality(self.window.best_quality - given)

    def _least_quality(self, budget: float) -> float:
        """Mean quality below which no price is to push: what just the refill buys, less a little.

        How little depends on how empty the bucket is; nothing is refused when it is empty.
        """
        empty = min(max(1.0 - self.level / (SETPOINT * DEPTH * budget), 0.0), 1.0)
        lost = PATIENCE * empty / (1.0 - empty) if empty < 1.0 else 1.0
        return self.window.quality_for_cost(REFILL * budget) - lost

    def charge(self, key: str, usd: float) -> None:
        """Hold the expected cost of a decision until the real one is known."""
        self.shared[0] += FADE * usd
        if not key or self.aim.usd_per_query is None:
            return
        if key in self.pending:
            self._forget(key)
        while len(self.pending) >= PENDING:
            self._forget(next(iter(self.pending)))
        self.pending[key] = (usd, self.burst.at)
        self.burst.put(self.burst.at, usd)
        self._spend(usd)

    def _forget(self, key: str) -> None:
        held, _ = self.pending.pop(key)
        self.level += held

    def settle(self, key: str, usd: float, expected_usd: float, high_usd: float) -> None:
        """Put the real cost in the place of the expected one, of which `high_usd` was the most."""
        self.shared[0] += FADE * (usd - expected_usd)
        if self.aim.usd_per_query is None:
            return
        held, place = self.pending.pop(key, (0.0, -1))
        if place >= 0:
            self.burst.put(place, usd)
        self.burst.learn(usd / max(high_usd, 1e-12))
        self._spend(usd - held)
        self.level = max(self.level, -DEPTH * self.aim.usd_per_query)

    def _spend(self, usd: float) -> None:
        budget = self.aim.usd_per_query or 1.0
        self.level -= usd
        self.flow[0] += FADE * min(usd / budget, DEPTH)

    def grade(self, quality: float) -> None:
        """A model's answer was this good."""
        if self.aim.target_quality is not None:
            owed = 0.99 * self.owed + self.aim.target_quality - quality
            self.owed = min(max(owed, -5.0), 5.0)

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return (
            self.window.save(f"{name}.window")
            | {
                f"{name}.level": np.array([self.level, self.owed]),
                f"{name}.flow": np.array(self.flow),
                f"{name}.shared": np.array(self.shared),
                f"{name}.pending_keys": np.array(list(self.pending), dtype=np.str_),
                f"{name}.pending": np.array(list(self.pending.values())).reshape(-1, 2),
            }
            | self.burst.save(f"{name}.burst")
            | self.demand.save(f"{name}.demand")
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.window.load(f"{name}.window", state)
        self.level, self.owed = np.array(state[f"{name}.level"], dtype=np.float64).tolist()
        self.flow = np.asarray(state[f"{name}.flow"], dtype=np.float64).tolist()
        self.shared = np.asarray(state[f"{name}.shared"], dtype=np.float64).tolist()
        self.burst.load(f"{name}.burst", state)
        self.demand.load(f"{name}.demand", state)
        keys = [str(key) for key in state[f"{name}.pending_keys"]]
        held = np.array(state[f"{name}.pending"], dtype=np.float64).tolist()
        self.pending = {key: (usd, int(at)) for key, (usd, at) in zip(keys, held, strict=True)}


def faded(flow: Sequence[float], planned: float) -> list[float]:
    """What was spent and what was planned, a little less of both, and this plan."""
    spent, before = flow
    return [(1.0 - FADE) * spent, (1.0 - FADE) * before + FADE * planned]
