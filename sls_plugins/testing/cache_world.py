"""A semantic cache on parts in memory, with the few steps of a flow that concern it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from sls_plugins.cache.manager import SemanticCache
from sls_plugins.cache.memory import MemoryIndex
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.testing.memory_entries import MemoryEntryStore
from sls_plugins.types import (
    Answer,
    CacheHit,
    CacheMiss,
    Outcome,
    OutcomeKind,
    Query,
    Source,
    Vector,
    unit_rows,
)

__all__ = ["CacheWorld", "towards"]

DIMENSION = 16


def towards(topic: int, similarity: float = 1.0, side: int = 0) -> Vector:
    """A unit vector with this cosine to its topic's own direction, leaning to one side."""
    rows = np.zeros((1, DIMENSION))
    rows[0, topic] = similarity
    rows[0, 8 + side] = np.sqrt(1 - similarity**2)
    vector: Vector = unit_rows(rows)[0]
    return vector


@dataclass
class CacheWorld:
    """A cache, its parts, a clock to turn (`now_s`), the log of what came (`log`)."""

    policy: CachePolicy = field(default_factory=CachePolicy)
    entries: MemoryEntryStore = field(default_factory=MemoryEntryStore)
    index: MemoryIndex = field(default_factory=MemoryIndex)
    now_s: float = 1000.0
    log: list[Outcome] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.cache = self.another()

    def another(self) -> SemanticCache:
        """A second cache on the same rows, as after a restart."""
        return SemanticCache(
            entries=self.entries,
            index=self.index,
            policy=self.policy,
            fingerprint="test",
            clock=lambda: self.now_s,
        )

    def find(self, query: Query, vector: Vector) -> CacheHit | CacheMiss:
        """Both tiers, as the flow asks them."""
        decision_id = f"d{next(self.ids)}"
        return self.cache.find_exact(query, decision_id) or self.cache.find_near(
            query, vector, decision_id
        )

    def call(
        self, query: Query, vector: Vector, text: str, quality: float | None = None
    ) -> CacheHit | CacheMiss:
        """What the cache says; on a miss the fresh answer is admitted, logged and learnt."""
        found = self.find(query, vector)
        if isinstance(found, CacheMiss):
            decision_id = f"d{next(self.ids)}"
            answer = Answer(text=text, candidate="m", decision_id=decision_id)
            outcome = Outcome(
                decision_id=decision_id,
                query=query,
                vector=vector,
                candidate="m",
                kind=OutcomeKind.ANSWERED,
                quality=quality,
                answer_text=text,
                nearest_id=found.nearest.id if found.nearest else None,
                nearest_similarity=found.similarity,
            )
            self.cache.admit(query, vector, answer, outcome)
            self.tell(outcome)
        return found

    def grade_hit(self, hit: CacheHit, query: Query, quality: float) -> None:
        """Feedback on an answer from the cache."""
        self.tell(
            Outcome(
                decision_id=hit.id,
                query=query,
                vector=None,
                candidate=hit.entry.answer.candidate,
                kind=OutcomeKind.GRADED,
                source=Source.CACHE,
                quality=quality,
                entry_id=hit.entry.id,
                nearest_id=hit.entry.id,
                nearest_similarity=hit.similarity,
            )
        )

    def tell(self, outcome: Outcome) -> None:
        """A line of the log: rows first, then learning."""
        self.log.append(outcome)
        self.cache.observe(outcome)
        self.cache.learn_one(outcome)

    def teach(self, labels: int, *, right: bool = True, task: str = "t") -> None:
        """Close neighbours in other words whose good answers agree with one another, or do not."""
        for step in range(labels):
            query = Query(text=f"ask {'xy'[step % 2]}{_letters(step)} please", task=task)
            vector = towards(0, 0.985, step % 8)
            self.call(query, vector, "yes" if right else f"answer {step}", quality=1.0)


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
