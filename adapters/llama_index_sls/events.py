"""The event by which handlers of LlamaIndex's instrumentation learn of decisions."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.events import BaseEvent
from pydantic import Field

__all__ = ["SLSDecisionEvent"]


class SLSDecisionEvent(BaseEvent):
    """A decision: of the router when its answer is whole, of the selector when it has chosen.

    `facts` are what the answer tells under "sls", `response_id` is the provider's own name of the
    response, if it has one. `open` says that its answer is yet to come.
    """

    decision_id: str
    candidate: str
    response_id: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)
    open: bool = False

    @classmethod
    def class_name(cls) -> str:
        """The name by which the event is serialised."""
        return "SLSDecisionEvent"
