"""Improves an assignment by exchange: the moves with which OptLLM and CPLS search.

A move up buys quality at a rate (quality per USD), a move down saves money at one. While some move
down loses less per USD than a move up gains, both are made. What is left has one price of money
that suits all queries: a supported point of the exact front.

Source: OptLLM (ICWS 2024) calls this loop reconstruction, CPLS (ICSME 2024) intensification.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import Batch, Columns

__all__ = ["Exchange"]


class Exchange:
    """An assignment with each row's best move up and best move down."""

    def __init__(self, batch: Batch, columns: Columns) -> None:
        """Start from an assignment of shape (n,), which is copied."""
        self._quality, self._cost = batch.scores()
        self.columns = columns.copy()
        n = batch.rows
        self.up, self.down = np.full(n, -np.inf), np.full(n, np.inf)
        self.up_to, self.down_to = np.zeros(n, np.intp), np.zeros(n, np.intp)
        self.move(np.arange(n), self.columns)

    def move(self, rows: NDArray[np.intp], to: Columns) -> None:
        """Move rows to columns, then take every move that is better at no more cost."""
        self.columns[rows] = to
        moved = rows
        while len(moved):
            moved = self._dominate(moved)
        self._rates(rows)

    def effect(self, rows: NDArray[np.intp], to: Columns) -> tuple[float, float]:
        """What moving rows to columns would add to the sums of quality, of cost."""
        here = self.columns[rows]
        quality = self._quality[rows, to] - self._quality[rows, here]
        cost = self._cost[rows, to] - self._cost[rows, here]
        return float(quality.sum()), float(cost.sum())

    def exchange(self) -> Iterator[None]:
        """Make the best moves up and the cheapest moves down until none is worth it.

        Yields after each round, so that who wants to can look at `columns`.
        """
        for _ in range(4 * self._quality.size):
            best, least = self.up.max(), self.down.min()
            if not least < best:
                return
            rising = np.flatnonzero(self.up == best)
            falling = np.flatnonzero((self.down == least) & (self.up != best))
            rows = np.concatenate((rising, falling))
            self.move(rows, np.concatenate((self.up_to[rising], self.down_to[falling])))
            yield

    def settle(self) -> Columns:
        """Exchange to the end; returns a copy of the assignment."""
        for _ in self.exchange():
            pass
        return self.columns.copy()

    def _dominate(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Move rows once to what is no worse in either; returns those that were moved."""
        better, dearer = self._differences(rows)
        good = (dearer <= 0) & (better >= 0) & ((dearer < 0) | (better > 0))
        moving = np.flatnonzero(good.any(axis=1))
        to = np.where(good[moving], better[moving], -1.0).argmax(axis=1)
        self.columns[rows[moving]] = to
        return rows[moving]

    def _rates(self, rows: NDArray[np.intp]) -> None:
        better, dearer = self._differences(rows)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rate = better / dearer
        up = np.where((better > 0) & (dearer > 0), rate, -np.inf)
        down = np.where((better < 0) & (dearer < 0), rate, np.inf)
        each = np.arange(len(rows))
        self.up_to[rows], self.down_to[rows] = up.argmax(axis=1), down.argmin(axis=1)
        self.up[rows] = up[each, self.up_to[rows]]
        self.down[rows] = down[each, self.down_to[rows]]

    def _differences(
        self, rows: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        here = self.columns[rows]
        quality, cost = self._quality[rows], self._cost[rows]
        each = np.arange(len(rows))
        return quality - quality[each, here][:, None], cost - cost[each, here][:, None]
