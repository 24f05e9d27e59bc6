"""One query's choice at a given price of money, within given limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sls_plugins.scheduler.exploration import Scenarios
from sls_plugins.types import Estimate

__all__ = ["Picked", "Terms", "pick", "within"]


@dataclass(frozen=True, slots=True)
class Picked:
    """The ranking, best first, and the probability with which its first was chosen."""

    ranking: tuple[Estimate, ...]
    propensity: float


def within(
    estimates: Sequence[Estimate], ceiling_usd: float
) -> tuple[list[Estimate], dict[str, str]]:
    """Estimates whose high quantile stays under the ceiling; and why the others do not."""
    kept = [one for one in estimates if one.cost_high_usd <= ceiling_usd]
    causes = {
        one.candidate: f"may cost {one.cost_high_usd:.3g} USD, the ceiling is {ceiling_usd:.3g}"
        for one in estimates
        if one.cost_high_usd > ceiling_usd
    }
    return kept, causes


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms to choose: price of money, what may be spent, share of doubt to explore."""

    price: float
    purse_usd: float
    curiosity: float


def pick(estimates: Sequence[Estimate], terms: Terms, scenarios: Scenarios, seed: int) -> Picked:
    """Maximise quality - price·cost among what the purse can pay; the rest ranks behind.

    If it can pay for nobody, the cheapest is taken. Ties go to the cheaper.
    """
    order = sorted(estimates, key=lambda one: (one.cost_usd, -one.quality))
    able = [one for one in order if one.cost_high_usd <= terms.purse_usd] or order[:1]
    names = {one.candidate for one in able}
    scores = np.array([one.quality - terms.price * one.cost_usd for one in able])
    deviations = terms.curiosity * np.array([one.quality_sd for one in able])
    drawn, propensity = scenarios.draw(scores, deviations, seed)
    ranked = [able[i] for i in np.argsort(-drawn, kind="stable")]
    rest = [one for one in order if one.candidate not in names]
    return Picked((*ranked, *rest), propensity)
