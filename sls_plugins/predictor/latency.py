"""How long a candidate takes and how often it fails, as running averages."""

from __future__ import annotations

import math

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Latency"]

WINDOW = 50.0
"""Calls over which latency and failures are averaged."""

REACH = 1.5
"""An outlier moves the logarithm of the latency as if it were this far off, no more."""


class Latency:
    """Running logarithm of the latency (outliers bounded) and share of failed calls."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.facts: Floats = np.zeros((0, 3))

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        more = rows - len(self.facts)
        if more > 0:
            self.facts = np.concatenate((self.facts, np.zeros((more, 3))))

    def expected_s(self, row: int) -> float | None:
        """Typical latency in seconds; None while nothing is known."""
        log_s, seen, _ = self.facts[row].tolist()
        return math.exp(log_s) if seen else None

    def failing(self, rows: list[int]) -> Floats:
        """Share of recent calls that failed, 0…1, shape (K,)."""
        return np.asarray(self.facts[rows, 2], dtype=np.float64)

    def learn(self, row: int, latency_s: float | None) -> None:
        """A call succeeded, in this time if it is known."""
        facts = self.facts[row]
        facts[2] -= facts[2] / WINDOW
        if latency_s is None or not (math.isfinite(latency_s) and latency_s > 0):
            return
        log_s = math.log(latency_s)
        if facts[1] == 0:
            facts[0] = log_s
        step = min(max(log_s - facts[0], -REACH), REACH)
        facts[1] += 1.0
        facts[0] += step / min(facts[1], WINDOW)

    def fail(self, row: int) -> None:
        """A call failed."""
        self.facts[row, 2] += (1.0 - self.facts[row, 2]) / WINDOW

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.facts": self.facts.copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.facts = np.array(state[f"{name}.facts"], dtype=np.float64)
