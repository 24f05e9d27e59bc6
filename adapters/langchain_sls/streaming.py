"""Streams the chosen model's chunks, with the decision on the first of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_sls.answers import answer_of, message_of
from langchain_sls.inner import as_chunk, inner_of
from langchain_sls.messages import turn_of
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["AsyncChatHost", "ChatHost", "Stamp"]


class _Host:
    """What both hosts share: joining and replaying."""

    def __init__(self, models: Mapping[str, BaseChatModel]) -> None:
        """A host serves one stream."""
        self._models = models

    def join(self, chunks: Sequence[ChatGenerationChunk]) -> Answer:
        """The whole answer. Raises ValueError if there is none."""
        if not chunks:
            raise ValueError("the chat model's stream ended without a chunk")
        return answer_of(generate_from_stream(iter(chunks)))

    def replay(self, answer: Answer) -> Iterator[ChatGenerationChunk]:
        """A stored answer as one chunk."""
        yield ChatGenerationChunk(message=as_chunk(message_of(answer)))


class ChatHost(_Host):
    """Streams one turn with LangChain's blocking chat models."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[ChatGenerationChunk]:
        """The candidate's own chunks."""
        return inner_of(self._models[candidate.name], turn_of(query)).stream()


class AsyncChatHost(_Host):
    """Streams one turn with LangChain's async chat models."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[ChatGenerationChunk]:
        """The candidate's own chunks."""
        return inner_of(self._models[candidate.name], turn_of(query)).astream()


class Stamp:
    """Writes the decision on a stream's first chunk, and what it cost on the last.

    LangChain adds a stream's chunks up, so that a fact may be told once only; its events (which are
    given a run manager) let a later chunk's metadata replace an earlier one's, so that all must be
    told at last. The cost is known when the inner stream has ended: a chunk that calls itself the
    last is held back until then.
    """

    def __init__(self, *, replaces: bool) -> None:
        """A stamp serves one stream. `replaces`: later metadata replace earlier ones."""
        self._replaces = replaces
        self._told: dict[str, Any] = {}
        self._held: ChatGenerationChunk | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether no chunk was stamped yet."""
        return not self._told

    def first(self, chunk: ChatGenerationChunk, known: Answer) -> ChatGenerationChunk:
        """The first chunk, with what is known when it comes."""
        self._told = {key: value for key, value in known.facts().items() if key != "failures"}
        return _stamped(chunk, self._told)

    def passing(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """The chunk, unless it is the last one; that is kept back for `last`."""
        if self._held is not None:
            yield self._held
        self._held = chunk if _is_last(chunk) else None
        if self._held is None:
            yield chunk

    def last(self, answer: Answer) -> ChatGenerationChunk:
        """The last chunk, with the facts that were not yet told."""
        told = self._told
        news = {
            key: value
            for key, value in answer.facts().items()
            if value is not None and told.get(key) is None
        }
        if self._replaces:
            news = {**told, **news}
        end = AIMessageChunk(content="", chunk_position="last")
        return _stamped(self._held or ChatGenerationChunk(message=end), news)


def _is_last(chunk: ChatGenerationChunk) -> bool:
    return isinstance(chunk.message, AIMessageChunk) and chunk.message.chunk_position == "last"


def _stamped(chunk: ChatGenerationChunk, facts: Mapping[str, Any]) -> ChatGenerationChunk:
    """A copy of the chunk which tells these facts; the inner model's own chunk stays as it was."""
    message = chunk.message
    told = {**message.response_metadata.get("sls", {}), **facts}
    metadata = {**message.response_metadata, "sls": told}
    return ChatGenerationChunk(
        message=message.model_copy(update={"response_metadata": metadata}),
        generation_info=chunk.generation_info,
    )
