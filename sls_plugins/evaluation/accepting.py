"""Times the cache's decision whether a stored answer may be used."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from sls_plugins.cache.acceptance import Acceptance, AcceptanceRule
from sls_plugins.cache.features import pair_of
from sls_plugins.cache.guards import DEFAULT_GUARDS
from sls_plugins.cache.labels import Label
from sls_plugins.cache.neighbourhood import evidence_of
from sls_plugins.types import Answer, CacheEntry, Query, Space

__all__ = ["acceptance_ms"]

NEIGHBOURS = 10
LABELS = 500


def acceptance_ms(entries: int, queries: int, seed: int) -> list[float]:
    """Milliseconds from ten found rows, of so many entries, to a verdict; texts are all new.

    Guards, features, neighbourhood and model, after some labels; without search and rows.
    """
    rng = np.random.default_rng(seed)
    acceptance = Acceptance(AcceptanceRule())
    for number in range(LABELS):
        near = _near(rng, entries)
        query = Query(text=_text(entries + number), id=str(number))
        pair = pair_of(query, *near[0], evidence_of(near), DEFAULT_GUARDS)
        acceptance.learn(pair, Label(right=number % 10 > 0, weight=1.0))
    sample = []
    for number in range(queries):
        near, query = _near(rng, entries), Query(text=_text(2 * entries + number), id="q")
        start_s = time.perf_counter()
        acceptance.judge(pair_of(query, *near[0], evidence_of(near), DEFAULT_GUARDS))
        sample.append(1000 * (time.perf_counter() - start_s))
    return sample


def _near(rng: np.random.Generator, entries: int) -> Sequence[tuple[CacheEntry, float]]:
    """Ten rows as a search finds them, the nearest first."""
    similarities = np.sort(rng.uniform(0.7, 0.99, NEIGHBOURS))[::-1].tolist()
    return [
        (_entry(int(number)), similarity)
        for number, similarity in zip(
            rng.integers(entries, size=NEIGHBOURS), similarities, strict=True
        )
    ]


def _entry(number: int) -> CacheEntry:
    return CacheEntry(
        id=f"e{number}",
        space=Space(),
        key=str(number),
        query_id=str(number),
        text=_text(number),
        answer=Answer(text=f"answer {number % 50}"),
        good=1.0,
    )


def _text(number: int) -> str:
    word = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return f"Could you tell me what I should know about {word}, please, and how it works"
