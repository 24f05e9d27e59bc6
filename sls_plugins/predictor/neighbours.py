"""The last graded outcomes with their vectors: what came of queries like this one."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State, Vector

__all__ = ["Neighbours"]


class Neighbours:
    """A ring of the last graded outcomes; those near a query are summed up by candidate."""

    def __init__(self, size: int, dimension: int, sharpness: float, floor: float) -> None:
        """An outcome at similarity s counts exp(sharpness·(s-1)), nothing below `floor`."""
        self.size = size
        self.sharpness = sharpness
        self.floor = floor
        self.vectors = np.zeros((size, dimension), dtype=np.float32)
        self.columns = np.zeros(size, dtype=np.int64)
        self.facts: Floats = np.zeros((size, 3))
        self.added = 0

    def add(self, vector: Vector, column: int, facts: tuple[float, float, float]) -> None:
        """Keep an outcome: (quality, quality less what was expected, weight)."""
        row = self.added % self.size
        self.vectors[row] = vector
        self.columns[row] = column
        self.facts[row] = facts
        self.added += 1

    def forget(self, column: int, share: float) -> None:
        """Let a share of one candidate's outcomes count no longer."""
        self.facts[self.columns == column, 2] *= 1.0 - share

    def near(self, vector: Vector, columns: int) -> tuple[Floats, Floats, Floats]:
        """Sums over near outcomes: quality and weight per candidate; (residual, weight) of all."""
        used = min(self.added, self.size)
        similarity = self.vectors[:used] @ vector
        rows = np.flatnonzero(similarity >= self.floor)
        if not rows.size:
            return np.zeros(columns), np.zeros(columns), np.zeros(2)
        facts = self.facts[rows]
        power = facts[:, 2] * np.exp(self.sharpness * (np.minimum(similarity[rows], 1.0) - 1.0))
        which = self.columns[rows]
        sums = np.bincount(which, power * facts[:, 0], columns).astype(np.float64)
        weights = np.bincount(which, power, columns).astype(np.float64)
        return sums, weights, np.array([power @ facts[:, 1], power.sum()])

    def save(self, name: str) -> dict[str, Arrays]:
        """The used part of the ring under names that start with `name`."""
        used = min(self.added, self.size)
        return {
            f"{name}.vectors": self.vectors[:used].copy(),
            f"{name}.columns": self.columns[:used].copy(),
            f"{name}.facts": self.facts[:used].copy(),
            f"{name}.added": np.array([self.added]),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        used = len(state[f"{name}.columns"])
        self.vectors[:] = 0.0
        self.columns[:] = 0
        self.facts[:] = 0.0
        self.vectors[:used] = state[f"{name}.vectors"]
        self.columns[:used] = state[f"{name}.columns"]
        self.facts[:used] = state[f"{name}.facts"]
        self.added = int(state[f"{name}.added"][0])
