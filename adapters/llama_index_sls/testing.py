"""Parts for tests: real LlamaIndex, no network, an LLM that is told what to say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic import Field, PrivateAttr

from sls_plugins.encoder.hashing import HashingEncoder
from sls_plugins.protocols import Encoder

__all__ = ["ScriptedLLM", "Witness", "WordsEmbedding"]

Told = dict[str, Any]


class ScriptedLLM(FunctionCallingLLM):
    """Says `reply` (a text, or a function of what it is asked), word by word when streamed.

    With tools it calls the first of them, with `arguments` or what the tool's schema allows (a text
    is what the question has 'in quotes'), in a format of its own which no other LLM reads; once a
    tool has answered it speaks again. `error` is raised instead of an answer, after `error_after`
    chunks when streamed. `heard` keeps the method, the words and the settings of every call; tokens
    are words.
    """

    model_name: str
    reply: str | Callable[[str], str] = "Fine."
    finish_reason: str = "stop"
    takes_tools: bool = True
    context_window: int = 8000
    arguments: dict[str, Any] | None = None
    error: Exception | None = None
    error_after: int = 0
    heard: list[Told] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        """What this LLM can do."""
        return LLMMetadata(
            context_window=self.context_window,
            is_chat_model=True,
            is_function_calling_model=self.takes_tools,
            model_name=self.model_name,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The reply, or a tool call."""
        self._hear("chat", _words(messages), kwargs)
        return self._response(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The reply, or a tool call, after letting others run."""
        await asyncio.sleep(0)
        self._hear("achat", _words(messages), kwargs)
        return self._response(messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The reply word by word."""
        return self._chunks("stream_chat", messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """The reply word by word, letting others run in between."""

        async def chunks() -> ChatResponseAsyncGen:
            for chunk in self._chunks("astream_chat", messages, kwargs):
                await asyncio.sleep(0)
                yield chunk

        return chunks()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The reply."""
        self._hear("complete", prompt, kwargs)
        return self._completion(prompt)

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """The reply, after letting others run."""
        await asyncio.sleep(0)
        self._hear("acomplete", prompt, kwargs)
        return self._completion(prompt)

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """The reply word by word."""
        return self._pieces("stream_complete", prompt, kwargs)

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """The reply word by word, letting others run in between."""

        async def pieces() -> CompletionResponseAsyncGen:
            for piece in self._pieces("astream_complete", prompt, kwargs):
                await asyncio.sleep(0)
                yield piece

        return pieces()

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls in this LLM's own format. Raises ValueError if one must be there."""
        told = response.message.additional_kwargs.get("tool_calls", [])
        calls = [each[self.model_name] for each in told if self.model_name in each]
        if error_on_no_tool_call and not calls:
            raise ValueError(f"{self.model_name} reads no tool call in {response.message!r}")
        return [ToolSelection(**call) for call in calls]

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg)
        own = [
            {"name": tool.metadata.name, "parameters": tool.metadata.get_parameters_dict()}
            for tool in tools
        ]
        return {
            "messages": messages,
            f"{self.model_name}_tools": own,
            "tool_required": tool_required,
            **kwargs,
        }

    def _hear(self, method: str, words: str, kwargs: Told) -> None:
        self.heard.append({"method": method, "words": words, **kwargs})
        if self.error is not None and not (
            self.error_after and method.startswith(("stream", "astream"))
        ):
            raise self.error

    def _raw(self, words: str, text: str, *, calls: bool = False) -> Told:
        used = {"prompt_tokens": len(words.split()), "completion_tokens": len(text.split())}
        reason = "tool_calls" if calls else self.finish_reason
        return {"model": self.model_name, "usage": used, "choices": [{"finish_reason": reason}]}

    def _completion(self, prompt: str) -> CompletionResponse:
        text = self._reply(prompt)
        return CompletionResponse(text=text, raw=self._raw(prompt, text))

    def _response(self, messages: Sequence[ChatMessage], kwargs: Told) -> ChatResponse:
        """Words or tool calls, never both."""
        words, tools = _words(messages), kwargs.get(f"{self.model_name}_tools")
        if not tools or messages[-1].role == MessageRole.TOOL:
            text = self._reply(messages[-1].content or "")
            message = ChatMessage(text, role=MessageRole.ASSISTANT)
            return ChatResponse(message=message, raw=self._raw(words, text))
        call = {"tool_id": "call_1", "tool_name": tools[0]["name"], "tool_kwargs": self.arguments}
        if self.arguments is None:
            quoted = re.search(r"'(.+?)'", words)
            schema = tools[0]["parameters"]
            call["tool_kwargs"] = _example(schema, schema, quoted[1] if quoted else "text")
        asides = {"tool_calls": [{self.model_name: call}]}
        message = ChatMessage(role=MessageRole.ASSISTANT, additional_kwargs=asides)
        return ChatResponse(message=message, raw=self._raw(words, "", calls=True))

    def _chunks(
        self, method: str, messages: Sequence[ChatMessage], kwargs: Told
    ) -> ChatResponseGen:
        self._hear(method, _words(messages), kwargs)
        whole = self._response(messages, kwargs)
        if whole.message.content is None:
            yield whole
            return
        for text, delta in self._spoken(whole.message.content):
            message = ChatMessage(text, role=MessageRole.ASSISTANT)
            yield ChatResponse(message=message, delta=delta, raw={"model": self.model_name})
        yield whole.model_copy(update={"delta": ""})

    def _pieces(self, method: str, prompt: str, kwargs: Told) -> CompletionResponseGen:
        self._hear(method, prompt, kwargs)
        whole = self._completion(prompt)
        for text, delta in self._spoken(whole.text):
            yield CompletionResponse(text=text, delta=delta)
        yield whole.model_copy(update={"delta": ""})

    def _spoken(self, whole: str) -> Iterator[tuple[str, str]]:
        """All that was said so far, and its last word; breaks off where the script says so."""
        said = ""
        for place, word in enumerate(whole.split(" ")):
            if self.error is not None and place >= self.error_after:
                raise self.error
            delta = f" {word}" if place else word
            said += delta
            yield said, delta

    def _reply(self, words: str) -> str:
        return self.reply if isinstance(self.reply, str) else self.reply(words)


class WordsEmbedding(BaseEmbedding):
    """Embeds texts by their words, without a model: what shares words is near."""

    _encoder: Encoder = PrivateAttr(default_factory=HashingEncoder)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(each) for each in self._encoder.encode([text])[0]]


class Witness(BaseEventHandler):
    """Keeps every event that LlamaIndex's instrumentation tells of."""

    seen: list[BaseEvent] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Keep the event."""
        self.seen.append(event)

    def names(self) -> list[str]:
        """What kinds of events were seen, in order."""
        return [event.class_name() for event in self.seen]


def _words(messages: Sequence[ChatMessage]) -> str:
    return "\n".join(message.content or "" for message in messages)


def _example(schema: Told, root: Told, text: str) -> Any:
    """A value which a JSON schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _example(root["$defs"][name], root, text)
    if "properties" in schema:
        return {name: _example(part, root, text) for name, part in schema["properties"].items()}
    if "enum" in schema:
        return schema["enum"][0]
    kind = str(schema.get("type"))
    if kind == "array":
        return [_example(schema.get("items", {}), root, text)]
    return {"integer": 3, "number": 3, "boolean": True, "string": text}.get(kind, {})
