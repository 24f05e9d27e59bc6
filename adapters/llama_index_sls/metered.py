"""Counts the tokens that LLMs use in one piece of work, as their events tell them."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index_instrumentation import get_dispatcher
from pydantic import PrivateAttr

from llama_index_sls.usage import usage_of
from sls_plugins.types import Usage

__all__ = ["Meter"]

_HANDLERS = threading.Lock()
_ENTERED: ContextVar[Meter | None] = ContextVar("sls_meter", default=None)


class Meter(BaseEventHandler):
    """Hears of LLMs while it is entered; counts what happens in the context that entered it.

    Others may be entered at the same time, elsewhere: each counts its own.
    """

    _counted: list[Usage] = PrivateAttr(default_factory=list)

    def __enter__(self) -> list[Usage]:
        """Begin; returns what will be counted."""
        _ENTERED.set(self)
        with _HANDLERS:
            get_dispatcher().add_event_handler(self)
        return self._counted

    def __exit__(self, *error: object) -> None:
        with _HANDLERS:
            root = get_dispatcher()
            root.event_handlers = [each for each in root.event_handlers if each is not self]
        _ENTERED.set(None)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:  # noqa: ARG002 - LlamaIndex's
        """Count the tokens of an answer, as far as they are told."""
        if _ENTERED.get() is not self:
            return
        if not isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            return
        usage = usage_of(event.response) if event.response is not None else None
        if usage is not None:
            self._counted.append(usage)
