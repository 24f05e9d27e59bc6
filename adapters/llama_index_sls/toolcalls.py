"""Reads tool calls in LlamaIndex's own form, for responses whose LLM is not known."""

from __future__ import annotations

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.utils import parse_partial_json

__all__ = ["tool_calls_of"]


def tool_calls_of(response: ChatResponse, *, error_on_no_tool_call: bool) -> list[ToolSelection]:
    """The tool calls among the message's blocks. Raises ValueError if one must be there."""
    calls = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if error_on_no_tool_call and not calls:
        raise ValueError(
            f"expected at least one tool call, but got {response.message.content!r} without any"
        )
    return [
        ToolSelection(
            tool_id=call.tool_call_id or "",
            tool_name=call.tool_name,
            tool_kwargs=_arguments(call),
        )
        for call in calls
    ]


def _arguments(call: ToolCallBlock) -> dict[str, object]:
    """The arguments; while they are being streamed, those that are there."""
    if not isinstance(call.tool_kwargs, str):
        return call.tool_kwargs
    try:
        return parse_partial_json(call.tool_kwargs)
    except ValueError:
        return {}
