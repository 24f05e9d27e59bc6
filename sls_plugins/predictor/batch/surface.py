"""Numbers that describe a text without an encoder: CPLS's seventeen, and a sketch of its words."""

from __future__ import annotations

import string
import zlib

import numpy as np

from sls_plugins.predictor.features import LONGEST, Floats, pattern_of

__all__ = ["SURFACE_WIDTH", "WORDS", "surface", "words"]

SURFACE_WIDTH = 17

WORDS = 256
"""Places onto which words and pairs of words are folded."""

PUNCTUATION = frozenset(string.punctuation)


def surface(text: str) -> Floats:
    """CPLS's numbers (ICSME 2024): counts, ratios, extremes over words; shape (17,), unscaled.

    Words, distinct words, characters, distinct characters, digits, letters, punctuation;
    characters per word and distinct word, digits and punctuation per word; then the most and the
    fewest characters, punctuation marks and digits of one word. A long text's beginning counts.
    """
    head = text[:LONGEST]
    words = head.split() or [""]
    lengths = [len(word) for word in words]
    marks = [sum(sign in PUNCTUATION for sign in word) for word in words]
    digits = [sum(sign.isdigit() for sign in word) for word in words]
    count, kinds = len(words), len(set(words))
    return np.array(
        [
            count,
            kinds,
            len(head),
            len(set(head)),
            sum(digits),
            sum(sign.isalpha() for sign in head),
            sum(marks),
            len(head) / count,
            len(head) / kinds,
            sum(digits) / count,
            sum(marks) / count,
            max(lengths),
            min(lengths),
            max(marks),
            min(marks),
            max(digits),
            min(digits),
        ],
        dtype=np.float64,
    )


def words(text: str) -> Floats:
    """A unit vector of the words and pairs of words, numbers masked; shape (WORDS,)."""
    counts = np.zeros(WORDS)
    before = ""
    for word in pattern_of(text).split():
        counts[zlib.crc32(word.encode(errors="surrogatepass")) % WORDS] += 1.0
        if before:
            pair = f"{before} {word}".encode(errors="surrogatepass")
            counts[zlib.crc32(pair) % WORDS] += 1.0
        before = word
    roots = np.sqrt(counts)
    return np.asarray(roots / max(float(np.linalg.norm(roots)), 1e-9), dtype=np.float64)
