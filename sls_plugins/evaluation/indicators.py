"""How good a set of trade-offs is: hypervolume, IGD, Δ, on normalised axes or the papers' raw ones.

A set is an array of points (cost, quality), shape (k, 2): cost is to be low, quality high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Box",
    "hypervolume",
    "inverted_distance",
    "paper_reference",
    "paper_spread",
    "spread",
]

MARGIN = 0.1
"""The reference point lies this much outside the box, so that its corners count as well."""

PIECE = 256
"""Reference points whose distances are computed together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """From the cheapest point of the exact front to the best one: what makes axes comparable."""

    cost_low: float
    cost_high: float
    quality_low: float
    quality_high: float

    def normalised(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points with both axes 0…1 inside the box; an axis without extent stays where it is."""
        array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        low = np.array([self.cost_low, self.quality_low])
        extent = np.array([self.cost_high, self.quality_high]) - low
        scaled: NDArray[np.float64] = (array - low) / np.where(extent > 0, extent, 1.0)
        return scaled


def hypervolume(points: ArrayLike, reference: tuple[float, float] = (1 + MARGIN, -MARGIN)) -> float:
    """Area that the points beat, up to a reference point (cost, quality); exact, in two dimensions.

    Points that do not beat the reference point add nothing.
    """
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    cost, quality = array[np.lexsort((-array[:, 1], array[:, 0]))].T
    inside = (cost < reference[0]) & (quality > reference[1])
    cost, quality = cost[inside], np.maximum.accumulate(quality[inside])
    if not len(cost):
        return 0.0
    widths = np.diff(np.append(cost, reference[0]))
    return float(widths @ (quality - reference[1]))


def inverted_distance(points: ArrayLike, reference: ArrayLike) -> float:
    """IGD: mean distance from each reference point to the nearest point of the set.

    On normalised points it is comparable; on raw ones it is the papers', in which USD outweigh.
    """
    found = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    wanted = np.asarray(reference, dtype=np.float64).reshape(-1, 2)
    return float(np.mean(_nearest(wanted, found)))


def _nearest(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from each place to the nearest point."""
    parts = [
        np.hypot(*(places[first : first + PIECE, None, :] - points[None]).transpose(2, 0, 1))
        for first in range(0, len(places), PIECE)
    ]
    return np.concatenate([part.min(axis=1) for part in parts])


def spread(points: ArrayLike, reference: ArrayLike) -> float:
    """Δ: how evenly the points lie along the front, 0 is best; on points in order of cost.

    Deb et al. 2002: (d_f + d_l + Σ|dᵢ - d̄|) / (d_f + d_l + (N - 1)·d̄), with dᵢ between neighbours
    (mean d̄), d_f with d_l from the ends of the reference to those of the set.
    """
    found, wanted = _by_cost(points), _by_cost(reference)
    gaps = np.hypot(*np.diff(found, axis=0).T)
    return _delta(found, wanted, gaps, float(gaps.mean()) if len(gaps) else 0.0)


def paper_spread(points: ArrayLike, reference: ArrayLike) -> float:
    """Δ as OptLLM's evaluation computes it: it depends on the order in which points are given.

    dᵢ is the distance to the nearest other point; d̄ the mean between points as they were stored.
    """
    found = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(found) < 2:
        return 1.0
    wanted = np.asarray(reference, dtype=np.float64).reshape(-1, 2)
    others = np.hypot(*(found[:, None, :] - found[None]).transpose(2, 0, 1))
    np.fill_diagonal(others, np.inf)
    mean = float(np.hypot(*np.diff(found, axis=0).T).mean())
    return _delta(found, wanted, others.min(axis=1), mean)


def _delta(
    found: NDArray[np.float64],
    wanted: NDArray[np.float64],
    gaps: NDArray[np.float64],
    mean: float,
) -> float:
    ends = float(np.hypot(*(found[0] - wanted[0])) + np.hypot(*(found[-1] - wanted[-1])))
    below = ends + (len(found) - 1) * mean
    return (ends + float(np.abs(gaps - mean).sum())) / below if below > 0 else 0.0


def _by_cost(points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return array[np.lexsort((array[:, 1], array[:, 0]))]


def paper_reference(correct: ArrayLike, cost_usd: ArrayLike) -> NDArray[np.float64]:
    """OptLLM's "true" front, points (sum of cost, mean quality), from answers known to be right.

    From the cheapest assignment each query whose cheapest candidate is wrong goes to its cheapest
    right one, in order of that candidate's whole cost: an order that is not the best one. Arrays
    have the shape (n, m). Source: OptLLM's repository, get_true_pf.
    """
    right, cost = np.asarray(correct, dtype=bool), np.asarray(cost_usd, dtype=np.float64)
    rows = np.arange(len(cost))
    start = cost.argmin(axis=1)
    goal = np.where(right, cost, np.inf).argmin(axis=1)
    moved = np.flatnonzero(~right[rows, start] & right.any(axis=1))
    moved = moved[np.argsort(cost[moved, goal[moved]], kind="stable")]
    extra = cost[moved, goal[moved]] - cost[moved, start[moved]]
    spent = cost[rows, start].sum() + np.concatenate(([0.0], extra.cumsum()))
    solved = right[rows, start].sum() + np.arange(len(moved) + 1)
    return np.column_stack((spent, solved / len(cost)))
