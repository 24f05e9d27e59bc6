"""LangChain as a host: ChatSLS over real ChatOpenAI models, in the suites for all hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_sls import ChatSLS
from sls_plugins import Engine
from sls_plugins.testing.contracts.host import HostFaultContract, HostReplayContract
from sls_plugins.testing.hosts import Host, Kind, Said, Way, look_up
from sls_plugins.testing.openai import OpenAIServer

PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OURS = ("sls", "token_usage", "id", "request_id", "headers")


class City(BaseModel):
    """A city."""

    name: str
    people: int


class LangChainHost:
    """Asks a ChatSLS in every way that LangChain has; its connections are its own, to be closed."""

    def __init__(self, engine: Engine, server: OpenAIServer, **settings: Any) -> None:
        self._clients = httpx.Client(timeout=0.3), httpx.AsyncClient(timeout=0.3)
        models = {
            name: ChatOpenAI(
                model=name,
                base_url=server.url,
                api_key="none",
                max_retries=0,
                timeout=0.3,
                stream_usage=True,
                http_client=self._clients[0],
                http_async_client=self._clients[1],
            )
            for name in ("first", "second")
        }
        self._chat = ChatSLS(engine, models, **settings)

    async def close(self) -> None:
        """Let go of all connections."""
        self._clients[0].close()
        await self._clients[1].aclose()

    async def ask(self, way: Way, kind: Kind, question: str) -> Said:
        """One call."""
        messages = _messages(kind, question)
        if way is Way.AGENT:
            agent = create_agent(self._chat, tools=[tool(look_up)])
            done = await agent.ainvoke({"messages": messages})
            return _said(done["messages"][-1])
        if kind is Kind.STRUCTURED:
            model: Runnable[Any, Any] = self._chat.with_structured_output(City, include_raw=True)
        elif kind is Kind.TOOLS:
            model = self._chat.bind_tools([tool(look_up)])
        else:
            model = self._chat
        return _in_sum(await _pieces(model, way, messages))


async def _pieces(model: Runnable[Any, Any], way: Way, messages: list[BaseMessage]) -> list[Any]:
    """What comes out of one call; one piece, or a stream's chunks."""
    if way is Way.AINVOKE:
        return [await model.ainvoke(messages)]
    if way is Way.STREAM:
        return list(model.stream(messages))
    if way is Way.ASTREAM:
        return [chunk async for chunk in model.astream(messages)]
    return model.batch([messages]) if way is Way.BATCH else [model.invoke(messages)]


def _in_sum(pieces: Sequence[Any]) -> Said:
    """All pieces together: messages, or the parts of a structured answer."""
    if isinstance(pieces[0], Mapping):
        raws = [piece["raw"] for piece in pieces if piece.get("raw") is not None]
        parsed = [piece["parsed"] for piece in pieces if piece.get("parsed") is not None]
        return _said(_added(raws), parsed[-1].model_dump(), len(pieces))
    return _said(_added(pieces), None, len(pieces))


def _added(messages: Sequence[AIMessage]) -> AIMessage:
    whole = messages[0]
    for message in messages[1:]:
        assert isinstance(message, AIMessageChunk)
        whole = whole + message
    return whole


def _said(message: AIMessage, parsed: dict[str, Any] | None = None, chunks: int = 1) -> Said:
    usage = message.usage_metadata
    metadata = message.response_metadata
    return Said(
        text=message.text,
        calls=tuple((call["name"], call["args"]) for call in message.tool_calls),
        structured=parsed,
        chunks=chunks,
        billed_tokens=usage["total_tokens"] if usage else 0,
        message_id=message.id,
        facts=metadata["sls"],
        rest={
            "metadata": {key: value for key, value in metadata.items() if key not in OURS},
            "kwargs": message.additional_kwargs,
            "name": message.name,
            "content": message.content,
        },
    )


def _messages(kind: Kind, question: str) -> list[BaseMessage]:
    asked: list[dict[str, Any]] = [{"role": "user", "content": question}]
    if kind is Kind.IMAGE:
        picture = {"type": "image_url", "image_url": {"url": PICTURE}}
        asked = [{"role": "user", "content": [{"type": "text", "text": question}, picture]}]
    if kind is Kind.MULTI_TURN:
        asked = [
            {"role": "user", "content": "Do you know Italy?"},
            {"role": "assistant", "content": "A little."},
            *asked,
        ]
    if kind is Kind.SYSTEM:
        asked = [{"role": "system", "content": "Be brief."}, *asked]
    return list(asked)


class _LangChain:
    """How the suites make the host."""

    @pytest.fixture
    async def host(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[Host]:
        host = LangChainHost(engine, server)
        yield host
        await host.close()

    @pytest.fixture
    async def takeover_host(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[Host]:
        host = LangChainHost(engine, server, takeovers=1)
        yield host
        await host.close()


class TestFaults(_LangChain, HostFaultContract):
    """Every fault in every way."""


class TestReplays(_LangChain, HostReplayContract):
    """Every kind of question in every way."""


class TestKeepingCalls(_LangChain, HostReplayContract):
    """Every kind of question, tool calls too, where these may be kept."""

    never_cached = frozenset()

    @pytest.fixture
    async def host(self, engine: Engine, server: OpenAIServer) -> AsyncIterator[Host]:
        host = LangChainHost(engine, server, cache_tool_calls=True)
        yield host
        await host.close()

    async def test_an_agents_second_run_is_free(self, host: Host, server: OpenAIServer) -> None:
        """The call, and what is said of its result, come from the cache."""
        first = await host.ask(Way.AGENT, Kind.PLAIN, "How big is 'Rome'?")
        heard = len(server.heard)

        assert (await host.ask(Way.AGENT, Kind.PLAIN, "How big is 'Rome'?")).text == first.text
        assert len(server.heard) == heard
