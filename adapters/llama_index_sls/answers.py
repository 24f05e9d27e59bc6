"""Turns an LLM's response into an answer that can be kept, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.llms.llm import ToolSelection
from pydantic_core import PydanticSerializationError

from llama_index_sls.chunks import text_of, with_text
from llama_index_sls.usage import Said, billed_usd, endings_of, refusal_of, usage_of
from sls_plugins.engine.calls import FINISHED
from sls_plugins.types import Answer, Source

__all__ = ["answer_of", "response_of", "stamped", "whole_of"]

_CALLS = ("tool_calls", "function_call")
"""Where LLMs put calls beside a message, in forms of their own."""

_CALLED = frozenset({"function_call", "tool_calls", "tool_use"})
"""Reasons that end an answer which calls tools."""


def answer_of(
    said: Said,
    chunks: Sequence[Said] = (),
    calls: Sequence[ToolSelection] = (),
    *,
    is_form: bool = False,
) -> Answer:
    """The answer in a response, whose live object stays with it.

    `chunks` are those that it was streamed in: any of them may tell the usage, or how it ended.
    `calls` are the tool calls in it, as the LLM that said it reads them: they are its text, as
    JSON, if it has no words. `is_form`: they are but the form that was asked for, and call nothing.
    """
    told = [said, *reversed(chunks)]
    whole = all(_is_whole(each, has_calls=bool(calls)) for each in told)
    payload = _payload(said, calls, is_form=is_form) if whole else None
    words = text_of(said)
    plain = [{"name": call.tool_name, "args": call.tool_kwargs} for call in calls]
    text = words if words.strip() or not plain else json.dumps(plain, default=str)
    return Answer(
        text=text,
        usage=next((usage for each in told if (usage := usage_of(each))), None),
        cost_usd=next((usd for each in told if (usd := billed_usd(each)) is not None), None),
        cacheable=payload is not None and bool(text.strip()),
        calls_tools=bool(calls) and not is_form,
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
        for block in message.blocks:  # two calls of one id would confuse whoever answers them
            if isinstance(block, ToolCallBlock):
                block.tool_call_id = f"call_{uuid4().hex}"
    else:
        message = ChatMessage(role=MessageRole.ASSISTANT, content=answer.text)
    return ChatResponse(message=message, delta=message.content or "")


def stamped(said: Said, facts: Mapping[str, Any]) -> Said:
    """A copy of the response which tells these facts; the LLM's own one stays as it was."""
    return said.model_copy(
        update={"additional_kwargs": {**said.additional_kwargs, "sls": dict(facts)}}
    )


def _is_whole(said: Said, *, has_calls: bool) -> bool:
    """Whether another user may get this answer: said in full, no refusal, nothing unread in it."""
    if isinstance(said, ChatResponse):
        asides = said.message.additional_kwargs
        if not has_calls and any(isinstance(block, ToolCallBlock) for block in said.message.blocks):
            return False
        if asides.get("refusal") or (not has_calls and any(asides.get(key) for key in _CALLS)):
            return False
    good = FINISHED | (_CALLED if has_calls else frozenset())
    return not refusal_of(said) and all(reason in good for reason in endings_of(said))


def _payload(said: Said, calls: Sequence[ToolSelection], *, is_form: bool) -> str | None:
    """The message as JSON ("" for a completion, which is all text); None if it has no such form.

    Tool calls are in LlamaIndex's own form, which every LLM can be shown, without their ids. A form
    is beside the message as well, where LlamaIndex looks for one in streams.
    """
    if isinstance(said, CompletionResponse):
        return ""
    message = said.message
    if calls:
        blocks = [block for block in message.blocks if not isinstance(block, ToolCallBlock)]
        called = [ToolCallBlock(tool_name=c.tool_name, tool_kwargs=c.tool_kwargs) for c in calls]
        asides = {
            key: value for key, value in message.additional_kwargs.items() if key not in _CALLS
        }
        if is_form:
            asides["tool_calls"] = [{"name": c.tool_name, "args": c.tool_kwargs} for c in calls]
        message = ChatMessage(
            role=message.role, blocks=[*blocks, *called], additional_kwargs=asides
        )
    try:
        return message.model_dump_json()
    except PydanticSerializationError:
        return None
