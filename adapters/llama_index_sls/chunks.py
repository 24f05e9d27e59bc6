"""What a stream of chunks needs on its way: a beginning, an end, a continuation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.llms import LLM

from llama_index_sls.turns import Turn
from llama_index_sls.usage import Said, endings_of, usage_of
from sls_plugins.engine.splice import GO_ON, Splice

__all__ = ["Continuation", "Opening", "is_words", "text_of", "with_text"]


class Opening:
    """Passes an LLM's chunks on, from the first that says something; checks that the last came.

    Until something was said another candidate can take over unnoticed. A stream whose connection
    was closed in good order, but too early, looks whole to OpenAI's client: only the reason to
    finish is missing.
    """

    def __init__(self, llm: LLM) -> None:
        """An opening serves one stream of this LLM."""
        self._blank: list[Said] = []
        self._said = False
        self._ended = not _tells_its_end(llm)

    def passing(self, chunk: Said) -> Iterator[Said]:
        """The chunk, with those before it that were held back."""
        self._ended = self._ended or any(endings_of(chunk))
        self._said = self._said or not _is_blank(chunk)
        self._blank.append(chunk)
        if self._said:
            yield from self._blank
            self._blank = []

    def end(self) -> Iterator[Said]:
        """What is still held back. Raises EOFError if the stream ended too early."""
        if not self._ended:
            raise EOFError("the stream ended without saying why: part of the answer is missing")
        yield from self._blank


class Continuation:
    """Shows a candidate what another one has said, and joins what it says to that."""

    def __init__(self, said: Sequence[Said]) -> None:
        """`said` are words only."""
        self._text = "".join(chunk.delta or "" for chunk in said)
        self._splice = Splice(self._text)
        self._new = ""
        self._last: Said | None = None

    def turn(self, turn: Turn) -> Turn:
        """The turn with what was said, and the request to go on."""
        if turn.prompt is not None:
            return replace(turn, prompt=f"{turn.prompt}\n\n{self._text}\n\n{GO_ON}")
        said = ChatMessage(self._text, role=MessageRole.ASSISTANT)
        asked = ChatMessage(GO_ON, role=MessageRole.USER)
        return replace(turn, messages=[*turn.messages, said, asked])

    def passing(self, chunk: Said) -> Iterator[Said]:
        """The chunk with only what is new in it."""
        self._last = chunk
        piece = self._splice.passing(chunk.delta) if chunk.delta else ""
        if piece or usage_of(chunk) or any(endings_of(chunk)):
            yield self._with(chunk, piece)

    def end(self) -> Iterator[Said]:
        """A last chunk with what was held back, if anything was."""
        rest = self._splice.rest()
        if rest and self._last is not None:
            yield self._with(self._last, rest)

    def _with(self, chunk: Said, piece: str) -> Said:
        self._new += piece
        return with_text(chunk, self._new).model_copy(update={"delta": piece})


def text_of(said: Said) -> str:
    """The words of a response."""
    return said.text if isinstance(said, CompletionResponse) else said.message.content or ""


def with_text(said: Said, text: str) -> Said:
    """The response with other words, and all else as it was."""
    if isinstance(said, CompletionResponse):
        return said.model_copy(update={"text": text})
    others = [block for block in said.message.blocks if block.block_type != "text"]
    message = ChatMessage(
        content=text, role=said.message.role, additional_kwargs=said.message.additional_kwargs
    )
    message.blocks.extend(others)
    return said.model_copy(update={"message": message})


def is_words(chunk: Said) -> bool:
    """Whether nothing but text is in a chunk."""
    if isinstance(chunk, CompletionResponse):
        return True
    calls = chunk.message.additional_kwargs.get("tool_calls")
    return not calls and all(block.block_type == "text" for block in chunk.message.blocks)


def _is_blank(chunk: Said) -> bool:
    """Whether a chunk says nothing yet."""
    if chunk.delta or text_of(chunk) or usage_of(chunk):
        return False
    if isinstance(chunk, ChatResponse):
        called = any(isinstance(block, ToolCallBlock) for block in chunk.message.blocks)
        return not called and not chunk.message.additional_kwargs.get("tool_calls")
    return True


def _tells_its_end(llm: LLM) -> bool:
    """Whether this LLM's streams always say why they end: OpenAI's interface does."""
    return any(each.__module__.startswith("llama_index.llms.openai") for each in type(llm).__mro__)
