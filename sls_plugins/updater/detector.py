"""One e-detector: tells when the mean of a stream has moved, with a bound on false alarms.

Each value is compared with what was expected of it, and with how far such expectations were off
before. The comparison is a bet that gains nothing on average while nothing has changed (an
e-value); a Shiryaev-Roberts sum of products of such bets alarms on average at most once in A
values while nothing changes (Shin, Ramdas, Rinaldo: E-detectors, 2022), and grows exponentially
after a change.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["WIDTH", "Detector", "Signal"]

Floats = NDArray[np.float64]

SHIFTS = (0.1, 0.2, 0.4)
"""The changes that are bet on, in units of the value (0…1), each with a third of the money."""

LAG = 100
"""The newest values are not yet part of what was normal: a change must not hide in it."""

WARM = 60
"""Older values that are needed before anything is told."""

MEMORY = 3000.0
"""Values over which normality is averaged."""

DOUBT = 1.5
"""Standard errors by which normality may be off without being called a change."""

WIDTH = 3 + 2 * len(SHIFTS) + LAG
"""Numbers that a detector's state is."""

EDGE = 0.02
"""Expected means are kept this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Signal:
    """An alarm: in which direction (-1 fell, 1 rose), normal and recent mean of the error."""

    direction: int
    normal: float
    recent: float


class Detector:
    """Watches values in 0…1 against their expectations.

    `rate_down` and `rate_up` are the expected false alarms per value; with 0 there is none.
    """

    def __init__(self, rate_down: float, rate_up: float, slack: float = 0.0) -> None:
        """Nothing has been seen; means that move by less than `slack` have not changed."""
        self.slack = slack
        self.limits = tuple(1.0 / rate if rate else math.inf for rate in (rate_down, rate_up))
        self.facts = (0.0, 0.0, 0.0)  # weight, mean and variance of normal errors
        self.recent: deque[float] = deque()
        self.sums = ([0.0] * len(SHIFTS), [0.0] * len(SHIFTS))  # Shiryaev-Roberts, down and up

    def observe(self, value: float, expected: float) -> Signal | None:
        """Take in one value; a signal if it gives the alarm, after which all begins anew."""
        error = value - expected
        weight, mean, variance = self.facts
        if weight >= WARM:
            doubt = self.slack + DOUBT * math.sqrt(max(variance, 1e-4) / weight)
            self._bet(value, expected + mean - doubt)
            self._bet_on_rise(value - (expected + mean + doubt), max(variance, 0.01))
        self.recent.append(error)
        if len(self.recent) > LAG:
            self._settle(self.recent.popleft())
        for side, direction in ((0, -1), (1, 1)):
            if sum(self.sums[side]) >= len(SHIFTS) * self.limits[side]:
                signal = Signal(direction, mean, self._newest_mean())
                self.restart()
                return signal
        return None

    def restart(self) -> None:
        """What was normal is no longer known."""
        self.facts = (0.0, 0.0, 0.0)
        self.recent.clear()
        self.sums = ([0.0] * len(SHIFTS), [0.0] * len(SHIFTS))

    def _bet_on_rise(self, surplus: float, spread: float) -> None:
        """Bet that the mean of `surplus` is above 0; all values count alike.

        Where good answers are sure a coin's odds are long, and what was expected is a bit too low:
        a likelihood ratio as for falls would be won by that alone.
        """
        sums = self.sums[1]
        for i, shift in enumerate(SHIFTS):
            sums[i] = (sums[i] + 1.0) * (1.0 + min(shift / spread, 0.8) * surplus)

    def _bet(self, value: float, least: float) -> None:
        """Bet that the mean is below `least`: the likelihood ratio of two coins, at most."""
        least = min(max(least, EDGE), 1.0 - EDGE)
        won = (least - value) / (least * (1.0 - least))
        sums = self.sums[0]
        for i, shift in enumerate(SHIFTS):
            sums[i] = (sums[i] + 1.0) * (1.0 + min(shift, 0.9 * least) * won)

    def _settle(self, error: float) -> None:
        """An error old enough to be part of what is normal."""
        weight, mean, variance = self.facts
        weight = min(weight + 1.0, MEMORY)
        step = (error - mean) / weight
        variance += ((error - mean) * (error - mean - step) - variance) / weight
        self.facts = (weight, mean + step, variance)

    def _newest_mean(self) -> float:
        newest = list(self.recent)[-LAG // 2 :]
        return sum(newest) / max(len(newest), 1)

    def flat(self) -> Floats:
        """All state in one row of fixed width."""
        padded = np.full(LAG, np.nan)
        padded[: len(self.recent)] = list(self.recent)
        return np.array([*self.facts, *self.sums[0], *self.sums[1], *padded])

    def set(self, row: Floats) -> None:
        """Restore what `flat` gave."""
        values, width = row.tolist(), len(SHIFTS)
        self.facts = (values[0], values[1], values[2])
        self.sums = (values[3 : 3 + width], values[3 + width : 3 + 2 * width])
        self.recent = deque(one for one in values[3 + 2 * width :] if not math.isnan(one))
