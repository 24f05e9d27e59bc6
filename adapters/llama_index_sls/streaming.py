"""Streams the chosen LLM's chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from llama_index_sls.answers import answer_of, response_of, whole_of
from llama_index_sls.inner import Inner
from llama_index_sls.usage import Said
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["AsyncLLMHost", "LLMHost", "Ready"]

Ready = Callable[[Candidate, Query], Inner]
"""Makes the candidate's LLM ready for a query's turn."""


class _Host:
    """What both hosts share: joining and replaying."""

    def __init__(self, ready: Ready, *, chat: bool) -> None:
        """A host serves one stream; `chat` tells what kind of chunks to give."""
        self._ready = ready
        self._chat = chat

    def join(self, chunks: Sequence[Said]) -> Answer:
        """The whole answer. Raises ValueError if there is none."""
        return answer_of(whole_of(chunks), chunks)

    def replay(self, answer: Answer) -> Iterator[Said]:
        """A stored answer as one chunk."""
        yield response_of(answer, chat=self._chat)


class LLMHost(_Host):
    """Streams one turn with LlamaIndex's blocking methods."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[Said]:
        """The candidate's own chunks."""
        return self._ready(candidate, query).stream()


class AsyncLLMHost(_Host):
    """Streams one turn with LlamaIndex's async methods."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[Said]:
        """The candidate's own chunks."""
        return self._ready(candidate, query).astream()
