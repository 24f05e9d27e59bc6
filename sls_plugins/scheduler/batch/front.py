"""Every supported Pareto point of a batch, exactly.

One model per query with additive cost is a multiple-choice knapsack. At a price of money λ the best
assignment takes `argmax quality - λ·cost` query by query; as λ falls, queries step along their
hulls, the best bargain first. So all steps, sorted once by their rate, are the whole front: its
point k is the cheapest assignment after the first k steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import Batch, Columns, Floats, blocks, chosen
from sls_plugins.scheduler.batch.hulls import hulls_of
from sls_plugins.scheduler.batch.order import falling

__all__ = ["Front", "front_of"]

TIED = 1e-12
"""Rates that differ by less, relatively, are one: the points between lie on a straight line."""

CHUNK = 65536
"""Steps that are looked up together."""


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """All K steps in falling order of rate, with the sums that they lead to.

    Attributes:
        batch: what it is the front of.
        start: each row's cheapest candidate, shape (n,).
        rate: quality per USD of each step, shape (K,).
        row: the query that each step moves, shape (K,).
        to: the candidate that it moves to, shape (K,).
        sums: quality after 0 … K steps, shape (K + 1,).
        sums_usd: cost in USD after 0 … K steps, shape (K + 1,).
    """

    batch: Batch
    start: NDArray[np.unsignedinteger]
    rate: Floats
    row: NDArray[np.int32]
    to: NDArray[np.unsignedinteger]
    sums: Floats
    sums_usd: Floats

    def __len__(self) -> int:
        """How many steps there are: the dearest point is the one after all of them."""
        return len(self.rate)

    def corners(self) -> NDArray[np.int64]:
        """Numbers of steps at the front's corners, from the cheapest to the dearest point.

        Every supported point lies at a corner or, where several steps have one rate, between two.
        """
        apart = self.rate[:-1] - self.rate[1:] > TIED * self.rate[:-1]
        inner = np.flatnonzero(apart) + 1
        ends = [0, len(self)] if len(self) else [0]
        return np.concatenate((ends[:1], inner, ends[1:])).astype(np.int64)

    def price(self, steps: int) -> float:
        """The lowest λ at which the point is still the best: the next step's rate; last 0."""
        return float(self.rate[steps]) if steps < len(self) else 0.0

    def columns(self, steps: int) -> Columns:
        """The assignment after so many steps, made when asked for, in O(n + steps)."""
        columns = self.start.astype(np.intp)
        # Of several steps of one row the last counts: that is what NumPy does with equal indices.
        columns[self.row[:steps]] = self.to[:steps]
        return columns

    def within(self, budget_usd: float) -> int:
        """The most steps whose point costs no more; -1 if even the cheapest point does."""
        return int(np.searchsorted(self.sums_usd, budget_usd, side="right")) - 1

    def reaching(self, quality: float) -> int:
        """The fewest steps whose point has this quality; K + 1 if none has."""
        return int(np.searchsorted(self.sums, quality, side="left"))

    def most_quality(self, budget_usd: float) -> float:
        """Upper bound: no assignment that costs no more than this has more quality."""
        steps = min(max(self.within(budget_usd), 0), len(self))
        left = max(budget_usd - float(self.sums_usd[steps]), 0.0)
        return float(self.sums[steps]) + (left * self.price(steps) if left < math.inf else 0.0)

    def least_usd(self, quality: float) -> float:
        """Lower bound: no assignment with this quality costs less; ∞ where none has it."""
        steps = self.reaching(quality)
        if steps > len(self):
            return math.inf
        if steps == 0:
            return float(self.sums_usd[0])
        missing = quality - float(self.sums[steps - 1])
        return float(self.sums_usd[steps - 1]) + missing / float(self.rate[steps - 1])


def front_of(batch: Batch) -> Front:
    """The front of a batch of shape (n, m): one sort of at most n·(m - 1) steps."""
    start, rate, row, back, to = _ranked(batch)
    base, base_usd = (_total(values, start) for values in (batch.quality, batch.cost_usd))
    sums = _summed(base, batch.quality, row, back, to)
    sums_usd = _summed(base_usd, batch.cost_usd, row, back, to)
    return Front(batch, start, rate, row, to, sums, sums_usd)


def _total(values: NDArray[np.floating], start: NDArray[np.unsignedinteger]) -> float:
    """What all cheapest candidates come to; its memory is let go of before more is needed."""
    return float(chosen(values, start.astype(np.intp)).sum())


def _summed(
    base: float,
    values: NDArray[np.floating],
    row: NDArray[np.int32],
    back: NDArray[np.unsignedinteger],
    to: NDArray[np.unsignedinteger],
) -> Floats:
    """The sum after 0 … K steps, shape (K + 1,)."""
    totals = np.empty(len(row) + 1)
    totals[0] = base
    for first, last in blocks(len(row), CHUNK):
        rows = row[first:last].astype(np.intp)
        after = _cells(values, rows, to[first:last])
        totals[first + 1 : last + 1] = after - _cells(values, rows, back[first:last])
    np.cumsum(totals, out=totals)
    return totals


def _ranked(batch: Batch) -> tuple[Any, Any, Any, Any, Any]:
    """Start columns, then the fields of the steps, sorted; at most one field is held twice."""
    start, steps = hulls_of(batch)
    order = falling(steps.rate)
    fields: list[NDArray[Any]] = [steps.to, steps.back, steps.row, steps.rate]
    del steps
    rate, row, back, to = (_taken(fields.pop(), order) for _ in range(4))
    return start, rate, row, back, to


def _taken(values: NDArray[Any], order: NDArray[np.signedinteger]) -> NDArray[Any]:
    """`values[order]` bit by bit, for NumPy copies small indices to large ones before it takes."""
    taken = np.empty_like(values)
    for first, last in blocks(len(order), CHUNK):
        taken[first:last] = values.take(order[first:last])
    return taken


def _cells(
    values: NDArray[np.floating], rows: NDArray[np.intp], columns: NDArray[np.unsignedinteger]
) -> Floats:
    """`values[rows, columns]`, by one flat index where the layout allows it."""
    if not values.flags.c_contiguous:
        return np.asarray(values[rows, columns], dtype=np.float64)
    places = rows * values.shape[1]
    places += columns
    return np.asarray(values.reshape(-1).take(places), dtype=np.float64)
