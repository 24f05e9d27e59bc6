"""All that SLS can be used for in LangChain, in every way; docs/adapters.md has the table of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from langchain_sls import ChatSLS, SLSMiddleware, SLSRouter
from langchain_sls.testing import ScriptedChatModel

BLOCKING, ASYNC, STREAM, ASTREAM = "blocking", "async", "streaming", "async streaming"
QUESTION = "How big is 'Rome'?"
ASKED = {"messages": [("user", QUESTION)]}
PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{query}")])


class City(BaseModel):
    """A city."""

    name: str


@tool
def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


Ask = Callable[[ChatSLS], Awaitable[Any]]


@dataclass(frozen=True)
class Use:
    """One use: what for, in which way, what is asked, and whether a repeat is free."""

    name: str
    way: str
    ask: Ask
    repeats: str = "free"
    """What a repeat is: free, from the cache; or called afresh."""


def ways(
    name: str, made: Callable[[ChatSLS], Runnable[Any, Any]], given: Any, repeats: str = "free"
) -> list[Use]:
    """The four ways of calling a runnable."""

    async def invoke(chat: ChatSLS) -> Any:
        return made(chat).invoke(given)

    async def ainvoke(chat: ChatSLS) -> Any:
        return await made(chat).ainvoke(given)

    async def stream(chat: ChatSLS) -> Any:
        return list(made(chat).stream(given))

    async def astream(chat: ChatSLS) -> Any:
        return [chunk async for chunk in made(chat).astream(given)]

    asks = {BLOCKING: invoke, ASYNC: ainvoke, STREAM: stream, ASTREAM: astream}
    return [Use(name, way, ask, repeats) for way, ask in asks.items()]


async def batch(chat: ChatSLS) -> Any:
    return chat.batch([QUESTION])


async def abatch(chat: ChatSLS) -> Any:
    return await chat.abatch([QUESTION])


async def completed(chat: ChatSLS) -> Any:
    return list(chat.batch_as_completed([QUESTION]))


async def acompleted(chat: ChatSLS) -> Any:
    return [each async for each in chat.abatch_as_completed([QUESTION])]


async def events(chat: ChatSLS) -> Any:
    return [event async for event in chat.astream_events(QUESTION, version="v2")]


def itself(chat: ChatSLS) -> Runnable[Any, Any]:
    return chat


def structured(chat: ChatSLS) -> Runnable[Any, Any]:
    return chat.with_structured_output(City)


def bound(chat: ChatSLS) -> Runnable[Any, Any]:
    return chat.bind_tools([look_up])


def chained(chat: ChatSLS) -> Runnable[Any, Any]:
    return PROMPT | chat | StrOutputParser()


def safe(chat: ChatSLS) -> Runnable[Any, Any]:
    return chat.with_retry().with_fallbacks([ScriptedChatModel(model_name="last")])


def agent(chat: ChatSLS) -> Runnable[Any, Any]:
    return create_agent(chat, tools=[look_up])


def scheduled(chat: ChatSLS) -> Runnable[Any, Any]:
    middleware = SLSMiddleware(chat.engine, chat.models)
    return create_agent(chat.models["small"], tools=[look_up], middleware=[middleware])


def router(chat: ChatSLS) -> Runnable[Any, Any]:
    routes = {name: PROMPT | model | StrOutputParser() for name, model in chat.models.items()}
    return SLSRouter(chat.engine, routes)


def graph(chat: ChatSLS) -> Runnable[Any, Any]:
    def node(state: MessagesState) -> Any:
        return {"messages": [chat.invoke(state["messages"])]}

    made = StateGraph(MessagesState)
    made.add_node("answer", node)
    made.add_edge(START, "answer")
    made.add_edge("answer", END)
    return made.compile()


USES = [
    *ways("`invoke`, `stream`", itself, QUESTION),
    Use("`batch`", BLOCKING, batch),
    Use("`batch`", ASYNC, abatch),
    Use("`batch_as_completed`", BLOCKING, completed),
    Use("`batch_as_completed`", ASYNC, acompleted),
    Use("`astream_events`", ASTREAM, events),
    *ways("`with_structured_output`", structured, QUESTION),
    *ways("`bind_tools`", bound, QUESTION, "afresh"),
    *ways("`with_retry`, `with_fallbacks`", safe, QUESTION),
    *ways("in chains", chained, {"query": QUESTION}),
    *ways("as an agent's model", agent, ASKED, "afresh"),
    *ways("`SLSMiddleware` in an agent", scheduled, ASKED, "afresh"),
    *ways("`SLSRouter`", router, {"query": QUESTION}),
    *ways("in a node of LangGraph", graph, ASKED),
]


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.name}-{use.way}")
async def test_use(chat: ChatSLS, small: ScriptedChatModel, use: Use) -> None:
    """It works, with a fallback; a repeat is free or called afresh, as the table says."""
    assert await use.ask(chat)
    heard = len(small.heard)
    assert heard > 0

    assert await use.ask(chat)

    assert (len(small.heard) == heard) == (use.repeats == "free")


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.name}-{use.way}")
async def test_use_with_a_fallback(chat: ChatSLS, small: ScriptedChatModel, use: Use) -> None:
    """When the first model fails the next one answers, in every use."""
    small.error = ConnectionError("down")

    assert await use.ask(chat)

    large = chat.models["large"]
    assert isinstance(large, ScriptedChatModel)
    assert large.heard
