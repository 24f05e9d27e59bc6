"""Thompson sampling over a fixed set of scenarios, so that propensities are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCENARIOS", "Explored", "Scenarios", "curiosity", "mixed", "uniform"]

SCENARIOS = 64
"""Propensities are multiples of one in this many."""

COLUMNS = 64

CURIOSITY = 0.4
"""Share of a new candidate's doubt that is explored."""

LEARNING = 20.0
"""Outcomes of a candidate after which seven tenths of that is left."""

MASK = (1 << 64) - 1


def mixed(seed: int) -> int:
    """A seed turned into 64 well-spread bits (the finaliser of SplitMix64)."""
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def uniform(seed: int, draw: int) -> float:
    """Draw number `draw` of a decision: 0…1, not 1."""
    return mixed(seed + draw) / 2.0**64


def curiosity(tries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the doubt about each candidate to explore after so many outcomes of it; (K,) each.

    Estimates doubt each query's own direction, which one more outcome hardly settles, so the whole
    deviation overstates what can be learnt from a try; that of the candidate as a whole falls with
    the root of its outcomes.
    """
    shares: NDArray[np.float64] = CURIOSITY * np.sqrt(LEARNING / (LEARNING + tries))
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What exploring was: `calls` of `decisions`, expected to cost `usd` beyond the best values.

    `spent_usd` is what all decisions were expected to cost.
    """

    decisions: int
    calls: int
    usd: float
    spent_usd: float


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
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The scores in the seed's scenario, and each one's chance to be the highest; (K,) each."""
        if not deviations.any():  # nothing is explored: one wins in all of them
            sure = np.zeros(scores.size)
            sure[scores.argmax()] = 1.0
            return scores, sure
        luck = self.luck[:, : scores.size]
        if scores.size > COLUMNS:
            luck = self.luck[:, np.arange(scores.size) % COLUMNS]
        worlds = scores + deviations * luck
        chances = np.bincount(worlds.argmax(axis=1), minlength=scores.size) / SCENARIOS
        return worlds[mixed(seed) % SCENARIOS], chances
