"""Ways to find trade-offs beside each other: same predictions, time, quality of what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.evaluation.indicators import Box, hypervolume, inverted_distance, spread
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.scheduler.batch import (
    METHODS,
    Batch,
    Effort,
    Front,
    Tradeoffs,
    front_of,
    method_of,
)

__all__ = ["Standing", "box_of", "compare", "points_of"]

MOST = 2000
"""Corners of the exact front, evenly chosen, that stand for it where distances are measured."""

REPEATS = 5
"""A method that takes milliseconds is timed so often; the shortest time counts."""

QUICK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the table.

    Attributes:
        method: its name.
        seconds: real time it took.
        points: assignments it found that nothing else it found beats.
        hypervolume: on axes normalised to the exact front, reference point 0.1 outside the box;
            at most 1.21.
        distance: IGD, the mean distance from the exact front's points to the nearest one found, on
            the same axes.
        spread: Δ on the same axes.
        shortfall: mean quality per query that the exact front has more at the same cost.
        best_quality: the highest mean quality per query found.
    """

    method: str
    seconds: float
    points: int
    hypervolume: float
    distance: float
    spread: float
    shortfall: float
    best_quality: float

    def facts(self) -> dict[str, JsonValue]:
        """For programs."""
        return asdict(self)


def compare(
    batch: Batch,
    methods: Sequence[str] = METHODS,
    *,
    effort: Effort | None = None,
    seed: int = 0,
    watch: Callable[[str], None] = lambda _name: None,
) -> tuple[Standing, ...]:
    """Run each method on the same arrays; `watch` is told each one's name before it starts."""
    front = front_of(batch)
    standings = []
    for name in methods:
        watch(name)
        found, seconds = _timed(name, batch, effort or Effort(), seed)
        standings.append(_standing(name, found, seconds, front))
    return tuple(standings)


def _timed(name: str, batch: Batch, effort: Effort, seed: int) -> tuple[Tradeoffs, float]:
    search = method_of(name)
    began = time.perf_counter()
    found = search(batch, effort, seed)
    seconds = time.perf_counter() - began
    for _ in range(REPEATS if seconds < QUICK_S else 0):
        began = time.perf_counter()
        search(batch, effort, seed)
        seconds = min(seconds, time.perf_counter() - began)
    return found, seconds


def _standing(name: str, found: Tradeoffs, seconds: float, front: Front) -> Standing:
    box, rows = box_of(front), front.batch.rows
    points = box.normalised(points_of(found.cost_usd, found.quality))
    corners = front.corners()
    every = corners[np.linspace(0, len(corners) - 1, min(len(corners), MOST)).round().astype(int)]
    exact = box.normalised(points_of(front.sums_usd[every], front.sums[every]))
    bounds = np.array([front.most_quality(cost) for cost in found.cost_usd.tolist()])
    return Standing(
        method=name,
        seconds=seconds,
        points=len(found),
        hypervolume=hypervolume(points),
        distance=inverted_distance(points, exact),
        spread=spread(points, exact),
        shortfall=max(float((bounds - found.quality).mean()) / rows, 0.0),
        best_quality=float(found.quality.max()) / rows,
    )


def box_of(front: Front) -> Box:
    """The front's extent."""
    return Box(
        cost_low=float(front.sums_usd[0]),
        cost_high=float(front.sums_usd[-1]),
        quality_low=float(front.sums[0]),
        quality_high=float(front.sums[-1]),
    )


def points_of(cost_usd: NDArray[np.float64], quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (cost, quality) as the indicators want them, shape (k, 2)."""
    return np.column_stack((cost_usd, quality))
