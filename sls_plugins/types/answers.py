"""What was said, and what the cache keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sls_plugins.types.decisions import Estimate
from sls_plugins.types.vectors import Space

__all__ = ["Answer", "CacheEntry", "CacheHit", "CacheMiss", "Source", "TokenCount", "Usage"]


class Source(StrEnum):
    """Where an answer came from."""

    MODEL = "model"
    CACHE = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """A number of tokens, and whether it is an estimate (no tokenizer was at hand)."""

    tokens: int
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; `cached_tokens` are input, `reasoning_tokens` output tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a candidate, or the cache, said.

    A provider fills `text` and, when the host tells them, `usage`, `cost_usd` and `latency_s`;
    the engine fills the rest. `payload` is the answer in the host's own serialised form (a JSON
    text) and is stored with a cached answer; `raw` is the host's live object and is never stored.
    `cacheable=False` keeps an answer out of the cache (refusals, tool calls, truncation).
    `estimate` is what was expected of the candidate, `failures` tells who failed before it.
    """

    text: str
    candidate: str = ""
    source: Source = Source.MODEL
    decision_id: str = ""
    usage: Usage | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    cacheable: bool = True
    payload: str | None = None
    similarity: float | None = None
    from_query_id: str | None = None
    failures: tuple[tuple[str, str], ...] = ()
    estimate: Estimate | None = field(default=None, compare=False)
    raw: object = field(default=None, compare=False, repr=False)

    def facts(self) -> dict[str, object]:
        """What a caller may want to know besides the text, in plain values, for a host to show."""
        expected = self.estimate
        facts: dict[str, object] = {
            "decision_id": self.decision_id,
            "source": str(self.source),
            "candidate": self.candidate,
            "predicted_cost_usd": expected.cost_usd if expected else None,
            "cost_usd": self.cost_usd,
            "predicted_quality": expected.quality if expected else None,
            "failures": dict(self.failures),
        }
        if self.source is Source.CACHE:
            facts["similarity"] = self.similarity
            facts["from_query_id"] = self.from_query_id
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One row of the cache: a stored answer and its record.

    `good` and `bad` are the sums of the quality (and of 1 - quality) it was given so far, `id` is
    the decision which made the answer.
    """

    id: str
    space: Space
    key: str
    query_id: str
    text: str
    answer: Answer
    task: str = ""
    created_s: float = 0.0
    expires_s: float | None = None
    revoked: bool = False
    good: float = 0.0
    bad: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHit:
    """An earlier answer that may be served. `id` is a decision id: feedback on it is welcome.

    `p_right` is the probability that the stored answer is right for this query, `propensity` the
    probability with which it was served: a share of near hits is called afresh, to check on them.
    """

    id: str
    query_id: str
    entry: CacheEntry
    similarity: float
    p_right: float
    exact: bool
    created_s: float
    propensity: float = 1.0

    @property
    def answer(self) -> Answer:
        """The stored answer as it is served: free, and marked as coming from the cache."""
        stored = self.entry.answer
        return Answer(
            text=stored.text,
            candidate=stored.candidate,
            source=Source.CACHE,
            decision_id=self.id,
            usage=Usage(),
            cost_usd=0.0,
            latency_s=0.0,
            payload=stored.payload,
            similarity=self.similarity,
            from_query_id=self.entry.query_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMiss:
    """No stored answer may be served; the nearest one is kept, to learn from the fresh answer."""

    why: str
    nearest: CacheEntry | None = None
    similarity: float | None = None
    p_right: float | None = None
