"""No hundred queries in a row cost much more than a hundred budgets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Burst"]

Floats = NDArray[np.float64]

LENGTH = 100
"""Queries that are looked at together."""

MOST = 1.15
"""Budgets that they may cost each, on average."""

RARE = 0.015
"""Share of the calls that may cost more than `tail` times their high quantile."""


class Burst:
    """A ring of the last costs, and how far real costs go beyond what was thought the most."""

    def __init__(self) -> None:
        """Nothing was spent."""
        self.ring: Floats = np.zeros(LENGTH)
        self._spent_usd: float | None = None  # in the ring, but for its oldest; None: not summed
        self.at = 0
        self.tail = 1.5

    def left_usd(self, budget: float) -> float:
        """What the next query may cost."""
        if self._spent_usd is None:
            self._spent_usd = float(self.ring.sum() - self.ring[(self.at + 1) % LENGTH])
        return MOST * LENGTH * budget - self._spent_usd

    def add(self) -> int:
        """A query came, free as yet; returns the place of its cost."""
        self.at = (self.at + 1) % LENGTH
        self.ring[self.at] = 0.0
        self._spent_usd = None
        return self.at

    def put(self, place: int, usd: float) -> None:
        """A query's cost, expected or real; `place` is what `add` returned for it."""
        self.ring[place] = usd
        self._spent_usd = None

    def learn(self, ratio: float) -> None:
        """A call cost `ratio` times its high quantile."""
        step = 0.05 * (float(ratio > self.tail) - RARE)
        self.tail = min(max(self.tail * math.exp(step), 1.0), 5.0)

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.ring": self.ring.copy(),
            f"{name}.at": np.array([self.at]),
            f"{name}.tail": np.array([self.tail]),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.ring = np.array(state[f"{name}.ring"], dtype=np.float64)
        self._spent_usd = None
        self.at = int(state[f"{name}.at"][0])
        self.tail = float(state[f"{name}.tail"][0])
