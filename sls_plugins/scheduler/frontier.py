"""The exact supported Pareto front of one query's estimates: its concave hull."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Hull", "Step", "hull_of"]


class Step(NamedTuple):
    """From one candidate on the hull to the next: what more it costs, what more it brings."""

    to: int
    cost_usd: float
    quality: float

    @property
    def slope(self) -> float:
        """Quality per USD: the step is worth taking at any lower price of money."""
        return self.quality / self.cost_usd


@dataclass(frozen=True, slots=True)
class Hull:
    """The cheapest choice, then the steps that buy quality, best bargain first.

    At a price λ the choice that maximises quality - λ·cost is reached by all steps steeper than λ.
    `falling` are the steps after the best choice, which cost money and quality: they are taken at
    prices below 0 only, when money would be left over.
    """

    start: int
    cost_usd: float
    quality: float
    steps: tuple[Step, ...]
    falling: tuple[Step, ...] = ()


def hull_of(qualities: Sequence[float], costs_usd: Sequence[float]) -> Hull:
    """Hull of n ≥ 1 points; indices are places in the arguments. O(n log n)."""
    points = zip(costs_usd, (-quality for quality in qualities), range(len(costs_usd)), strict=True)
    kept: list[tuple[float, float, int]] = []
    for cost_usd, worse, i in sorted(points):
        quality = -worse
        if kept and cost_usd <= kept[-1][0]:
            continue
        while len(kept) > 1:
            (a_usd, a, _), (b_usd, b, _) = kept[-2], kept[-1]
            if (quality - a) * (b_usd - a_usd) < (b - a) * (cost_usd - a_usd):
                break
            kept.pop()  # the line from a to this one passes above b, which is never the best choice
        kept.append((cost_usd, quality, i))
    first_usd, first, start = kept[0]
    steps, last_usd, last = [], first_usd, first
    for cost_usd, quality, i in kept[1:]:
        steps.append(Step(i, cost_usd - last_usd, quality - last))
        last_usd, last = cost_usd, quality
    rising = sum(step.quality > 0.0 for step in steps)
    return Hull(start, first_usd, first, tuple(steps[:rising]), tuple(steps[rising:]))
