"""Bayesian linear regression that learns from one observation at a time."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["LinearBank", "WideLinear"]

Singles: TypeAlias = NDArray[np.float32]


class LinearBank:
    """One small linear model per row, with full covariance; rows can be added at any time.

    The covariance is in units of the noise variance. `drift` (per observation) pulls a row's
    covariance back to the prior, so that old observations fade and a changed model is relearnt.
    """

    def __init__(self, prior: Floats, drift: float) -> None:
        """`prior` is the variance of each weight, shape (m,), in units of the noise variance."""
        self.prior = prior
        self.drift = drift
        self._pull = drift * prior
        self.weights: Floats = np.zeros((0, prior.size))
        self.covariance: Floats = np.zeros((0, prior.size, prior.size))

    def grow(self, rows: int) -> None:
        """Have at least this many rows."""
        more = rows - len(self.weights)
        if more > 0:
            width = self.prior.size
            fresh = np.broadcast_to(np.diag(self.prior), (more, width, width))
            self.weights = np.concatenate((self.weights, np.zeros((more, width))))
            self.covariance = np.concatenate((self.covariance, fresh))

    def mean(self, z: Floats) -> Floats:
        """Each row's expectation for numbers z of shape (m,); shape (rows,)."""
        return np.asarray(self.weights @ z, dtype=np.float64)

    def variance(self, z: Floats, row: int | None = None) -> Floats:
        """Each row's (or one row's) variance of the expectation, in units of the noise."""
        rows, width = self.weights.shape
        if row is not None:
            return np.array([z @ (self.covariance[row] @ z)])
        return np.asarray(
            (self.covariance.reshape(rows * width, width) @ z).reshape(rows, width) @ z,
            dtype=np.float64,
        )

    def learn(self, row: int, z: Floats, target: float, weight: float = 1.0) -> None:
        """Kalman update of one row, O(m²)."""
        covariance = self.covariance[row]
        spread = covariance @ z
        gain = spread / (1.0 / weight + float(z @ spread))
        self.weights[row] += gain * (target - float(self.weights[row] @ z))
        covariance -= gain[:, None] * spread
        if self.drift:
            covariance *= 1.0 - self.drift
            covariance.reshape(-1)[:: self.prior.size + 1] += self._pull

    def forget(self, row: int, share: float) -> None:
        """Doubt a row's weights again, as if a share of what it learnt had not been seen."""
        covariance = self.covariance[row]
        covariance *= 1.0 - share
        covariance.flat[:: self.prior.size + 1] += share * self.prior

    def reset(self) -> None:
        """Forget everything; the rows stay."""
        rows = len(self.weights)
        self.weights = np.zeros((0, self.prior.size))
        self.covariance = np.zeros((0, self.prior.size, self.prior.size))
        self.grow(rows)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays of this bank under names that start with `name`."""
        return {
            f"{name}.weights": self.weights.copy(),
            f"{name}.covariance": self.covariance.copy(),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.weights = np.array(state[f"{name}.weights"], dtype=np.float64)
        self.covariance = np.array(state[f"{name}.covariance"], dtype=np.float64)


class WideLinear:
    """One linear model on many numbers; rank-1 updates are gathered, then folded in together.

    The covariance is `base - factorsᵀ factors`: exact after every observation, while the O(m²) pass
    over memory is made once in BLOCK observations. It is kept in single precision, as reading it is
    what takes the time; the prior that is mixed in keeps rounding from piling up.
    """

    BLOCK = 16

    def __init__(self, prior: Floats, drift: float, targets: int = 1) -> None:
        """`prior` as for LinearBank; `targets` are learnt side by side from the same numbers."""
        self.prior = prior
        self.drift = drift
        self.weights: Floats = np.zeros((targets, prior.size))
        self.base: Singles = np.diag(prior).astype(np.float32)
        self.factors: Singles = np.zeros((self.BLOCK, prior.size), dtype=np.float32)
        self.pending = 0

    def mean(self, z: Floats) -> Floats:
        """Expectation of each target, shape (targets,)."""
        return np.asarray(self.weights @ z, dtype=np.float64)

    def spread(self, z: Floats) -> Floats:
        """Covariance times z, shape (m,)."""
        factors = self.factors[: self.pending]
        single = z.astype(np.float32)
        return np.asarray(self.base @ single - (factors @ single) @ factors, dtype=np.float64)

    def learn(self, z: Floats, targets: Floats, weight: float = 1.0) -> float:
        """Update from one observation; a target that is NaN is left as it was.

        Returns the variance that the expectation had before, in units of the noise.
        """
        spread = self.spread(z)
        variance = max(float(z @ spread), 0.0)
        scale = 1.0 / weight + variance
        errors = targets - self.weights @ z
        errors[np.isnan(errors)] = 0.0
        self.weights += (errors / scale)[:, None] * spread
        self.factors[self.pending] = spread / np.sqrt(scale)
        self.pending += 1
        if self.pending == self.BLOCK:
            self._fold()
        return variance

    def _fold(self) -> None:
        self.base -= self.factors.T @ self.factors
        faded = 1.0 - (1.0 - self.drift) ** self.BLOCK
        self.base *= 1.0 - faded
        self.base.flat[:: self.prior.size + 1] += faded * self.prior
        self.pending = 0

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays of this model under names that start with `name`."""
        return {
            f"{name}.weights": self.weights.copy(),
            f"{name}.base": self.base.copy(),
            f"{name}.factors": self.factors.copy(),
            f"{name}.pending": np.array([self.pending]),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.weights = np.array(state[f"{name}.weights"], dtype=np.float64)
        self.base = np.array(state[f"{name}.base"], dtype=np.float32)
        self.factors = np.array(state[f"{name}.factors"], dtype=np.float32)
        self.pending = int(state[f"{name}.pending"][0])
