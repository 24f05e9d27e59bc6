"""Sorts positive numbers in falling order, fast: one sort of packed integers.

The bits of a positive float64 grow with its value. The highest of them, with the number's place
behind, make an integer of 64 bits; NumPy sorts these several times faster than it finds the order
of floats. Numbers that agree in all bits that were kept are put right afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sls_plugins.scheduler.batch.arrays import Floats

__all__ = ["falling"]

PIECE = 65536


def falling(values: Floats) -> NDArray[np.signedinteger]:
    """Places of the values from the largest to the smallest, equals in the order given.

    All values must be positive and finite.
    """
    count = len(values)
    if count < 2:
        return np.arange(count, dtype=np.int32)
    bits = values.view(np.uint64)
    key = bits.max() - bits
    place_bits = (count - 1).bit_length()
    lost = max(0, int(key.max()).bit_length() + place_bits - 64)
    key >>= np.uint64(lost)
    key <<= np.uint64(place_bits)
    key |= np.arange(count, dtype=np.uint32 if place_bits <= 32 else np.uint64)
    key.sort()
    mask = np.uint64((1 << place_bits) - 1)
    if lost:
        _mend(values, key, place_bits, mask)
    key &= mask
    order: NDArray[np.signedinteger] = key.astype(np.int32 if place_bits < 32 else np.int64)
    return order


def _mend(values: Floats, key: NDArray[np.uint64], place_bits: int, mask: np.uint64) -> None:
    """Sort again, exactly, those runs of equal kept bits that are not in order."""
    wrong = _wrong(values, key, mask)
    if not len(wrong):
        return
    runs = np.unique(wrong >> np.uint64(place_bits)) << np.uint64(place_bits)
    first, last = np.searchsorted(key, runs), np.searchsorted(key, runs | mask, "right")
    lengths = last - first
    within = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
    places = np.repeat(first, lengths) + within
    run = np.repeat(runs, lengths)
    exact = np.lexsort((-values[(key[places] & mask).view(np.int64)], run))
    key[places] = key[places[exact]]


def _wrong(values: Floats, key: NDArray[np.uint64], mask: np.uint64) -> NDArray[np.uint64]:
    """Keys whose successor stands for a larger value, looked for in small pieces."""
    found = []
    for first in range(0, len(key) - 1, PIECE):
        piece = key[first : first + PIECE + 1]
        ranked = values.take((piece & mask).view(np.int64))
        found.append(piece[:-1][ranked[:-1] < ranked[1:]])
    return np.concatenate(found)
