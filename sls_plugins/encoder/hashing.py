"""Embeddings without weights, from hashed pieces of the text.

Feature hashing with signs, after Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning", 2009. Whatever the process or the machine, equal texts get equal vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sls_plugins.encoder.options import Options, read_options
from sls_plugins.protocols import Context
from sls_plugins.types import Matrix, unit_rows

__all__ = ["HashingEncoder", "HashingOptions", "make"]

Hashes: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.intp]

GRAMS = (3, 4, 5)
"""Lengths of the pieces of words, in characters."""

WORD, PAIR, GRAM, BIAS = 1.0, 0.7, 0.35, 0.01
"""Weights of a word, of two neighbouring words, of a piece, and of the text's being there."""

FACTOR = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)
MIXER = np.array([0xBF58476D1CE4E5B9], dtype=np.uint64)
SALTS = np.arange(1, 8, dtype=np.uint64) * np.uint64(0x94D049BB133111EB)

BREAK, DIGIT, LETTER = 0, 1, 2


class HashingOptions(Options):
    """Options of the encoder `hashing`: the length of its vectors."""

    dimension: int = Field(default=384, ge=16, le=65_536)


class HashingEncoder:
    """Words, pairs of words and character 3- to 5-grams, hashed with signs into d buckets.

    Words count as they are; in pieces of words every digit is the same, so that lines which differ
    in numbers only are near but not equal. Good as features of a predictor and in tests. It ranks
    "one word changed" above true paraphrases, so a semantic cache needs another encoder.
    """

    def __init__(self, dimension: int = 384) -> None:
        self._dimension = dimension

    @property
    def fingerprint(self) -> str:
        """Version of the features, and dimension."""
        return f"hashing:v1:{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d), float32, unit length, in order."""
        out = np.empty((len(texts), self._dimension), dtype=np.float32)
        for place, text in enumerate(texts):
            out[place] = self._encode_one(text)
        return unit_rows(out)

    def _encode_one(self, text: str) -> NDArray[np.float64]:
        """The sum of all features' signed weights, shape (d,); burstiness is damped by a root."""
        hashes, weights = _features(_characters(text))
        hashes ^= hashes >> np.uint64(32)
        hashes *= MIXER
        buckets = ((hashes >> np.uint64(32)) * np.uint64(self._dimension)) >> np.uint64(32)
        signs = np.where(hashes & np.uint64(1 << 20), weights, -weights)
        sums = np.bincount(buckets.astype(np.intp), signs, minlength=self._dimension)
        return np.copysign(np.sqrt(np.abs(sums)), sums)


def make(_context: Context, options: Mapping[str, object]) -> HashingEncoder:
    """Factory of the encoder `hashing`; see `HashingOptions`."""
    return HashingEncoder(read_options(HashingOptions, options, "hashing").dimension)


def _characters(text: str) -> NDArray[np.uint32]:
    """Code points of the text in lower case, with a space at either end."""
    data = f" {text.lower()} ".encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype="<u4")


def _features(characters: NDArray[np.uint32]) -> tuple[Hashes, NDArray[np.float64]]:
    """Hashes and weights of all features of a text; never empty."""
    kinds = _kinds(characters)
    words = _hash_words(characters.astype(np.uint64), kinds != BREAK)
    pairs = words[:-1] * FACTOR + words[1:]
    masked = np.where(kinds == DIGIT, np.uint64(ord("0")), characters.astype(np.uint64))
    grams = [_hash_grams(masked, length) for length in GRAMS]
    parts = [words + SALTS[0], pairs + SALTS[1], *grams, SALTS[2:3]]
    weights = [WORD, PAIR, *([GRAM] * len(grams)), BIAS]
    return np.concatenate(parts), np.repeat(weights, [len(part) for part in parts])


def _kinds(characters: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Break, digit or letter; all but ASCII is taken for letters."""
    return ASCII_KINDS[np.minimum(characters, 128)]


def _ascii_kinds() -> NDArray[np.uint8]:
    """The kind of each ASCII character, and of all others at place 128."""
    kinds = [
        DIGIT if chr(c).isdigit() else LETTER if chr(c).isalnum() else BREAK for c in range(128)
    ]
    return np.array([*kinds, LETTER], dtype=np.uint8)


ASCII_KINDS = _ascii_kinds()


def _hash_words(characters: Hashes, inside: NDArray[np.bool_]) -> Hashes:
    """One hash per run of letters and digits: the sum of its mixed (character, place) pairs."""
    steps = np.diff(inside.view(np.int8))
    starts, stops = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1
    if not len(starts):
        return np.empty(0, dtype=np.uint64)
    lengths = stops - starts
    places: Places = np.flatnonzero(inside)
    within = (places - np.repeat(starts, lengths)).astype(np.uint64)
    mixed = (characters[places] + SALTS[3]) * (FACTOR + within * MIXER)
    mixed ^= mixed >> np.uint64(29)
    mixed *= FACTOR
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    hashes: Hashes = np.add.reduceat(mixed, first)
    return hashes


def _hash_grams(characters: Hashes, length: int) -> Hashes:
    """One hash per window of `length` characters."""
    count = max(len(characters) - length + 1, 0)
    hashes = np.full(count, SALTS[length % len(SALTS)])
    for place in range(length):
        hashes *= FACTOR
        hashes += characters[place : place + count]
        hashes ^= hashes >> np.uint64(31)
    return hashes
