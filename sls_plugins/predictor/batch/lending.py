"""A candidate with few labels borrows from those with many: it is read as a mixture of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.nearby import Singles
from sls_plugins.predictor.batch.rows import Labels
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Lending", "lent", "newcomers"]

FEW = 60
"""Labels up to which a candidate borrows, if others have four times as many."""

LEVEL, TASTE, OWN = 0.15, 0.3, 0.3
"""Deviations: of a newcomer's level, its taste for each of the others, its own ways of the topic.

With three others or more the first is that of their levels.
"""

REACH = 0.4
"""Loss of cosine over which its own ways fade."""

NOISE = 0.2
"""Variance of a label where there is no other's to compare it with."""


@dataclass(frozen=True, slots=True, eq=False)
class Lending:
    """A Gaussian process for column `column`: a mixture of the lenders' means with its own ways.

    `start` and `prior` are mean and variance of its level and its weights. From `told` queries it
    knows `vectors` (p, d), `moved` (p, 1 + lenders), inverse covariance and what follows from it.
    """

    column: int
    lenders: NDArray[np.intp]
    centre: Floats
    start: Floats
    prior: Floats
    vectors: Singles
    moved: Floats
    inverse: Floats
    found: Floats

    @property
    def weights(self) -> Floats:
        """How much it follows each lender, as learnt."""
        return np.asarray((self.start + self.prior * (self.found @ self.moved))[1:])

    def apply(self, mean: Floats, vectors: Singles) -> tuple[Floats, Floats]:
        """Mean and variance of the borrower's quality from means (n, m) and vectors (n, d)."""
        moved = np.column_stack((np.ones(len(mean)), mean[:, self.lenders] - self.centre))
        covariance = (moved * self.prior) @ self.moved.T + own_ways(vectors, self.vectors)
        said = moved @ self.start + covariance @ self.found
        before = (moved**2) @ self.prior + OWN**2
        told = ((covariance @ self.inverse) * covariance).sum(axis=1)
        return said, np.maximum(before - told, 0.0)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.column": np.array([self.column])} | {
            f"{name}.{key}": np.array(getattr(self, key)) for key in KEPT
        }

    @classmethod
    def load(cls, name: str, state: State) -> Lending:
        """What `save` gave."""
        kept = {key: np.array(state[f"{name}.{key}"]) for key in KEPT}
        return cls(column=int(state[f"{name}.column"][0]), **kept)  # type: ignore[arg-type]


KEPT = ("lenders", "centre", "start", "prior", "vectors", "moved", "inverse", "found")


def own_ways(one: Singles, other: Singles) -> Floats:
    """Covariance of what the mixture does not explain, shape (n, k)."""
    cosine = np.asarray(one @ other.T, dtype=np.float64)
    return np.asarray(OWN**2 * np.exp((cosine - 1.0) / REACH))


def newcomers(labels: Labels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns that borrow, and those that lend."""
    seen = labels.known.sum(axis=0)
    borrows = (seen > 0) & (seen <= FEW) & (4 * seen <= seen.max())
    lends = seen >= max(4 * FEW, int(seen.max()) // 4)
    return np.flatnonzero(borrows), np.flatnonzero(lends)


def lent(labels: Labels, expected: Floats, column: int, lenders: NDArray[np.intp]) -> Lending:
    """Learn how a newcomer follows the others, from its few labels.

    At first it is believed to be as good as they are on average, and to find hard what they do;
    `expected` (n, m) is what the lenders are expected to reach on the same queries. What all of
    them did better or worse there than expected is taken out of its labels: that was the query's.
    """
    known = labels.known[:, column]
    said = expected[:, lenders]
    centre = said.mean(axis=0)
    levels = float(centre.std(ddof=1)) if len(lenders) > 2 else LEVEL
    prior = np.full(1 + len(lenders), TASTE**2)
    prior[0] = max(levels, LEVEL / 3.0) ** 2
    start = np.concatenate(([centre.mean()], np.full(len(lenders), 1.0 / len(lenders))))
    moved = np.column_stack((np.ones(known.sum()), said[known] - centre))
    surprise, noise = surprises(labels.quality[:, lenders] - said)
    apart = labels.quality[known, column] - surprise[known] - moved @ start
    vectors = labels.rows.vectors[known]
    covariance = (moved * prior) @ moved.T + own_ways(vectors, vectors)
    inverse = np.linalg.inv(covariance + noise * np.eye(len(apart)))
    return Lending(column, lenders, centre, start, prior, vectors, moved, inverse, inverse @ apart)


def surprises(apart: Floats) -> tuple[Floats, float]:
    """What a newcomer's label owes to the query, shape (n,), and the variance that is left.

    `apart` (n, lenders) are labels less expectations, NaN where there is no label. How far one
    candidate shares the others' mean surprise is taken from the lenders, each in its turn.
    """
    known = ~np.isnan(apart)
    seen, sums = known.sum(axis=1), np.nan_to_num(apart).sum(axis=1)
    mean = sums / np.maximum(seen, 1)
    if apart.shape[1] < 2 or not (seen > 1).any():
        return np.zeros(len(apart)), NOISE
    others = (sums[:, None] - np.nan_to_num(apart)) / np.maximum(seen - 1, 1)[:, None]
    used = known & (seen > 1)[:, None]
    one, rest = apart[used], others[used]
    shared = float(one @ rest) / max(float(rest @ rest), 1e-9)
    return shared * mean, max(float(np.mean((one - shared * rest) ** 2)), 0.01)
