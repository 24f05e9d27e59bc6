"""Which share of a candidate's last calls failed."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Failures"]

WINDOW = 50.0
"""Calls over which failures are averaged."""


class Failures:
    """A running average per candidate."""

    def __init__(self) -> None:
        """Nobody failed yet."""
        self.shares: Floats = np.zeros(0)

    def grow(self, rows: int) -> None:
        """Have at least this many candidates."""
        self.shares = np.concatenate((self.shares, np.zeros(max(rows - self.shares.size, 0))))

    def learn(self, row: int, *, failed: bool) -> None:
        """A call came to an end."""
        self.shares[row] += (float(failed) - self.shares[row]) / WINDOW

    def save(self, name: str) -> dict[str, Arrays]:
        """The array under a name that starts with `name`."""
        return {f"{name}.shares": self.shares.copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.shares = np.array(state[f"{name}.shares"], dtype=np.float64)
