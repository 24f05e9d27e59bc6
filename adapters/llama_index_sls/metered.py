"""Counts the tokens that LLMs use in one piece of work, as their events tell them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index_instrumentation import get_dispatcher

from llama_index_sls.usage import usage_of
from sls_plugins.types import Usage

__all__ = ["Meter"]

_COUNTED: ContextVar[list[Usage] | None] = ContextVar("sls_metered", default=None)


class Meter(BaseEventHandler):
    """Hears of LLMs while it is entered; counts what happens in the context that entered it."""

    def __enter__(self) -> list[Usage]:
        """Begin; returns what will be counted."""
        counted: list[Usage] = []
        _COUNTED.set(counted)
        get_dispatcher().add_event_handler(self)
        return counted

    def __exit__(self, *error: object) -> None:
        root = get_dispatcher()
        root.event_handlers = [each for each in root.event_handlers if each is not self]
        _COUNTED.set(None)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:  # noqa: ARG002 - LlamaIndex's
        """Count the tokens of an answer, as far as they are told."""
        counted = _COUNTED.get()
        if counted is None or not isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            return
        usage = usage_of(event.response) if event.response is not None else None
        if usage is not None and not (counted and counted[-1] is usage):
            counted.append(usage)
