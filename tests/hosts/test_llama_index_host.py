"""LlamaIndex as a host: SLSRouterLLM over its OpenAI-like LLM, in the suites for all hosts."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from llama_index_sls import SLSRouterLLM
from llama_index_sls.usage import usage_of
from sls_plugins import Engine
from sls_plugins.testing.contracts.host import HostFaultContract, HostReplayContract
from sls_plugins.testing.hosts import Host, Kind, Said, Way, look_up
from sls_plugins.testing.openai import OpenAIServer

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class City(BaseModel):
    """A city."""

    name: str
    people: int


class LlamaIndexHost:
    """Asks an SLSRouterLLM in every way that LlamaIndex has; its connections are its own."""

    def __init__(self, engine: Engine, server: OpenAIServer, **settings: Any) -> None:
        self._clients = httpx.Client(timeout=0.3), httpx.AsyncClient(timeout=0.3)
        llms = {
            name: OpenAILike(
                model=name,
                api_base=server.url,
                api_key="none",
                is_chat_model=True,
                is_function_calling_model=True,
                max_retries=0,
                timeout=0.3,
                additional_kwargs={"stream_options": {"include_usage": True}},
                http_client=self._clients[0],
                async_http_client=self._clients[1],
            )
            for name in ("first", "second")
        }
        self._llm = SLSRouterLLM(engine, llms, **settings)

    async def close(self) -> None:
        """Let go of all connections."""
        self._clients[0].close()
        await self._clients[1].aclose()

    async def ask(self, way: Way, kind: Kind, question: str) -> Said:
        """One call."""
        messages = _messages(kind, question)
        if way is Way.AGENT:
            agent = FunctionAgent(tools=[FunctionTool.from_defaults(look_up)], llm=self._llm)
            done = await agent.run(question)
            return Said(text=done.response.content or "")
        tools = {Kind.TOOLS: FunctionTool.from_defaults(look_up), Kind.STRUCTURED: _as_tool()}
        tool = tools.get(kind)
        pieces = await self._pieces(way, messages, tool)
        said = pieces[-1]
        calls = self._llm.get_tool_calls_from_response(said, error_on_no_tool_call=False)
        structured = None
        if kind is Kind.STRUCTURED:
            structured = City(**calls[0].tool_kwargs).model_dump()
            calls = []
        return _said(
            said, [(each.tool_name, each.tool_kwargs) for each in calls], structured, pieces
        )

    async def _pieces(
        self, way: Way, messages: list[ChatMessage], tool: FunctionTool | None
    ) -> list[ChatResponse]:
        """What comes out of one call: a response, or a stream's chunks."""
        llm = self._llm
        offered: dict[str, Any] = {}
        if tool is not None:
            offered = llm._prepare_chat_with_tools([tool], chat_history=messages)
            messages = offered.pop("messages")
        if way is Way.STREAM:
            return list(llm.stream_chat(messages, **offered))
        if way is Way.ASTREAM:
            return [chunk async for chunk in await llm.astream_chat(messages, **offered)]
        if way is Way.INVOKE:
            return [llm.chat(messages, **offered)]
        return list(await asyncio.gather(llm.achat(messages, **offered)))


def _as_tool() -> FunctionTool:
    """The tool by which LlamaIndex asks function-calling LLMs for an object."""
    tool = get_function_tool(City)
    assert isinstance(tool, FunctionTool)
    return tool


def _said(
    said: ChatResponse,
    calls: list[tuple[str, Any]],
    structured: dict[str, Any] | None,
    pieces: list[ChatResponse],
) -> Said:
    usages = [usage for each in pieces if (usage := usage_of(each))]
    kwargs = said.message.additional_kwargs
    return Said(
        text=said.message.content or "",
        calls=tuple(calls),
        structured=structured,
        chunks=len(pieces),
        billed_tokens=usages[-1].input_tokens + usages[-1].output_tokens if usages else 0,
        facts=said.additional_kwargs["sls"],
        rest={
            "role": said.message.role.value,
            "blocks": [block.block_type for block in said.message.blocks],
            "kwargs": {key: value for key, value in kwargs.items() if key != "tool_calls"},
        },
    )


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


class _LlamaIndex:
    """How the suites make the host."""

    @pytest.fixture
    async def host(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[Host]:
        host = LlamaIndexHost(engine, server)
        yield host
        await host.close()

    @pytest.fixture
    async def takeover_host(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[Host]:
        host = LlamaIndexHost(engine, server, takeovers=1)
        yield host
        await host.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the agents' own
class TestFaults(_LlamaIndex, HostFaultContract):
    """Every fault in every way."""


class TestReplays(_LlamaIndex, HostReplayContract):
    """Every kind of question in every way."""

    never_cached = frozenset({Kind.TOOLS, Kind.STRUCTURED})
