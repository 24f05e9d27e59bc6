"""How hosts stream, and what becomes of a stream that breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from sls_plugins.errors import InputError
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["RAISES", "AsyncStreamHost", "ResumingHost", "StreamHost", "StreamPolicy"]

ChunkT = TypeVar("ChunkT")


class StreamHost(Protocol[ChunkT]):
    """How a host streams: opens a candidate's stream, joins chunks, replays a cached answer.

    Queries that come together hear the same chunks: whoever hands them on must not let anybody
    change them.
    """

    def open(self, candidate: Candidate, query: Query) -> Iterator[ChunkT]:
        """Begin a candidate's answer."""

    def join(self, chunks: Sequence[ChunkT]) -> Answer:
        """The whole answer of these chunks."""

    def replay(self, answer: Answer) -> Iterator[ChunkT]:
        """A cached answer as chunks."""


class AsyncStreamHost(Protocol[ChunkT]):
    """How an async host streams."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[ChunkT]:
        """Begin a candidate's answer."""

    def join(self, chunks: Sequence[ChunkT]) -> Answer:
        """The whole answer of these chunks."""

    def replay(self, answer: Answer) -> Iterator[ChunkT]:
        """A cached answer as chunks."""


@runtime_checkable
class ResumingHost(Protocol):
    """What a host can do besides, so that a second candidate goes on where a first one broke."""

    def may_resume(self, said: Sequence[Any]) -> bool:
        """Whether somebody else can go on after these chunks."""

    def resume(self, candidate: Candidate, query: Query, said: Sequence[Any]) -> Any:
        """The chunks, blocking or async like those of `open`, that are missing after these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """What becomes of a stream that breaks after its first chunk, and how long it may take.

    `takeovers` is how many other candidates may go on with a broken answer, one after the other; by
    default none, and the stream raises. `deadline_s` is for the whole stream, over all candidates:
    an async stream is stopped when it has passed, a blocking one at the next chunk. What they may
    cost together is the query's `max_usd`.
    """

    takeovers: int = 0
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no stream can keep."""
        if self.takeovers < 0:
            raise InputError(f"takeovers must be 0 or more, not {self.takeovers}")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise InputError(f"deadline_s must be more than 0 seconds, not {self.deadline_s}")


RAISES = StreamPolicy()
"""A stream that breaks after its first chunk raises."""
