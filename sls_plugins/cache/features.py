"""Measures how a query differs from a stored text, as numbers a model can learn from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sls_plugins.cache.guards import Guard
from sls_plugins.cache.keys import pattern_of
from sls_plugins.types import CacheEntry, Query

__all__ = ["FEATURES", "Pair", "pair_of"]

FEATURES = 12
"""Length of `Pair.values`."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A query beside a stored entry: all that acceptance looks at.

    `guards` are the names of the guards that veto, `patterns` both texts with digits masked,
    `values` the features, shape (FEATURES,), about -3…3 each.
    """

    task: str
    entry_id: str
    similarity: float
    guards: tuple[str, ...]
    patterns: tuple[str, str]
    values: NDArray[np.float64]

    @property
    def same_pattern(self) -> bool:
        """The texts differ in words with digits only."""
        return self.patterns[0] == self.patterns[1]


def pair_of(query: Query, entry: CacheEntry, similarity: float, guards: Sequence[Guard]) -> Pair:
    """Compare; the same arguments give the same pair, now or when the log is read again."""
    patterns = (_pattern(query.text), _pattern(entry.text))
    names = tuple(guard.__name__ for guard in guards if guard(query.text, entry.text))
    return Pair(
        task=query.task,
        entry_id=entry.id,
        similarity=similarity,
        guards=names,
        patterns=patterns,
        values=_values(query.text, entry, similarity, patterns, names),
    )


def _values(
    text: str,
    entry: CacheEntry,
    similarity: float,
    patterns: tuple[str, str],
    names: tuple[str, ...],
) -> NDArray[np.float64]:
    query, stored = _tokens(text), _tokens(entry.text)
    shared = len(query & stored)
    union = len(query) + len(stored) - shared
    masked, kept = _tokens(patterns[0]), _tokens(patterns[1])
    apart = len(masked ^ kept)
    record = math.log((entry.good + 0.5) / (entry.bad + 0.5))
    return np.array(
        (
            1.0,
            min(3.0, max(-3.0, 10.0 * (similarity - 0.85))),
            min(3.0, -math.log10(1.001 - min(1.0, similarity))),
            float(patterns[0] == patterns[1]),
            shared / union if union else 1.0,
            math.log1p(apart),
            min(3.0, abs(math.log((1 + len(text)) / (1 + len(entry.text))))),
            min(2.0, max(-2.0, record)),
            float("numbers_differ" in names),
            float("quotes_differ" in names or "identifiers_differ" in names),
            float(
                "negation_differs" in names or "opposites_meet" in names or "order_differs" in names
            ),
            float("question_differs" in names),
        )
    )


@lru_cache(maxsize=8192)
def _pattern(text: str) -> str:
    return pattern_of(text)


@lru_cache(maxsize=8192)
def _tokens(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text.lower()))
