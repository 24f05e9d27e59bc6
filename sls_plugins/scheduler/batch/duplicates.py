"""Queries that are asked several times are answered once: one row per group, paid once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch.arrays import Columns, Floats, batch_of

__all__ = ["Groups", "grouped"]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A batch of g groups instead of n queries.

    Attributes:
        quality: sums over each group's queries, shape (g, m).
        cost_usd: cost of one call (the dearest of the group's), shape (g, m).
        group: each query's group, shape (n,).
        first: the query of each group that is called, shape (g,).
    """

    quality: Floats
    cost_usd: Floats
    group: NDArray[np.intp]
    first: NDArray[np.intp]

    def spread(self, columns: Columns) -> Columns:
        """An assignment of the groups, shape (g,), as one of the queries, shape (n,)."""
        return columns[self.group]


def grouped(quality: ArrayLike, cost_usd: ArrayLike, keys: Sequence[Hashable]) -> Groups:
    """Rows of equal key as one row; a pair that is ineligible for one of them is for all.

    Groups stand in the order of their first query. Raises InputError for wrong arrays, and if there
    is not one key per row.
    """
    batch = batch_of(quality, cost_usd)
    if len(keys) != batch.rows:
        raise InputError(f"there are {len(keys)} keys for {batch.rows} queries")
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)
    first = np.unique(group, return_index=True)[1]
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(numbers)))
    sums = np.add.reduceat(batch.quality[order], starts, axis=0, dtype=np.float64)
    dearest = np.maximum.reduceat(batch.cost_usd[order], starts, axis=0)
    return Groups(sums, dearest.astype(np.float64), group, first)
