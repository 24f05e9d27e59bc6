"""The exact supported Pareto front of one query's estimates: its concave hull."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Hull", "Step", "hull_of"]


@dataclass(frozen=True, slots=True)
class Step:
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
    kept: list[int] = []
    for cost_usd, worse, i in sorted(points):
        if kept and cost_usd <= costs_usd[kept[-1]]:
            continue
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            direct = (-worse - qualities[a]) * (costs_usd[b] - costs_usd[a])
            if direct < (qualities[b] - qualities[a]) * (cost_usd - costs_usd[a]):
                break
            kept.pop()  # the line from a to this one passes above b, which is never the best choice
        kept.append(i)
    steps = [
        Step(b, costs_usd[b] - costs_usd[a], qualities[b] - qualities[a]) for a, b in pairwise(kept)
    ]
    rising = sum(step.quality > 0.0 for step in steps)
    first = kept[0]
    return Hull(
        first, costs_usd[first], qualities[first], tuple(steps[:rising]), tuple(steps[rising:])
    )
