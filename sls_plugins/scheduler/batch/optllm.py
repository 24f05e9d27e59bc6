"""OptLLM's search: destruction, reconstruction (Liu et al., ICWS 2024, arXiv 2405.15130).

It walks from the cheapest assignment upwards, and from the best one downwards, in equal parts of
the way. Both walks use one set of scores here; the paper's second walk uses other (robust) scores,
and then compares what is not comparable.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sls_plugins.scheduler.batch.arrays import Batch, Columns, Floats, chosen, worth
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.moves import Exchange
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs, found

__all__ = ["best", "cheapest", "refine", "search"]


def search(batch: Batch, effort: Effort, seed: int) -> Tradeoffs:  # noqa: ARG001 - it draws nothing
    """OptLLM-M: a set of trade-offs between cost and quality."""
    low, high = cheapest(batch), best(batch)
    (least, least_usd), (most, most_usd) = worth(batch, low), worth(batch, high)
    rising = _walk(batch, low, (most - least) / effort.parts, effort.parts, saving=False)
    falling = _walk(batch, high, (most_usd - least_usd) / effort.parts, effort.parts, saving=True)
    return found(batch, [low, high, *rising, *falling])


def cheapest(batch: Batch) -> Columns:
    """Every query's cheapest candidate; of equals the best."""
    quality, cost = batch.scores()
    equal = cost == cost.min(axis=1, keepdims=True)
    return np.asarray(np.where(equal, quality, -np.inf).argmax(axis=1), dtype=np.intp)


def best(batch: Batch) -> Columns:
    """Every query's best candidate; of equals the cheapest."""
    quality, cost = batch.scores()
    equal = quality == quality.max(axis=1, keepdims=True)
    return np.asarray(np.where(equal, cost, np.inf).argmin(axis=1), dtype=np.intp)


def _walk(
    batch: Batch, columns: Columns, part: float, parts: int, *, saving: bool
) -> Iterator[Columns]:
    """Destroy one part, reconstruct, go on from there; ends early where nothing is left."""
    goal = cheapest(batch) if saving else best(batch)
    values = -batch.scores()[1] if saving else batch.scores()[0]
    ends = chosen(values, goal)
    for _ in range(parts - 1):
        rows = _destroyed(ends - chosen(values, columns), part)
        if not len(rows):
            return
        columns = columns.copy()
        columns[rows] = goal[rows]
        columns = Exchange(batch, columns).settle()
        yield columns


def _destroyed(gains: Floats, part: float) -> Columns:
    """Rows with the largest gains that make up the part together; none if all of them cannot."""
    rows = np.argsort(-gains, kind="stable")
    sums = gains[rows].cumsum()
    if part <= 0 or sums[-1] < part:
        return rows[:0]
    return rows[: int(np.argmax(sums >= part)) + 1]


def refine(
    batch: Batch, columns: Columns, *, room_usd: float | None = None, room: float = 0.0
) -> Columns:
    """OptLLM-S's last step: the best rates up while money is left, or down while quality is.

    `room_usd` is what may still be spent; without it `room` is the quality that may be lost.
    """
    state = Exchange(batch, columns)
    saving = room_usd is None
    left = room if room_usd is None else room_usd
    closed = np.zeros(batch.rows, bool)
    while True:
        rates = -state.down if saving else state.up
        row = int(np.where(closed, -np.inf, rates).argmax())
        if closed[row] or np.isneginf(rates[row]):
            return state.columns
        rows = np.array([row])
        to = (state.down_to if saving else state.up_to)[rows]
        better, dearer = state.effect(rows, to)
        takes = -better if saving else dearer
        if takes > left:
            closed[row] = True
            continue
        left -= takes
        state.move(rows, to)
