"""Says whether a rate is surely small enough, at whatever moment one looks.

The evidence is an e-process: money won by betting that cases go right more often than the limit
says. Whatever is bet, and whenever one stops to look, the chance that it ever grows to 1/doubt
while the rate is at the limit or above is at most `doubt` (Ville's inequality). So a rule may look
after every label, which a quantile for a number of cases fixed beforehand does not allow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["evidence_below", "log_evidence"]

_SHARES = np.array((0.0, 0.02, 0.1, 0.25, 0.5))
_STAKES = np.log(np.array((0.3, 0.1, 0.2, 0.2, 0.2)))


def log_evidence(
    wrong: NDArray[np.float64], cases: NDArray[np.float64], limit: float, floor: float = 0.0
) -> NDArray[np.float64]:
    """Logarithm of the evidence that the rate is below `limit`, for each pair of counts.

    A mixture of likelihood ratios of smaller rates (0, 2, 10, 25, 50 % of the way from `floor`, the
    least that a rate can be, to the limit) against the limit.
    Counts may be fractional. Shapes as given.
    """
    rates = floor + _SHARES * (limit - floor)
    right = np.maximum(cases - wrong, 0.0)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        miss = np.where(wrong[..., None] > 0, wrong[..., None] * np.log(rates / limit), 0.0)
    terms = _STAKES + miss + right * np.log((1.0 - rates) / (1.0 - limit))
    found: NDArray[np.float64] = np.logaddexp.reduce(terms, axis=-1)
    return found


def evidence_below(
    strata: NDArray[np.float64],
    limit: float,
    able: NDArray[np.bool_],
    floor: float = 0.0,
) -> NDArray[np.float64]:
    """Logarithm of the evidence for each stratum, ordered from least to most risky, to be open.

    `strata` has a row for each: cases seen, wrong ones among them, and traffic: how many there were
    in all, seen or not. A rate is that of the traffic: cases of an open stratum are seldom seen, so
    each stands for many. Its evidence is that of as many cases as tell equally much (Kish). A
    stratum is tested together with all that are less risky, and opens with any more risky one whose
    evidence is better. None is open from the first on that is not `able` (worse by itself than can
    be borne): its evidence is -inf, as that of those past every rate below the limit.
    """
    cases, wrong, traffic = strata[:, 0], strata[:, 1], strata[:, 2]
    seen = np.maximum(cases, 1e-9)
    total = np.cumsum(traffic)
    rate = np.cumsum(traffic * wrong / seen) / np.maximum(total, 1e-9)
    worth = total**2 / np.maximum(np.cumsum(traffic**2 / seen), 1e-9)
    found = log_evidence(rate * worth, worth, limit, floor)
    found[(rate >= limit) | ~np.logical_and.accumulate(able)] = -np.inf
    widest: NDArray[np.float64] = np.maximum.accumulate(found[::-1])[::-1]
    return widest
