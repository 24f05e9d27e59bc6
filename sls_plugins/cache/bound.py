"""Says whether a rate is surely small enough, from counted cases."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["divergence", "surely_below", "widest_below"]


def divergence(rate: float, limit: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli rates, in nats; `limit` within 0…1 excluded."""
    total = 0.0
    if rate > 0:
        total += rate * math.log(rate / limit)
    if rate < 1:
        total += (1 - rate) * math.log((1 - rate) / (1 - limit))
    return total


def surely_below(wrong: float, cases: float, limit: float, doubt: float) -> bool:
    """True if so few `wrong` of `cases` had a chance of at most `doubt` were the rate `limit`.

    Chernoff's bound on the binomial tail; also for fractional (decayed) counts. With nothing wrong
    it is exact: log(1/doubt) / -log(1 - limit) cases are needed, 114 for 2 % and a doubt of 10 %.
    """
    if cases <= 0 or wrong >= limit * cases:
        return False
    return cases * divergence(wrong / cases, limit) >= -math.log(doubt)


def widest_below(
    cases: NDArray[np.float64], wrong: NDArray[np.float64], limit: float, doubt: float
) -> int:
    """How many bins, ordered from least to most risky, may be open together: 0…len(cases).

    All open bins together are surely below the limit, and no bin alone looks worse than twice it,
    so that the evidence of many safe cases is not spent on a few bad ones.
    """
    total = failed = 0.0
    widest = 0
    for place, (count, errors) in enumerate(zip(cases.tolist(), wrong.tolist(), strict=True)):
        if errors > 2 * limit * max(count, 0.5 / limit):
            break
        total += count
        failed += errors
        if surely_below(failed, total, limit, doubt):
            widest = place + 1
    return widest
