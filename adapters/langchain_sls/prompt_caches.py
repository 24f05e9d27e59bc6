"""Takes another provider's prompt-cache settings out of a request for a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain.agents.middleware import ModelRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool

__all__ = ["without_strange_settings"]

MARK = "cache_control"
"""How Anthropic's interface marks what to cache: in settings, content blocks and tools."""

_SETTINGS = {
    MARK: ("langchain_anthropic", "langchain_aws"),
    "prompt_cache_key": ("langchain_openai",),
}
"""Settings for a prompt cache, and whose models understand them."""


def without_strange_settings(request: ModelRequest[Any], model: BaseChatModel) -> ModelRequest[Any]:
    """The request for this model, less what only another provider's models understand."""
    homes = {each.__module__.partition(".")[0] for each in type(model).__mro__}
    strange = {key for key, owners in _SETTINGS.items() if homes.isdisjoint(owners)}
    settings = {key: each for key, each in request.model_settings.items() if key not in strange}
    request = request.override(model=model, model_settings=settings)
    if MARK not in strange:
        return request
    system = request.system_message
    return request.override(
        system_message=_unmarked(system) if system is not None else None,
        messages=[_unmarked(message) for message in request.messages],
        tools=[_unmarked_tool(tool) for tool in request.tools],
    )


def _unmarked(message: Any) -> Any:
    """The message itself, or a copy whose blocks carry no mark."""
    assert isinstance(message, BaseMessage)
    if isinstance(message.content, str):
        return message
    blocks = [_without_mark(block) for block in message.content]
    return message if blocks == message.content else message.model_copy(update={"content": blocks})


def _unmarked_tool(tool: BaseTool | dict[str, Any]) -> BaseTool | dict[str, Any]:
    if isinstance(tool, dict):
        plain: dict[str, Any] = _without_mark(tool)
        return plain
    if not tool.extras or MARK not in tool.extras:
        return tool
    return tool.model_copy(update={"extras": _without_mark(tool.extras) or None})


def _without_mark(value: Any) -> Any:
    if not isinstance(value, Mapping) or MARK not in value:
        return value
    return {key: each for key, each in value.items() if key != MARK}
