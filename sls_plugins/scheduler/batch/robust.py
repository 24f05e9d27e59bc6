"""Robust scores: predicted quality shifted by its own doubt.

Source: OptLLM scores a pair by `mean + α·sd`. Its authors use α = 1, which favours what is little
known; choosing the best of several noisy estimates favours it already. So α is chosen here by what
assignments really bring on queries whose quality is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sls_plugins.errors import InputError
from sls_plugins.scheduler.batch.arrays import Floats, batch_of, chosen
from sls_plugins.scheduler.batch.front import Front, front_of

__all__ = ["ALPHAS", "Validation", "choose_alpha", "robust"]

ALPHAS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The values that OptLLM's authors tried."""

BUDGETS = 9
"""Budgets at which a value is tried, evenly from the cheapest assignment to the best one."""


@dataclass(frozen=True, slots=True)
class Validation:
    """The chosen α, and for each one tried the mean true quality that its assignments had."""

    alpha: float
    utility: tuple[tuple[float, float], ...]


def robust(mean: ArrayLike, sd: ArrayLike, alpha: float) -> NDArray[np.float64]:
    """`mean + alpha·sd`, shape (n, m). Raises InputError if a deviation is negative or infinite."""
    means, deviations = np.asarray(mean, np.float64), np.asarray(sd, np.float64)
    if means.shape != deviations.shape:
        raise InputError(f"quality has the shape {means.shape}, sd {deviations.shape}")
    if not np.isfinite(alpha):
        raise InputError(f"alpha must be a number, not {alpha}")
    wrong = (deviations < 0) | np.isinf(deviations)
    if wrong.any():
        place = ", ".join(str(int(i)) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
        raise InputError(f"sd[{place}] is negative or infinite")
    return means + alpha * deviations


def choose_alpha(
    mean: ArrayLike,
    sd: ArrayLike,
    cost_usd: ArrayLike,
    truth: ArrayLike,
    alphas: Sequence[float] = ALPHAS,
) -> Validation:
    """The α whose assignments are truly best, on the mean over equal budgets.

    All arrays have the shape (n, m); `truth` is the real quality of every pair of some validation
    queries. Of equally good values the one nearest 0 is chosen.
    """
    if not alphas:
        raise InputError("there is no alpha to choose from")
    real = batch_of(truth, cost_usd)
    fronts = [front_of(batch_of(robust(mean, sd, alpha), cost_usd)) for alpha in alphas]
    least = float(fronts[0].sums_usd[0])
    most = max(float(front.sums_usd[-1]) for front in fronts)
    budgets = np.linspace(least, most, BUDGETS)
    utility = [_utility(front, real.quality, budgets) for front in fronts]
    best = max(range(len(alphas)), key=lambda place: (utility[place], -abs(alphas[place])))
    return Validation(alphas[best], tuple(zip(alphas, utility, strict=True)))


def _utility(front: Front, truth: NDArray[np.floating], budgets: Floats) -> float:
    """Mean true quality of the front's points at these budgets."""
    points = [front.columns(max(front.within(budget), 0)) for budget in budgets]
    return float(np.mean([chosen(truth, columns).mean() for columns in points]))
