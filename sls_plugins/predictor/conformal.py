"""How far real values lie above what was expected: quantiles of the last errors, row by row."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Conformal"]

DOUBT = 9
"""Made-up errors that a row starts with; the largest of them is its first quantile."""


class Conformal:
    """The split-conformal upper quantile of the last `size` errors of each row.

    Errors are taken before anything is learnt from the observation, so that they are those of
    predictions. Of n of them the one of rank ⌈level·(n + 1)⌉ bounds the next with probability
    `level`, whatever their distribution, as long as they are exchangeable (Vovk, 2005).
    """

    def __init__(self, size: int, level: float, start: float) -> None:
        """`start` is the quantile that is believed in at first."""
        self.size = size
        self.level = level
        self.start = start
        self.errors: Floats = np.zeros((0, size))
        self.added = np.zeros(0, dtype=np.int64)
        self.high: Floats = np.zeros(0)

    def grow(self, rows: int) -> None:
        """Have at least this many rows."""
        more = rows - self.high.size
        if more > 0:
            fresh = np.zeros((more, self.size))
            fresh[:, :DOUBT] = self.start * np.linspace(-1.0, 1.0, DOUBT)
            self.errors = np.concatenate((self.errors, fresh))
            self.added = np.concatenate((self.added, np.full(more, DOUBT)))
            self.high = np.concatenate((self.high, np.zeros(more)))
            for row in range(rows - more, rows):
                self._rank(row)

    def learn(self, row: int, error: float) -> None:
        """Take in one error."""
        self.errors[row, int(self.added[row]) % self.size] = error
        self.added[row] += 1
        self._rank(row)

    def _rank(self, row: int) -> None:
        used = min(int(self.added[row]), self.size)
        rank = min(int(np.ceil(self.level * (used + 1))), used) - 1
        self.high[row] = np.partition(self.errors[row, :used], rank)[rank]

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.errors": self.errors.copy(),
            f"{name}.added": self.added.copy(),
            f"{name}.high": self.high.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.errors = np.array(state[f"{name}.errors"], dtype=np.float64)
        self.added = np.array(state[f"{name}.added"], dtype=np.int64)
        self.high = np.array(state[f"{name}.high"], dtype=np.float64)
