"""SLSRouter: whole chains as candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langgraph.graph import END, START, StateGraph

from langchain_sls import SLSRouter
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.errors import InvalidQueryError, NoCandidateLeft, UnknownCandidateError

MakeRouter = Callable[..., SLSRouter]
QUESTION = "How high is the Brocken?"


@pytest.fixture
def chains(small: ScriptedChatModel, large: ScriptedChatModel) -> dict[str, Runnable[Any, Any]]:
    """Two chains from a text to a text."""
    prompt = ChatPromptTemplate.from_messages([("system", "Be kind."), ("human", "{input}")])
    return {
        "small": prompt | small | StrOutputParser(),
        "large": prompt | large | StrOutputParser(),
    }


@pytest.fixture
def router(engine: Engine, chains: dict[str, Runnable[Any, Any]]) -> SLSRouter:
    """The router under test; it keeps what it was told about its decisions."""
    return SLSRouter(engine, routes=chains)


def test_text_is_routed_to_a_chain(engine: Engine, chains: dict[str, Runnable[Any, Any]]) -> None:
    """A text goes through a whole chain; the chain's tokens and cost are known."""
    told: list[Mapping[str, Any]] = []
    router = SLSRouter(engine, routes=chains, on_decision=told.append)

    assert router.invoke(QUESTION) == "Small says so."
    assert router.invoke(QUESTION) == "Small says so."

    first, again = told
    assert (first["source"], again["source"]) == ("model", "cache")
    assert first["cost_usd"] == pytest.approx((7 * 0.1 + 3 * 0.4) / 1e6)
    engine.feedback(first["decision_id"], 1.0)


