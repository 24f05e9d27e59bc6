"""Gives each task a column of its own, as long as there are some."""

from __future__ import annotations

import numpy as np

from sls_plugins.predictor.features import Arrays, Floats
from sls_plugins.types import State

__all__ = ["Slots"]


class Slots:
    """Columns for the keys that came first; later keys share the last column."""

    def __init__(self, width: int) -> None:
        """`width` columns in all."""
        self.width = width
        self.keys = np.full(width, -1, dtype=np.int64)
        self.used = 0
        self._places: dict[int, int] = {}

    def apply(self, key: int) -> Floats:
        """A one in the key's column, shape (width,); all zeros for a key that was never learnt."""
        row = np.zeros(self.width)
        place = self._places.get(key)
        if place is not None:
            row[place] = 1.0
        elif self.used == self.width:
            row[-1] = 1.0
        return row

    def learn(self, key: int) -> bool:
        """Give the key a column, if one is left; whether columns changed their meaning."""
        if self.used == self.width or key in self._places:
            return False
        self._places[key] = self.used
        self.keys[self.used] = key
        self.used += 1
        return True

    def save(self, name: str) -> dict[str, Arrays]:
        """The keys under a name that starts with `name`."""
        return {f"{name}.keys": self.keys[: self.used].copy()}

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        known = np.asarray(state[f"{name}.keys"], dtype=np.int64)
        self.used = known.size
        self.keys = np.full(self.width, -1, dtype=np.int64)
        self.keys[: self.used] = known
        self._places = {int(key): place for place, key in enumerate(known)}
