"""LlamaIndex as a host, in the suites for all hosts: over HTTP, and over LlamaIndex's own mocks."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import httpx
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import LLM, ChatMessage, ChatResponse
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from llama_index_sls import SLSRouterLLM
from llama_index_sls.forms import FORM
from llama_index_sls.usage import usage_of
from sls_plugins import Engine
from sls_plugins.testing.contracts.host import HostFaultContract, HostReplayContract
from sls_plugins.testing.hosts import Host, Kind, Said, Way, look_up
from sls_plugins.testing.openai import Fault, Heard, OpenAIServer, Reply, obliging

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NAMES = ("first", "second")
WAY: ContextVar[Way] = ContextVar("way")
"""How LlamaIndex is being called: its mocks ask a function that is not told whether to stream."""


class City(BaseModel):
    """A city."""

    name: str
    people: int


class LlamaIndexHost:
    """Asks an SLSRouterLLM in every way that LlamaIndex has."""

    def __init__(self, engine: Engine, llms: Mapping[str, LLM], **settings: Any) -> None:
        self._counter = TokenCountingHandler(tokenizer=str.split)
        self._llm = SLSRouterLLM(engine, llms, **settings)
        self._llm.callback_manager = CallbackManager([self._counter])

    async def ask(self, way: Way, kind: Kind, question: str) -> Said:
        """One call."""
        WAY.set(way)
        self._counter.reset_counts()
        if way is Way.AGENT:
            agent = FunctionAgent(tools=[FunctionTool.from_defaults(look_up)], llm=self._llm)
            done = await agent.run(question)
            return Said(text=done.response.content or "")
        tools = {Kind.TOOLS: FunctionTool.from_defaults(look_up), Kind.STRUCTURED: _as_tool()}
        pieces = await self._pieces(way, _messages(kind, question), tools.get(kind))
        return self._said(pieces, kind)

    async def _pieces(
        self, way: Way, messages: list[ChatMessage], tool: FunctionTool | None
    ) -> list[ChatResponse]:
        """What comes out of one call: a response, or a stream's chunks."""
        llm = self._llm
        offered: dict[str, Any] = {}
        if tool is not None:
            offered = llm._prepare_chat_with_tools([tool], chat_history=messages)
            messages = offered.pop("messages")
            offered[FORM] = tool.metadata.name == City.__name__  # as structured_predict says
        if way is Way.STREAM:
            return list(llm.stream_chat(messages, **offered))
        if way is Way.ASTREAM:
            return [chunk async for chunk in await llm.astream_chat(messages, **offered)]
        if way is Way.INVOKE:
            return [llm.chat(messages, **offered)]
        return list(await asyncio.gather(llm.achat(messages, **offered)))

    def _said(self, pieces: Sequence[ChatResponse], kind: Kind) -> Said:
        said = pieces[-1]
        calls = self._llm.get_tool_calls_from_response(said, error_on_no_tool_call=False)
        usages = [usage for each in pieces if (usage := usage_of(each))]
        told = usages[-1].input_tokens + usages[-1].output_tokens if usages else 0
        message = said.message
        return Said(
            text=message.content or "",
            calls=tuple((each.tool_name, each.tool_kwargs) for each in calls),
            structured=City(**calls[0].tool_kwargs).model_dump()
            if kind is Kind.STRUCTURED
            else None,
            chunks=len(pieces),
            billed_tokens=told or self._counter.total_llm_token_count,
            facts=said.additional_kwargs["sls"],
            rest={
                "role": message.role.value,
                "blocks": [block.block_type for block in message.blocks],
                "kwargs": {k: v for k, v in message.additional_kwargs.items() if k != "tool_calls"},
            },
        )


def _as_tool() -> FunctionTool:
    """The tool by which LlamaIndex asks function-calling LLMs for an object."""
    tool = get_function_tool(City)
    assert isinstance(tool, FunctionTool)
    return tool


def _messages(kind: Kind, question: str) -> list[ChatMessage]:
    asked = [ChatMessage(question)]
    if kind is Kind.IMAGE:
        asked = [ChatMessage(blocks=[TextBlock(text=question), ImageBlock(image=PICTURE)])]
    if kind is Kind.MULTI_TURN:
        past = [ChatMessage("Do you know Italy?"), ChatMessage("A little.", role="assistant")]
        return [*past, *asked]
    if kind is Kind.SYSTEM:
        return [ChatMessage("Be brief.", role="system"), *asked]
    return asked


class _OverHTTP:
    """How the suites make the host: OpenAI-like LLMs over the real HTTP server."""

    @pytest.fixture
    async def llms(self, server: OpenAIServer) -> AsyncIterator[Mapping[str, LLM]]:
        with httpx.Client(timeout=0.3) as blocking:
            async with httpx.AsyncClient(timeout=0.3) as unblocking:
                yield self._made(server, blocking, unblocking)

    def _made(
        self, server: OpenAIServer, blocking: httpx.Client, unblocking: httpx.AsyncClient
    ) -> Mapping[str, LLM]:
        return {
            name: OpenAILike(
                model=name,
                api_base=server.url,
                api_key="none",
                is_chat_model=True,
                is_function_calling_model=True,
                max_retries=0,
                timeout=0.3,
                additional_kwargs={"stream_options": {"include_usage": True}},
                http_client=blocking,
                async_http_client=unblocking,
            )
            for name in NAMES
        }

    @pytest.fixture
    def host(self, engine: Engine, llms: Mapping[str, LLM]) -> Host:
        return LlamaIndexHost(engine, llms)

    @pytest.fixture
    def takeover_host(self, engine: Engine, llms: Mapping[str, LLM]) -> Host:
        return LlamaIndexHost(engine, llms, takeovers=1)


