"""Parts that touch the world: the encoder, the stores, the provider and the judges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    Candidate,
    Decision,
    Evidence,
    IndexEntry,
    Matrix,
    Neighbour,
    Outcome,
    Purse,
    Query,
    Reservation,
    Resident,
    Selection,
    Space,
    State,
    TokenCount,
    Vector,
)

__all__ = [
    "Accounts",
    "AsyncCall",
    "Call",
    "Encoder",
    "EntryStore",
    "Grade",
    "Index",
    "Judge",
    "OutcomeLog",
    "PaidJudge",
    "SnapshotStore",
    "TokenCounter",
]

Call: TypeAlias = Callable[[Candidate, Query], Answer]
"""A provider: answers a query with one candidate; any Exception means that it cannot."""

AsyncCall: TypeAlias = Callable[[Candidate, Query], Awaitable[Answer]]
"""A provider for async hosts."""


class Encoder(Protocol):
    """Text to unit vectors. Threads may call it at the same time."""

    @property
    def fingerprint(self) -> str:
        """Model, precision and dimension; equal fingerprints mean comparable vectors."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d), float32, unit length, in order."""


class TokenCounter(Protocol):
    """Counts tokens without the network."""

    def count(self, text: str) -> TokenCount:
        """Number of tokens of a text; flagged if it is an estimate."""


class Index(Protocol):
    """Finds the nearest vectors of one space. Holds ids and vectors, never text."""

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Take in entries; an id that is known is replaced."""

    def remove(self, ids: Sequence[str]) -> None:
        """Drop entries; unknown ids are ignored."""

    def search(self, space: Space, vector: Vector, k: int) -> Sequence[Neighbour]:
        """Up to k nearest entries of this space, most similar first."""

    def ids(self) -> frozenset[str]:
        """All ids that are held."""

    def rebuild(self, live: Iterable[IndexEntry]) -> None:
        """Hold exactly these entries, without a byte in any file of what was removed."""

    def recall(self, sample: int) -> float:
        """The share of (so many) stored entries that are found by their own vectors, 0…1."""

    def flush(self) -> None:
        """Return when all that was added or removed is durable (at once, if nothing is kept)."""

    def close(self) -> None:
        """Flush, then let go of files and connections."""


class EntryStore(Protocol):
    """Rows of the cache. Only live rows (not revoked, not expired) are ever returned.

    An alias is a row whose answer is that of another row: it is live while both are.
    """

    def find_key(self, space: Space, key: str, now_s: float) -> CacheEntry | None:
        """The live row with this exact key, if any."""

    def find_ids(self, ids: Sequence[str], now_s: float) -> Mapping[str, CacheEntry]:
        """The live rows among these ids."""

    def add(self, entry: CacheEntry, vector: Vector | None, fingerprint: str) -> None:
        """Write a row behind (durable when the next outcome is); equal space and key replace."""

    def grade(self, entry_id: str, good: float, bad: float) -> CacheEntry | None:
        """Add to a row's record and return the row, also when revoked; None if unknown."""

    def revoke(self, ids: Sequence[str]) -> None:
        """Make rows (and their aliases) unservable, in every process, when this returns."""

    def erase(self, ids: Sequence[str]) -> None:
        """Delete rows (and their aliases)."""

    def sweep(self, long_ago_s: float) -> None:
        """Delete what cannot be served any more, if it was made or ended before that time."""

    def use(self, counts: Mapping[str, int]) -> None:
        """Add to how often rows were served (written behind)."""

    def vectors(self, fingerprint: str, now_s: float) -> Iterator[IndexEntry]:
        """Vectors of all live rows made with this encoder, to rebuild an index."""

    def residents(self, now_s: float) -> Iterator[Resident]:
        """All live rows, the oldest first."""

    def select(self, wanted: Selection) -> Sequence[str]:
        """Ids of the rows that are meant, also of those not live, and of their aliases."""

    def counts(self) -> Mapping[str, int]:
        """Numbers of rows: "live", "revoked"."""


class OutcomeLog(Protocol):
    """Decisions, and the log of what came of them. Learning is reading this log in order."""

    def add_decision(
        self,
        decision: Decision,
        query: Query,
        vector: Vector | None,
        nearest: tuple[str, float] | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        """Write a decision behind; `nearest` is id and similarity of the refused entry."""

    def add_hit(self, hit: CacheHit, query: Query, vector: Vector | None) -> None:
        """Write a cache hit behind."""

    def append(self, outcome: Outcome) -> Outcome:
        """Append a line; returns it with its `seq` when it (and all written before) is durable."""

    def find(self, decision_id: str) -> Outcome:
        """All that is known of a decision, as the outcome to which feedback is added.

        Raises UnknownDecisionError.
        """

    def decision(self, decision_id: str) -> Decision:
        """The stored receipt of a model decision. Raises UnknownDecisionError."""

    def after(self, seq: int, limit: int) -> Sequence[Outcome]:
        """Up to `limit` lines with a higher `seq`, in order."""

    def last_seq(self) -> int:
        """The last line's `seq`, 0 for an empty log."""


class Accounts(Protocol):
    """Money counted in the database: atomic across threads and processes."""

    def reserve(
        self, reservation: Reservation, *, cap_usd: float | None, since_s: float, now_s: float
    ) -> bool:
        """Hold money if charges and open reservations since `since_s` leave room under the cap.

        Returns False, holding nothing, if they do not. Expired reservations do not count.
        """

    def settle(self, reservation_id: str, usd: float, now_s: float) -> None:
        """Replace a reservation by a charge (written behind); also when it had expired."""

    def release(self, reservation_id: str) -> None:
        """Drop a reservation that was never used."""

    def totals(self, since_s: float, now_s: float) -> Purse:
        """Spent and reserved USD since then; `available_usd` is None here."""


class SnapshotStore(Protocol):
    """Learnt state, versioned, saved without pickle."""

    def save(self, name: str, state: State, *, seq: int, fingerprint: str, now_s: float) -> None:
        """Keep a state which has learnt the log up to `seq`."""

    def load(self, name: str) -> tuple[State, int, str] | None:
        """The newest state of this name, its `seq` and its encoder's fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A judge's verdict: quality 0…1, who says so, how much it counts (may be 0), what it cost."""

    quality: float
    source: str
    weight: float = 1.0
    cost_usd: float = 0.0


class Judge(Protocol):
    """Grades an answer. May touch the world."""

    @property
    def name(self) -> str:
        """Under which name its grades are recorded."""

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """The verdict, or None if it has none on this answer."""


@runtime_checkable
class PaidJudge(Judge, Protocol):
    """A judge whose verdicts cost money, which is held before it is asked."""

    def cost_high_usd(self, query: Query, answer: Answer) -> float:
        """What its verdict on this answer may cost; 0 if it would not be asked."""
