"""Writes replies in the wire format of chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sls_plugins.testing.openai.replies import Heard, Reply
from sls_plugins.types import Usage

__all__ = ["completion", "event", "events", "failure"]

DONE = b"data: [DONE]\n\n"

_MADE_S = 1_700_000_000
"""When everything was made, so that two runs are alike."""


def completion(heard: Heard, reply: Reply, number: int) -> dict[str, Any]:
    """A whole chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = _calls(reply, number)
    choice = {"index": 0, "message": message, "finish_reason": reply.reason, "logprobs": None}
    frame = _frame(heard, number, "chat.completion")
    return {**frame, "choices": [choice], "usage": _usage(heard, reply)}


def events(heard: Heard, reply: Reply, number: int) -> Iterator[tuple[bool, bytes]]:
    """A chat completion as server-sent events; each tells whether it brings what is said."""
    frame = _frame(heard, number, "chat.completion.chunk")

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": dict(delta), "finish_reason": reason, "logprobs": None}
        return event({**frame, "choices": [choice], "usage": None})

    yield False, chunk({"role": "assistant", "content": ""})
    for call in _calls(reply, number):
        yield True, chunk({"tool_calls": [call]})
    for word in reply.words if reply.text else ():
        yield True, chunk({"content": word})
    yield False, chunk({}, reply.reason)
    if (heard.body.get("stream_options") or {}).get("include_usage"):
        yield False, event({**frame, "choices": [], "usage": _usage(heard, reply)})
    yield False, DONE


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def failure(kind: str, message: str) -> dict[str, Any]:
    """An error as this interface tells it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _frame(heard: Heard, number: int, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": kind,
        "created": _MADE_S,
        "model": heard.model,
        "system_fingerprint": None,
    }


def _calls(reply: Reply, number: int) -> list[dict[str, Any]]:
    return [
        {
            "index": place,
            "id": f"call_{number}_{place}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for place, call in enumerate(reply.calls)
    ]


def _usage(heard: Heard, reply: Reply) -> dict[str, Any]:
    """Tokens; words, if the reply does not say."""
    used = reply.usage or Usage(
        input_tokens=sum(len(str(each.get("content") or "").split()) for each in heard.messages),
        output_tokens=max(1, len(reply.text.split())),
    )
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
    }
