"""Turns a conversation into a query: what is asked, and everything else that shapes the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig, ensure_config

from langchain_sls.structured import Structured
from sls_plugins.cache.keys import scope_of
from sls_plugins.engine.calls import TASK, TENANT, Labels, labels_of, limit_of, wants_json
from sls_plugins.types import Query

__all__ = [
    "TASK",
    "TENANT",
    "Labels",
    "RunManager",
    "Turn",
    "labelled",
    "labels_in",
    "labels_of",
    "query_of",
    "turn_of",
]

RunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None

_NEEDS: Mapping[str, str] = {
    "audio": "audio",
    "image": "vision",
    "image_url": "vision",
    "input_audio": "audio",
    "input_image": "vision",
    "media": "vision",
    "video": "video",
}
"""Which capability a content block asks for, by the block's type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call of a chat model: the messages, the settings of the call, LangChain's run.

    `form` is the form that the answer must have; with `keeps_calls` tool calls, and answers to
    tools' results, may be kept for others.
    """

    messages: Sequence[BaseMessage]
    stop: Sequence[str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    run_manager: RunManager = None
    form: Structured | None = None
    keeps_calls: bool = False

    @property
    def has_tools(self) -> bool:
        """Whether tools are bound to this call."""
        return bool(self.settings.get("tools"))


def labels_in(config: RunnableConfig, default: Labels) -> Labels:
    """The labels that a config brings; the default where it says nothing."""
    return labels_of({**config.get("metadata", {}), **config.get("configurable", {})}, default)


def labelled(config: RunnableConfig | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The call's keywords, with the labels that its config (or the chain around it) brings."""
    full = ensure_config(config)
    given = {**full.get("metadata", {}), **full.get("configurable", {})}
    labels = {key: given[key] for key in (TENANT, TASK) if given.get(key) is not None}
    return {**labels, **settings}


def turn_of(query: Query) -> Turn:
    """The turn that a query was made of."""
    assert isinstance(query.payload, Turn)
    return query.payload


def query_of(
    turn: Turn,
    labels: Labels,
    count_tokens: Callable[[str], int],
    extra: Mapping[str, object] = MappingProxyType({}),
) -> Query:
    """The query of a turn: its text is the last human turn's, all else is scope.

    A turn whose settings hold objects without a plain form is never shared, nor (unless it keeps
    calls) is the answer to a tool's result. `extra` is more scope: what else the caller hands in
    that shapes the answer. Raises InvalidQueryError when nobody said anything.
    """
    asked = _asked(turn.messages)
    scope = _scope(_surroundings(turn, asked, labels.epoch) | {"extra": extra})
    last = turn.messages[-1] if turn.messages else None
    return Query(
        text=_text(asked),
        tenant=labels.tenant,
        task=labels.task,
        scope=scope or "",
        needs=_needs(turn),
        input_tokens=count_tokens(_all_text(turn)),
        max_output_tokens=limit_of(turn.settings),
        cacheable=(
            scope is not None
            and (turn.keeps_calls or not isinstance(last, ToolMessage | FunctionMessage))
            and turn.settings.get("n") in (None, 1)
        ),
        keeps_tool_calls=turn.keeps_calls and turn.has_tools,
        payload=turn,
    )


def _scope(parts: Mapping[str, object]) -> str | None:
    """The digest of these parts, or None if one of them has no plain form."""
    try:
        return scope_of({name: _plain_value(part) for name, part in parts.items()})
    except (TypeError, ValueError):
        return None


def _plain_value(value: object) -> object:
    """The value with every message in it in its plain form."""
    if isinstance(value, BaseMessage):
        return _plain(value)
    if isinstance(value, Mapping):
        return {str(key): _plain_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(each) for each in value]
    return value


def _asked(messages: Sequence[BaseMessage]) -> BaseMessage | None:
    """The last human turn; in a conversation without one, the last message."""
    for message in reversed(messages):
        if _is_human(message):
            return message
    return messages[-1] if messages else None


def _is_human(message: BaseMessage) -> bool:
    if isinstance(message, ChatMessage):
        return message.role in {"user", "human"}
    return isinstance(message, HumanMessage)


def _text(message: BaseMessage | None) -> str:
    """The words of a message; for one that only shows something, what it shows."""
    if message is None:
        return ""
    return str(message.text) or " ".join(f"[{block['type']}]" for block in _shown(message))


def _shown(message: BaseMessage) -> list[dict[str, Any]]:
    """The content blocks that are not words."""
    if isinstance(message.content, str):
        return []
    return [
        block
        for block in message.content
        if isinstance(block, dict) and block.get("type", "text") != "text"
    ]


def _surroundings(turn: Turn, asked: BaseMessage | None, epoch: str) -> dict[str, object]:
    """Everything that shapes the answer besides the words that are asked."""
    return {
        "epoch": epoch,
        "host": "langchain",
        "messages": [
            _asked_frame(message) if message is asked else _plain(message)
            for message in turn.messages
        ],
        "settings": {key: value for key, value in turn.settings.items() if value is not None},
        "stop": list(turn.stop or ()),
        "form": turn.form and turn.form.plain,
    }


def _asked_frame(message: BaseMessage) -> list[object]:
    """The asked message without its words."""
    return ["asked", message.type, message.name, _shown(message)]


def _plain(message: BaseMessage) -> list[object]:
    """A message as plain values, without ids and bookkeeping that change from call to call."""
    said: list[object] = [message.type, message.name, message.content, message.additional_kwargs]
    if isinstance(message, AIMessage):
        said.append([(call["name"], call["args"]) for call in message.tool_calls])
    if isinstance(message, ToolMessage):
        said.append(message.status)
    if isinstance(message, ChatMessage):
        said.append(message.role)
    return said


def _needs(turn: Turn) -> frozenset[str]:
    """Capabilities without which a candidate cannot answer."""
    needs = {
        _NEEDS[block["type"]]
        for message in turn.messages
        for block in _shown(message)
        if block["type"] in _NEEDS
    }
    if turn.has_tools:
        needs.add("tools")
    if turn.form is not None:
        needs.add(turn.form.needs)
    if wants_json(turn.settings):
        needs.add("json")
    return frozenset(needs)


def _all_text(turn: Turn) -> str:
    """All the words that are sent: messages, tool calls, tools."""
    return "\n".join(_pieces(turn))


def _pieces(turn: Turn) -> Iterator[str]:
    for message in turn.messages:
        yield str(message.text)
        if isinstance(message, AIMessage) and message.tool_calls:
            yield json.dumps([call["args"] for call in message.tool_calls], default=str)
    if turn.has_tools:
        yield json.dumps(turn.settings["tools"], default=str)
