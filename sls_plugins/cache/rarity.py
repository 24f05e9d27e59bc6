"""Knows which words are rare, from the texts of the log."""

from __future__ import annotations

import math
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.scanning import words_of

__all__ = ["RARITIES", "Rarity"]

RARITIES = 2
"""Length of what `compare` gives."""

_SLOTS = 1 << 14


class Rarity:
    """Counts in how many texts a word was seen; words share slots by their hash."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self.counts: NDArray[np.float64] = np.zeros(_SLOTS + 1)

    def learn(self, pattern: str) -> None:
        """Take in one text whose digits are masked."""
        for slot in _slots(pattern):
            self.counts[slot] += 1.0
        self.counts[_SLOTS] += 1.0

    def compare(self, one: str, other: str) -> tuple[float, float]:
        """The shared part of the words' weight, and the rarest word that only one of them has.

        A word weighs the logarithm of how rare it is; both are within 0…1 (0: none differs).
        """
        if one == other:
            return 1.0, 0.0
        mine, theirs = _slots(one), _slots(other)
        differ = mine ^ theirs
        if not differ:
            return 1.0, 0.0
        texts = float(self.counts[_SLOTS]) + 2.0
        seen = self.counts.take([*differ, *(mine & theirs)])
        weights = np.log(texts / (seen + 1.0)).tolist()
        apart, shared = weights[: len(differ)], sum(weights[len(differ) :])
        return shared / max(1e-9, shared + sum(apart)), min(1.0, max(apart) / math.log(texts))


@lru_cache(maxsize=8192)
def _slots(pattern: str) -> frozenset[int]:
    return frozenset(map(_slot, words_of(pattern.lower())))


@lru_cache(maxsize=1 << 16)
def _slot(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % _SLOTS
