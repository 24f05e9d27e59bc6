"""SLSRouterLLM with tools: each LLM's own format, structured output, agents."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms import MockLLM
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM, Witness
from sls_plugins import Engine
from sls_plugins.errors import NoCandidateLeft


class City(BaseModel):
    """A city and its size."""

    name: str
    people: int


def weather(place: str) -> str:
    """Tell the weather at a place."""
    return f"sunny in {place}"


TOOL = FunctionTool.from_defaults(fn=weather)
QUESTION = "How is the weather in 'Goslar'?"


def facts(said: ChatResponse) -> dict[str, Any]:
    told: dict[str, Any] = said.additional_kwargs["sls"]
    return told


def calls(llm: SLSRouterLLM, said: ChatResponse) -> list[tuple[str, dict[str, Any]]]:
    told = llm.get_tool_calls_from_response(said)
    return [(each.tool_name, each.tool_kwargs) for each in told]


async def test_tools_every_way(llm: SLSRouterLLM) -> None:
    """All four methods hand the tools to the chosen LLM, whose calls can be read."""
    said = [
        llm.chat_with_tools([TOOL], QUESTION),
        await llm.achat_with_tools([TOOL], QUESTION),
        list(llm.stream_chat_with_tools([TOOL], QUESTION))[-1],
        [each async for each in await llm.astream_chat_with_tools([TOOL], QUESTION)][-1],
    ]

    assert [calls(llm, each) for each in said] == [[("weather", {"place": "Goslar"})]] * 4
    assert {facts(each)["source"] for each in said} == {"model"}


def test_fallback_prepares_tools_anew(
    llm: SLSRouterLLM, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """The LLM that takes over gets the tools in its own format, and its calls are read by it."""
    small.error = ConnectionError("gone")

    said = llm.chat_with_tools([TOOL], QUESTION)

    assert facts(said)["candidate"] == "large"
    assert "small_tools" in small.heard[0]
    assert "large_tools" in large.heard[0]
    assert "small_tools" not in large.heard[0]
    assert calls(llm, said) == [("weather", {"place": "Goslar"})]


def test_prepared_calls_may_be_made_in_any_order(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """What was prepared for one call never reaches another, whoever is chosen in between."""
    first = llm._prepare_chat_with_tools([TOOL], "Weather in 'Goslar'?", tool_required=True)
    second = llm._prepare_chat_with_tools([TOOL], "Weather in 'Seesen'?", model="large")

    late = llm.chat(**second)
    early = llm.chat(**first)

    assert (facts(late)["candidate"], facts(early)["candidate"]) == ("large", "small")
    assert calls(llm, late) == [("weather", {"place": "Seesen"})]
    assert calls(llm, early) == [("weather", {"place": "Goslar"})]
    assert small.heard[0]["tool_required"] is True


def test_only_who_takes_tools_is_asked(engine: Engine, large: ScriptedLLM) -> None:
    """An LLM that cannot call functions gets none, though its candidate claims it could."""
    llm = SLSRouterLLM(engine, {"small": MockLLM(), "large": large})
    assert facts(llm.chat_with_tools([TOOL], QUESTION))["candidate"] == "large"

    toolless = SLSRouterLLM(engine, {"small": MockLLM(), "large": MockLLM()})
    assert not toolless.metadata.is_function_calling_model
    with pytest.raises(NoCandidateLeft):
        toolless.chat_with_tools([TOOL], QUESTION)


def test_tool_calls_are_never_stored(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """A tool call is made anew each time, and so is the answer to a tool's result."""
    messages = [
        ChatMessage(QUESTION),
        ChatMessage(role=MessageRole.ASSISTANT, additional_kwargs={"tool_calls": []}),
        ChatMessage("sunny", role=MessageRole.TOOL, additional_kwargs={"tool_call_id": "1"}),
    ]
    for _ in range(2):
        llm.chat_with_tools([TOOL], QUESTION)
        assert llm.chat(messages).message.content == "Small says so."

    assert len(small.heard) == 4


