"""An anytime-valid test of whether the learnt policy does worse than the best fixed mix."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["ALARM", "Duel"]

ALARM = 100.0
"""Wealth at which a bet is won."""

RESTART = 0.001
"""Wealth that a bet is never let below, so that what changes late is noticed too.

An equal policy loses within n queries with a probability of (1 + RESTART * n) / ALARM at most.
"""


class Duel:
    """Two bets on differences of value, policy less mix: that it is negative, that it is positive.

    Each is a wealth that cannot grow, on average, while its hypothesis is false, whenever one
    looks (Ville's inequality); stakes follow the differences seen so far. While the mix is in
    charge the second bet has to be won before the policy is again.
    """

    def __init__(self) -> None:
        """Nothing was seen; the policy is in charge."""
        self.worse = 1.0
        self.better = 1.0
        self.moments = np.array([0.0, 1.0, 20.0])  # sum, sum of squares, weight
        self.handed = False
        self.proven = False

    def learn(self, difference: float, lowest: float, highest: float) -> None:
        """One more unbiased difference, which is never below `lowest` or above `highest`."""
        total, squares, weight = self.moments.tolist()
        mean = total / weight
        stake = abs(mean) / (squares / weight)
        timid = 0.25 * stake
        most_worse, most_better = 0.5 / max(highest, 1.0), 0.5 / max(-lowest, 1.0)
        worse, better = (stake, timid) if mean < 0.0 else (timid, stake)
        self.worse = self._bet(self.worse, -difference, min(worse, most_worse))
        self.better = self._bet(self.better, difference, min(better, most_better))
        self.moments = self.moments * 0.999 + (difference, difference**2, 1.0)
        if self.worse >= ALARM and not self.handed:
            self._turn(handed=True)
        elif self.better >= ALARM:
            self._turn(handed=False)

    @staticmethod
    def _bet(wealth: float, gain: float, stake: float) -> float:
        grown = wealth * (1.0 + stake * gain)
        return min(max(grown, RESTART), 2.0 * ALARM) if math.isfinite(grown) else wealth

    def _turn(self, *, handed: bool) -> None:
        self.proven = not handed
        if handed != self.handed:
            self.worse = self.better = 1.0
        self.handed = handed

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        flags = (float(self.handed), float(self.proven))
        return {
            f"{name}.wealth": np.array([self.worse, self.better, *flags]),
            f"{name}.moments": self.moments.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        values = np.array(state[f"{name}.wealth"], dtype=np.float64).tolist()
        self.worse, self.better = values[:2]
        self.handed, self.proven = bool(values[2]), bool(values[3])
        self.moments = np.array(state[f"{name}.moments"], dtype=np.float64)
