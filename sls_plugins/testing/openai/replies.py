"""What the server hears, says, and how it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sls_plugins.testing.examples_of import example_of
from sls_plugins.types import Usage

__all__ = ["Called", "Fault", "Heard", "Reply", "obliging"]


class Fault(StrEnum):
    """How a request goes wrong; a stream, after so many chunks of text."""

    NONE = "none"
    RATE_LIMITED = "rate_limited"
    """Status 429 with Retry-After; in mid-stream, an error event."""
    SERVER_ERROR = "server_error"
    """Status 500; in mid-stream, an error event."""
    HANG = "hang"
    """Nothing more comes until the client has gone or the server is closed."""
    CUT = "cut"
    """The connection breaks in the middle of the body."""
    QUIET_END = "quiet_end"
    """A stream ends in good order, but too early: no reason to finish, no last word."""
    WRONG_JSON = "wrong_json"
    """The body, or an event, is no JSON."""
    WRONG_SHAPE = "wrong_shape"
    """The body, or an event, is JSON of something else."""


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call that the model asks for."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said to one request. A stream says it word by word.

    `fault` happens instead of the rest, in a stream after `after` words; `pause_s` is waited before
    each word. `usage` counts words if it is not given; `retry_after_s` goes with RATE_LIMITED.
    """

    text: str = "Fine."
    calls: tuple[Called, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    fault: Fault = Fault.NONE
    after: int = 0
    retry_after_s: float | None = None
    pause_s: float = 0.0

    @property
    def reason(self) -> str:
        """Why the answer ends."""
        return self.finish_reason or ("tool_calls" if self.calls else "stop")

    @property
    def words(self) -> tuple[str, ...]:
        """The text in pieces which add up to it."""
        return tuple(re.findall(r"\s*\S+\s*$|\s*\S+", self.text)) or (self.text,)


@dataclass(frozen=True, slots=True)
class Heard:
    """A request: the body, and the headers by lower-case name."""

    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> str:
        """Who is asked."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """What is sent."""
        found: Sequence[Mapping[str, Any]] = self.body.get("messages", [])
        return found

    @property
    def streams(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self.body.get("stream"))

    @property
    def said(self) -> str:
        """The words of the last message."""
        return _words(self.messages[-1].get("content")) if self.messages else ""


def obliging(heard: Heard) -> Reply:
    """What a helpful model would say: calls the tool it is given, fills the schema it is shown.

    In JSON mode it gives an object with the keys that the last message has 'in quotes'.
    Texts in arguments are what the last message has 'in quotes'. Once a tool has answered it
    speaks. Its words repeat the question, so that two questions have two answers.
    """
    quoted = re.search(r"'(.+?)'", heard.said)
    text = quoted.group(1) if quoted else "text"
    tool = _wanted_tool(heard)
    if tool is not None:
        arguments = example_of(tool.get("parameters", {}), text)
        return Reply(text="", calls=(Called(str(tool["name"]), arguments),))
    wanted = heard.body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return Reply(text=json.dumps(example_of(wanted["json_schema"].get("schema", {}), text)))
    if wanted.get("type") == "json_object":
        keys = re.findall(r"['\"`](\w+)['\"`]", heard.said) or ["answer"]
        return Reply(text=json.dumps(dict.fromkeys(keys, "text")))
    return Reply(text=f"{heard.model} heard: {heard.said}")


def _wanted_tool(heard: Heard) -> Mapping[str, Any] | None:
    """The function to call now, if any."""
    tools: list[Mapping[str, Any]] = [
        tool["function"] for tool in heard.body.get("tools") or () if "function" in tool
    ]
    choice = heard.body.get("tool_choice")
    if not tools or choice == "none" or heard.messages[-1].get("role") == "tool":
        return None
    named: object = choice["function"]["name"] if isinstance(choice, Mapping) else None
    return next((tool for tool in tools if tool["name"] == named), tools[0])


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, Sequence) else ()
    return " ".join(
        str(block.get("text", f"[{block.get('type')}]"))
        for block in blocks
        if isinstance(block, Mapping)
    )