def test_words_with_tools_at_hand_are_stored_for_these_tools(
    llm: SLSRouterLLM, engine: Engine
) -> None:
    """Which tools were offered is a wall of the cache."""
    other = FunctionTool.from_defaults(fn=weather, description="Tell tomorrow's weather.")
    words = ScriptedLLM(model_name="words")
    router = SLSRouterLLM(engine, {"small": _Wordy(model_name="small"), "large": words})

    sources = [
        facts(router.chat_with_tools(tools, QUESTION))["source"]
        for tools in ([TOOL], [TOOL], [other], [other])
    ]

    assert sources == ["model", "cache", "model", "cache"]


class _Wordy(ScriptedLLM):
    """Never calls a tool."""

    def _response(self, messages: Any, kwargs: Any) -> ChatResponse:
        return super()._response(messages, {})


def test_responses_of_others_are_read_in_llama_indexs_own_form(llm: SLSRouterLLM) -> None:
    """A response without a decision is read from its blocks, whole or half streamed."""
    blocks = [
        ToolCallBlock(tool_call_id="7", tool_name="weather", tool_kwargs='{"place": "Goslar", "da'),
        ToolCallBlock(tool_name="weather", tool_kwargs={"place": "Seesen"}),
    ]
    said = ChatResponse(message=ChatMessage(blocks, role=MessageRole.ASSISTANT))

    read = llm.get_tool_calls_from_response(said)

    assert [(each.tool_id, each.tool_kwargs) for each in read] == [
        ("7", {"place": "Goslar"}),
        ("", {"place": "Seesen"}),
    ]
    empty = ChatResponse(message=ChatMessage("no call"))
    assert llm.get_tool_calls_from_response(empty, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="no call"):
        llm.get_tool_calls_from_response(empty)


async def test_structured_prediction(llm: SLSRouterLLM) -> None:
    """Structured output works, blocking and not, whole and streamed."""
    prompt = PromptTemplate("Tell me about '{name}'.")

    assert llm.structured_predict(City, prompt, name="Goslar") == City(name="Goslar", people=3)
    assert await llm.astructured_predict(City, prompt, name="Seesen") == City(
        name="Seesen", people=3
    )
    streamed = list(llm.stream_structured_predict(City, prompt, name="Clausthal"))
    assert City.model_validate(streamed[-1].model_dump()) == City(name="Clausthal", people=3)
    astreamed = [
        each async for each in await llm.astream_structured_predict(City, prompt, name="Vienenburg")
    ]
    assert City.model_validate(astreamed[-1].model_dump()) == City(name="Vienenburg", people=3)


async def test_structured_llm(llm: SLSRouterLLM) -> None:
    """`as_structured_llm` gives objects as raw responses."""
    structured = llm.as_structured_llm(City)

    assert structured.chat([ChatMessage("About 'Goslar'")]).raw == City(name="Goslar", people=3)
    said = await structured.acomplete("About 'Seesen'")
    assert said.raw == City(name="Seesen", people=3)


def test_predict_and_call(llm: SLSRouterLLM) -> None:
    """The tool is called with what the chosen LLM said."""
    assert llm.predict_and_call([TOOL], QUESTION).response == "sunny in Goslar"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # workflows' own
@pytest.mark.parametrize("streaming", [True, False])
async def test_agent(llm: SLSRouterLLM, witness: Witness, *, streaming: bool) -> None:
    """A function agent calls a tool and answers; every step is a decision of its own."""
    agent = FunctionAgent(tools=[TOOL], llm=llm, streaming=streaming)

    result = await agent.run(QUESTION)

    assert str(result) == "Small says so."
    assert [str(each.tool_output) for each in result.tool_calls] == ["sunny in Goslar"]
    assert witness.names().count("SLSDecisionEvent") == 2
