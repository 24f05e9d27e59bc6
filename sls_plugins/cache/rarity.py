"""Knows which words are rare, from the texts of the log."""

from __future__ import annotations

import math
import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["RARITIES", "Rarity"]

RARITIES = 2
"""Length of what `compare` gives."""

_SLOTS = 1 << 14
_WORD = re.compile(r"\w+")


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
        mine, theirs = _slots(one), _slots(other)
        texts = float(self.counts[_SLOTS]) + 2.0
        scale = math.log(texts)
        apart = [self._weight(slot, texts) for slot in mine ^ theirs]
        if not apart:
            return 1.0, 0.0
        shared = sum(self._weight(slot, texts) for slot in mine & theirs)
        return shared / max(1e-9, shared + sum(apart)), min(1.0, max(apart) / scale)

    def _weight(self, slot: int, texts: float) -> float:
        return math.log(texts / (float(self.counts[slot]) + 1.0))


@lru_cache(maxsize=8192)
def _slots(pattern: str) -> frozenset[int]:
    words = _WORD.findall(pattern.lower())
    return frozenset(zlib.crc32(word.encode("utf-8", "surrogatepass")) % _SLOTS for word in words)
