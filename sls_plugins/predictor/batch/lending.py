"""A candidate with few labels borrows from those with many: it is read as a mixture of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.rows import Labels
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Lending", "lent", "newcomers"]

FEW = 60
"""Labels up to which a candidate borrows, if others have four times as many."""

NOISE, LEVEL, TASTE = 0.2, 0.15, 0.3
"""Variance of a label; deviation of a newcomer's level from the others', of its taste for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Lending:
    """How column `column` follows from the others' expectations: level + weights·(them - centre).

    `covariance` is of level, then weights.
    """

    column: int
    lenders: NDArray[np.intp]
    centre: Floats
    level: float
    weights: Floats
    covariance: Floats

    def apply(self, mean: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the borrower's quality from means (n, m)."""
        moved = mean[:, self.lenders] - self.centre
        ones = np.column_stack((np.ones(len(moved)), moved))
        variance = ((ones @ self.covariance) * ones).sum(axis=1)
        return self.level + moved @ self.weights, variance

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.column": np.array([self.column]),
            f"{name}.lenders": self.lenders.copy(),
            f"{name}.centre": self.centre.copy(),
            f"{name}.level": np.array([self.level]),
            f"{name}.weights": self.weights.copy(),
            f"{name}.covariance": self.covariance.copy(),
        }

    @classmethod
    def load(cls, name: str, state: State) -> Lending:
        """What `save` gave."""
        return cls(
            int(state[f"{name}.column"][0]),
            np.array(state[f"{name}.lenders"], dtype=np.intp),
            np.array(state[f"{name}.centre"], dtype=np.float64),
            float(state[f"{name}.level"][0]),
            np.array(state[f"{name}.weights"], dtype=np.float64),
            np.array(state[f"{name}.covariance"], dtype=np.float64),
        )


def newcomers(labels: Labels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns that borrow, and those that lend."""
    seen = labels.known.sum(axis=0)
    borrows = (seen > 0) & (seen <= FEW) & (4 * seen <= seen.max())
    lends = seen >= max(4 * FEW, int(seen.max()) // 4)
    return np.flatnonzero(borrows), np.flatnonzero(lends)


def lent(labels: Labels, expected: Floats, column: int, lenders: NDArray[np.intp]) -> Lending:
    """Learn how a newcomer follows the others, from its few labels.

    At first it is believed to be as good as they are on average, and to find hard what they do;
    `expected` (n, m) is what the lenders are expected to reach on the same queries.
    """
    known = labels.known[:, column]
    centre = expected[:, lenders].mean(axis=0)
    moved = np.column_stack((np.ones(known.sum()), expected[known][:, lenders] - centre))
    start = np.concatenate(([centre.mean()], np.full(len(lenders), 1.0 / len(lenders))))
    prior = np.concatenate(([LEVEL**2], np.full(len(lenders), TASTE**2)))
    precision = moved.T @ moved / NOISE + np.diag(1.0 / prior)
    covariance = np.linalg.inv(precision)
    apart = labels.quality[known, column] - moved @ start
    found = start + covariance @ (moved.T @ apart) / NOISE
    return Lending(column, lenders, centre, float(found[0]), found[1:], covariance)
