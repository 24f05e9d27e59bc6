"""Turns a chat model's message into an answer that can be kept, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    message_to_dict,
    messages_from_dict,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall
from langchain_core.outputs import ChatResult

from sls_plugins.engine.calls import FINISHED
from sls_plugins.types import Answer, Usage

__all__ = ["BILLS", "answer_of", "is_finished", "message_answer", "message_of", "usage_of"]

_CALLED = frozenset({"function_call", "tool_calls", "tool_use"})
"""Reasons that end an answer which calls tools."""

BILLS = ("token_usage", "usage")
"""Where providers put their own counts into the response's metadata."""


def answer_of(
    result: ChatResult, latency_s: float | None = None, *, is_form: bool = False
) -> Answer:
    """The answer in a chat result, whose live object stays with it. Raises ValueError if empty.

    `is_form`: a tool call in it is but the form that was asked for, and calls nothing.
    """
    if not result.generations:
        raise ValueError("the chat model returned no generation")
    first = result.generations[0]
    metadata = {
        **(result.llm_output or {}),
        **(first.generation_info or {}),
        **first.message.response_metadata,
    }
    message = first.message.model_copy(update={"response_metadata": metadata})
    answer = message_answer(message, raw=result, latency_s=latency_s)
    return replace(answer, calls_tools=False) if is_form else answer


def message_answer(message: BaseMessage, *, raw: object, latency_s: float | None = None) -> Answer:
    """The answer in one message, with all that its metadata tells.

    If it has no words its text is the tools it calls, as JSON.
    """
    calls = _calls(message)
    cacheable = _is_whole(message, has_calls=bool(calls))
    words = str(message.text)
    return Answer(
        text=words if words.strip() or not calls else json.dumps(calls, default=str),
        usage=usage_of(getattr(message, "usage_metadata", None)),
        cost_usd=_billed_usd(message.response_metadata),
        latency_s=latency_s,
        cacheable=cacheable,
        calls_tools=bool(calls),
        payload=_dump(message, calls) if cacheable else None,
        raw=raw,
    )


def message_of(answer: Answer) -> AIMessage:
    """A new message for a stored answer: no id yet, no tokens used."""
    message = AIMessage(content=answer.text)
    if answer.payload is not None:
        (stored,) = messages_from_dict([json.loads(answer.payload)])
        message = AIMessage(
            content=stored.content,
            additional_kwargs=stored.additional_kwargs,
            response_metadata=stored.response_metadata,
            name=stored.name,
            tool_calls=[_called(each) for each in getattr(stored, "tool_calls", ())],
        )
    message.usage_metadata = UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
    return message


def usage_of(told: UsageMetadata | None) -> Usage | None:
    """Tokens as LangChain tells them; None if it does not."""
    if told is None:
        return None
    return Usage(
        input_tokens=told["input_tokens"],
        output_tokens=told["output_tokens"],
        cached_tokens=told.get("input_token_details", {}).get("cache_read") or 0,
        reasoning_tokens=told.get("output_token_details", {}).get("reasoning") or 0,
    )


def is_finished(metadata: Mapping[str, Any], *, by_calls: bool = False) -> bool:
    """Whether nothing in the metadata says that the answer was cut off or refused."""
    good = FINISHED | {"", *(_CALLED if by_calls else ())}
    told = [metadata.get(key) or "" for key in ("finish_reason", "stop_reason", "status")]
    return all(str(reason).lower() in good for reason in told)


def _billed_usd(metadata: Mapping[str, Any]) -> float | None:
    """What the provider says it charged; OpenRouter and others put it beside the token counts."""
    bill = metadata.get("token_usage")
    cost = bill.get("cost") if isinstance(bill, Mapping) else None
    return float(cost) if isinstance(cost, int | float) and cost >= 0 else None


def _is_whole(message: BaseMessage, *, has_calls: bool) -> bool:
    """Whether another user may get this answer: said in full, no refusal, nothing left to do."""
    if not isinstance(message, AIMessage) or message.invalid_tool_calls:
        return False
    if not has_calls and not str(message.text).strip():
        return False
    if message.additional_kwargs.get("refusal") or message.additional_kwargs.get("function_call"):
        return False
    return is_finished(message.response_metadata, by_calls=has_calls)


def _calls(message: BaseMessage) -> list[dict[str, Any]]:
    """Name and arguments of each tool call."""
    if not isinstance(message, AIMessage):
        return []
    return [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]


def _called(stored: Mapping[str, Any]) -> ToolCall:
    """A stored call under a new id: two calls of one id would confuse whoever answers them."""
    return ToolCall(
        name=stored["name"], args=stored["args"], id=f"call_{uuid4().hex}", type="tool_call"
    )


def _dump(message: BaseMessage, calls: Sequence[Mapping[str, Any]]) -> str:
    """The message as JSON, without what belongs to the call that made it."""
    kept = {
        key: value
        for key, value in message.response_metadata.items()
        if key not in BILLS and key != "sls"
    }
    own = {key: value for key, value in message.additional_kwargs.items() if key != "tool_calls"}
    plain = AIMessage(
        content=message.content,
        additional_kwargs=own,
        response_metadata=kept,
        name=message.name,
        tool_calls=[ToolCall(name=call["name"], args=call["args"], id=None) for call in calls],
    )
    return json.dumps(message_to_dict(plain), ensure_ascii=False, default=str)
