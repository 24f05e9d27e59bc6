"""The hulls of the last queries, solved together as one small knapsack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.frontier import Hull
from sls_plugins.types import State

__all__ = ["Window"]

Floats = NDArray[np.float64]

FREE = 0.0
"""Price of money when there is enough of it for everything."""


class Window:
    """A ring of hulls; tells at which price of money they would cost, or bring, so much each.

    Sorting all steps by slope gives every supported point of the multiple-choice knapsack at once;
    the sort is renewed once in `renewal` queries, the question may be asked at every one.
    """

    def __init__(self, size: int, renewal: int = 4) -> None:
        """`size` queries are remembered."""
        self.size = size
        self.renewal = renewal
        self.bases: Floats = np.zeros((size, 2))
        self.steps: Floats = np.zeros((size, 4, 2))
        self.added = 0
        self._costs: Floats = np.zeros(1)
        self._qualities: Floats = np.zeros(1)
        self._slopes: Floats = np.zeros(1)

    def add(self, hull: Hull | None) -> None:
        """Remember a query; None is one that cost nothing."""
        row = self.added % self.size
        self.steps[row] = 0.0
        self.bases[row] = 0.0
        if hull is not None:
            self.bases[row] = (hull.cost_usd, hull.quality)
            more = len(hull.steps) - self.steps.shape[1]
            if more > 0:
                self.steps = np.pad(self.steps, ((0, 0), (0, more), (0, 0)))
            for i, step in enumerate(hull.steps):
                self.steps[row, i] = (step.cost_usd, step.quality)
        self.added += 1
        if self.added < 4 * self.renewal or self.added % self.renewal == 0:
            self._sort()

    def _sort(self) -> None:
        used = min(self.added, self.size)
        flat = self.steps[:used].reshape(-1, 2)
        flat = flat[flat[:, 0] > 0.0]
        slopes = flat[:, 1] / flat[:, 0]
        order = np.argsort(-slopes, kind="stable")
        base = self.bases[:used].sum(axis=0)
        self._slopes = slopes[order]
        self._costs = (base[0] + np.concatenate(([0.0], np.cumsum(flat[order, 0])))) / used
        self._qualities = (base[1] + np.concatenate(([0.0], np.cumsum(flat[order, 1])))) / used

    def price_for_cost(self, usd: float) -> float:
        """The lowest price at which the remembered queries cost at most `usd` on average."""
        taken = int(np.searchsorted(self._costs, usd, side="right")) - 1
        return self._price_after(max(taken, 0))

    def price_for_quality(self, quality: float) -> float:
        """The highest price at which they bring at least `quality` on average."""
        taken = int(np.searchsorted(self._qualities, quality, side="left"))
        return self._price_after(taken)

    def _price_after(self, taken: int) -> float:
        """A price at which just the first `taken` steps are worth it."""
        if taken >= self._slopes.size:
            return FREE
        return float(self._slopes[taken])

    @property
    def best_quality(self) -> float:
        """Average quality of the remembered queries if money were free."""
        return float(self._qualities[-1])

    @property
    def most_usd(self) -> float:
        """Average cost of the remembered queries if money were free."""
        return float(self._costs[-1])

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.bases": self.bases.copy(),
            f"{name}.steps": self.steps.copy(),
            f"{name}.added": np.array([self.added]),
            f"{name}.costs": self._costs.copy(),
            f"{name}.qualities": self._qualities.copy(),
            f"{name}.slopes": self._slopes.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.bases = np.array(state[f"{name}.bases"], dtype=np.float64)
        self.steps = np.array(state[f"{name}.steps"], dtype=np.float64)
        self.added = int(state[f"{name}.added"][0])
        self._costs = np.array(state[f"{name}.costs"], dtype=np.float64)
        self._qualities = np.array(state[f"{name}.qualities"], dtype=np.float64)
        self._slopes = np.array(state[f"{name}.slopes"], dtype=np.float64)
