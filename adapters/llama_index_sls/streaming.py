"""Streams the chosen LLM's chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing

from llama_index_sls.answers import response_of, whole_of
from llama_index_sls.chunks import Continuation, Opening, is_words
from llama_index_sls.inner import Inner
from llama_index_sls.turns import turn_of
from llama_index_sls.usage import Said
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["AsyncLLMHost", "LLMHost", "Ready"]

Ready = Callable[[Candidate, Query], Inner]
"""Makes the candidate's LLM ready for a query's turn."""


class _Host:
    """What both hosts share: joining, replaying, and whether somebody else can go on."""

    def __init__(self, ready: Ready, *, chat: bool) -> None:
        """A host serves one stream; `chat` tells what kind of chunks to give."""
        self._ready = ready
        self._chat = chat
        self._speaks: Inner | None = None

    def join(self, chunks: Sequence[Said]) -> Answer:
        """The whole answer. Raises ValueError if there is none."""
        assert self._speaks is not None
        return self._speaks.read(whole_of(chunks), chunks)

    def replay(self, answer: Answer) -> Iterator[Said]:
        """A stored answer as one chunk."""
        yield response_of(answer, chat=self._chat)

    def may_resume(self, said: Sequence[Said]) -> bool:
        """Words can be gone on with; a tool call that broke off cannot."""
        return all(is_words(chunk) for chunk in said)

    def _going_on(
        self, candidate: Candidate, query: Query, said: Sequence[Said]
    ) -> tuple[Inner, Continuation]:
        """The candidate, shown what was said, and what joins its words to that."""
        goes_on = Continuation(said)
        inner = self._ready(candidate, query)
        self._speaks = Inner(inner.llm, goes_on.turn(turn_of(query)))
        return self._speaks, goes_on

    def _begin(self, candidate: Candidate, query: Query) -> Inner:
        self._speaks = self._ready(candidate, query)
        return self._speaks


class LLMHost(_Host):
    """Streams one turn with LlamaIndex's blocking methods."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[Said]:
        """The candidate's own chunks."""
        return _opened(self._begin(candidate, query))

    def resume(self, candidate: Candidate, query: Query, said: Sequence[Said]) -> Iterator[Said]:
        """The chunks that are missing after these."""
        inner, goes_on = self._going_on(candidate, query, said)
        for chunk in _opened(inner):
            yield from goes_on.passing(chunk)
        yield from goes_on.end()


class AsyncLLMHost(_Host):
    """Streams one turn with LlamaIndex's async methods."""

    def open(self, candidate: Candidate, query: Query) -> AsyncGenerator[Said, None]:
        """The candidate's own chunks."""
        return _aopened(self._begin(candidate, query))

    async def resume(
        self, candidate: Candidate, query: Query, said: Sequence[Said]
    ) -> AsyncGenerator[Said, None]:
        """The chunks that are missing after these."""
        inner, goes_on = self._going_on(candidate, query, said)
        async with aclosing(_aopened(inner)) as chunks:
            async for chunk in chunks:
                for each in goes_on.passing(chunk):
                    yield each
        for each in goes_on.end():
            yield each


def _opened(inner: Inner) -> Iterator[Said]:
    opening = Opening(inner.llm)
    for chunk in inner.stream():
        yield from opening.passing(chunk)
    yield from opening.end()


async def _aopened(inner: Inner) -> AsyncGenerator[Said, None]:
    opening = Opening(inner.llm)
    async with aclosing(inner.astream()) as chunks:
        async for chunk in chunks:
            for each in opening.passing(chunk):
                yield each
    for each in opening.end():
        yield each
