"""Steps 1–5 of queries that come together: one of them calls, those like it wait for its answer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from sls_plugins.cache.admission import is_storable
from sls_plugins.cache.keys import space_of
from sls_plugins.cache.labels import GOOD
from sls_plugins.flow.effects import (
    Board,
    BoardNear,
    Decide,
    Effect,
    Encode,
    FindExact,
    FindNear,
    Follow,
    Overhear,
)
from sls_plugins.flow.flights import Flight, Landed, Landing, Leader
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.planned import Planned
from sls_plugins.types import Answer, CacheHit, CacheMiss, Outcome, Query, Vector

__all__ = ["Boarding", "Found", "landing_of", "plan_together"]

TRIES, WAITS = 3, 4.0
"""How often one waits for the same text; for others like it."""

MOMENT = 0.1
"""Part of a wait that it is to see somebody served who was to call."""

Found: TypeAlias = CacheHit | Planned | Answer
Together: TypeAlias = Generator[Effect, Any, Found]


@dataclass(slots=True)
class Boarding:
    """The flight that a request leads, if any, and how it ends unless something goes wrong.

    `waited` is the last flight of its space that has landed since it came; `hoped` says that it has
    waited for a call whose answer might not serve.
    """

    flight: Flight | None = None
    landing: Landing = Landing.FAILED
    waited: Flight | None = None
    hoped: bool = False


def landing_of(outcome: Outcome, answer: Answer) -> Landing:
    """What others can do with an answer: look it up, unless it was not worth keeping."""
    bad = outcome.quality is not None and outcome.quality < GOOD
    kept = is_storable(outcome.query, answer) and not bad
    return Landing.KEPT if kept else Landing.PRIVATE


def plan_together(parts: Parts, query: Query, boarding: Boarding) -> Together:
    """A hit, a decision, or an answer that the caller has heard already while another got it.

    Whoever gets a decision leads: the caller ends the flight in `boarding`. A leader that fails
    does not fail its followers: they look for another leader, or call on their own.
    """
    assert parts.flights is not None
    decision_id, landings = parts.ids(), parts.flights.landings
    query = query if query.id else replace(query, id=decision_id)
    found: CacheHit | CacheMiss | Answer | Planned | None
    found = yield from _same(parts, query, decision_id, boarding)
    if found is None or isinstance(found, CacheMiss):
        vector: Vector = yield Encode(query.text)
        near: CacheHit | CacheMiss | Answer = found or CacheMiss(why="")
        if found is None:
            boarding.waited = parts.flights.landed_since(space_of(query), landings)
            near = yield from _alike(parts, query, vector, decision_id, boarding)
        if boarding.hoped:
            parts.flights.waited(space_of(query), served=isinstance(near, CacheHit))
        found = (
            near
            if not isinstance(near, CacheMiss)
            else (yield from _decided(query, vector, decision_id, near, boarding))
        )
    if isinstance(found, CacheHit):
        parts.plugins.decided(query, found)
    elif isinstance(found, Planned):
        parts.plugins.decided(found.query, found.decision)
    return found


def _same(
    parts: Parts, query: Query, decision_id: str, boarding: Boarding
) -> Generator[Effect, Any, CacheHit | CacheMiss | Answer | None]:
    """The answer to this very text, stored or on its way; None to go on.

    A miss is an answer that is hardly believed: several may then ask at once, which tells most. Who
    has waited for it takes it all the same.
    """
    assert parts.flights is not None
    for attempt in range(TRIES):
        landings = parts.flights.landings
        hit: CacheHit | CacheMiss | None = yield FindExact(query, decision_id, weigh=attempt == 0)
        if hit is not None:
            return hit
        flight, leads = yield Board(query)
        if leads:
            boarding.flight = flight
            if parts.flights.landings != landings:  # it may have been stored between two looks
                hit = yield FindExact(query, decision_id)
            return hit
        landed: Landed = yield Follow(flight, decision_id)
        if landed.heard is not None:
            hit = yield FindExact(query, decision_id)
            return hit or (yield Overhear(query, decision_id, landed.heard))
        if landed.landing in {Landing.FOUND, Landing.PRIVATE, Landing.LATE}:
            return None
    return None


def _decided(
    query: Query, vector: Vector, decision_id: str, miss: CacheMiss, boarding: Boarding
) -> Generator[Effect, Any, CacheHit | Planned]:
    """A decision, or the offer if that is worth more; then those who wait look for themselves."""
    found: CacheHit | Planned = yield Decide(query, vector, decision_id, miss)
    if isinstance(found, CacheHit):
        boarding.landing = Landing.FOUND
    return found


def _alike(
    parts: Parts, query: Query, vector: Vector, decision_id: str, boarding: Boarding
) -> Generator[Effect, Any, CacheHit | CacheMiss | Answer]:
    """The answer to a text like this one, stored or on its way, or why there is none."""
    assert parts.flights is not None
    look = partial(_look, query, vector, decision_id, boarding)
    left = WAITS
    while True:
        landings = parts.flights.landings
        found = yield from look()
        if isinstance(found, CacheHit) or boarding.flight is None or left <= 0:
            break
        leader: Leader | None = yield BoardNear(boarding.flight, query, vector)
        if leader is None:
            if parts.flights.landings != landings:
                landed_now = parts.flights.landed_since(boarding.flight.space, landings)
                boarding.waited = landed_now or boarding.waited
                found = yield from look()
            if boarding.waited is not None:
                boarding.waited.claim_check()  # this call is one
            break
        landed: Landed = yield Follow(leader.flight, decision_id, listens=leader.serves)
        boarding.waited, boarding.flight.checked = leader.flight, True
        boarding.hoped = boarding.hoped or not leader.serves
        if landed.heard is not None:
            found = yield FindNear(query, vector, decision_id, audit=False)
            if isinstance(found, CacheHit):
                break
            heard: Answer = yield Overhear(query, decision_id, landed.heard)
            return heard
        if landed.landing in {Landing.PRIVATE, Landing.LATE}:
            break
        left -= MOMENT if landed.landing is Landing.FOUND else 1.0
    if isinstance(found, CacheHit):
        boarding.landing = Landing.FOUND
    return found


def _look(
    query: Query, vector: Vector, decision_id: str, boarding: Boarding
) -> Generator[Effect, Any, CacheHit | CacheMiss]:
    """What is stored. Who has waited for it takes what keeps the bound, without weighing it again.

    Of all who have waited for one call, one at most checks on its answer.
    """
    waited = boarding.waited
    weigh = waited is None
    found: CacheHit | CacheMiss = yield FindNear(query, vector, decision_id, weigh)
    if waited is None or isinstance(found, CacheHit) or not found.is_audit or waited.claim_check():
        return found
    found = yield FindNear(query, vector, decision_id, weigh, audit=False)
    return found
