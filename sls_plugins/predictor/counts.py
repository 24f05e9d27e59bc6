"""What was seen under one key (a task, a pattern, a text), candidate by candidate."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Counts"]


class Counts:
    """Sums of quality and of weight per key and candidate, in a table of bounded size.

    When the table is full the key that came first makes room. `fade` is the share of a cell that is
    forgotten with each of its observations, so a cell never weighs more than 1 / fade.
    """

    def __init__(self, rows: int, fade: float) -> None:
        """`rows` keys are kept at most."""
        self.rows = rows
        self.fade = fade
        self.keys = np.full(rows, -1, dtype=np.int64)
        self.sums: Floats = np.zeros((rows, 0))
        self.weights: Floats = np.zeros((rows, 0))
        self.residuals: Floats = np.zeros((rows, 2))
        self.added = 0
        self._places: dict[int, int] = {}

    def grow(self, columns: int) -> None:
        """Have at least this many candidates."""
        more = columns - self.sums.shape[1]
        if more > 0:
            self.sums = np.pad(self.sums, ((0, 0), (0, more)))
            self.weights = np.pad(self.weights, ((0, 0), (0, more)))

    def find(self, key: int) -> int | None:
        """The row of a key, if it was seen."""
        return self._places.get(key)

    def learn(self, key: int, column: int, quality: float, residual: float, weight: float) -> None:
        """Add one observation; `residual` is quality less what was expected without this table."""
        row = self._places.get(key)
        if row is None:
            row = self._take(key)
        keep = 1.0 - self.fade
        self.sums[row, column] = keep * self.sums[row, column] + weight * quality
        self.weights[row, column] = keep * self.weights[row, column] + weight
        self.residuals[row] = keep * self.residuals[row] + (weight * residual, weight)

    def forget(self, column: int, share: float) -> None:
        """Let a share of what was seen of one candidate count no longer."""
        self.sums[:, column] *= 1.0 - share
        self.weights[:, column] *= 1.0 - share

    def _take(self, key: int) -> int:
        row = self.added % self.rows
        self._places.pop(int(self.keys[row]), None)
        self.keys[row] = key
        self.sums[row] = 0.0
        self.weights[row] = 0.0
        self.residuals[row] = 0.0
        self._places[key] = row
        self.added += 1
        return row

    def save(self, name: str) -> dict[str, Arrays]:
        """The used part of the table under names that start with `name`."""
        used = min(self.added, self.rows)
        return {
            f"{name}.keys": self.keys[:used].copy(),
            f"{name}.sums": self.sums[:used].copy(),
            f"{name}.weights": self.weights[:used].copy(),
            f"{name}.residuals": self.residuals[:used].copy(),
            f"{name}.added": np.array([self.added]),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        sums = np.array(state[f"{name}.sums"], dtype=np.float64)
        used, columns = sums.shape
        self.keys = np.full(self.rows, -1, dtype=np.int64)
        self.keys[:used] = state[f"{name}.keys"]
        self.sums = np.zeros((self.rows, columns))
        self.sums[:used] = sums
        self.weights = np.zeros((self.rows, columns))
        self.weights[:used] = state[f"{name}.weights"]
        self.residuals = np.zeros((self.rows, 2))
        self.residuals[:used] = state[f"{name}.residuals"]
        self.added = int(state[f"{name}.added"][0])
        self._places = {int(key): row for row, key in enumerate(self.keys[:used])}
