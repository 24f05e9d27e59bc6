"""A chat model for tests: real LangChain, no network, told what to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from sls_plugins.testing.examples_of import example_of

__all__ = ["ScriptedChatModel"]

Said = dict[str, Any]


class ScriptedChatModel(BaseChatModel):
    """Says `reply` (a text, or a function of the messages), word by word when streamed.

    With tools bound it calls the first of them, or the one that `tool_choice` names, with
    `arguments` or what the tool's schema allows (a text is what the last message has 'in quotes');
    once a tool has answered it speaks again. `error` is raised
    instead of an answer, after `error_after` chunks when streamed. `heard` keeps the messages,
    stop words and settings of every call; tokens are words.
    """

    model_name: str
    reply: str | Callable[[Sequence[BaseMessage]], str] = "Fine."
    finish_reason: str = "stop"
    arguments: dict[str, Any] | None = None
    error: Exception | None = None
    error_after: int = 0
    heard: list[Said] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools in this model's own format, which no other understands."""
        own = [convert_to_openai_tool(tool)["function"] for tool in tools]
        return self.bind(scripted_tools=own, scripted_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> ChatResult:
        self.heard.append({"messages": messages, "stop": stop, **kwargs})
        if self.error is not None:
            raise self.error
        text, calls = self._say(messages, kwargs)
        message = AIMessage(
            content=text,
            tool_calls=calls,
            usage_metadata=_usage(messages, text),
            response_metadata={"finish_reason": "tool_calls" if calls else self.finish_reason},
        )
        generation = ChatGeneration(message=message)
        return ChatResult(generations=[generation], llm_output={"model_name": self.model_name})

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.heard.append({"messages": messages, "stop": stop, **kwargs})
        text, calls = self._say(messages, kwargs)
        words = [] if calls else text.split(" ")
        for place, word in enumerate(words):
            if self.error is not None and place >= self.error_after:
                raise self.error
            yield ChatGenerationChunk(
                message=AIMessageChunk(content=word if place == 0 else f" {word}")
            )
        if self.error is not None:
            raise self.error
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                tool_calls=calls,
                usage_metadata=_usage(messages, text),
                response_metadata={
                    "model_name": self.model_name,
                    "finish_reason": "tool_calls" if calls else self.finish_reason,
                },
                chunk_position="last",
            )
        )

    def _say(self, messages: Sequence[BaseMessage], settings: Said) -> tuple[str, list[ToolCall]]:
        """Words or tool calls, never both."""
        tools = settings.get("scripted_tools", [])
        if tools and messages[-1].type != "tool":
            choice = settings.get("scripted_choice")
            tool = next((tool for tool in tools if tool["name"] == choice), tools[0])
            arguments = self.arguments
            if arguments is None:
                quoted = re.search(r"'(.+?)'", str(messages[-1].text))
                schema = tool.get("parameters", {})
                arguments = example_of(schema, quoted.group(1) if quoted else "text")
            return "", [ToolCall(name=tool["name"], args=arguments, id="call_1", type="tool_call")]
        return (self.reply if isinstance(self.reply, str) else self.reply(messages)), []


def _usage(messages: Sequence[BaseMessage], text: str) -> UsageMetadata:
    heard = sum(len(str(message.text).split()) for message in messages)
    said = len(text.split())
    return UsageMetadata(input_tokens=heard, output_tokens=said, total_tokens=heard + said)
