"""Streams the chosen LLM's chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeVar

from llama_index_sls.answers import answer_of, response_of, whole_of
from llama_index_sls.inner import Inner
from llama_index_sls.usage import Said
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["AsyncLLMHost", "LLMHost", "Ready"]

ChunkT = TypeVar("ChunkT")
Ready = Callable[[Candidate, Query], Inner]
"""Makes the candidate's LLM ready for a query's turn."""


class _Stopwatch:
    """Measures what a stream's source takes; while the caller holds a chunk it stands still."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self.took_s = 0.0

    def watch(self, source: Iterator[ChunkT]) -> Iterator[ChunkT]:
        start_s, self.took_s = self._timer(), 0.0
        for chunk in source:
            self.took_s += self._timer() - start_s
            yield chunk
            start_s = self._timer()
        self.took_s += self._timer() - start_s

    async def awatch(self, source: AsyncIterator[ChunkT]) -> AsyncIterator[ChunkT]:
        start_s, self.took_s = self._timer(), 0.0
        async for chunk in source:
            self.took_s += self._timer() - start_s
            yield chunk
            start_s = self._timer()
        self.took_s += self._timer() - start_s


class _Host:
    """What both hosts share: joining and replaying."""

    def __init__(self, ready: Ready, timer: Callable[[], float], *, chat: bool) -> None:
        """A host serves one stream; `timer` tells seconds, `chat` what kind of chunks to give."""
        self._ready = ready
        self._chat = chat
        self._watch = _Stopwatch(timer)

    def join(self, chunks: Sequence[Said]) -> Answer:
        """The whole answer. Raises ValueError if there is none."""
        return answer_of(whole_of(chunks), self._watch.took_s, chunks)

    def replay(self, answer: Answer) -> Iterator[Said]:
        """A stored answer as one chunk."""
        yield response_of(answer, chat=self._chat)


class LLMHost(_Host):
    """Streams one turn with LlamaIndex's blocking methods."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[Said]:
        """The candidate's own chunks."""
        return self._watch.watch(self._ready(candidate, query).stream())


class AsyncLLMHost(_Host):
    """Streams one turn with LlamaIndex's async methods."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[Said]:
        """The candidate's own chunks."""
        return self._watch.awatch(self._ready(candidate, query).astream())
