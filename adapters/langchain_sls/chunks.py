"""What a stream of chunks needs on its way: a beginning, an end, a continuation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from langchain_sls.messages import Turn
from sls_plugins.engine.splice import GO_ON, Splice

__all__ = ["Continuation", "Opening", "is_words"]

_REASONS = ("finish_reason", "stop_reason", "status")
"""Where providers say why an answer ended."""


class Opening:
    """Passes a model's chunks on, from the first that says something; checks that the last came.

    Until something was said another candidate can take over unnoticed. A stream whose connection
    was closed in good order, but too early, looks whole to OpenAI's client: only the reason to
    finish is missing.
    """

    def __init__(self, model: BaseChatModel) -> None:
        """An opening serves one stream of this model."""
        self._blank: list[ChatGenerationChunk] = []
        self._said = False
        self._ended = not _tells_its_end(model)

    def passing(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """The chunk, with those before it that were held back."""
        self._ended = self._ended or _ends(chunk)
        self._said = self._said or not _is_blank(chunk)
        self._blank.append(chunk)
        if self._said:
            yield from self._blank
            self._blank = []

    def end(self) -> Iterator[ChatGenerationChunk]:
        """What is still held back. Raises EOFError if the stream ended too early."""
        if not self._ended:
            raise EOFError("the stream ended without saying why: part of the answer is missing")
        yield from self._blank


class Continuation:
    """Shows a candidate what another one has said, and joins what it says to that."""

    def __init__(self, said: Sequence[ChatGenerationChunk]) -> None:
        """`said` are words only."""
        self._text = "".join(chunk.message.text for chunk in said)
        self._known = {key for chunk in said for key in chunk.message.response_metadata}
        self._splice = Splice(self._text)

    def turn(self, turn: Turn) -> Turn:
        """The turn with what was said, and the request to go on."""
        messages = [*turn.messages, AIMessage(self._text), HumanMessage(GO_ON)]
        return replace(turn, messages=messages)

    def passing(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """The chunk with only what is new in it."""
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        new = self._splice.passing(message.text) if message.text else ""
        metadata = {
            key: value for key, value in message.response_metadata.items() if key not in self._known
        }
        changes = {
            "content": new,
            "response_metadata": metadata,
            "chunk_position": None,
            "id": None,
        }
        info = {
            key: value
            for key, value in (chunk.generation_info or {}).items()
            if key not in self._known
        }
        if new or metadata or info or message.usage_metadata:
            yield ChatGenerationChunk(
                message=message.model_copy(update=changes), generation_info=info or None
            )

    def end(self) -> ChatGenerationChunk:
        """The last chunk, with what was held back."""
        rest = AIMessageChunk(content=self._splice.rest(), chunk_position="last")
        return ChatGenerationChunk(message=rest)


def is_words(chunk: ChatGenerationChunk) -> bool:
    """Whether nothing but text is in a chunk."""
    message = chunk.message
    if not isinstance(message, AIMessageChunk) or message.tool_call_chunks:
        return False
    blocks = message.content if isinstance(message.content, list) else []
    return all(isinstance(block, str) or block.get("type") == "text" for block in blocks)


def _is_blank(chunk: ChatGenerationChunk) -> bool:
    """Whether a chunk says nothing yet."""
    message = chunk.message
    return (
        isinstance(message, AIMessageChunk)
        and not message.content
        and not message.tool_call_chunks
        and not message.additional_kwargs
        and not message.usage_metadata
    )


def _ends(chunk: ChatGenerationChunk) -> bool:
    """Whether a chunk says why the answer ends."""
    told = {**chunk.message.response_metadata, **(chunk.generation_info or {})}
    return any(told.get(reason) for reason in _REASONS)


def _tells_its_end(model: BaseChatModel) -> bool:
    """Whether this model's streams always say why they end: OpenAI's interface does."""
    return any(each.__module__.startswith("langchain_openai.") for each in type(model).__mro__)
