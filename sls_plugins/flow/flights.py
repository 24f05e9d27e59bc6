"""Knows which queries are being answered, so that others like them may wait for that answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

import numpy as np

from sls_plugins.cache.keys import key_of, space_of
from sls_plugins.flow.patience import Patience
from sls_plugins.types import Answer, Query, Space, Vector

__all__ = ["Flight", "Flights", "Landed", "Landing", "Leader"]

_LOOKED_AT = 8

_SPACES = 1024
"""Of so many spaces the last landing is known."""

_ALONE, _HOPED = 1, 8
"""Answers that agree: of one call, and of those that are wanted for a crowd at most."""


class Landing(Enum):
    """How a call ended for those who wait for it."""

    KEPT = "kept"
    """Its answer is stored: look it up."""
    FOUND = "found"
    """Nobody was called, something stored would do: look for yourself."""
    PRIVATE = "private"
    """Its answer is not for others (refused, cut short, graded bad)."""
    FAILED = "failed"
    """There is no answer."""
    LATE = "late"
    """Waited for long enough."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of waiting; `heard` is the answer whose chunks the caller has seen already."""

    landing: Landing
    heard: Answer | None = None


@dataclass(frozen=True, slots=True)
class Leader:
    """A flight to wait for; `serves` says that its answer is acceptable as soon as it is there."""

    flight: Flight
    serves: bool


class Flight:
    """A query on its way: who answers it now, how it ends. Threads and event loops may wait.

    `hoping` are those who wait although its answer alone would not do, with their vectors. These,
    and whether it is `over`, are kept by `Flights` under its own lock.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.space = space_of(query)
        self.key = key_of(query)
        self.vector: Vector | None = None
        self.checked = False
        self.hoping: list[tuple[Flight, Vector]] = []
        self.over = False
        self._stream: object = None
        self._landing: Landing | None = None
        self._version = 0
        self._waiting: list[Future[None]] = []
        self._lock = threading.Lock()

    def claim_check(self) -> bool:
        """Whether to call all the same, as a check: true at most once for all who have waited."""
        with self._lock:
            first, self.checked = not self.checked, True
        return first

    def look(self) -> tuple[int, object, Landing | None]:
        """A version for `news`, the answer's stream if there is one, how it ended if it did."""
        with self._lock:
            return self._version, self._stream, self._landing

    def news(self, version: int) -> Future[None]:
        """Done when there is more to see than in this version."""
        future: Future[None] = Future()
        with self._lock:
            if version == self._version:
                self._waiting.append(future)
                return future
        future.set_result(None)
        return future

    def publish(self, stream: object) -> None:
        """Let others listen to the answer."""
        self._change(stream, None)

    def end(self, landing: Landing) -> None:
        """Nobody need wait any more."""
        self._change(None, landing)

    def _change(self, stream: object, landing: Landing | None) -> None:
        with self._lock:
            self._stream = stream
            self._landing = self._landing or landing
            self._version += 1
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(None)


class Flights:
    """All queries on their way in this process. Threads may share it."""

    def __init__(self, wait_s: float) -> None:
        """Nobody waits longer than `wait_s` seconds for another's call."""
        self.wait_s = wait_s
        self.landings = 0
        self._by_key: dict[tuple[Space, str], Flight] = {}
        self._by_space: dict[Space, list[Flight]] = {}
        self._landed: OrderedDict[Space, tuple[int, Flight]] = OrderedDict()
        self._patience = Patience()
        self._lock = threading.Lock()

    def board(self, query: Query) -> tuple[Flight, bool]:
        """The flight of this very query, and whether it is a new one, which the caller leads."""
        mine = Flight(query)
        with self._lock:
            flight = self._by_key.setdefault((mine.space, mine.key), mine)
        return flight, flight is mine

    def board_near(
        self, mine: Flight, vector: Vector, follows: Callable[[Query, float, int], bool]
    ) -> Leader | None:
        """A flight near enough to wait for, else None: then others may wait for this one.

        `follows(query, similarity, agreeing)` says whether that query's answer may serve if so many
        agree on it. Waiting for one that serves only then costs time, and saves a crowd's calls;
        it is done where it has been worth while (`waited`).
        """
        with self._lock:
            others = self._by_space.setdefault(mine.space, [])
            if mine in others:  # an heir
                return None
            near = sorted(
                (
                    (float(other.vector @ vector), at)
                    for at, other in enumerate(others)
                    if other.vector is not None
                ),
                reverse=True,
            )
            for agreeing in (_ALONE, _HOPED):
                for similarity, at in near[:_LOOKED_AT]:
                    if not follows(others[at].query, similarity, agreeing):
                        continue
                    if agreeing == _ALONE:
                        return Leader(others[at], serves=True)
                    if self._patience.allows(mine.space):
                        others[at].hoping.append((mine, vector))
                        return Leader(others[at], serves=False)
                    break
            mine.vector = vector
            others.append(mine)
        return None

    def waited(self, space: Space, *, served: bool) -> None:
        """Somebody waited for a call that may not serve, and was served or not."""
        with self._lock:
            self._patience.learn(space, served=served)

    def land(self, flight: Flight, landing: Landing) -> None:
        """The call has ended: tell those who wait.

        Of those who hoped, the one that is most like the others leads next, unless it is served.
        """
        with self._lock:
            self.landings += 1
            if landing is Landing.KEPT:
                self._landed[flight.space] = (self.landings, flight)
                self._landed.move_to_end(flight.space)
                if len(self._landed) > _SPACES:
                    self._landed.popitem(last=False)
            if self._by_key.get((flight.space, flight.key)) is flight:
                del self._by_key[flight.space, flight.key]
            others = self._by_space.get(flight.space, [])
            if flight in others:
                others.remove(flight)
            flight.over = True
            heir = None if landing is Landing.PRIVATE else _heir(flight)
            flight.hoping.clear()
            if heir is not None:
                self._by_space.setdefault(flight.space, []).append(heir)
            elif not others:
                self._by_space.pop(flight.space, None)
        flight.end(landing)

    def landed_since(self, space: Space, landings: int) -> Flight | None:
        """The last flight whose answer was kept, if it landed after so many `landings`.

        Who found something stored is no such flight: its answer was checked when it came.
        """
        with self._lock:
            number, flight = self._landed.get(space, (0, None))
        return flight if number > landings else None

    def __len__(self) -> int:
        return len(self._by_key)


def _heir(flight: Flight) -> Flight | None:
    """The most central one of those who hoped and are still there."""
    hoping = [(one, vector) for one, vector in flight.hoping if not one.over]
    if not hoping:
        return None
    vectors = np.array([vector for _, vector in hoping])
    heir, vector = hoping[int(np.argmax(vectors @ vectors.sum(axis=0)))]
    heir.vector = vector
    return heir
