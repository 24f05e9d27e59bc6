"""What a request may ask of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sls_plugins.flow.flights import Flight
from sls_plugins.flow.hedging import Hedge
from sls_plugins.flow.planned import Planned
from sls_plugins.types import (
    Answer,
    CacheHit,
    CacheMiss,
    Candidate,
    Decision,
    Outcome,
    Query,
    Vector,
)

__all__ = [
    "Board",
    "BoardNear",
    "Call",
    "Decide",
    "Effect",
    "Encode",
    "FindExact",
    "FindNear",
    "Finish",
    "Follow",
    "Grade",
    "Later",
    "Overhear",
    "Reserve",
    "Serve",
]


@dataclass(frozen=True, slots=True)
class Encode:
    """Encoder: the unit vector of this text → `Vector`."""

    text: str


@dataclass(frozen=True, slots=True)
class FindExact:
    """Store: the answer stored under this very text, with its receipt → `CacheHit | None`.

    With `weigh` an answer that is hardly believed comes as a miss with an offer → `CacheMiss`.
    """

    query: Query
    decision_id: str
    weigh: bool = False


@dataclass(frozen=True, slots=True)
class FindNear:
    """Store: the nearest stored answer that may be served → `CacheHit | CacheMiss`.

    With `weigh` a grey hit comes as a miss with an offer, for `Decide` to weigh; without `audit` no
    acceptable one is refused to check the bound.
    """

    query: Query
    vector: Vector
    decision_id: str
    weigh: bool = False
    audit: bool = True


@dataclass(frozen=True, slots=True)
class Board:
    """Flights: the call for this very query → `(Flight, leads)`."""

    query: Query


@dataclass(frozen=True, slots=True)
class BoardNear:
    """Flights: another call whose answer may serve → `Leader | None`."""

    flight: Flight
    query: Query
    vector: Vector


@dataclass(frozen=True, slots=True)
class Follow:
    """Driver: wait until somebody else's call has ended → `Landed`.

    Where that call streams, a caller who streams `listens`, unless its answer may not serve.
    """

    flight: Flight
    decision_id: str
    listens: bool = True


@dataclass(frozen=True, slots=True)
class Overhear:
    """Store: a receipt for an answer that was heard while somebody else got it → `Answer`."""

    query: Query
    decision_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Serve:
    """Store: keep the receipt of a hit in the place of a call that was planned → None."""

    query: Query
    vector: Vector
    hit: CacheHit


@dataclass(frozen=True, slots=True)
class Decide:
    """Predictor, scheduler and store: a decision, with its receipt → `Planned | CacheHit`."""

    query: Query
    vector: Vector
    decision_id: str
    miss: CacheMiss


@dataclass(frozen=True, slots=True)
class Reserve:
    """Store: hold money for a call → None, or `BudgetExhausted`."""

    reservation_id: str
    usd: float


@dataclass(frozen=True, slots=True)
class Call:
    """Provider: the candidate's answer → `Answer`, or `ProviderError`.

    With a `hedge` it may be another candidate's: see `Hedge`.
    """

    decision: Decision
    candidate: Candidate
    query: Query
    flight: Flight | None = None
    hedge: Hedge | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Driver: carry this decision out behind the caller's back → whether it will."""

    planned: Planned


@dataclass(frozen=True, slots=True)
class Grade:
    """Judges: what they say of an answer → `Grade | None`."""

    query: Query
    answer: Answer


@dataclass(frozen=True, slots=True)
class Finish:
    """Store: charge the call, keep the answer, log the outcome, let learners read it → None."""

    outcome: Outcome
    reservation_id: str
    answer: Answer | None = None


Effect: TypeAlias = (
    Encode
    | FindExact
    | FindNear
    | Board
    | BoardNear
    | Follow
    | Overhear
    | Serve
    | Decide
    | Reserve
    | Call
    | Later
    | Grade
    | Finish
)
