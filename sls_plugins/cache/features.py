"""Measures how a query differs from a stored text, as numbers a model can learn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sls_plugins.cache.guards import fired
from sls_plugins.cache.keys import pattern_of
from sls_plugins.cache.scanning import tokens_of
from sls_plugins.protocols import Guard
from sls_plugins.types import CacheEntry, Evidence, Query

__all__ = ["FEATURES", "Pair", "nearness", "pair_of"]

FEATURES = 18
"""Length of `Pair.values`."""

_ALONE = Evidence()
_NAMED = frozenset(("quotes_differ", "identifiers_differ", "names_differ", "languages_differ"))
_TURNED = frozenset(("negation_differs", "opposites_meet", "order_differs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A query beside a stored entry: all that acceptance looks at.

    `scope` names tenant and scope, `guards` are the names of the guards that veto, `patterns` both
    texts with digits masked, `values` the features, FEATURES of them, about -3…3 each.
    """

    task: str
    scope: str
    entry_id: str
    similarity: float
    evidence: Evidence
    guards: tuple[str, ...]
    patterns: tuple[str, str]
    values: tuple[float, ...]

    @property
    def same_pattern(self) -> bool:
        """The texts differ in words with digits only."""
        return self.patterns[0] == self.patterns[1]


def pair_of(
    query: Query,
    entry: CacheEntry,
    similarity: float,
    evidence: Evidence | None,
    guards: Mapping[str, Guard],
    now_s: float = 0.0,
) -> Pair:
    """Compare; the same arguments give the same pair, now or when the log is read again.

    `now_s` is when the query came (the entry then is so old), in seconds since 1970.
    """
    evidence = evidence or _ALONE
    patterns = (_pattern(query.text), _pattern(entry.text))
    names = fired(guards, query.text, entry.text)
    return Pair(
        task=query.task,
        scope=f"{query.tenant}|{query.scope}",
        entry_id=entry.id,
        similarity=similarity,
        evidence=evidence,
        guards=names,
        patterns=patterns,
        values=(
            *_texts(query.text, entry, patterns, names),
            *_company(entry, similarity, evidence),
            _age(now_s - entry.created_s),
        ),
    )


def _texts(
    text: str, entry: CacheEntry, patterns: tuple[str, str], names: tuple[str, ...]
) -> tuple[float, ...]:
    """Nine features of the two texts and of the guards that veto."""
    query, stored = _tokens(text), _tokens(entry.text)
    shared = len(query & stored)
    union = len(query) + len(stored) - shared
    alike = patterns[0] == patterns[1]
    apart = 0 if alike else len(_tokens(patterns[0]) ^ _tokens(patterns[1]))
    return (
        1.0,
        float(alike),
        shared / union if union else 1.0,
        math.log1p(apart),
        min(3.0, abs(math.log((1 + len(text)) / (1 + len(entry.text))))),
        float("numbers_differ" in names),
        float(not _NAMED.isdisjoint(names)),
        float(not _TURNED.isdisjoint(names)),
        float("question_differs" in names),
    )


def _company(entry: CacheEntry, similarity: float, evidence: Evidence) -> tuple[float, ...]:
    """Eight features of how near the entry is, beside others, and of its record."""
    record = math.log((entry.good + 0.5) / (entry.bad + 0.5))
    return (
        min(3.0, max(-3.0, 10.0 * (similarity - 0.85))),
        min(3.0, -math.log10(1.001 - min(1.0, similarity))),
        min(2.0, max(-2.0, record)),
        2.0 * evidence.agreeing - 1.0,
        math.log1p(evidence.support) - 1.0,
        math.log1p(evidence.run) - 1.0,
        _margin(similarity, evidence),
        1.0 - 2.0 * nearness(similarity, evidence),
    )


def _margin(similarity: float, evidence: Evidence) -> float:
    if evidence.rival is None:
        return 1.0
    return min(1.0, max(-1.0, 5.0 * (similarity - evidence.rival)))


def _age(age_s: float) -> float:
    """0 for a new entry, a half after nine hours, 1 after four days, 2 at most."""
    return min(2.0, 0.5 * math.log10(1.0 + max(0.0, age_s) / 3600.0))


def nearness(similarity: float, evidence: Evidence) -> float:
    """How much nearer the entry is than another answer: 0 much, 0.5 equally near, 1 much less."""
    if evidence.rival is None:
        return 0.0
    mine, other = 1.002 - min(1.0, similarity), 1.002 - min(1.0, evidence.rival)
    return mine / (mine + other)


@lru_cache(maxsize=8192)
def _pattern(text: str) -> str:
    return pattern_of(text)


@lru_cache(maxsize=8192)
def _tokens(text: str) -> frozenset[str]:
    return tokens_of(text.lower())
