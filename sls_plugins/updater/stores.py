"""What the update manager needs of a database besides the log, and of learners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sls_plugins.types import Event, Feedback, Outcome

__all__ = [
    "EventStore",
    "FeedbackStore",
    "Forgets",
    "Quarantines",
    "Recalls",
    "Reprices",
    "Retention",
]


class FeedbackStore(Protocol):
    """What was said of answers: each opinion once, and kept until its decision is known."""

    def append(self, outcome: Outcome, told: Feedback) -> Outcome | None:
        """Append the line of an opinion that has an id; None if that very opinion is known.

        The same id with another grade is a correction: its line counts double.
        """

    def wait(self, told: Feedback, now_s: float) -> None:
        """Keep an opinion about a decision that is not known yet; a known id is replaced."""

    def ready(self, limit: int) -> Sequence[Feedback]:
        """Waiting opinions whose decision is known by now, under the decision's own id."""

    def link(self, run_id: str, decision_id: str, now_s: float) -> None:
        """Let a host's own name of a run stand for a decision."""

    def waiting(self) -> int:
        """How many opinions wait."""


class EventStore(Protocol):
    """What the updater noticed and did."""

    def add(self, event: Event) -> bool:
        """Keep an event; False if it is known: every process notices the same."""

    def newest(self, limit: int) -> Sequence[Event]:
        """The newest events, newest first."""


class Retention(Protocol):
    """Lets go of what is older than it may be."""

    def drop_before(self, before_s: float, learnt_seq: int) -> int:
        """Delete what is older and learnt by all; returns how many lines."""


@runtime_checkable
class Forgets(Protocol):
    """A learner that can let go of what is out of date."""

    def forget(self, candidate: str, share: float) -> None:
        """Let a share (0…1) of what was learnt of a candidate count no longer: try it again."""


@runtime_checkable
class Recalls(Protocol):
    """A predictor that can know a candidate again as it was before it changed."""

    def set_aside(self, candidate: str) -> None:
        """Keep what is known of it now."""

    def put_back(self, candidate: str, *, recall: bool) -> None:
        """Know it again as it was then, or let go of that."""

    def steady(self, outcome: Outcome) -> float | None:
        """The quality that the long run (or what was set aside) let expect of this very answer."""


@runtime_checkable
class Quarantines(Protocol):
    """A scheduler that can leave a candidate alone but for some probes."""

    def quarantine(self, candidate: str, share: float) -> None:
        """Choose it for this share (0…1) of the queries, and for no other; 0 ends that."""


@runtime_checkable
class Reprices(Protocol):
    """A scheduler that looks anew at whose prices have changed."""

    def reprice(self, candidate: str, factor: float) -> None:
        """Its prices are so many times what they were; one that is much cheaper is tried again."""
