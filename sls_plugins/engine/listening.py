"""One answer's chunks for several readers, who may come late and go early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sls_plugins import flow
from sls_plugins.engine.waiting import landed
from sls_plugins.errors import ProviderError, SLSError
from sls_plugins.types import Answer, Source

__all__ = ["Ear", "SharedStream", "follow_stream"]

ChunkT = TypeVar("ChunkT")


@dataclass(frozen=True, slots=True)
class Ear(Generic[ChunkT]):
    """How somebody listens: to which kind of chunks, how he joins them, whom he tells of it."""

    kind: type
    join: Callable[[Sequence[ChunkT]], Answer]
    tell: Callable[[Answer], None]

    def heard(self, effect: flow.Follow, candidate: str) -> None:
        """Tell what is known with the first chunk."""
        self.tell(
            Answer(
                text="", candidate=candidate, source=Source.CACHE, decision_id=effect.decision_id
            )
        )


class SharedStream(Generic[ChunkT]):
    """Whoever needs the next chunk first pulls it from the source; the others find it here.

    The source drives the whole request. So it does not matter who pulls: if the one who began goes
    away, those who still listen bring the answer to its end; when the last has gone, it is closed.
    """

    def __init__(
        self, source: Generator[ChunkT, None, None], kind: type, candidate: Callable[[], str]
    ) -> None:
        """`kind` tells who understands the chunks, `candidate` who says them.

        One reader is in already.
        """
        self.kind = kind
        self.candidate = candidate
        self.chunks: list[ChunkT] = []
        self._source = source
        self._error: SLSError | None = None
        self._ended = False
        self._pulling = False
        self._readers = 1
        self._changed = threading.Condition()

    def join(self) -> bool:
        """Become a reader; False if nobody reads any more."""
        with self._changed:
            self._readers += bool(self._readers)
            return bool(self._readers)

    def hear(self) -> Generator[ChunkT, None, None]:
        """The chunks from the first, for one who is in; raises what the source raises."""
        try:
            place = 0
            while self._has(place):
                yield self.chunks[place]
                place += 1
            if self._error is not None:
                raise self._error
        finally:
            with self._changed:
                self._readers -= 1
                last = not self._readers
            if last:
                self._source.close()

    def _has(self, place: int) -> bool:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: place < len(self.chunks) or self._ended or not self._pulling
                )
                if place < len(self.chunks):
                    return True
                if self._ended:
                    return False
                self._pulling = True
            self._pull()

    def _pull(self) -> None:
        """Take one chunk from the source."""
        fresh: list[ChunkT] = []
        error: SLSError | None = ProviderError(self.candidate(), "the stream was interrupted")
        try:
            fresh.extend(_first(self._source))
            error = None
        except SLSError as told:
            error = told
        finally:
            with self._changed:
                self.chunks += fresh
                self._error = error
                self._ended = not fresh
                self._pulling = False
                self._changed.notify_all()


def follow_stream(
    effect: flow.Follow, until_s: float, ear: Ear[ChunkT]
) -> Generator[ChunkT, None, flow.Landed]:
    """Wait for somebody else's answer, passing on its chunks where there are any."""
    heard: Answer | None = None
    while True:
        version, stream, landing = effect.flight.look()
        if heard is None and isinstance(stream, SharedStream) and _joins(effect, stream, ear):
            heard = yield from _listen(effect, stream, ear)
            version, _, landing = effect.flight.look()
        landing = landing or landed(effect.flight, version, until_s)
        if landing is not None:
            return flow.Landed(landing, heard)


def _joins(effect: flow.Follow, stream: SharedStream[ChunkT], ear: Ear[ChunkT]) -> bool:
    return effect.listens and stream.kind is ear.kind


def _listen(
    effect: flow.Follow, shared: SharedStream[ChunkT], ear: Ear[ChunkT]
) -> Generator[ChunkT, None, Answer | None]:
    """Pass chunks on; None if there were none. Raises what breaks the stream after its first."""
    told = False
    try:
        for chunk in shared.hear() if shared.join() else ():
            if not told:
                ear.heard(effect, shared.candidate())
                told = True
            yield chunk
    except SLSError:
        if told:
            raise
    return ear.join(shared.chunks) if told else None


def _first(source: Iterator[ChunkT]) -> Iterator[ChunkT]:
    for chunk in source:
        yield chunk
        return
