"""ChatSLS with tools and structured output."""

from __future__ import annotations

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Candidate
from sls_plugins.errors import NoCandidateLeft


@tool
def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


class City(BaseModel):
    """A city."""

    name: str
    people: int


def test_tools_are_bound_on_the_chosen_model(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """The chosen model gets the tools in its own format and its tool call comes back whole."""
    message = chat.bind_tools([look_up], tool_choice="look_up").invoke("How big is 'Rome'?")

    (call,) = message.tool_calls
    assert (call["name"], call["args"]) == ("look_up", {"city": "Rome"})
    assert small.heard[0]["scripted_tools"][0]["name"] == "look_up"
    assert small.heard[0]["scripted_choice"] == "look_up"
    assert "tools" not in small.heard[0]


def test_options_of_bind_tools_reach_the_model(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """What is said to `bind_tools` besides the tools is said to the chosen model's as well."""
    chat.bind_tools([look_up], strict=True).invoke("How big is 'Rome'?", temperature=0.1)

    assert small.heard[0]["strict"] is True
    assert small.heard[0]["temperature"] == 0.1


def test_tool_calls_are_streamed(chat: ChatSLS) -> None:
    """A streamed tool call adds up to the whole call."""
    chunks = list(chat.bind_tools([look_up]).stream("How big is 'Rome'?"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk

    assert isinstance(whole, AIMessage)
    assert whole.tool_calls[0]["args"] == {"city": "Rome"}


def test_next_model_binds_the_tools_anew(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """After a failure the next model is given the tools too."""
    small.error = RuntimeError("overloaded")

    message = chat.bind_tools([look_up]).invoke("How big is 'Rome'?")

    assert message.response_metadata["sls"]["candidate"] == "large"
    assert message.tool_calls[0]["name"] == "look_up"


def test_structured_output(chat: ChatSLS) -> None:
    """A schema comes back as an object of it."""
    city = chat.with_structured_output(City).invoke("Describe 'Rome'")

    assert city == City(name="Rome", people=3)


def test_candidates_without_tools_are_not_eligible(make_engine: object) -> None:
    """A candidate that was not declared to call tools is not asked to."""
    assert callable(make_engine)
    plain = Candidate(name="plain", input_usd_per_mtok=0.1, output_usd_per_mtok=0.1)
    chat = ChatSLS(make_engine((plain,)), models={"plain": ScriptedChatModel(model_name="plain")})

    with pytest.raises(NoCandidateLeft, match="tools"):
        chat.bind_tools([look_up]).invoke("How big is Rome?")


def test_models_that_cannot_bind_tools_are_not_asked(make_engine: object) -> None:
    """A declared capability does not help a model whose class cannot bind tools."""
    assert callable(make_engine)
    both = tuple(
        Candidate(
            name=name,
            input_usd_per_mtok=price,
            output_usd_per_mtok=price,
            capabilities=frozenset({"tools"}),
        )
        for name, price in (("mute", 0.1), ("able", 9.0))
    )
    models = {"mute": _Toolless(model_name="mute"), "able": ScriptedChatModel(model_name="able")}
    chat = ChatSLS(make_engine(both), models=models)

    message = chat.bind_tools([look_up]).invoke("How big is Rome?")

    assert message.response_metadata["sls"]["candidate"] == "able"
    assert message.response_metadata["sls"]["failures"] == {}


class _Toolless(ScriptedChatModel):
    """Cannot bind tools."""

    bind_tools = BaseChatModel.bind_tools