def test_message_tells_its_decision(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """A route that ends in a chat model gives a message which tells the decision, cached or not."""
    router = SLSRouter(engine, routes={"small": small, "large": large})

    first, again = router.invoke([HumanMessage(QUESTION)]), router.invoke(QUESTION)

    assert isinstance(first, AIMessage)
    assert isinstance(again, AIMessage)
    assert first.response_metadata["sls"]["source"] == "model"
    assert again.response_metadata["sls"]["source"] == "cache"
    assert again.text == first.text


def test_failing_route_is_replaced(router: SLSRouter, small: ScriptedChatModel) -> None:
    """The next route answers when one fails, in streams as well."""
    small.error = RuntimeError("overloaded")

    assert router.invoke(QUESTION) == "Large says so."
    assert "".join(router.stream("Another thing?")) == "Large says so."


async def test_async_roads(router: SLSRouter, small: ScriptedChatModel) -> None:
    """Awaiting and async streaming give the same."""
    assert await router.ainvoke(QUESTION) == "Small says so."
    small.error = RuntimeError("overloaded")
    said = [chunk async for chunk in router.astream("Something else?")]
    assert "".join(said) == "Large says so."
    assert len(said) > 1
    assert await router.abatch(["What about a?", "Where is the b?"]) == ["Large says so."] * 2


def test_all_routes_failing_tells_every_cause(
    router: SLSRouter, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """When no route is left the error carries every cause."""
    small.error, large.error = RuntimeError("overloaded"), TimeoutError("slow")

    with pytest.raises(NoCandidateLeft) as caught:
        router.invoke(QUESTION)

    assert caught.value.causes["large"].__cause__ is large.error  # type: ignore[union-attr]


def test_stream_is_cached(router: SLSRouter, small: ScriptedChatModel) -> None:
    """A streamed output is found again."""
    first = list(router.stream(QUESTION))

    assert len(first) > 1
    assert list(router.stream(QUESTION)) == ["Small says so."]
    assert len(small.heard) == 1


def test_mapping_is_asked_by_its_key(engine: Engine) -> None:
    """What stands under the key is asked; what stands beside it is scope."""
    seen: list[Any] = []
    echo = RunnableLambda(lambda given: seen.append(given) or f"re: {given['q']}")
    router = SLSRouter(engine, routes={"small": echo, "large": echo}, query="q")

    for given in ({"q": QUESTION, "k": 1}, {"q": QUESTION, "k": 2}, {"q": QUESTION, "k": 1}):
        assert router.invoke(given) == f"re: {QUESTION}"
    with pytest.raises(InvalidQueryError, match="'q'"):
        router.invoke({"question": QUESTION})

    assert [given["k"] for given in seen] == [1, 2]


def test_history_beside_the_query_is_scope(engine: Engine) -> None:
    """Messages among the other keys are compared by what they say."""
    echo = RunnableLambda(lambda given: f"re: {len(given['history'])}")
    router = SLSRouter(engine, routes={"small": echo, "large": echo})
    long = {"query": QUESTION, "history": [HumanMessage("Hi"), AIMessage("Hello")]}

    assert router.invoke({"query": QUESTION, "history": []}) == "re: 0"
    assert router.invoke(long) == "re: 2"


def test_function_finds_the_query(engine: Engine) -> None:
    """Any input can be asked about when a function finds the words in it."""
    length = RunnableLambda(lambda given: {"words": len(given[1].split())})
    router = SLSRouter(
        engine, routes={"small": length, "large": length}, query=lambda given: given[1]
    )

    assert router.invoke((7, QUESTION)) == {"words": 5}
    with pytest.raises(InvalidQueryError, match="int"):
        SLSRouter(engine, routes={"small": length, "large": length}).invoke(7)


def test_tenants_do_not_share(router: SLSRouter, small: ScriptedChatModel) -> None:
    """The tenant of the config is a wall."""
    for tenant in ("a", "b", "a"):
        router.invoke(QUESTION, {"configurable": {"sls_tenant": tenant}})

    assert len(small.heard) == 2


def test_cache_can_be_off(engine: Engine, small: ScriptedChatModel) -> None:
    """Routes that do something are run each time."""
    router = SLSRouter(engine, routes={"small": small, "large": small}, cache=False)

    router.batch([QUESTION, QUESTION])

    assert len(small.heard) == 2


def test_route_is_traced_below_the_router(router: SLSRouter) -> None:
    """The trace shows the router with the chosen chain as its child, labelled by the route."""
    collector = RunCollectorCallbackHandler()

    router.invoke(QUESTION, {"callbacks": [collector]})

    (run,) = collector.traced_runs
    (child,) = run.child_runs
    assert run.name == "SLSRouter"
    assert child.tags is not None
    assert "route:small" in child.tags
    assert child.extra["metadata"]["sls_route"] == "small"
    assert {grandchild.run_type for grandchild in child.child_runs} >= {"prompt", "llm"}


def test_router_is_part_of_chains(router: SLSRouter) -> None:
    """A router composes with other runnables."""
    shout = router | RunnableLambda(str.upper)

    assert shout.invoke(QUESTION) == "SMALL SAYS SO."


def test_names_must_match(engine: Engine, small: ScriptedChatModel) -> None:
    """A route without a candidate and a candidate without a route are named."""
    with pytest.raises(UnknownCandidateError, match="'huge'"):
        SLSRouter(engine, routes={"small": small, "large": small, "huge": small})
    with pytest.raises(UnknownCandidateError, match="'large'"):
        SLSRouter(engine, routes={"small": small})


async def test_streamed_message_tells_its_decision(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """A route that streams messages tells the decision on the first and the cost on the last."""
    router = SLSRouter(engine, routes={"small": small, "large": large})

    fresh = list(router.stream(QUESTION))
    stored = list(router.stream(QUESTION))
    awaited = [chunk async for chunk in router.astream("And the Zugspitze?")]

    for chunks, source in ((fresh, "model"), (stored, "cache"), (awaited, "model")):
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        told = whole.response_metadata["sls"]
        assert whole.text == "Small says so."
        assert chunks[0].response_metadata["sls"]["decision_id"]
        assert (told["source"], told["candidate"]) == (source, "small")
        assert (told["cost_usd"] > 0) == (source == "model")
        assert (told["predicted_quality"] is None) == (source == "cache")


class State(TypedDict, total=False):
    """What a graph hands on."""

    query: str
    reply: str


def test_it_is_a_node_of_a_graph_by_itself(engine: Engine) -> None:
    """Routes that give updates of a graph's state make the router a node: no command is needed."""

    def route(name: str) -> Runnable[Any, Any]:
        return RunnableLambda(lambda state: {"reply": f"{name} on {state['query']}"})

    graph = StateGraph(State)
    graph.add_node("answer", SLSRouter(engine, {"small": route("small"), "large": route("large")}))
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)

    done = graph.compile().invoke({"query": "tides"})

    assert done == {"query": "tides", "reply": "small on tides"}
    assert len(engine.parts.log.after(0, 9)) == 1
