"""How far votes on answers are listened to: overall, and in each place where answers are shared."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Trust"]

PLACES = 1024
"""Places that are remembered at most."""

FEW, ELSEWHERE = 3.0, 20.0
"""Agreements by chance set against those seen; those of all places that a place borrows."""

FIRST, LEAST, MOST = 0.7, 0.5, 0.99
"""Trust in votes at first; the bounds within which grades seen elsewhere may move it."""

SHARPNESS, FADE = 4.0, 0.998
"""How fast errors of expectation move it; what is kept per grade."""

ALIKE, EXPECTED, WITH, WITHOUT = range(4)
"""Votes that agreed; that would have, if right answers are alike; losses with votes, without."""


class Trust:
    """Learnt from how often candidates agree, and whether grades bear out what votes said.

    Where answers depend on what a pattern masks, as sums do on their numbers, votes tell nothing.
    Each place learns that for itself, and begins with what holds of all.
    """

    def __init__(self) -> None:
        """Nobody has agreed with anybody yet."""
        self._all = [0.0, 0.0, 0.0, _odds(FIRST)]
        self._places: dict[int, list[float]] = {}

    def level(self, place: int) -> float:
        """How much votes tell in a place (0…1)."""
        alike, expected, with_votes, without = self._all
        better = min(max(without - with_votes, _odds(LEAST)), _odds(MOST))
        seen = self._places.get(place)
        share = alike / (expected + FEW)
        if seen is not None:
            alike, expected, with_votes, without = seen
            share = (alike + ELSEWHERE * share) / (expected + ELSEWHERE)
            better = min(max(better + without - with_votes, -50.0), 50.0)
        return min(1.0, share) / (1.0 + math.exp(-better))

    def voted(self, place: int, alike: float, expected: float) -> None:
        """Two candidates answered to one pattern: how far alike; how far that was expected."""
        for sums in self._told(place):
            sums[ALIKE] += alike
            sums[EXPECTED] += expected

    def graded(
        self, place: int, quality: float, expected: tuple[float, float], weight: float
    ) -> None:
        """An answer was this good; `expected` was one quality with the votes, one without them."""
        for sums in self._told(place):
            for side, one in zip((WITH, WITHOUT), expected, strict=True):
                sums[side] = FADE * sums[side] + weight * SHARPNESS * (quality - one) ** 2

    def _told(self, place: int) -> tuple[list[float], list[float]]:
        """The sums that what was seen in a place adds to."""
        own = self._places.pop(place, None)
        self._places[place] = own = [0.0] * 4 if own is None else own
        while len(self._places) > PLACES:
            del self._places[next(iter(self._places))]
        return self._all, own

    def save(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays under names that start with `name`."""
        return {
            f"{name}.all": np.array(self._all),
            f"{name}.places": np.array(list(self._places), dtype=np.int64),
            f"{name}.sums": np.array(list(self._places.values()), np.float64).reshape(-1, 4),
        }

    def load(self, name: str, state: State) -> None:
        """Restore what `save` gave."""
        self._all = state[f"{name}.all"].tolist()
        sums = state[f"{name}.sums"].tolist()
        places = state[f"{name}.places"].tolist()
        self._places = {int(place): own for place, own in zip(places, sums, strict=True)}


def _odds(share: float) -> float:
    return math.log(share / (1.0 - share))
