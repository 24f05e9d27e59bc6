"""Lets one of several equal queries be answered while the others wait for its answer."""

from __future__ import annotations

from sls_plugins.flow import Flight, Flights, Landing
from sls_plugins.types import Query

__all__ = ["Seat"]


class Seat:
    """A query's place among those like it that are on their way: it waits for them, or leads.

    Who finds a kept answer when the waiting is over takes it; when the leader has failed the next
    one leads; in all other cases everybody asks alone.
    """

    def __init__(self, flights: Flights | None, query: Query) -> None:
        """Without `flights`, or for a query that shares no answers, nobody waits."""
        self._flights = flights if query.cacheable else None
        self._query = query
        self._mine: Flight | None = None

    @property
    def wait_s(self) -> float:
        """Seconds to wait at most."""
        return self._flights.wait_s if self._flights is not None else 0.0

    def waits_for(self) -> Flight | None:
        """The call to wait for (tell `landed` how it ends); None when it is this query's turn."""
        if self._flights is None or self._mine is not None:
            return None
        flight, leads = self._flights.board(self._query)
        if leads:
            self._mine = flight
            return None
        return flight

    def landed(self, landing: Landing) -> None:
        """What was waited for has ended so."""
        if landing is not Landing.FAILED:
            self._flights = None

    def end(self, *, kept: bool) -> None:
        """This query was answered."""
        self._land(Landing.KEPT if kept else Landing.PRIVATE)

    def fail(self) -> None:
        """This query was not answered, unless `end` was told."""
        self._land(Landing.FAILED)

    def _land(self, landing: Landing) -> None:
        if self._mine is not None and self._flights is not None:
            self._flights.land(self._mine, landing)
            self._mine = None
