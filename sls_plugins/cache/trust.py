"""How far votes on answers are listened to: overall, and in each place where answers are shared."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sls_plugins.types import State

__all__ = ["Trust"]

PLACES = 1024
"""Places that are remembered at most."""

SHARED, OWN_WORDS = (1.0, 0.5, 0.25), (0.1, 0.02)
"""Agreements seen, of those expected, where right answers are alike: all, or fewer as candidates
are worse than they are thought to be; and where each is put in words of its own."""

BORROWED = (0.2, 0.9)
"""The bounds within which agreement elsewhere tells of a place of which nothing was seen."""

FIRST, LEAST, MOST = 0.7, 0.5, 0.99
"""Trust in votes at first; the bounds within which grades seen elsewhere may move it."""

FEW = 3.0
"""Agreements that were to be expected, from which on it is known whether there are any."""

SHARPNESS, FADE = 2.0, 0.998
"""How fast errors of expectation move it; what is kept per grade."""

SURE = 0.9
"""Votes are held to no more than this where grades judge them: one grade does not end the trust."""

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
        self._levels: dict[int, float] = {}  # those asked for since anything was told

    def level(self, place: int) -> float:
        """How much votes tell in a place (0…1): nothing, until it is known whether any agree."""
        known = self._levels.get(place)
        if known is None:
            if len(self._levels) >= PLACES:
                self._levels.clear()
            known = self._levels[place] = self._level(place)
        return known

    def _level(self, place: int) -> float:
        alike, expected, with_votes, without = self._all
        if expected < FEW:
            return 0.0
        better = min(max(without - with_votes, _odds(LEAST)), _odds(MOST))
        seen = self._places.get(place)
        share = _alike(alike, expected, FIRST)
        if seen is not None:
            alike, expected, with_votes, without = seen
            low, high = BORROWED
            share = _alike(alike, expected, min(max(share, low), high))
            better = min(max(better + without - with_votes, -50.0), 50.0)
        return share / (1.0 + math.exp(-better))

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
                error = quality - min(max(one, 1.0 - SURE), SURE)
                sums[side] = FADE * sums[side] + weight * SHARPNESS * error**2

    def _told(self, place: int) -> tuple[list[float], list[float]]:
        """The sums that what was seen in a place adds to."""
        self._levels.clear()
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
        self._levels.clear()
        self._all = state[f"{name}.all"].tolist()
        sums = state[f"{name}.sums"].tolist()
        places = state[f"{name}.places"].tolist()
        self._places = {int(place): own for place, own in zip(places, sums, strict=True)}


def _alike(seen: float, expected: float, prior: float) -> float:
    """P(right answers are alike), by how many agreements were seen and expected (Poisson).

    Candidates that are worse than expected agree less often; that is no sign of words of their own,
    which hardly ever agree.
    """
    if expected <= 0.0:
        return prior
    logs = [[seen * math.log(one) - one * expected for one in of] for of in (SHARED, OWN_WORDS)]
    top = max(max(one) for one in logs)
    yes, no = (sum(math.exp(log - top) for log in one) / len(one) for one in logs)
    return prior * yes / (prior * yes + (1.0 - prior) * no)


def _odds(share: float) -> float:
    return math.log(share / (1.0 - share))
