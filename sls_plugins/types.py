"""The frozen values that travel between the parts: a query in, an outcome out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InvalidFeedbackError, InvalidQueryError, SettingsError

__all__ = [
    "Answer",
    "CacheEntry",
    "CacheHit",
    "CacheMiss",
    "Candidate",
    "Decision",
    "Estimate",
    "Feedback",
    "IndexEntry",
    "Matrix",
    "Neighbour",
    "Outcome",
    "OutcomeKind",
    "Purse",
    "Query",
    "Reservation",
    "Source",
    "Space",
    "State",
    "TokenCount",
    "Usage",
    "Vector",
]

Vector: TypeAlias = NDArray[np.float32]
"""One embedding, shape (d,), unit length."""

Matrix: TypeAlias = NDArray[np.float32]
"""Embeddings row by row, shape (n, d), unit length."""

State: TypeAlias = Mapping[str, NDArray[np.generic]]
"""Learnt state: named arrays without objects, so that it is saved without pickle."""


class Source(StrEnum):
    """Where an answer came from."""

    MODEL = "model"
    CACHE = "cache"


class OutcomeKind(StrEnum):
    """What an outcome tells: what an answer cost, how good it was, or that the call failed."""

    ANSWERED = "answered"
    GRADED = "graded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that may be chosen: its name, list prices, limits and capabilities.

    Prices are USD per million tokens, `usd_per_query` is a fixed fee. Without prices they are
    looked up by `name` (or `price_name`) in the price table. `capabilities` are free words such as
    "tools", "vision" and "json"; `tags` are the operator's own ("eu", "local"). `quality_prior`
    (0…1) is what you believe before any outcome is known.
    """

    name: str
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    cached_input_usd_per_mtok: float | None = None
    usd_per_query: float = 0.0
    provider: str | None = None
    price_name: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    quality_prior: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no candidate can have."""
        if not self.name.strip():
            raise self._wrong("name", "is empty", "Give the model's name")
        for key in (
            "input_usd_per_mtok",
            "output_usd_per_mtok",
            "cached_input_usd_per_mtok",
            "usd_per_query",
        ):
            price = getattr(self, key)
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise self._wrong(key, f"{price} is no price", "Give 0 USD or more")
        for key in ("context_window", "max_output_tokens"):
            limit = getattr(self, key)
            if limit is not None and limit <= 0:
                raise self._wrong(key, f"{limit} is no limit", "Give 1 token or more")
        if self.quality_prior is not None and not 0 <= self.quality_prior <= 1:
            raise self._wrong("quality_prior", f"{self.quality_prior} is outside 0…1", "Mend it")

    def _wrong(self, key: str, problem: str, hint: str) -> SettingsError:
        return SettingsError(f"Candidate {self.name!r}", key, problem, hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the user wants answered, and what limits the answer.

    `text` is what is embedded and compared: the last human turn, not the whole conversation.
    `tenant` and `scope` must be equal for two queries to share answers: the tenant is the outer
    wall (its own vectors, its own erasure), the scope is a digest of everything else that shapes
    the answer (system prompt, earlier turns, tools, model settings, epoch).
    `needs` are capabilities a candidate must have. `input_tokens` is the host's own count of all
    that is sent, `max_output_tokens` the answer's limit. `max_usd` is a ceiling for this query.
    `payload` is the host's own object (messages, arguments); it is never stored or compared.
    """

    text: str
    id: str = ""
    task: str = ""
    tenant: str = ""
    scope: str = ""
    needs: frozenset[str] = frozenset()
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_usd: float | None = None
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    cacheable: bool = True
    payload: object = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse an empty text and impossible limits."""
        if not isinstance(self.text, str) or not self.text.strip():
            raise InvalidQueryError(
                f"query {self.id or '(new)'} has an empty text: pass the user's words as text="
            )
        if self.input_tokens is not None and self.input_tokens < 0:
            raise InvalidQueryError(f"input_tokens must be 0 or more, not {self.input_tokens}")
        if self.max_output_tokens is not None and self.max_output_tokens <= 0:
            raise InvalidQueryError(
                f"max_output_tokens must be 1 or more, not {self.max_output_tokens}"
            )
        if self.max_usd is not None and not self.max_usd > 0:
            raise InvalidQueryError(f"max_usd must be more than 0 USD, not {self.max_usd}")

    @property
    def space(self) -> Space:
        """Where this query's neighbours may live."""
        return Space(tenant=self.tenant, scope=self.scope)


