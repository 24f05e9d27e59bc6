"""The hulls of the last queries, solved together as one small knapsack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.frontier import Hull
from sls_plugins.types import State

__all__ = ["ENOUGH", "Window"]

Floats = NDArray[np.float64]

FREE = 0.0
"""Price of money when there is enough of it for everything."""

ENOUGH = 50
"""Queries that must be known before any money is spent for nothing sure."""

GENEROUS = 0.001
"""Mean quality that may be given away to spend what would be left over, as is expected."""


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
        self.paid: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
        self.added = 0
        self._costs: Floats = np.zeros(1)
        self._qualities: Floats = np.zeros(1)
        self._slopes: Floats = np.zeros(1)
        self._rising = 0

    def add(self, hull: Hull | None) -> None:
        """Remember a query; None is one that cost nothing."""
        row = self.added % self.size
        self.steps[row] = 0.0
        self.bases[row] = 0.0
        self.paid[row] = hull is not None
        if hull is not None:
            self.bases[row] = (hull.cost_usd, hull.quality)
            steps = (*hull.steps, *hull.falling)
            more = len(steps) - self.steps.shape[1]
            if more > 0:
                self.steps = np.pad(self.steps, ((0, 0), (0, more), (0, 0)))
            for i, step in enumerate(steps):
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
        self._rising = int(np.searchsorted(-self._slopes, 0.0, side="left"))

    def price_for_cost(self, usd: float) -> float:
        """The lowest price at which the remembered queries cost at most `usd` on average.

        Below 0, once enough are known, if they would cost less even when every one gets its best,
        as long as no more than GENEROUS is thought to be lost by what is dearer and no better.
        """
        taken = int(self._costs.searchsorted(usd, side="right")) - 1
        taken = max(taken, 0)
        if taken >= self._rising and self.added < ENOUGH:
            return FREE
        if taken > self._rising:
            lost = self._qualities[self._rising] - self._qualities[self._rising : taken + 1]
            taken = self._rising + int(np.searchsorted(lost, GENEROUS, side="right")) - 1
        if taken < self._rising or taken < self._slopes.size:
            return float(self._slopes[taken])
        return float(self._slopes[-1]) - 1e-9 if taken > self._rising else FREE

    def quality_for_cost(self, usd: float) -> float:
        """Average quality of the remembered queries where they cost at most `usd` on average."""
        taken = int(self._costs.searchsorted(usd, side="right")) - 1
        return float(self._qualities[min(max(taken, 0), self._rising)])

    def price_for_quality(self, quality: float) -> float:
        """The highest price at which they bring at least `quality` on average."""
        rising = self._qualities[: self._rising + 1]
        taken = int(rising.searchsorted(quality, side="left"))
        return float(self._slopes[taken]) if taken < self._rising else FREE

    @property
    def paid_share(self) -> float:
        """Share of the remembered queries that were not answered for nothing."""
        used = min(self.added, self.size)
        return float(self.paid[:used].mean()) if used else 1.0

    @property
    def best_quality(self) -> float:
        """Average quality of the remembered queries if money were free."""
        return float(self._qualities[self._rising])

    @property
    def most_usd(self) -> float:
        """Average cost of the remembered queries if money were free."""
        return float(self._costs[self._rising])

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.bases": self.bases.copy(),
            f"{name}.steps": self.steps.copy(),
            f"{name}.paid": self.paid.copy(),
            f"{name}.added": np.array([self.added, self._rising]),
            f"{name}.costs": self._costs.copy(),
            f"{name}.qualities": self._qualities.copy(),
            f"{name}.slopes": self._slopes.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.bases = np.array(state[f"{name}.bases"], dtype=np.float64)
        self.steps = np.array(state[f"{name}.steps"], dtype=np.float64)
        self.paid = np.array(state[f"{name}.paid"], dtype=np.bool_)
        self.added, self._rising = np.array(state[f"{name}.added"], dtype=np.int64).tolist()
        self._costs = np.array(state[f"{name}.costs"], dtype=np.float64)
        self._qualities = np.array(state[f"{name}.qualities"], dtype=np.float64)
        self._slopes = np.array(state[f"{name}.slopes"], dtype=np.float64)
