"""The input of a batch: predicted quality with cost for every query, candidate by candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sls_plugins.errors import InputError

__all__ = ["Batch", "Columns", "Floats", "batch_of", "blocks", "chosen", "worth"]

Floats: TypeAlias = NDArray[np.float64]

Columns: TypeAlias = NDArray[np.intp]
"""One assignment: for each query (row) the number of the chosen candidate (column)."""

BLOCK = 2048
"""Rows that are looked at together: with a dozen candidates they stay in a core's own cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Checked arrays of shape (n, m), kept as they were given; NaN marks an ineligible pair."""

    quality: NDArray[np.floating]
    cost_usd: NDArray[np.floating]

    @property
    def rows(self) -> int:
        """Number of queries."""
        return int(self.quality.shape[0])

    @property
    def candidates(self) -> int:
        """Number of candidates."""
        return int(self.quality.shape[1])

    def scores(self, first: int = 0, last: int | None = None) -> tuple[Floats, Floats]:
        """Quality, cost of some rows; an ineligible pair has quality -∞ for the cost of ∞."""
        quality = np.array(self.quality[first:last], dtype=np.float64)
        cost = np.array(self.cost_usd[first:last], dtype=np.float64)
        shut = np.isnan(quality) | np.isnan(cost)
        quality[shut], cost[shut] = -np.inf, np.inf
        return quality, cost


def batch_of(quality: ArrayLike, cost_usd: ArrayLike) -> Batch:
    """Check both arrays, without a copy where they are floating point.

    Raises InputError, which names the first place that is wrong.
    """
    batch = Batch(_floating("quality", quality), _floating("cost", cost_usd))
    if batch.quality.shape != batch.cost_usd.shape:
        raise InputError(
            f"quality has the shape {batch.quality.shape}, cost {batch.cost_usd.shape}: "
            "both need one row per query, one column per candidate"
        )
    if 0 in batch.quality.shape:
        raise InputError(f"there is nothing to assign: the shape is {batch.quality.shape}")
    for first, last in blocks(batch.rows):
        _check(batch, first, last)
    return batch


def _floating(name: str, given: ArrayLike) -> NDArray[np.floating]:
    array: NDArray[Any] = np.asarray(given)
    if array.ndim != 2:
        raise InputError(f"{name} needs two dimensions (queries, candidates), not {array.ndim}")
    if np.issubdtype(array.dtype, np.floating):
        return array
    if np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_:
        return array.astype(np.float64)
    raise InputError(f"{name} must hold numbers, not {array.dtype}")


def _check(batch: Batch, first: int, last: int) -> None:
    cost, quality = batch.cost_usd[first:last], batch.quality[first:last]
    if not np.isfinite(cost).all() or not np.isfinite(quality).all():
        for name, part in (("cost", cost), ("quality", quality)):
            _refuse(np.isinf(part), name, "infinite (NaN marks an ineligible pair)", first)
        closed = (np.isnan(cost) | np.isnan(quality)).all(axis=1)
        if closed.any():
            raise InputError(f"row {first + int(closed.argmax())} has no eligible candidate")
    if (cost < 0).any():
        _refuse(cost < 0, "cost", "negative", first)


def _refuse(wrong: NDArray[np.bool_], name: str, problem: str, first: int) -> None:
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise InputError(f"{name}[{first + int(row)}, {int(column)}] is {problem}")


def blocks(rows: int, size: int = BLOCK) -> Iterator[tuple[int, int]]:
    """(first, last) of consecutive blocks of rows."""
    for first in range(0, rows, size):
        yield first, min(first + size, rows)


def chosen(values: NDArray[np.floating], columns: NDArray[np.integer]) -> Floats:
    """The value of each row's chosen column, shape (n,)."""
    picked = np.take_along_axis(values, columns[:, None], axis=1)[:, 0]
    return picked.astype(np.float64, copy=False)


def worth(batch: Batch, columns: NDArray[np.integer]) -> tuple[float, float]:
    """Sum of quality, sum of cost in USD."""
    quality, cost = chosen(batch.quality, columns), chosen(batch.cost_usd, columns)
    return float(quality.sum()), float(cost.sum())
