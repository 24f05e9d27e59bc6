"""What the suites for hosts ask of a host: LangChain, LlamaIndex, or yours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sls_plugins.errors import SLSError

__all__ = ["TOOL", "Host", "Kind", "Said", "Way", "causes_of", "look_up"]


class Way(StrEnum):
    """How a host's models are called."""

    INVOKE = "invoke"
    AINVOKE = "ainvoke"
    STREAM = "stream"
    ASTREAM = "astream"
    BATCH = "batch"
    AGENT = "agent"
    """A loop that calls the tool `look_up`, then speaks."""


class Kind(StrEnum):
    """What is asked for. The question is the last user's message each time."""

    PLAIN = "plain"
    TOOLS = "tools"
    """The tool `look_up` is offered; its call is the answer."""
    STRUCTURED = "structured"
    """An object with `name` (a text) and `people` (an integer) is wanted."""
    IMAGE = "image"
    """A small picture goes with the question."""
    MULTI_TURN = "multi_turn"
    """One turn of each side came before."""
    SYSTEM = "system"
    """A system prompt comes first."""


TOOL = "look_up"
"""The name of the one tool of these suites; its only argument is `city`, a text."""


def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer as a host's caller sees it, in plain values.

    `structured` is what a STRUCTURED call brought, `calls` name and arguments of tool calls,
    `chunks` the number of pieces that a stream came in. `billed_tokens` are all tokens that the
    host's own usage tells. `facts` is what we tell of the decision, `rest` whatever else the host
    shows of an answer that must be the same when it comes from the cache.
    """

    text: str
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    structured: Mapping[str, Any] | None = None
    chunks: int = 1
    billed_tokens: int = 0
    message_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seen(self) -> tuple[object, ...]:
        """All that must not differ between a first answer and one from the cache."""
        return self.text, self.calls, self.structured, self.rest


class Host(Protocol):
    """Our model inside a host, over the real HTTP models "first" (cheap) and "second" (dear)."""

    async def ask(self, way: Way, kind: Kind, question: str) -> Said:
        """One call. Blocking ways block. Raises what the host raises."""


def causes_of(error: BaseException) -> tuple[SLSError, ...]:
    """Errors of ours in an error and in what caused it."""
    found: list[SLSError] = []
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, SLSError):
            found.append(at)
        at = at.__cause__ or at.__context__
    return tuple(found)
