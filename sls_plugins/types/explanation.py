"""A decision told to people: who could answer, what was expected, why this one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Explanation", "Offer", "offers_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one candidate offered, and what would have made it the best value.

    `worth` is quality (less what waiting costs, with the `news` that asking brings of a stored
    answer) less price times cost. `lacking` is the quality it would have needed more,
    `affordable_usd` the cost at which it would have won as it is (None: at no cost). It wins at
    prices of money from `price_low` to `price_high` (None: at none).
    """

    candidate: str
    quality: float
    quality_sd: float
    cost_usd: float
    latency_s: float | None
    worth: float
    lacking: float
    affordable_usd: float | None
    price_low: float | None = None
    price_high: float | None = None
    news: float = 0.0

    @property
    def would_take(self) -> str:
        """What it would have taken to choose this one, in words."""
        if self.lacking <= 0.0:
            return "the best value"
        ways = [f"{self.lacking:.3g} more quality"]
        if self.affordable_usd is not None:
            ways.append(f"a cost of {self.affordable_usd:.3g} USD")
        if self.price_low is not None and self.price_high is not None:
            high = "more" if math.isinf(self.price_high) else f"{self.price_high:.3g}"
            ways.append(f"a price of money from {self.price_low:.3g} to {high}")
        return ", or ".join(ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Who was eligible, what was expected of each at which price of money, and why this one."""

    decision_id: str
    candidate: str
    why: str
    price: float
    propensity: float
    offers: tuple[Offer, ...]
    ineligible: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """The same as a text of several lines."""
        left = ", below 0: the best of every query would leave money over" if self.price < 0 else ""
        lines = [
            f"decision {self.decision_id}: {self.candidate} ({self.why})",
            f"price of money {self.price:.4g} quality per USD{left}",
            f"propensity {self.propensity:.3f}",
        ]
        for offer in self.offers:
            mark = "*" if offer.candidate == self.candidate else " "
            waiting = "" if offer.latency_s is None else f", {offer.latency_s:.2g} s"
            news = f", news {offer.news:.3f}" if offer.news else ""
            lines.append(
                f"{mark} {offer.candidate}: quality {offer.quality:.3f}±{offer.quality_sd:.3f}"
                f"{news}, {offer.cost_usd:.3g} USD{waiting}; worth {offer.worth:.4f}; "
                f"it would have taken: {offer.would_take}"
            )
        lines += [f"  {name}: not eligible, {reason}" for name, reason in self.ineligible]
        return "\n".join(lines)


def offers_of(
    rows: Sequence[tuple[str, float, float, float, float | None, float]],
    price: float,
    latency_weight: float,
) -> tuple[Offer, ...]:
    """Offers in order; `rows` are name, quality, its deviation, cost (USD), latency (s), news."""
    values = [row[1] - latency_weight * (row[4] or 0.0) + row[5] for row in rows]
    costs = [row[3] for row in rows]
    worths = [value - price * cost for value, cost in zip(values, costs, strict=True)]
    offers = []
    for at, (name, quality, sd, cost_usd, latency_s, news) in enumerate(rows):
        others = worths[:at] + worths[at + 1 :]
        lacking = max(0.0, max(others, default=-math.inf) - worths[at])
        usd = cost_usd - lacking / price if price > 0.0 else -1.0
        low, high = _prices(at, values, costs)
        offers.append(
            Offer(
                candidate=name,
                quality=quality,
                quality_sd=sd,
                cost_usd=cost_usd,
                latency_s=latency_s,
                worth=worths[at],
                lacking=lacking,
                affordable_usd=usd if usd >= 0.0 else None,
                price_low=low if low <= high else None,
                price_high=high if low <= high else None,
                news=news,
            )
        )
    return tuple(offers)


def _prices(at: int, values: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """Between which prices of money, from 0, this one is the best value; low > high if at none."""
    low, high = 0.0, math.inf
    for value, cost in zip(values, costs, strict=True):
        more, dearer = values[at] - value, costs[at] - cost
        if dearer > 0.0:
            high = min(high, more / dearer)
        elif dearer < 0.0:
            low = max(low, more / dearer)
        elif more < 0.0:
            return 1.0, 0.0
    return low, high
