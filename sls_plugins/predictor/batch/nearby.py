"""Three plain experts on the embedding: a ridge, the nearest labelled queries, soft clusters."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.predictor.batch.store import filled, opened
from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Clusters", "Nearest", "Ridge", "Singles", "turned"]

Singles: TypeAlias = NDArray[np.float32]

MOST = 12_000
"""Labelled queries that are kept to be searched."""

BLOCK = 512


def turned(vectors: Singles, centre: Singles) -> Singles:
    """Unit vectors of the differences from the centre: directions then spread evenly."""
    moved = vectors - centre
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(norms, 1e-9), dtype=np.float32)


class Ridge:
    """Linear in the embedding; the penalty grows slowly with the number of labels."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.weights: Floats = np.zeros((0, 0))

    def fit(self, vectors: Singles, targets: Floats) -> None:
        """Targets (n, m) are centred; NaN counts as 0."""
        wide = np.asarray(vectors, dtype=np.float64)
        penalty = np.sqrt(len(wide)) * np.eye(wide.shape[1])
        self.weights = np.linalg.solve(wide.T @ wide + penalty, wide.T @ np.nan_to_num(targets))

    def expect(self, vectors: Singles) -> Floats:
        """Shape (n, m)."""
        return np.asarray(vectors @ self.weights, dtype=np.float64)

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.weights": self.weights.copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.weights = np.array(state[f"{name}.weights"], dtype=np.float64)


class Nearest:
    """Mean of the nearest labelled queries, a few of them believed to be average."""

    def __init__(self, count: int = 100, prior: float = 5.0) -> None:
        """`count` neighbours, fewer where labels are few."""
        self.count = count
        self.prior = prior
        self.vectors: Singles = np.zeros((0, 0), dtype=np.float32)
        self.targets: Floats = np.zeros((0, 0))

    def fit(self, vectors: Singles, targets: Floats) -> None:
        """Keep the last labelled queries; targets (n, m) are centred, NaN where unknown."""
        self.vectors, self.targets = vectors[-MOST:].copy(), targets[-MOST:].copy()

    def expect(self, vectors: Singles) -> Floats:
        """Shape (n, m)."""
        known, values = ~np.isnan(self.targets), np.nan_to_num(self.targets)
        count = max(min(self.count, len(self.vectors) // 4), 1)
        said = np.zeros((len(vectors), self.targets.shape[1]))
        for first in range(0, len(vectors), BLOCK):
            similarity = vectors[first : first + BLOCK] @ self.vectors.T
            near = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
            seen = known[near].sum(axis=1)
            said[first : first + BLOCK] = values[near].sum(axis=1) / (seen + self.prior)
        return said

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.vectors": self.vectors.copy(), f"{name}.targets": filled(self.targets)}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.vectors = np.array(state[f"{name}.vectors"], dtype=np.float32)
        self.targets = opened(state[f"{name}.targets"])


class Clusters:
    """Means of up to 64 clusters, mixed softly by similarity."""

    ROUNDS = 15
    SHARPNESS = 20.0
    PRIOR = 20.0

    def __init__(self, clusters: int = 64) -> None:
        """`clusters` at most; one for every 20 labelled queries."""
        self.clusters = clusters
        self.centres: Singles = np.zeros((0, 0), dtype=np.float32)
        self.means: Floats = np.zeros((0, 0))

    def fit(self, vectors: Singles, targets: Floats) -> None:
        """Spherical k-means from the first rows (in random order); targets (n, m) are centred."""
        count = min(max(len(vectors) // 20, 1), self.clusters)
        centres = vectors[:count].copy()
        for _ in range(self.ROUNDS):
            own = (vectors @ centres.T).argmax(axis=1)
            for place in range(count):
                if (own == place).any():
                    centres[place] = vectors[own == place].mean(axis=0)
            centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        own = (vectors @ centres.T).argmax(axis=1)
        belongs = np.eye(count)[own]
        seen = belongs.T @ ~np.isnan(targets)
        self.centres = centres
        self.means = belongs.T @ np.nan_to_num(targets) / (seen + self.PRIOR)

    def expect(self, vectors: Singles) -> Floats:
        """Shape (n, m)."""
        power = np.exp(self.SHARPNESS * (np.asarray(vectors @ self.centres.T, np.float64) - 1.0))
        return np.asarray(power @ self.means / power.sum(axis=1, keepdims=True))

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {f"{name}.centres": self.centres.copy(), f"{name}.means": self.means.copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.centres = np.array(state[f"{name}.centres"], dtype=np.float32)
        self.means = np.array(state[f"{name}.means"], dtype=np.float64)
