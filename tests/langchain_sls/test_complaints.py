"""What LangChain's users complained of in routers and fallbacks, as tests of ours."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel

from langchain_sls import ChatSLS, SLSCache
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine

QUESTION = {"messages": [("user", "How big is 'Rome'?")]}


@tool
def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


class City(BaseModel):
    """A city."""

    name: str
    people: int


def test_agents_with_other_middleware_take_a_model_with_fallbacks(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """An agent with a summarizing middleware works over models that fall back (langchain #33129).

    A RunnableWithFallbacks is no chat model and was refused there.
    """
    small.error = ConnectionError("down")
    summarizing = SummarizationMiddleware(model=chat, trigger=("messages", 3), keep=("messages", 1))
    agent = create_agent(chat, tools=[look_up], middleware=[summarizing])

    done = agent.invoke(QUESTION)
    longer = agent.invoke({"messages": [*done["messages"], ("user", "And how big is 'Ulm'?")]})

    assert isinstance(chat, BaseChatModel)
    assert done["messages"][-1].text == "Large says so."
    assert longer["messages"][-1].text == "Large says so."


def test_tools_are_bound_on_models_with_fallbacks(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """`bind_tools` works on ours, and on what LangChain's with_fallbacks makes of it (#35170)."""
    small.error = ConnectionError("down")
    spare = ScriptedChatModel(model_name="spare")

    for model in (chat, chat.with_fallbacks([spare])):
        (call,) = model.bind_tools([look_up]).invoke("How big is 'Rome'?").tool_calls
        assert (call["name"], call["args"]) == ("look_up", {"city": "Rome"})
    large.error = ConnectionError("down")
    message = chat.with_fallbacks([spare]).bind_tools([look_up]).invoke("How big is 'Rome'?")
    assert message.tool_calls[0]["name"] == "look_up"


async def test_streams_are_answered_from_the_cache(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """What was answered before is streamed from the cache, in chains too (langchain #23701)."""
    chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{q}?")]) | chat
    asked = {"q": "What is the purpose of regularization"}

    first = "".join(chunk.text for chunk in chain.stream(asked))
    again = "".join([chunk.text async for chunk in chain.astream(asked)])

    assert first == again == "Small says so."
    assert len(small.heard) == 1


@pytest.mark.parametrize("road", ["chat", "cache"])
def test_another_question_is_not_answered_from_the_cache(
    chat: ChatSLS, engine: Engine, small: ScriptedChatModel, road: str
) -> None:
    """After a joke, "What to do when bored?" reaches the model (langchain #25161)."""
    small.reply = lambda messages: f"You asked: {messages[-1].text}"
    model: Any = chat if road == "chat" else small
    set_llm_cache(SLSCache(engine) if road == "cache" else None)
    try:
        said = [
            model.invoke(each).text
            for each in ("Tell me a joke", "What to do when bored?", "Tell me a joke")
        ]
    finally:
        set_llm_cache(None)

    assert said == [
        "You asked: Tell me a joke",
        "You asked: What to do when bored?",
        "You asked: Tell me a joke",
    ]
    assert len(small.heard) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_langgraphs_prebuilt_agent_takes_it(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """The prebuilt agent binds tools and asks for a structured response, and falls back.

    That is what the field's notes tell of langgraph #6069 (routers stop being models in agents);
    its own thread was not to be had.
    """
    small.error = ConnectionError("down")
    agent = create_react_agent(chat, tools=[look_up], response_format=City)

    done = agent.invoke(QUESTION)

    assert isinstance(done["structured_response"], City)
    assert any(isinstance(each, AIMessage) and each.tool_calls for each in done["messages"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_langgraphs_prebuilt_agent_takes_it_with_tools_bound(
    chat: ChatSLS, small: ScriptedChatModel
) -> None:
    """A model that brings its tools along is as good."""
    agent = create_react_agent(chat.bind_tools([look_up]), tools=[look_up])

    assert agent.invoke(QUESTION)["messages"][-1].text == "Small says so."


@pytest.mark.parametrize("road", ["chat", "cache"])
async def test_what_is_cached_is_served_whole(
    chat: ChatSLS, engine: Engine, small: ScriptedChatModel, road: str
) -> None:
    """A repeat from the cache has content, metadata and type of the first answer, in every way.

    It stands for langchain #24341, whose thread was not to be had: it is named among complaints of
    models that are no longer models behind a router, and of caches that answer wrongly.
    """
    model: Any = chat if road == "chat" else small
    set_llm_cache(SLSCache(engine) if road == "cache" else None)
    try:
        said = [model.invoke("What is a heap?"), await model.ainvoke("What is a heap?")]
        said += model.batch(["What is a heap?"])
        said += await model.abatch(["What is a heap?"])
    finally:
        set_llm_cache(None)

    assert len(small.heard) == 1
    assert {type(each) for each in said} == {AIMessage}
    first, *repeats = said
    assert all(each.id != first.id for each in repeats)
    for each in repeats:
        assert each.content == first.content
        ours = {"sls", "model_name"}
        told = {key: value for key, value in each.response_metadata.items() if key not in ours}
        assert told.items() <= first.response_metadata.items()
        assert each.usage_metadata["total_tokens"] == 0
