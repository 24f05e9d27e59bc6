"""CPLS's search: starts from subsets of candidates, local search (ICSME 2024).

Every non-empty subset of the candidates gives one random start; with many candidates so many
subsets are drawn as there may be starts. All solutions on the way count, then the widest gaps of
the front are walked through from both ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import Batch, Columns, worth
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.hulls import narrow
from sls_plugins.scheduler.batch.moves import Exchange
from sls_plugins.scheduler.batch.optllm import best, cheapest
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs, found

__all__ = ["search"]

LARGEST = 12
"""With more candidates the subsets are drawn, never listed."""

KEPT = 512
"""Solutions of one walk that are kept before those which are dominated go."""


def search(batch: Batch, effort: Effort, seed: int) -> Tradeoffs:
    """A set of trade-offs; the same seed gives the same set."""
    rng = np.random.default_rng(seed)
    kept = _Kept(batch)
    kept.add(cheapest(batch))
    kept.add(best(batch))
    for subset in _subsets(batch.candidates, effort.starts, rng):
        state = Exchange(batch, _start(batch, subset, rng))
        kept.add(state.columns)
        for _ in state.exchange():
            kept.add(state.columns)
    _fill_gaps(batch, kept, effort.gaps)
    return kept.tradeoffs()


class _Kept:
    """The undominated of all that was seen, pruned now and then."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._assignments: list[NDArray[np.unsignedinteger]] = []
        self._small = narrow(batch.candidates)
        self._limit = KEPT

    def add(self, columns: Columns) -> None:
        """Take a copy of one more."""
        self._assignments.append(columns.astype(self._small))
        if len(self._assignments) > self._limit:
            front = self.tradeoffs()
            self._assignments = [
                front.columns(place).astype(self._small) for place in range(len(front))
            ]
            self._limit = 2 * len(front) + KEPT

    def tradeoffs(self) -> Tradeoffs:
        """What nothing beats so far."""
        return found(self._batch, list(self._assignments))


def _subsets(candidates: int, most: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """All subsets where they are few enough; else every single one, then random ones."""
    if candidates <= LARGEST and 2**candidates - 1 <= most:
        numbers = np.arange(1, 2**candidates)
        yield from ((numbers[:, None] >> np.arange(candidates)) & 1).astype(bool)
        return
    singles = np.eye(candidates, dtype=bool)[:most]
    yield from singles
    for _ in range(most - len(singles)):
        subset = rng.random(candidates) < 0.5
        subset[rng.integers(candidates)] = True
        yield subset


def _start(batch: Batch, subset: NDArray[np.bool_], rng: np.random.Generator) -> Columns:
    """One eligible candidate of the subset for each query, by lot; else any eligible one."""
    quality, _ = batch.scores()
    eligible = quality > -np.inf
    offered = eligible & subset
    offered = np.where(offered.any(axis=1, keepdims=True), offered, eligible)
    lots = np.where(offered, rng.random(offered.shape), -1.0)
    return np.asarray(lots.argmax(axis=1), dtype=np.intp)


def _fill_gaps(batch: Batch, kept: _Kept, gaps: int) -> None:
    """Walk through the widest gaps: up from the cheaper end, down from the dearer end."""
    front = kept.tradeoffs()
    points = np.column_stack((front.quality, front.cost_usd))
    widths = np.hypot(*np.diff(points, axis=0).T)
    chosen = set(np.argsort(-widths, kind="stable")[:gaps].tolist())
    for low, high in pairwise(range(len(front))):
        if low in chosen:
            for columns in _between(batch, front.columns(low), front.columns(high)):
                kept.add(columns)


def _between(batch: Batch, low: Columns, high: Columns) -> Iterator[Columns]:
    """Single moves from both ends, until the costs of the two walks cross."""
    ends = Exchange(batch, low), Exchange(batch, high)
    costs = [worth(batch, end.columns)[1] for end in ends]
    moving = True
    while moving and costs[0] < costs[1]:
        moving = False
        for place, end in enumerate(ends):
            rates, goals = (-end.down, end.down_to) if place else (end.up, end.up_to)
            rows = np.array([rates.argmax()])
            if np.isfinite(rates[rows[0]]):
                end.move(rows, goals[rows])
                costs[place] = worth(batch, end.columns)[1]
                moving = True
                yield end.columns.copy()
