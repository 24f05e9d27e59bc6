"""Concave hulls of many queries at once: the steps that are ever worth taking.

Each query's points (cost, quality) are wrapped from the cheapest upwards: the next corner is the
point of the steepest line from the last one. All rows of a block take their next step together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import BLOCK, Batch, Floats, blocks

__all__ = ["Steps", "hulls_of", "narrow"]

LEAST = np.finfo(np.float64).tiny
MOST = np.finfo(np.float64).max
FAR = 1e300
"""An ineligible pair is dearer and worse by this than anything real, and yet no NaN comes of it."""

BELOW = 1.0 - np.finfo(np.float64).eps
"""Times this, a rate is strictly lower: a row's steps keep their order in spite of rounding."""

THREADS = 2
"""NumPy lets go of the interpreter while it computes."""

AHEAD = 2
"""Blocks that are begun before their turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps along hulls, in parallel arrays; steps of one row stand in falling order of rate.

    `rate` is quality per USD, `row` the query, `back` the candidate that is left for `to`.
    """

    rate: Floats
    row: NDArray[np.int32]
    back: NDArray[np.unsignedinteger]
    to: NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    start: NDArray[np.unsignedinteger]
    steps: list[Steps]


def narrow(candidates: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds a column's number plus one."""
    return np.uint8 if candidates < 255 else np.uint16 if candidates < 65535 else np.uint32


def hulls_of(batch: Batch) -> tuple[NDArray[np.unsignedinteger], Steps]:
    """Each row's cheapest candidate (the best of equals), then all steps, block by block."""
    if batch.rows <= BLOCK:
        return _joined(batch, [_wrap_rows(batch, 0, batch.rows)])
    with ThreadPoolExecutor(THREADS) as pool:
        return _joined(batch, _wrap_blocks(batch, pool))


def _wrap_blocks(batch: Batch, pool: ThreadPoolExecutor) -> Iterator[_Found]:
    """What is found in each block, in order; few blocks wait, so that little memory does."""
    waiting: deque[Future[_Found]] = deque()
    for span in blocks(batch.rows):
        waiting.append(pool.submit(_wrap_rows, batch, *span))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _joined(batch: Batch, found: Iterable[_Found]) -> tuple[NDArray[np.unsignedinteger], Steps]:
    """All blocks in one piece, made as long as can be: memory that is not written to costs none."""
    small, most = narrow(batch.candidates), batch.rows * (batch.candidates - 1)
    starts = np.empty(batch.rows, small)
    rate, row = np.empty(most), np.empty(most, np.int32)
    back, to = np.empty(most, small), np.empty(most, small)
    first = done = 0
    for one in found:
        starts[first : first + len(one.start)] = one.start
        first += len(one.start)
        for steps in one.steps:
            span = slice(done, done + len(steps.rate))
            rate[span], row[span], back[span], to[span] = (
                steps.rate,
                steps.row,
                steps.back,
                steps.to,
            )
            done = span.stop
    return starts, Steps(rate[:done], row[:done], back[:done], to[:done])


def _wrap_rows(batch: Batch, first: int, last: int) -> _Found:
    quality = np.array(batch.quality[first:last].T, dtype=np.float64, order="C")
    cost = np.array(batch.cost_usd[first:last].T, dtype=np.float64, order="C")
    shut = np.isnan(quality)
    shut |= np.isnan(cost)
    if shut.any():
        quality[shut], cost[shut] = -FAR, FAR
    start = _column(cost == cost.min(axis=0), quality, cost)
    rows = np.arange(first, last, dtype=np.int32)
    with np.errstate(over="ignore"):
        steps = list(_wrap(quality, cost, start, rows))
    return _Found(start, steps)


def _wrap(
    quality: Floats,
    cost: Floats,
    column: NDArray[np.unsignedinteger],
    rows: NDArray[np.int32],
) -> Iterator[Steps]:
    """Steps of rows given by columns, shape (m, r): all first steps, then all second ones."""
    most, limit = quality.max(axis=0), np.full(len(rows), MOST)
    # Four spaces serve all steps, by turns: fresh memory costs more than what is computed in it.
    spare = np.empty_like(quality), np.empty_like(cost)
    while True:
        reached, spent = _at(column, quality, cost)
        alive = np.flatnonzero((reached < most) & (limit > 0))
        if not len(alive):
            return
        if len(alive) < len(rows):
            here = quality, cost
            quality, cost = (
                _compressed(quality, alive, spare[0]),
                _compressed(cost, alive, spare[1]),
            )
            spare = here
            most, limit, rows, column = most[alive], limit[alive], rows[alive], column[alive]
            reached, spent = reached[alive], spent[alive]
        rate, extra = _part(spare[0], quality.shape), _part(spare[1], quality.shape)
        np.subtract(quality, reached, out=rate)
        np.subtract(cost, spent, out=extra)
        np.maximum(extra, LEAST, out=extra)
        rate /= extra
        best = rate.max(axis=0)
        back, column = column, _column(rate == best, quality, cost)
        slope = np.minimum(best, limit)
        limit = slope * BELOW
        if best.min() > 0:
            yield Steps(slope, rows, back, column)
        else:  # a gain too small for its rate to be told from nothing
            real = slope > 0
            yield Steps(slope[real], rows[real], back[real], column[real])


def _part(space: Floats, shape: tuple[int, ...]) -> Floats:
    """The beginning of a space, in a shape that is no larger."""
    return space.reshape(-1)[: shape[0] * shape[1]].reshape(shape)


def _compressed(values: Floats, alive: NDArray[np.intp], space: Floats) -> Floats:
    """Some of the rows, put into a space; `clip` keeps NumPy from checking in a copy."""
    part = _part(space, (values.shape[0], len(alive)))
    return np.take(values, alive, axis=1, out=part, mode="clip")


def _at(
    column: NDArray[np.unsignedinteger], quality: Floats, cost: Floats
) -> tuple[Floats, Floats]:
    """Quality, cost of each row's column, from shape (m, r)."""
    width = quality.shape[1]
    places = column.astype(np.intp)
    places *= width
    places += np.arange(width)
    return quality.reshape(-1).take(places), cost.reshape(-1).take(places)


def _column(hit: NDArray[np.bool_], quality: Floats, cost: Floats) -> NDArray[np.unsignedinteger]:
    """The column that is hit in each row; of several the dearest, of these the best."""
    small = narrow(hit.shape[0])
    numbers = np.arange(1, hit.shape[0] + 1, dtype=small)[:, None]
    column: NDArray[np.unsignedinteger] = (hit * numbers).max(axis=0)
    column -= small(1)
    if np.count_nonzero(hit) > hit.shape[1]:
        several = np.flatnonzero(np.add.reduce(hit, axis=0, dtype=small) > 1)
        left = np.where(hit[:, several], cost[:, several], -1.0)
        best = np.where(left == left.max(axis=0), quality[:, several], -np.inf)
        column[several] = best.argmax(axis=0)
    return column