FAILURES: Mapping[Fault, Callable[[], Exception]] = {
    Fault.RATE_LIMITED: partial(RuntimeError, "429: too many requests"),
    Fault.SERVER_ERROR: partial(RuntimeError, "500: out of order"),
    Fault.HANG: partial(TimeoutError, "nothing came"),
    Fault.CUT: partial(ConnectionResetError, "gone"),
    Fault.QUIET_END: partial(EOFError, "too early"),
    Fault.WRONG_JSON: partial(json.JSONDecodeError, "no JSON", "{", 0),
    Fault.WRONG_SHAPE: partial(KeyError, "choices"),
}
"""What a mock raises in place of a fault on the wire."""


class Oracle:
    """What the server is over HTTP: hears what the mocks are asked, and tells what they say."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.default: Callable[[Heard], Reply] = obliging

    def asked(self, model: str) -> list[Heard]:
        """The requests to one model."""
        return [each for each in self.heard if each.model == model]

    def answer(self, model: str, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        """As LlamaIndex's mocks ask for it: a message, or a stream of them."""
        tools = [
            {"function": {"name": each.metadata.name, "parameters": _parameters(each)}}
            for each in kwargs.get("tools") or ()
        ]
        told = [{"role": each.role.value, "content": each.content} for each in messages]
        heard = Heard({"model": model, "messages": told, "tools": tools})
        self.heard.append(heard)
        reply, way = self.default(heard), WAY.get()
        if way is Way.STREAM:
            return _spoken(reply)
        if way in {Way.ASTREAM, Way.AGENT}:
            return _aspoken(reply)
        if reply.fault is not Fault.NONE:
            raise _failure(reply)
        return _message(reply.text, reply)


def _failure(reply: Reply) -> Exception:
    return FAILURES[reply.fault]()


def _parameters(tool: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = tool.metadata.get_parameters_dict()
    return found


def _message(text: str, reply: Reply) -> ChatMessage:
    calls = [
        ToolCallBlock(tool_call_id="call_1", tool_name=each.name, tool_kwargs=dict(each.arguments))
        for each in reply.calls
    ]
    words = [TextBlock(text=text)] if text else []
    return ChatMessage(role="assistant", blocks=[*words, *calls])


def _spoken(reply: Reply) -> Iterator[ChatMessage]:
    for place, word in enumerate(reply.words):
        if reply.fault is not Fault.NONE and place >= reply.after:
            raise _failure(reply)
        yield _message(word, reply)


async def _aspoken(reply: Reply) -> AsyncIterator[ChatMessage]:
    for message in _spoken(reply):
        yield message


class _OverMocks:
    """How the suites make the host: LlamaIndex's own mock LLMs, without a wire."""

    @pytest.fixture
    def server(self) -> Oracle:
        return Oracle()

    @pytest.fixture
    def llms(self, server: Oracle) -> Mapping[str, LLM]:
        return {
            name: MockFunctionCallingLLM(response_generator=partial(server.answer, name))
            for name in NAMES
        }

    @pytest.fixture
    def host(self, engine: Engine, llms: Mapping[str, LLM]) -> Host:
        return LlamaIndexHost(engine, llms)

    @pytest.fixture
    def takeover_host(self, engine: Engine, llms: Mapping[str, LLM]) -> Host:
        return LlamaIndexHost(engine, llms, takeovers=1)


agents_own = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NEVER_CACHED = frozenset({Kind.TOOLS})


@agents_own
class TestFaults(_OverHTTP, HostFaultContract):
    """Every fault in every way."""


@agents_own
class TestMocksFaults(_OverMocks, HostFaultContract):
    """Every fault in every way, over mocks."""


class TestReplays(_OverHTTP, HostReplayContract):
    """Every kind of question in every way."""

    never_cached = NEVER_CACHED


class TestMocksReplays(_OverMocks, HostReplayContract):
    """Every kind of question in every way, over mocks."""

    never_cached = NEVER_CACHED


class TestKeepingCalls(_OverHTTP, HostReplayContract):
    """Every kind of question, tool calls too, where these may be kept."""

    never_cached = frozenset()

    @pytest.fixture
    def host(self, engine: Engine, llms: Mapping[str, LLM]) -> Host:
        return LlamaIndexHost(engine, llms, cache_tool_calls=True)

    @agents_own
    async def test_an_agents_second_run_is_free(self, host: Host, server: OpenAIServer) -> None:
        """The call, and what is said of its result, come from the cache."""
        first = await host.ask(Way.AGENT, Kind.PLAIN, "How big is 'Rome'?")
        heard = len(server.heard)

        assert (await host.ask(Way.AGENT, Kind.PLAIN, "How big is 'Rome'?")).text == first.text
        assert len(server.heard) == heard
