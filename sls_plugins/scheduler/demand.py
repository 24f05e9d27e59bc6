"""How many more queries a window of time will bring."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Demand"]

HOUR_S = 3600.0

UNKNOWN = -1.0
"""Of an hour that was never seen whole, and of times before anything came."""

RECENT_S, SHORTEST_S = 600.0, 60.0
"""Time constant of the present rate, at most; and where many come."""

RECENT = 150.0
"""Queries that it is to rest on: the more come, the sooner it is seen that fewer do."""

FADING = 0.92
"""Share of the present rate that is counted on where no earlier day tells: what is left when the
window ends is lost, what was spent a little too soon only makes its end a little thriftier."""

DAYS = 0.7
"""Share of an hour's usual rate that is kept when the same hour of another day has passed."""

LASTING = 0.5
"""What is left, hour by hour, of today's being busier or quieter than usual."""


class Demand:
    """The present rate of queries, and the usual one of each hour of the day (UTC)."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.usual = np.full(24, UNKNOWN)  # queries an hour
        self.recent = 0.0
        self.recent_s = 0.0
        self.hour = -1.0  # since the epoch
        self.count = 0.0
        self.first_s = UNKNOWN
        self.last_s = UNKNOWN

    def observe(self, now_s: float) -> None:
        """A query came."""
        if self.first_s == UNKNOWN:
            self.first_s = self.last_s = now_s
        passed_s = max(0.0, now_s - self.last_s)
        kept = math.exp(-passed_s / self.memory_s)
        self.recent = self.recent * kept + 1.0
        self.recent_s = self.recent_s * kept + self.memory_s * (1.0 - kept)
        self.last_s = max(now_s, self.last_s)
        hour = now_s // HOUR_S
        if hour > self.hour:
            self._close(hour)
        self.count += 1.0

    def _close(self, hour: float) -> None:
        """Take in the hours that are over; one that began before anything came is not whole."""
        if self.hour * HOUR_S >= self.first_s:
            for place in range(int(self.hour), min(int(hour), int(self.hour) + 24)):
                count = self.count if place == self.hour else 0.0
                old = self.usual[place % 24]
                mean = count if old == UNKNOWN else DAYS * old + (1.0 - DAYS) * count
                self.usual[place % 24] = mean
        self.hour, self.count = hour, 0.0

    def rate(self, now_s: float) -> float:
        """Queries a second now."""
        memory_s = self.memory_s
        kept = math.exp(-max(0.0, now_s - self.last_s) / memory_s)
        return self.recent * kept / max(self.recent_s * kept + memory_s * (1.0 - kept), 1.0)

    @property
    def memory_s(self) -> float:
        """Time constant of the present rate."""
        rate = self.recent / max(self.recent_s, 1.0)
        return min(max(RECENT / max(rate, 1e-9), SHORTEST_S), RECENT_S)

    def expected(self, now_s: float, until_s: float) -> float:
        """Queries from now on until then, this one included; at least 1."""
        rate = self.rate(now_s)
        usual = self.usual[int(now_s // HOUR_S) % 24]
        busier = 1.0 if usual == UNKNOWN else min(max(rate * HOUR_S / max(usual, 1.0), 0.2), 5.0)
        total, at_s, lasting = 0.0, now_s, 1.0
        while at_s < until_s and lasting > 1e-3:
            end_s = min((at_s // HOUR_S + 1.0) * HOUR_S, until_s)
            usual = self.usual[int(at_s // HOUR_S) % 24]
            then = FADING * rate if usual == UNKNOWN else usual / HOUR_S * busier**lasting
            total += then * (end_s - at_s)
            at_s, lasting = end_s, lasting * LASTING
        if at_s < until_s:
            known = self.usual[self.usual != UNKNOWN]
            mean = float(known.mean()) / HOUR_S if known.size else rate
            total += mean * (until_s - at_s)
        return max(total, 1.0)

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        plain = (self.recent, self.recent_s, self.hour, self.count, self.first_s, self.last_s)
        return {f"{name}.usual": self.usual.copy(), f"{name}.now": np.array(plain)}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.usual = np.array(state[f"{name}.usual"], dtype=np.float64)
        plain = np.array(state[f"{name}.now"], dtype=np.float64).tolist()
        self.recent, self.recent_s, self.hour, self.count, self.first_s, self.last_s = plain
