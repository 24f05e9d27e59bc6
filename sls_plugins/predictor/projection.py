"""The directions in which this traffic's embeddings differ most."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["FIT_AT", "Projection"]

WIDTH = 32
FIT_AT = 128
"""Graded outcomes after which the directions are fixed."""


class Projection:
    """Principal directions of the first embeddings; zeros until they are known.

    A model per candidate can afford some dozens of numbers, not hundreds: with few outcomes each
    they would be noise, and the covariances would be slow.
    """

    def __init__(self, dimension: int) -> None:
        """`dimension` of the (folded) embeddings."""
        self.width = min(WIDTH, dimension)
        self.centre: Floats = np.zeros(dimension)
        self.directions: Floats = np.zeros((self.width, dimension))
        self.known = False

    def apply(self, embedding: Floats) -> Floats:
        """Coordinates, shape (width,)."""
        return np.asarray(self.directions @ (embedding - self.centre), dtype=np.float64)

    def due(self, seen: int) -> bool:
        """Whether to fix the directions now."""
        return not self.known and seen >= FIT_AT

    def fit(self, embeddings: Floats) -> None:
        """Fix the directions from embeddings of shape (n, dimension)."""
        self.centre = embeddings.mean(axis=0)
        _, _, directions = np.linalg.svd(embeddings - self.centre, full_matrices=False)
        found = directions[: self.width]
        self.directions[: len(found)] = found
        self.known = True

    def save(self, name: str) -> dict[str, Arrays]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.centre": self.centre.copy(),
            f"{name}.directions": self.directions.copy(),
            f"{name}.known": np.array([self.known]),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self.centre = np.array(state[f"{name}.centre"], dtype=np.float64)
        self.directions = np.array(state[f"{name}.directions"], dtype=np.float64)
        self.known = bool(state[f"{name}.known"][0])
