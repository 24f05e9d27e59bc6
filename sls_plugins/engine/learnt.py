"""What the update manager offers beside `feedback`: `engine.updates`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from sls_plugins import flow
from sls_plugins.engine.shadow import Shadow
from sls_plugins.errors import InputError, UnknownDecisionError
from sls_plugins.scheduler import Explored
from sls_plugins.types import CacheHit, Decision, Event, Feedback, Query
from sls_plugins.updater import MeanQuality, Refit

__all__ = ["EngineUpdates"]


@runtime_checkable
class Explores(Protocol):
    """A scheduler that keeps an account of exploring."""

    @property
    def explored(self) -> Explored:
        """What it was so far."""


class EngineUpdates:
    """Opinions as they come, run ids, events, refits. Threads may share it."""

    def __init__(self, parts: flow.Parts, plan: Callable[[Query], CacheHit | Decision]) -> None:
        """Made by `Engine`."""
        self._parts = parts
        self._plan = plan

    def take(self, opinions: Iterable[Feedback]) -> int:
        """Take in opinions, each once by its id; returns how many wait for their decision.

        Nothing is lost: what cannot be joined yet is joined when its decision is known.
        """
        waiting = 0
        for told in opinions:
            try:
                flow.feedback(self._parts, told)
            except UnknownDecisionError:
                waiting += 1
        return waiting

    def link(self, run_id: str, decision_id: str) -> None:
        """Let a host's run id stand for a decision, in feedback that is told by run id."""
        self._parts.opinions.link(run_id, decision_id, self._parts.clock())

    def waiting(self) -> int:
        """How many opinions wait for their decision."""
        return self._parts.opinions.waiting()

    def events(self, limit: int = 100) -> Sequence[Event]:
        """What was noticed and done (drift, refits, prices), newest first, from all processes."""
        return self._parts.manager.events(limit)

    def quality(self) -> MeanQuality:
        """How good called answers were on the whole; reads the whole log."""
        return self._parts.manager.quality()

    def explored(self) -> Explored:
        """What exploring was since learning began: calls, and what they cost beyond the best value.

        Raises InputError for a scheduler that keeps no account of it.
        """
        scheduler = self._parts.scheduler
        if not isinstance(scheduler, Explores):
            raise InputError(f"{type(scheduler).__name__} keeps no account of exploring")
        with self._parts.lock:
            return scheduler.explored

    def shadow(self) -> Shadow:
        """Watch a chain that answers by itself: what would SLS have done, and saved?"""
        return Shadow(self._plan, partial(flow.record, self._parts))

    def round(self) -> None:
        """Do now what the background does: read what others wrote, join what waited, refit if due.

        Raises StorageError.
        """
        self._parts.manager.round()

    def refit(self, reason: str = "asked for") -> Refit:
        """Learn anew from the log's end; it takes over only if it is not worse."""
        return self._parts.manager.refit(reason)