@dataclass(frozen=True, slots=True, order=True)
class Space:
    """The walls of the cache: answers are shared inside one tenant and scope only."""

    tenant: str = ""
    scope: str = ""


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
class Estimate:
    """What is expected of one candidate for one query.

    `quality` and `quality_sd` are the mean and standard deviation of the *expected* quality (0…1),
    so the deviation says how little is known, not how much answers vary. `cost_usd` is the mean,
    `cost_high_usd` the 90 % quantile which is reserved. `latency_s` is None while nothing is known.
    """

    candidate: str
    quality: float
    quality_sd: float
    cost_usd: float
    cost_high_usd: float
    latency_s: float | None = None
    output_tokens: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What may be spent on this query, as the ledger sees it now (USD; None is no limit)."""

    available_usd: float | None = None
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    renews_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The receipt of one choice: what was chosen, from what, how likely, at what price, why.

    `ranking` starts with the chosen candidate and goes on with those to try should it fail.
    `propensity` is the probability with which the first was chosen, given all that was known.
    `price` is the price of money λ in quality per USD. `seed` drives every draw of this decision.
    `ineligible` tells, by candidate, why it was out of the question.
    """

    id: str
    query_id: str
    candidate: str
    ranking: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    propensity: float
    price: float
    seed: int
    why: str
    created_s: float
    task: str = ""
    ineligible: tuple[tuple[str, str], ...] = ()

    @property
    def estimate(self) -> Estimate:
        """The estimate of the chosen candidate."""
        return self.estimate_of(self.candidate)

    def estimate_of(self, candidate: str) -> Estimate:
        """The estimate of any ranked candidate; KeyError if it was not eligible."""
        for estimate in self.estimates:
            if estimate.candidate == candidate:
                return estimate
        raise KeyError(candidate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a candidate, or the cache, said.

    A provider fills `text` and, when the host tells them, `usage`, `cost_usd` and `latency_s`;
    the engine fills the rest. `payload` is the answer in the host's own serialised form (a JSON
    text) and is stored with a cached answer; `raw` is the host's live object and is never stored.
    `cacheable=False` keeps an answer out of the cache (refusals, tool calls, truncation).
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
    raw: object = field(default=None, compare=False, repr=False)


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


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored entry near a query: its id and the cosine similarity, -1…1."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What an index keeps of a cache row: id, space and unit vector; never text."""

    id: str
    space: Space
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHit:
    """An earlier answer that may be served. `id` is a decision id: feedback on it is welcome.

    `p_right` is the probability that the stored answer is right for this query.
    """

    id: str
    query_id: str
    entry: CacheEntry
    similarity: float
    p_right: float
    exact: bool
    created_s: float
    seed: int = 0

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money held for a call until it is settled or `expires_s` has passed."""

    id: str
    usd: float
    expires_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody says about an answer, now or days later. `quality` is 0…1."""

    decision_id: str
    quality: float
    source: str = "user"
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be learnt from."""
        if not 0.0 <= self.quality <= 1.0:
            raise InvalidFeedbackError(
                f"quality of decision {self.decision_id!r} must be within 0…1, not {self.quality}"
            )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InvalidFeedbackError(
                f"weight of feedback on {self.decision_id!r} must be more than 0, not {self.weight}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the log that all learners read: what came of a decision.

    `kind` says what is told: ANSWERED has usage, cost and latency (and a quality if a judge was
    asked at once), GRADED has a quality that came later, FAILED has an error. `seq` is the line's
    place in the log: learning is reading the log in this order. `source` says whether the answer
    came from a model or from the cache (then `entry_id` names the row).
    """

    decision_id: str
    query: Query
    vector: Vector | None
    candidate: str
    kind: OutcomeKind
    source: Source = Source.MODEL
    seq: int = 0
    quality: float | None = None
    quality_source: str = ""
    weight: float = 1.0
    usage: Usage | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    error: str = ""
    estimate: Estimate | None = None
    propensity: float = 1.0
    entry_id: str | None = None
    answer_text: str = ""
    nearest_id: str | None = None
    nearest_similarity: float | None = None
    created_s: float = 0.0


def unit_rows(rows: Sequence[Sequence[float]] | NDArray[np.floating]) -> Matrix:
    """Rows scaled to unit length as float32, shape (n, d); a zero row stays zero."""
    matrix = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=-1, keepdims=True)
    return np.asarray(matrix / np.where(norms > 0, norms, 1.0), dtype=np.float32)
