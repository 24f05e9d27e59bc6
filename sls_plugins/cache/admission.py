"""Says which answers are worth keeping, for how long, which go first when room is short."""

from __future__ import annotations

import heapq
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sls_plugins.types import Answer, Query, Resident

__all__ = ["Residents", "Room", "is_storable", "is_volatile"]

_VOLATILE = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|nowadays|currently|latest|newest|recent(?:ly)?|"
    r"at the moment|at present|these days|right now|(?:last|next) (?:week|month|quarter|year)|"
    r"this (?:morning|evening|week|month|quarter|year)|who is the current|"
    r"current (?:president|prime minister|government|price|weather|temperature|news|events|score)|"
    r"breaking news|weather|what time is it|stock price|exchange rate)\b",
    re.IGNORECASE,
)
_LEAST_USD = 1e-9
_STALE_SHARE = 4


def is_volatile(text: str) -> bool:
    """The text speaks (in English) of the present, so that its answer may soon be wrong."""
    return _VOLATILE.search(text) is not None


def is_storable(query: Query, answer: Answer) -> bool:
    """Host and provider allow it to be kept, and there is something to keep."""
    allowed = query.keeps_tool_calls or not answer.calls_tools
    return allowed and query.cacheable and answer.cacheable and bool(answer.text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much may be kept: rows, and bytes of text and vectors (None: any number)."""

    rows: int = 100_000
    bytes: int | None = None


@dataclass(slots=True)
class _Seat:
    """A live row, how often it was of use lately, and what it is worth to keep."""

    row: Resident
    uses: float
    at: int
    worth: float = 0.0


class Residents:
    """All live rows, with what each is expected to save. Threads may share it.

    When room is short the row goes that is expected to save least: chance of reuse × price of the
    call × P(right), for each byte where bytes are short. The chance of reuse is the number of uses,
    which fades with every row taken in; what a row was worth at its last use counts from the level
    at which rows were going then, so that fame of long ago is outlived (greedy dual ageing).
    """

    def __init__(self, rows: Iterable[Resident], room: Room) -> None:
        self._room = room
        self._seats: dict[str, _Seat] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._level = 0.0
        self._tick = 0
        self._entered = 0
        self._bytes = 0
        self._unsaved: dict[str, int] = {}
        self._lock = threading.Lock()
        for row in rows:
            self._seat(row)

    def take_in(self, row: Resident) -> tuple[str, ...]:
        """Add a row; returns the ids of those that must go."""
        with self._lock:
            self._tick += 1
            self._seat(row)
            gone = []
            while self._is_full() and len(self._seats) > 1:
                gone.append(self._evict_one())
            return tuple(gone)

    def touch(self, entry_id: str) -> None:
        """This row was of use."""
        with self._lock:
            seat = self._seats.get(entry_id)
            if seat is not None:
                seat.uses = self._faded(seat) + 1.0
                seat.at = self._tick
                self._unsaved[entry_id] = self._unsaved.get(entry_id, 0) + 1
                self._queue_up(entry_id, seat)

    def drop(self, ids: Iterable[str]) -> None:
        """These rows are gone; unknown ids are ignored."""
        with self._lock:
            for entry_id in ids:
                self._leave(entry_id)

    def unsaved_uses(self, least: int = 1) -> Mapping[str, int]:
        """Uses since the last call, by row, once there are `least` rows; else nothing."""
        with self._lock:
            if len(self._unsaved) < least:
                return {}
            unsaved, self._unsaved = self._unsaved, {}
            return unsaved

    @property
    def bytes(self) -> int:
        """Room that all rows take."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._seats)

    def _is_full(self) -> bool:
        over = self._room.bytes is not None and self._bytes > self._room.bytes
        return over or len(self._seats) > self._room.rows

    def _seat(self, row: Resident) -> None:
        self._leave(row.id)
        seat = self._seats[row.id] = _Seat(row=row, uses=float(row.uses), at=self._tick)
        self._bytes += row.bytes
        self._queue_up(row.id, seat)

    def _leave(self, entry_id: str) -> None:
        seat = self._seats.pop(entry_id, None)
        if seat is not None:
            self._bytes -= seat.row.bytes
            self._unsaved.pop(entry_id, None)

    def _faded(self, seat: _Seat) -> float:
        faded: float = seat.uses * 0.5 ** ((self._tick - seat.at) / self._room.rows)
        return faded

    def _queue_up(self, entry_id: str, seat: _Seat) -> None:
        row = seat.row
        p_right = (row.good + 0.95) / (row.good + row.bad + 1.0)
        saves_usd = (seat.uses + 0.5) * max(row.cost_usd, _LEAST_USD) * p_right
        size = max(1, row.bytes) if self._room.bytes is not None else 1
        seat.worth = self._level + saves_usd / size
        self._entered += 1
        heapq.heappush(self._queue, (seat.worth, self._entered, entry_id))
        if len(self._queue) > 64 + _STALE_SHARE * len(self._seats):
            self._tidy()

    def _evict_one(self) -> str:
        while True:
            worth, _, entry_id = heapq.heappop(self._queue)
            seat = self._seats.get(entry_id)
            if seat is not None and seat.worth == worth:
                self._level = worth
                self._leave(entry_id)
                return entry_id

    def _tidy(self) -> None:
        """Drop places in the queue that were left."""
        self._queue = [
            each
            for each in self._queue
            if (seat := self._seats.get(each[2])) and seat.worth == each[0]
        ]
        heapq.heapify(self._queue)
