"""The price of money over time: spend, or quality, follows the aim."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.frontier import Hull
from sls_plugins.scheduler.window import Window
from sls_plugins.types import State

__all__ = ["Pacer"]

REFILL = 0.985
"""Share of the budget that is paid into the bucket; the rest covers unexpected costs."""

DEPTH = 25.0
"""Budgets that the bucket holds: no 100 queries can cost more than 1.25 budgets each."""

SETPOINT = 0.4
"""Share of the bucket that is kept filled: enough for a dear call, with room for what comes in."""

HORIZON = 35.0
"""Queries over which the bucket is brought back to the setpoint."""

MODEST = 2.0
"""Budgets that a query may always cost, also in debt: the price of money must bring that back."""

FADE = 0.01
"""Share of the flow of money that is forgotten with every query."""

TRIM = 1.7
"""By how much at most the plan is corrected for what was spent beside it."""

THRIFT = 0.01
"""Mean quality that thrift gives away at most."""

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
        self.level = SETPOINT * DEPTH * (aim.usd_per_query or 0.0)
        self.owed = 0.0
        self.flow = np.array([1.0, 1.0])
        self.pending: dict[str, float] = {}

    @property
    def purse_usd(self) -> float:
        """What one query may cost now; infinite unless spending is paced."""
        budget = self.aim.usd_per_query
        return math.inf if budget is None else max(self.level, MODEST * budget)

    @property
    def most_usd(self) -> float:
        """What one query may ever cost; infinite unless spending is paced."""
        budget = self.aim.usd_per_query
        return math.inf if budget is None else DEPTH * budget

    @property
    def seen(self) -> int:
        """How many queries came."""
        return self.window.added

    def observe(self, hull: Hull | None) -> None:
        """A query came: remember what it offers (None: it was answered for nothing)."""
        self.window.add(hull)
        if self.aim.usd_per_query is not None:
            budget = self.aim.usd_per_query
            self.level = min(self.level + REFILL * budget, DEPTH * budget)
            planned = min(self.rate_usd, self.window.most_usd)
            self.flow = (1.0 - FADE) * self.flow + (0.0, FADE * planned / budget)

    @property
    def rate_usd(self) -> float:
        """What the next queries may cost on average so that the bucket gets to its setpoint."""
        budget = self.aim.usd_per_query or 0.0
        return max(REFILL * budget + (self.level - SETPOINT * DEPTH * budget) / HORIZON, 0.0)

    def price(self) -> float:
        """The price of money now, quality per USD."""
        aim = self.aim
        if aim.price is not None:
            return aim.price
        if aim.usd_per_query is not None:
            spent, planned = self.flow.tolist()
            excess = min(max(spent / max(planned, 1e-9), 1.0 / TRIM), TRIM)
            return self.window.price_for_cost(self.rate_usd / excess)
        if aim.target_quality is not None:
            return self.window.price_for_quality(aim.target_quality + self.owed / HORIZON)
        return self.window.price_for_quality(self.window.best_quality - THRIFT)

    def charge(self, key: str, usd: float) -> None:
        """Hold the expected cost of a decision until the real one is known."""
        if not key or self.aim.usd_per_query is None:
            return
        if key in self.pending:
            self.level += self.pending.pop(key)
        while len(self.pending) >= PENDING:
            self.level += self.pending.pop(next(iter(self.pending)))
        self.pending[key] = usd
        self._spend(usd)

    def settle(self, key: str, usd: float) -> None:
        """Put the real cost in the place of the expected one."""
        if self.aim.usd_per_query is None:
            return
        held = self.pending.pop(key, None)
        budget = self.aim.usd_per_query
        self._spend(usd - (held or 0.0))
        self.level = max(self.level, -DEPTH * budget)

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
        return self.window.save(f"{name}.window") | {
            f"{name}.level": np.array([self.level, self.owed]),
            f"{name}.flow": self.flow.copy(),
            f"{name}.pending_keys": np.array(list(self.pending), dtype=np.str_),
            f"{name}.pending_usd": np.array(list(self.pending.values()), dtype=np.float64),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.window.load(f"{name}.window", state)
        self.level, self.owed = np.array(state[f"{name}.level"], dtype=np.float64).tolist()
        self.flow = np.array(state[f"{name}.flow"], dtype=np.float64)
        keys = [str(key) for key in state[f"{name}.pending_keys"]]
        held = np.array(state[f"{name}.pending_usd"], dtype=np.float64).tolist()
        self.pending = dict(zip(keys, held, strict=True))
