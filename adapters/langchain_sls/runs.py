"""Remembers which decisions were made in which of LangChain's runs."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage

__all__ = ["RunBook", "decision_in"]

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

MOST_DECISIONS = 100
"""Decisions remembered of one run: the newest."""


def decision_in(said: object) -> str:
    """The decision that a message tells; empty if it is no message, or tells none."""
    if not isinstance(said, AIMessage):
        return ""
    facts = said.response_metadata.get("sls")
    return str(facts.get("decision_id") or "") if isinstance(facts, dict) else ""


@dataclass(slots=True)
class _Open:
    """A run that has not ended: its parent, whether it parses, whose answer it works on.

    `errors` are the last that runs inside it have raised.
    """

    parent: UUID | None
    is_parser: bool = False
    decision_id: str = ""
    errors: deque[BaseException] = field(default_factory=lambda: deque(maxlen=8))


class RunBook:
    """Runs, open and past, with their decisions; the oldest are forgotten. Threads may share it."""

    def __init__(self, capacity: int) -> None:
        """`capacity` bounds each kind of thing that is remembered."""
        self._open: _Newest[UUID, _Open] = _Newest(capacity)
        self._made: _Newest[UUID, deque[str]] = _Newest(capacity)
        self._tool_calls: _Newest[str, str] = _Newest(capacity)
        self._known: _Newest[str, bool] = _Newest(capacity)
        self._lock = threading.Lock()

    def begin(
        self, run_id: UUID, parent: UUID | None, *, is_parser: bool = False, given: object = None
    ) -> None:
        """A run has begun; `given` is what it works on."""
        with self._lock:
            self._open.put(run_id, _Open(parent, is_parser, decision_in(given)))

    def end(self, run_id: UUID, error: BaseException | None = None) -> None:
        """A run has ended; if badly, then not by what an answer said."""
        with self._lock:
            self._leave(run_id, error)

    def made(self, run_id: UUID, message: object) -> tuple[UUID, ...]:
        """A message came of a run; its decision, if new, belongs to the run and those around it.

        Returns these runs.
        """
        decision_id = decision_in(message)
        if not decision_id:
            return ()
        assert isinstance(message, AIMessage)
        with self._lock:
            for call in message.tool_calls:
                if call["id"]:
                    self._tool_calls.put(call["id"], decision_id)
            if self._known.get(decision_id) is not None:
                return ()
            graded = bool(message.response_metadata["sls"].get("unusable"))
            self._known.put(decision_id, graded)
            runs = tuple(self._lineage(run_id))
            for each in runs:
                made = self._made.get(each) or deque(maxlen=MOST_DECISIONS)
                made.append(decision_id)
                self._made.put(each, made)
        return runs

    def decisions(self, run_id: UUID) -> tuple[str, ...]:
        """The decisions made in a run; none if it is unknown or forgotten."""
        with self._lock:
            return tuple(self._made.get(run_id) or ())

    def failed(self, run_id: UUID, error: BaseException, given: object = None) -> str | None:
        """A run has ended badly; returns the decision to blame, once, if its words were at fault.

        That is the case where they could not be parsed. An error is looked at where it is raised,
        not in the runs around, through which it passes.
        """
        with self._lock:
            run = self._leave(run_id, error)
            if run is None or any(error is each for each in run.errors):
                return None
            if not _is_parse_error(error, is_parser=run.is_parser):
                return None
            inside = self._last(run_id)
            said = decision_in(given) or run.decision_id or inside or self._last(run.parent)
            return self._blame(said)

    def tool_failed(
        self, run_id: UUID, tool_call_id: str | None, error: BaseException | None = None
    ) -> str | None:
        """A tool has failed; returns the decision that asked for this call, to be blamed once."""
        with self._lock:
            self._leave(run_id, error)
            return self._blame(self._tool_calls.get(tool_call_id))

    def retried(self, run_id: UUID | None) -> str | None:
        """What this run does is done again: the newest decision in it is to be blamed, once."""
        with self._lock:
            made = self._made.get(run_id)
            return self._blame(made[-1] if made else None)

    def _leave(self, run_id: UUID, error: BaseException | None) -> _Open | None:
        """Close a run; the one around it is told which error may come through it."""
        run = self._open.pop(run_id)
        around = self._open.get(run.parent) if run else None
        if around is not None and error is not None:
            around.errors.append(error)
        return run

    def _blame(self, decision_id: str | None) -> str | None:
        if not decision_id or self._known.get(decision_id):
            return None
        self._known.put(decision_id, True)
        return decision_id

    def _last(self, run_id: UUID | None) -> str | None:
        """The newest decision in this run, else in the nearest one around it."""
        for each in self._lineage(run_id):
            made = self._made.get(each)
            if made:
                return made[-1]
        return None

    def _lineage(self, run_id: UUID | None) -> Iterator[UUID]:
        """A run and those around it, as far as they are known."""
        while run_id is not None:
            yield run_id
            run = self._open.get(run_id)
            run_id = run.parent if run else None


def _is_parse_error(error: BaseException, *, is_parser: bool) -> bool:
    """Output parsers raise OutputParserException (a ValueError), or pydantic's ValueErrors."""
    return isinstance(error, OutputParserException) or (is_parser and isinstance(error, ValueError))


class _Newest(Generic[KeyT, ValueT]):
    """A mapping that forgets what was put into it longest ago."""

    def __init__(self, capacity: int) -> None:
        self._items: OrderedDict[KeyT, ValueT] = OrderedDict()
        self._capacity = capacity

    def put(self, key: KeyT, value: ValueT) -> None:
        """Add or replace."""
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._capacity:
            self._items.popitem(last=False)

    def get(self, key: KeyT | None) -> ValueT | None:
        """The value, if it is remembered."""
        return None if key is None else self._items.get(key)

    def pop(self, key: KeyT) -> ValueT | None:
        """Take the value out, if it is remembered."""
        return self._items.pop(key, None)
