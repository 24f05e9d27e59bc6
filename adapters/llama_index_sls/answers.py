"""Turns an LLM's response into an answer that can be kept, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    ToolCallBlock,
)
from pydantic_core import PydanticSerializationError

from llama_index_sls.chunks import text_of, with_text
from llama_index_sls.usage import Said, billed_usd, endings_of, refusal_of, usage_of
from sls_plugins.engine.calls import FINISHED
from sls_plugins.types import Answer, Source

__all__ = ["answer_of", "response_of", "stamped", "whole_of"]


def answer_of(said: Said, chunks: Sequence[Said] = ()) -> Answer:
    """The answer in a response, whose live object stays with it.

    `chunks` are those that it was streamed in: any of them may tell the usage, or how it ended.
    """
    told = [said, *reversed(chunks)]
    payload = _payload(said) if all(_is_whole(each) for each in told) else None
    return Answer(
        text=text_of(said),
        usage=next((usage for each in told if (usage := usage_of(each))), None),
        cost_usd=next((usd for each in told if (usd := billed_usd(each)) is not None), None),
        cacheable=payload is not None and bool(text_of(said).strip()),
        payload=payload,
        raw=said,
    )


def whole_of(chunks: Sequence[Said]) -> Said:
    """The whole response of a stream: its last chunk, for chunks tell all that was said so far.

    Some LLMs fill in only what is new; then the pieces are put together. Raises ValueError if there
    is no chunk.
    """
    if not chunks:
        raise ValueError("the LLM's stream ended without a chunk")
    last = chunks[-1]
    pieces = "".join(chunk.delta or "" for chunk in chunks)
    return last if len(pieces) <= len(text_of(last)) else with_text(last, pieces)


def response_of(answer: Answer, *, chat: bool) -> Said:
    """The chosen LLM's own response, or a new one for a stored answer."""
    if answer.source is Source.MODEL:
        assert isinstance(answer.raw, ChatResponse | CompletionResponse)
        return answer.raw
    if not chat:
        return CompletionResponse(text=answer.text, delta=answer.text)
    if answer.payload:
        message = ChatMessage.model_validate_json(answer.payload)
    else:
        message = ChatMessage(role=MessageRole.ASSISTANT, content=answer.text)
    return ChatResponse(message=message, delta=answer.text)


def stamped(said: Said, facts: Mapping[str, Any]) -> Said:
    """A copy of the response which tells these facts; the LLM's own one stays as it was."""
    return said.model_copy(
        update={"additional_kwargs": {**said.additional_kwargs, "sls": dict(facts)}}
    )


def _is_whole(said: Said) -> bool:
    """Whether another user may get this answer: said in full, no refusal, nothing left to do."""
    if isinstance(said, ChatResponse):
        asides = said.message.additional_kwargs
        if any(isinstance(block, ToolCallBlock) for block in said.message.blocks):
            return False
        if any(asides.get(key) for key in ("tool_calls", "function_call", "refusal")):
            return False
    return not refusal_of(said) and all(reason in FINISHED for reason in endings_of(said))


def _payload(said: Said) -> str | None:
    """The message as JSON ("" for a completion, which is all text); None if it has no such form."""
    if isinstance(said, CompletionResponse):
        return ""
    try:
        return said.message.model_dump_json()
    except PydanticSerializationError:
        return None
