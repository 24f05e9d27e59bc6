"""What was said, and what the cache keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sls_plugins.types.decisions import Estimate
from sls_plugins.types.vectors import Space

__all__ = [
    "Answer",
    "CacheEntry",
    "CacheHit",
    "CacheMiss",
    "Erased",
    "Evidence",
    "Resident",
    "Selection",
    "Source",
    "TokenCount",
    "Usage",
]


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
    `cacheable=False` keeps an answer out of the cache (refusals, truncation). An answer that
    `calls_tools` is kept only for queries that say so (`Query.keeps_tool_calls`).
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
    calls_tools: bool = False
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
    the decision which made the answer, `uses` how often it was served. An alias is a verified
    paraphrase: a key of its own to the answer of the row `alias_of`, which it resembled as much as
    `similarity` says; it lives as long as that row.
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
    alias_of: str | None = None
    similarity: float | None = None
    uses: int = 0

    @property
    def bytes(self) -> int:
        """Room that its texts take (an alias has no answer of its own)."""
        texts = [self.text]
        if self.alias_of is None:
            texts += [self.answer.text, self.answer.payload or ""]
        return sum(len(each.encode("utf-8", "surrogatepass")) for each in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """What is known of a live row that may have to make room: what it saves, how often, its size.

    `cost_usd` is what the call cost that made the answer; `good` and `bad` are its record.
    """

    id: str
    cost_usd: float = 0.0
    bytes: int = 0
    uses: int = 0
    good: float = 0.0
    bad: float = 0.0
    alias_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows of the cache are meant; what is None does not narrow the choice.

    `scope` is the beginning of a scope, `key` an exact key, `before_s` when a row was made at the
    latest (seconds since the epoch).
    """

    ids: tuple[str, ...] | None = None
    tenant: str | None = None
    scope: str | None = None
    key: str | None = None
    before_s: float | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing narrows it: every row is meant."""
        return self == Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the neighbourhood said of an entry when it was judged; kept with the decision.

    Of the `among` nearest entries, `support` hold the same answer, the first `run` of them without
    another in between; `agreeing` is their share of the weight, where near ones weigh more (0…1).
    `rival` is the similarity of the nearest entry with another answer, None if there is none.
    `chance` is the probability with which the truth about the entry was to come out: 1 for one that
    was not accepted, the share of audits for one that was.
    """

    agreeing: float = 1.0
    support: int = 1
    run: int = 1
    among: int = 1
    rival: float | None = None
    chance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was forgotten: rows of the cache by id, how many decisions and outcomes, what they held.

    `vectors` are embeddings as little-endian float32.
    """

    entry_ids: tuple[str, ...] = ()
    decisions: int = 0
    outcomes: int = 0
    texts: tuple[str, ...] = field(default=(), repr=False)
    vectors: frozenset[bytes] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHit:
    """An earlier answer that may be served. `id` is a decision id: feedback on it is welcome.

    `p_right` is the probability that the stored answer is right for this query, `propensity` the
    probability with which it was served: a share of near hits is called afresh, to check on them.
    `grey` hits keep the bound, but are by themselves less sure than it asks: the scheduler may
    prefer a model.
    """

    id: str
    query_id: str
    entry: CacheEntry
    similarity: float
    p_right: float
    exact: bool
    created_s: float
    propensity: float = 1.0
    evidence: Evidence | None = None
    grey: bool = False

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
    """No stored answer may be served; the nearest one is kept, to learn from the fresh answer.

    An `offer` is a grey hit, which is a candidate like any other; `worth` is what it would be worth
    to find out whether it is right, in quality.
    """

    why: str
    nearest: CacheEntry | None = None
    similarity: float | None = None
    p_right: float | None = None
    evidence: Evidence | None = None
    offer: CacheHit | None = None
    worth: float = 0.0

    @property
    def is_audit(self) -> bool:
        """The nearest one was acceptable; it is refused only to check the bound."""
        return self.evidence is not None and self.evidence.chance < 1.0
