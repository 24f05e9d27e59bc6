"""What each candidate is worth in a place, by what was expected of it where nothing was graded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Repute"]

ROWS = 8192
"""Pairs of place and candidate that are remembered at most; the one first seen makes room."""

FADE = 0.98
"""What is kept of a mean with each new expectation: it is one of about fifty."""

ANYWHERE = -1
"""The place that stands for all of them."""


class Repute:
    """Means of expectations, by place and candidate, and over all places.

    What is expected of a query some of whose answers were graded holds those grades: who weighs
    them himself asks here instead.
    """

    def __init__(self) -> None:
        """Nobody is known."""
        self._means: dict[tuple[int, str], tuple[float, float]] = {}

    def learn(self, place: int, candidate: str, expected: float) -> None:
        """So much was expected of a candidate's answer in a place."""
        for key in ((place, candidate), (ANYWHERE, candidate)):
            total, weight = self._means.get(key, (0.0, 0.0))
            self._means[key] = (FADE * total + expected, FADE * weight + 1.0)
        while len(self._means) > ROWS:
            del self._means[next(iter(self._means))]

    def worth(self, place: int, candidate: str) -> float | None:
        """Its mean in that place, else in all places; None if it never answered."""
        found = self._means.get((place, candidate)) or self._means.get((ANYWHERE, candidate))
        return None if found is None else found[0] / found[1]

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.places": np.array([place for place, _ in self._means], dtype=np.int64),
            f"{name}.candidates": np.array([one for _, one in self._means], dtype=np.str_),
            f"{name}.means": np.array(list(self._means.values()), np.float64).reshape(-1, 2),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        keys = zip(state[f"{name}.places"].tolist(), state[f"{name}.candidates"], strict=True)
        means = state[f"{name}.means"].tolist()
        self._means = {
            (int(place), str(candidate)): (total, weight)
            for (place, candidate), (total, weight) in zip(keys, means, strict=True)
        }
