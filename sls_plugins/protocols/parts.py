"""Parts that only compute, learn and keep the budget: predictor, scheduler, ledger, cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sls_plugins.protocols.world import Index
from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    CacheMiss,
    Candidate,
    Estimate,
    Outcome,
    Purse,
    Query,
    State,
    Vector,
)

__all__ = [
    "Cache",
    "Choice",
    "Learns",
    "Ledger",
    "Predictor",
    "Scheduler",
    "Stock",
]


class Learns(Protocol):
    """Whatever learns from the log, one line at a time."""

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line. Never raises for what a log may hold, never keeps `outcome`."""

    def save(self) -> State:
        """All learnt state."""

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit."""


class Predictor(Learns, Protocol):
    """Expects quality, cost and latency of each candidate."""

    def predict_one(
        self, query: Query, vector: Vector, candidates: Sequence[Candidate]
    ) -> tuple[Estimate, ...]:
        """One estimate per candidate, in order. Works before anything was learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a scheduler chose: ranking (best first), its propensity, the price of money, why.

    `price` is below 0 while money would be left over. `terms` are all the numbers, by name, from
    which the choice can be made again with the estimates and the seed.
    """

    ranking: tuple[str, ...]
    propensity: float
    price: float
    why: str
    terms: tuple[tuple[str, float], ...] = ()


class Scheduler(Learns, Protocol):
    """Chooses one candidate for one query, and paces spending over time."""

    def decide(
        self, query: Query, estimates: Sequence[Estimate], purse: Purse, seed: int
    ) -> Choice:
        """Rank the candidates; the same state and arguments give the same choice."""

    def skip(self, query: Query) -> None:
        """A query was answered from the cache: it cost nothing, but it was a query."""


class Ledger(Protocol):
    """Keeps the budget: money is held before a call and charged after it."""

    def purse(self) -> Purse:
        """What may be spent now."""

    def reserve(self, reservation_id: str, usd: float) -> None:
        """Hold money under an id of the caller's. Raises BudgetExhausted."""

    def settle(self, reservation_id: str, usd: float) -> None:
        """Charge what the call really cost; also without a reservation."""

    def release(self, reservation_id: str) -> None:
        """Give back what was held; an unknown id is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What a cache holds: live rows, those with a vector of its encoder, their bytes, the index."""

    rows: frozenset[str]
    vectors: frozenset[str]
    bytes: int
    index: Index


class Cache(Learns, Protocol):
    """Answers from earlier answers where that is safe."""

    def find_exact(self, query: Query, decision_id: str) -> CacheHit | None:
        """The stored answer to the same normalised text in the same space, if it may be served."""

    def find_near(
        self,
        query: Query,
        vector: Vector,
        decision_id: str,
        *,
        audit: bool = True,
        passed: Callable[[CacheEntry], bool] | None = None,
    ) -> CacheHit | CacheMiss:
        """The nearest not `passed` over, or why none; `audit`: some are refused as a check."""

    def follows(self, query: Query, leader: Query, similarity: float, agreeing: int) -> bool:
        """Would the answer to `leader`, on its way, serve if so many entries agreed on it?"""

    def admit(
        self, query: Query, vector: Vector | None, answer: Answer, told: Outcome | None = None
    ) -> None:
        """Keep a fresh answer, if it is worth keeping; `told` is what the log is told of it."""

    def observe(self, outcome: Outcome) -> None:
        """Bring the rows up to date with a graded outcome; once, where it was appended."""

    def revoke(self, entry_id: str) -> None:
        """Never serve this stored answer again."""

    def clear(self, tenant: str, scope_prefix: str = "") -> int:
        """Revoke a tenant's answers whose scope begins so; returns how many."""

    def stock(self) -> Stock:
        """What is held now. Reads all rows."""

    def forget(self, ids: Sequence[str]) -> None:
        """Leave nothing of these rows, which are deleted already, in the index and its files."""
