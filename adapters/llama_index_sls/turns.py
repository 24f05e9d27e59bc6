"""Turns a call of an LLM into a query: what is asked, and all else that shapes the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ContentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.tools import BaseTool

from sls_plugins.cache.keys import scope_of
from sls_plugins.engine.calls import Labels, limit_of, wants_json
from sls_plugins.types import Query

__all__ = ["ToolRequest", "Turn", "query_of", "turn_of", "with_strength"]

_NEEDS: Mapping[type, str] = {ImageBlock: "vision", AudioBlock: "audio", VideoBlock: "video"}
"""Which capability a content block asks for."""

_CALL_IDS = frozenset({"tool_call_id", "id"})
"""What changes from call to call and shapes no answer."""


_RESULTS = frozenset({MessageRole.TOOL, MessageRole.FUNCTION})

_STRENGTHS = ((0.75, "strong"), (0.5, "fair"), (0.25, "weak"))
"""From which score on (a cosine, or whatever the retriever tells) context is called so."""

_FAINT = "faint"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """Tools, and how they may be used, as they were handed to `chat_with_tools`."""

    tools: Sequence[BaseTool]
    verbose: bool = False
    allow_parallel_tool_calls: bool = False
    tool_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call of an LLM: messages (or a prompt to complete), settings of the call, tools.

    With `is_form` the tools are but the form of the answer; with `keeps_calls` tool calls, and
    answers to tools' results, may be kept for others.
    """

    messages: Sequence[ChatMessage] = ()
    prompt: str | None = None
    formatted: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    request: ToolRequest | None = None
    is_form: bool = False
    keeps_calls: bool = False

    @property
    def has_tools(self) -> bool:
        """Whether tools come with this call."""
        return bool(self.request and self.request.tools) or bool(self.settings.get("tools"))


def turn_of(query: Query) -> Turn:
    """The turn that a query was made of."""
    assert isinstance(query.payload, Turn)
    return query.payload


def with_strength(labels: Labels, score: float | None) -> Labels:
    """The labels of a query whose best context has this score: the task tells how strong."""
    if score is None:
        return labels
    strength = next((name for least, name in _STRENGTHS if score >= least), _FAINT)
    return replace(labels, task=f"{labels.task}+{strength} context")


def query_of(
    turn: Turn, labels: Labels, count_tokens: Callable[[str], int], named: str | None = None
) -> Query:
    """The query of a turn: its text is the prompt or the last user turn, all else is scope.

    A turn whose settings hold objects without a plain form is never shared, nor is the answer to a
    file on disk, which may change, nor (unless it keeps calls) to a tool's result. `named` is the
    candidate that the call asks for. Raises InvalidQueryError when nobody said anything.
    """
    asked = _asked(turn.messages)
    scope = _scope(turn, asked, labels.epoch, named)
    last = turn.messages[-1] if turn.messages else None
    return Query(
        text=_text(asked) if turn.prompt is None else turn.prompt,
        tenant=labels.tenant,
        task=labels.task,
        scope=scope or "",
        needs=_needs(turn),
        input_tokens=count_tokens("\n".join(_pieces(turn))),
        max_output_tokens=limit_of(turn.settings),
        cacheable=(
            scope is not None
            and (turn.keeps_calls or last is None or last.role not in _RESULTS)
            and not any(getattr(block, "path", None) for block in _blocks(turn))
            and turn.settings.get("n") in (None, 1)
        ),
        keeps_tool_calls=turn.keeps_calls and turn.has_tools and not turn.is_form,
        payload=turn,
    )


def _asked(messages: Sequence[ChatMessage]) -> ChatMessage | None:
    """The last user turn; in a conversation without one, the last message."""
    for message in reversed(messages):
        if message.role == MessageRole.USER:
            return message
    return messages[-1] if messages else None


def _text(message: ChatMessage | None) -> str:
    """The words of a message; for one that only shows something, what it shows."""
    if message is None:
        return ""
    return message.content or " ".join(f"[{block.block_type}]" for block in _shown(message))


def _shown(message: ChatMessage) -> list[ContentBlock]:
    """The content blocks that are not words."""
    return [block for block in message.blocks if not isinstance(block, TextBlock)]


def _blocks(turn: Turn) -> Iterator[ContentBlock]:
    for message in turn.messages:
        yield from message.blocks


def _scope(turn: Turn, asked: ChatMessage | None, epoch: str, named: str | None) -> str | None:
    """The digest of everything but the words that are asked; None if it has no plain form."""
    try:
        return scope_of(
            {
                "epoch": epoch,
                "host": "llama_index",
                "kind": "chat" if turn.prompt is None else "complete",
                "formatted": turn.formatted,
                "messages": [
                    _frame(message) if message is asked else _plain(message)
                    for message in turn.messages
                ],
                "settings": {
                    key: _plain_value(value)
                    for key, value in turn.settings.items()
                    if value is not None
                },
                "tools": _plain_tools(turn.request),
                "form": turn.is_form,
                "named": named,
            }
        )
    except (TypeError, ValueError):
        return None


def _frame(message: ChatMessage) -> list[object]:
    """The asked message without its words."""
    shown = [block.model_dump(mode="json") for block in _shown(message)]
    return ["asked", message.role.value, shown, _plain_value(message.additional_kwargs)]


def _plain(message: ChatMessage) -> list[object]:
    """A message as plain values; tool calls without their ids, and once.

    LLMs put calls beside the message as well, each in a form of its own; stored answers do not.
    """
    said = [_plain_block(block) for block in message.blocks]
    asides = message.additional_kwargs
    if any(isinstance(block, ToolCallBlock) for block in message.blocks):
        asides = {key: value for key, value in asides.items() if key != "tool_calls"}
    return [message.role.value, said, _plain_value(asides)]


def _plain_block(block: ContentBlock) -> object:
    if not isinstance(block, ToolCallBlock):
        return _plain_value(block.model_dump(mode="json"))
    given = block.tool_kwargs
    if isinstance(given, str):  # as it came from the provider
        with suppress(ValueError):
            given = json.loads(given)
    return ["call", block.tool_name, given]


def _plain_value(value: object) -> object:
    """The value with messages in their plain form and without ids of calls."""
    if isinstance(value, ChatMessage):
        return _plain(value)
    if isinstance(value, Mapping):
        return {str(key): _plain_value(each) for key, each in value.items() if key not in _CALL_IDS}
    if isinstance(value, list | tuple):
        return [_plain_value(each) for each in value]
    return value


def _plain_tools(request: ToolRequest | None) -> object:
    """What a model is told of the tools, and how it may use them."""
    if request is None:
        return None
    told = [
        [tool.metadata.name, tool.metadata.description, tool.metadata.get_parameters_dict()]
        for tool in request.tools
    ]
    return [told, request.allow_parallel_tool_calls, request.tool_required]


def _needs(turn: Turn) -> frozenset[str]:
    """Capabilities without which a candidate cannot answer."""
    needs = {_NEEDS[type(block)] for block in _blocks(turn) if type(block) in _NEEDS}
    if turn.has_tools:
        needs.add("tools")
    if wants_json(turn.settings):
        needs.add("json")
    return frozenset(needs)


def _pieces(turn: Turn) -> Iterator[str]:
    """All the words that are sent: prompt, messages, tool calls, tools."""
    yield turn.prompt or ""
    for message in turn.messages:
        yield message.content or ""
        for block in message.blocks:
            if isinstance(block, ToolCallBlock):
                yield json.dumps(block.tool_kwargs, default=str)
    if turn.request is not None:
        yield json.dumps(_plain_tools(turn.request), default=str)
