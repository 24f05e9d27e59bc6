"""SLSMiddleware: the model of each turn of an agent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, wrap_model_call
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt
from pydantic import BaseModel

from langchain_sls import SLSMiddleware
from langchain_sls.messages import Labels
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Candidate, Engine
from sls_plugins.errors import NoCandidateLeft, UnknownCandidateError
from sls_plugins.types import OutcomeKind

QUESTION = {"messages": [{"role": "user", "content": "How big is 'Rome'?"}]}


@tool
def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


class City(BaseModel):
    """A city."""

    name: str
    people: int


@pytest.fixture
def models(small: ScriptedChatModel, large: ScriptedChatModel) -> dict[str, ScriptedChatModel]:
    """Both models by name."""
    return {"small": small, "large": large}


@pytest.fixture
def unused() -> ScriptedChatModel:
    """The agent's own model, which must not be asked."""
    return ScriptedChatModel(model_name="unused", error=AssertionError("was asked"))


def facts(done: dict[str, Any]) -> list[dict[str, Any]]:
    """What each message of a model tells of its decision."""
    said = [each for each in done["messages"] if isinstance(each, AIMessage)]
    return [each.response_metadata["sls"] for each in said]


def test_each_turn_is_scheduled(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """An agent calls its tool and speaks; both turns are decisions, logged and paid for."""
    agent = create_agent(unused, tools=[look_up], middleware=[SLSMiddleware(engine, models)])

    done = agent.invoke(QUESTION)

    assert done["messages"][-1].text == "Small says so."
    assert [each["candidate"] for each in facts(done)] == ["small", "small"]
    assert len({each["decision_id"] for each in facts(done)}) == 2
    assert [line.kind for line in engine.parts.log.after(0, 9)] == [OutcomeKind.ANSWERED] * 2


async def test_async_agents_are_scheduled_alike(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """The async hook does the same, with a fallback."""
    models["small"].error = ConnectionError("refused")
    agent = create_agent(unused, tools=[look_up], middleware=[SLSMiddleware(engine, models)])

    done = await agent.ainvoke(QUESTION)

    assert done["messages"][-1].text == "Large says so."
    assert set(facts(done)[0]["failures"]) == {"small"}


def test_a_failing_model_is_replaced(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """The next model takes the turn; when none is left the error tells every cause."""
    agent = create_agent(unused, tools=[look_up], middleware=[SLSMiddleware(engine, models)])
    models["small"].error = ConnectionError("refused")

    assert facts(agent.invoke(QUESTION))[0]["candidate"] == "large"
    models["large"].error = TimeoutError("slow")
    with pytest.raises(NoCandidateLeft) as caught:
        agent.invoke(QUESTION)
    assert set(caught.value.causes) == {"small", "large"}


def test_words_are_cached_and_tool_calls_are_not(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """A question without tools is answered from the cache the second time; a tool turn never."""
    plain = create_agent(unused, middleware=[SLSMiddleware(engine, models)])
    handy = create_agent(unused, tools=[look_up], middleware=[SLSMiddleware(engine, models)])

    first, again = plain.invoke(QUESTION), plain.invoke(QUESTION)
    handy.invoke(QUESTION)
    tools = handy.invoke(QUESTION)

    assert [each["source"] for each in facts(again)] == ["cache"]
    assert again["messages"][-1].text == first["messages"][-1].text
    assert again["messages"][-1].usage_metadata["total_tokens"] == 0
    assert [each["source"] for each in facts(tools)] == ["model", "model"]


def test_tool_calls_are_cached_on_demand(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """Who opts in gets calls and answers to results from the cache; calls have new ids."""
    middleware = SLSMiddleware(engine, models, cache_tool_calls=True)
    agent = create_agent(unused, tools=[look_up], middleware=[middleware])

    first, again = agent.invoke(QUESTION), agent.invoke(QUESTION)

    assert [each["source"] for each in facts(again)] == ["cache", "cache"]
    assert again["messages"][-1].text == first["messages"][-1].text
    called = [done["messages"][1].tool_calls[0] for done in (first, again)]
    assert called[0]["args"] == called[1]["args"]
    assert called[0]["id"] != called[1]["id"]


def test_tenants_share_nothing(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """Labels of the middleware are walls."""
    for who in ("a", "b"):
        middleware = SLSMiddleware(engine, models, labels=Labels(tenant=who))
        done = create_agent(unused, middleware=[middleware]).invoke(QUESTION)
        assert [each["source"] for each in facts(done)] == ["model"]


def test_a_warm_prompt_cache_is_reckoned_with(make_engine: Any, unused: ScriptedChatModel) -> None:
    """Two models of nearly the same price: whoever has the conversation in its cache goes on."""
    twins = [
        Candidate(
            name=name,
            input_usd_per_mtok=price,
            output_usd_per_mtok=1.0,
            cached_input_usd_per_mtok=0.1,
            capabilities=frozenset({"tools"}),
        )
        for name, price in (("small", 1.0), ("large", 1.001))
    ]
    engine = make_engine(tuple(twins))
    models = {each.name: ScriptedChatModel(model_name=each.name) for each in twins}
    agent = create_agent(unused, tools=[look_up], middleware=[SLSMiddleware(engine, models)])
    models["small"].error = ConnectionError("down for a moment")
    done = agent.invoke({"messages": [("user", "word " * 300 + "'Rome'?")]})
    models["small"].error = None
    assert facts(done)[-1]["candidate"] == "large"

    goes_on = agent.invoke({"messages": [*done["messages"], ("user", "And 'Ulm'?")]})

    assert [each["candidate"] for each in facts(goes_on)[-2:]] == ["large", "large"]


def test_sticking_for_a_run(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """With stick="run" the model of a run's first turn keeps the run, unless it fails."""
    sticky = SLSMiddleware(engine, models, stick="run")
    failing = {"error": ConnectionError("down")}

    @wrap_model_call
    def recovers(request: Any, handler: Any) -> Any:
        models["small"].error = failing.pop("error", None)
        return handler(request)

    agent = create_agent(unused, tools=[look_up], middleware=[recovers, sticky])
    done = agent.invoke(QUESTION)
    assert [each["candidate"] for each in facts(done)] == ["large", "large"]

    @wrap_model_call
    def breaks(request: Any, handler: Any) -> Any:
        is_second = len(request.messages) > 1
        models["small"].error = ConnectionError("down") if is_second else None
        return handler(request)

    agent = create_agent(unused, tools=[look_up], middleware=[breaks, sticky])
    done = agent.invoke({"messages": [("user", "How big is 'Ulm'?")]})
    assert [each["candidate"] for each in facts(done)] == ["small", "large"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_structured_responses_fall_back_once(
    engine: Engine,
    models: dict[str, ScriptedChatModel],
    unused: ScriptedChatModel,
    *,
    is_async: bool,
) -> None:
    """A response that breaks the schema counts as quality 0; the next model gets it right."""
    models["small"].arguments = {"name": "Rome", "people": "many"}
    agent = create_agent(
        unused,
        middleware=[SLSMiddleware(engine, models)],
        response_format=ToolStrategy(City, handle_errors=False),
    )

    done = await agent.ainvoke(QUESTION) if is_async else agent.invoke(QUESTION)

    assert done["structured_response"] == City(name="Rome", people=3)
    lines = engine.parts.log.after(0, 9)
    assert [(line.candidate, line.quality) for line in lines] == [("small", 0.0), ("large", None)]


def test_a_schema_that_nobody_keeps_is_the_hosts_error(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """When the second answer is wrong, too, LangChain's own error comes through."""
    for model in models.values():
        model.arguments = {"name": "Rome", "people": "many"}
    agent = create_agent(
        unused,
        middleware=[SLSMiddleware(engine, models)],
        response_format=ToolStrategy(City, handle_errors=False),
    )

    with pytest.raises(Exception, match="people"):
        agent.invoke(QUESTION)

    assert [line.quality for line in engine.parts.log.after(0, 9)] == [0.0, 0.0]


def test_interrupts_pass_through(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """LangGraph's interrupts inside a model call are nobody's failure; nothing stays held."""

    @wrap_model_call
    def asks(request: Any, handler: Any) -> Any:
        interrupt("may I?")
        return handler(request)

    agent = create_agent(
        unused, middleware=[SLSMiddleware(engine, models), asks], checkpointer=InMemorySaver()
    )

    done = agent.invoke(QUESTION, {"configurable": {"thread_id": "1"}})

    assert done["__interrupt__"][0].value == "may I?"
    assert engine.parts.log.after(0, 9) == []


def test_it_sits_beside_langchains_own(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """Other middleware works around it, whichever comes first."""
    for place in (0, 1):
        chain: list[Any] = [ModelCallLimitMiddleware(run_limit=5)]
        chain.insert(place, SLSMiddleware(engine, models))
        done = create_agent(unused, tools=[look_up], middleware=chain).invoke(QUESTION)
        assert done["messages"][-1].text == "Small says so."


def test_other_providers_cache_marks_are_taken_out(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """Marks for Anthropic's and OpenAI's prompt caches reach no model that does not know them."""

    @wrap_model_call
    def marks(request: Any, handler: Any) -> Any:
        settings = {"cache_control": {"type": "ephemeral"}, "prompt_cache_key": "k", "top_k": 3}
        return handler(request.override(model_settings=settings))

    marked = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    agent = create_agent(unused, middleware=[marks, SLSMiddleware(engine, models)])

    agent.invoke({"messages": [{"role": "user", "content": [marked]}]})

    heard = models["small"].heard[0]
    assert "cache_control" not in heard
    assert "prompt_cache_key" not in heard
    assert heard["top_k"] == 3
    assert heard["messages"][0].content == [{"type": "text", "text": "Hello"}]


def test_names_must_match(engine: Engine, small: ScriptedChatModel) -> None:
    """A model without a candidate, or a candidate without a model, is told at the start."""
    with pytest.raises(UnknownCandidateError, match="large"):
        SLSMiddleware(engine, {"small": small})


def test_usage_of_the_turns_is_the_models_own(
    engine: Engine, models: dict[str, ScriptedChatModel], unused: ScriptedChatModel
) -> None:
    """Tokens are told as the chosen model tells them."""
    agent = create_agent(unused, middleware=[SLSMiddleware(engine, models)])

    used = agent.invoke(QUESTION)["messages"][-1].usage_metadata

    assert used == UsageMetadata(input_tokens=4, output_tokens=3, total_tokens=7)
