"""Thompson sampling over a fixed set of scenarios, so that propensities are exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCENARIOS", "Scenarios", "curiosity", "mixed"]

SCENARIOS = 64
"""Propensities are multiples of one in this many."""

COLUMNS = 64

CURIOSITY = (0.35, 0.4)
"""Share of the estimates' deviation that is explored: in the long run, and more at the start."""


LEARNING = 20.0
"""Decisions per candidate after which half of the start's extra curiosity is gone."""

MASK = (1 << 64) - 1


def mixed(seed: int) -> int:
    """A seed turned into 64 well-spread bits (the finaliser of SplitMix64)."""
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def curiosity(decided: int, candidates: int) -> float:
    """Share of the deviation to explore: full Thompson sampling would explore too long.

    Estimates doubt each query's own direction, which one more outcome hardly settles, so the whole
    deviation overstates what can be learnt from a try.
    """
    last, first = CURIOSITY
    return last + first / (1.0 + decided / (LEARNING * candidates))


class Scenarios:
    """How lucky each candidate is thought to be, in SCENARIOS equally likely ways.

    A decision's seed picks one scenario; the propensity of a candidate is the share of scenarios in
    which it wins. Thompson sampling with continuous draws would only allow an estimate of it.
    """

    def __init__(self, seed: int) -> None:
        """`seed` fixes the scenarios for good."""
        draws = np.random.default_rng(seed).standard_normal((SCENARIOS // 2, COLUMNS))
        luck = np.concatenate((draws, -draws))
        self.luck: NDArray[np.float64] = luck / luck.std(axis=0)

    def draw(
        self, scores: NDArray[np.float64], deviations: NDArray[np.float64], seed: int
    ) -> tuple[NDArray[np.float64], float]:
        """The scores in the seed's scenario, shape (K,), and the propensity of their maximum."""
        columns = np.arange(scores.size) % COLUMNS
        worlds = scores + deviations * self.luck[:, columns]
        winners = worlds.argmax(axis=1)
        which = mixed(seed) % SCENARIOS
        return worlds[which], float(np.mean(winners == winners[which]))
