"""ChatSLS as a good citizen of LangChain: chains, configurable fields, tracing, copies."""

from __future__ import annotations

import json

import pytest
from langchain_core.load import dumps
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine

QUESTION = "How high is the Brocken?"


def test_chat_is_part_of_chains(chat: ChatSLS) -> None:
    """A prompt before it and a parser behind it, blocking and streaming."""
    chain = ChatPromptTemplate.from_messages([("human", "{q}?")]) | chat | StrOutputParser()

    assert chain.invoke({"q": "How high"}) == "Small says so."
    assert "".join(chain.stream({"q": "How deep"})) == "Small says so."


def test_fields_are_configurable(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A field that was made configurable takes the config's value; the engine stays the same."""
    flexible = chat.configurable_fields(tenant=ConfigurableField(id="who"))

    for who in ("a", "b", "a"):
        flexible.invoke(QUESTION, {"configurable": {"who": who}})

    assert len(small.heard) == 2


def test_trace_shows_one_model_run(chat: ChatSLS) -> None:
    """The trace has one run of one chat model, which says what stands behind it."""
    collector = RunCollectorCallbackHandler()

    chat.invoke(QUESTION, {"callbacks": [collector]})

    (run,) = collector.traced_runs
    assert run.run_type == "llm"
    assert run.child_runs == []
    assert run.extra["invocation_params"]["models"] == ["large", "small"]
    assert run.extra["metadata"]["ls_provider"] == "sls"


def test_serialised_form_tells_no_secrets(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Neither engine nor inner models get into what LangChain writes down of a model."""
    secretive = small.model_copy(update={"reply": "hunter2"})
    chat = ChatSLS(engine, models={"small": secretive, "large": large})

    written = dumps(chat) + repr(chat) + json.dumps(chat.model_dump(), default=str)

    assert "hunter2" not in written
    assert "ScriptedChatModel" not in written


def test_two_chats_share_an_engine(
    engine: Engine, chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """What one chat model was told, another one on the same engine need not ask."""
    chat.invoke(QUESTION)
    other = ChatSLS(engine, models={"small": small, "large": large})

    assert other.invoke(QUESTION).response_metadata["sls"]["source"] == "cache"


@pytest.mark.parametrize("setting", ["temperature", "max_tokens"])
def test_constructor_settings_are_scope(
    engine: Engine, chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel, setting: str
) -> None:
    """A chat model with another temperature or limit has answers of its own."""
    chat.invoke(QUESTION)
    other = ChatSLS(engine, models={"small": small, "large": large}, **{setting: 1})

    assert other.invoke(QUESTION).response_metadata["sls"]["source"] == "model"
