"""How long a candidate takes for an answer, as far as its length is foreseen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sls_plugins.predictor.conformal import Conformal
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.predictor.linear import LinearBank
from sls_plugins.types import State

__all__ = ["Latencies", "Latency"]

REACH = 1.5
"""An outlier moves the logarithm of the latency as if it were this far off, no more."""

SLOPE = 0.5
"""Power of the length with which latency is believed to grow at first."""

HIGH = 0.95
"""The quantile that is told beside the typical latency."""

REMEMBERED = 256
"""Errors of a candidate from which its quantile is taken."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Typical (median) and high latency in seconds, shape (K,); NaN while nothing is known."""

    typical_s: Floats
    high_s: Floats


class Latency:
    """Logarithm of the latency, regressed on that of the output tokens, candidate by candidate.

    It is learnt at the real length and told at the expected one, so the quantile (conformal) has
    in it that lengths are guessed. Outliers are bounded, old calls fade.
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self.bank = LinearBank(np.array([9.0, 0.05]), drift=5e-3)
        self.conformal = Conformal(REMEMBERED, HIGH, start=1.0)
        self.seen: Floats = np.zeros(0)

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        more = rows - self.seen.size
        if more > 0:
            self.bank.grow(rows)
            self.conformal.grow(rows)
            self.seen = np.concatenate((self.seen, np.zeros(more)))

    def predict(self, rows: list[int], lengths: Floats) -> Latencies:
        """Latencies of answers whose logarithms of length are expected to be `lengths`, (K,)."""
        weights = self.bank.weights[rows]
        logs = weights[:, 0] + (weights[:, 1] + SLOPE) * lengths
        typical = np.where(self.seen[rows] > 0, np.exp(np.clip(logs, -20.0, 20.0)), np.nan)
        return Latencies(typical, typical * np.exp(np.maximum(self.conformal.high[rows], 0.0)))

    def learn(self, row: int, latency_s: float | None, lengths: tuple[float, float]) -> None:
        """A call took this time; `lengths` (logarithms) are the expected and the real one."""
        if latency_s is None or not (math.isfinite(latency_s) and latency_s > 0):
            return
        log_s = math.log(latency_s)
        expected, real = lengths
        constant, slope = self.bank.weights[row].tolist()
        fresh = self.seen[row] == 0
        if not fresh:
            self.conformal.learn(row, log_s - constant - (slope + SLOPE) * expected)
        numbers = np.array([1.0, real])
        known = constant + slope * real
        error = log_s - SLOPE * real - known
        bounded = error if fresh else min(max(error, -REACH), REACH)
        self.bank.learn(row, numbers, known + bounded)
        self.seen[row] += 1.0

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return (
            self.bank.save(f"{name}.bank")
            | self.conformal.save(f"{name}.conformal")
            | {f"{name}.seen": self.seen.copy()}
        )

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.bank.load(f"{name}.bank", state)
        self.conformal.load(f"{name}.conformal", state)
        self.seen = np.array(state[f"{name}.seen"], dtype=np.float64)
