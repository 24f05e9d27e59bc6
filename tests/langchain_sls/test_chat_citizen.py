"""ChatSLS in every hand that LangChain has for a chat model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd, load
from langchain_core.runnables import ConfigurableField
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_openai import ChatOpenAI

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.errors import NoCandidateLeft

QUESTION = "How high is the Brocken?"


class Tokens(BaseCallbackHandler):
    """Keeps every token it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self.heard.append(token)


def test_with_retry_tries_again(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """When every model has failed, LangChain's retry asks anew."""
    small.error = large.error = ConnectionError("down")
    patient = chat.with_retry(
        retry_if_exception_type=(NoCandidateLeft,),
        stop_after_attempt=2,
        exponential_jitter_params={"max": 0.001, "jitter": 0.0},
    )

    with pytest.raises(NoCandidateLeft):
        patient.invoke(QUESTION)

    assert len({line.decision_id for line in chat.engine.parts.log.after(0, 99)}) == 2


def test_with_fallbacks_falls_back(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """LangChain's own fallback stands behind ours; tools can still be bound to both."""
    small.error = large.error = ConnectionError("down")
    last = ScriptedChatModel(model_name="last", reply="Here I am.")
    safe = chat.with_fallbacks([last])

    assert safe.invoke(QUESTION).text == "Here I am."
    assert "".join(chunk.text for chunk in safe.stream(QUESTION)) == "Here I am."


async def test_batches_in_every_order(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """Batches keep their order, or tell their place when they come as completed."""
    small.reply = lambda messages: f"On {messages[-1].text}"
    asked = [f"question {number}?" for number in range(6)]
    wanted = [f"On {each}" for each in asked]

    whole = await chat.abatch(asked)
    completed = {place: message.text for place, message in chat.batch_as_completed(asked)}
    acompleted = {place: each.text async for place, each in chat.abatch_as_completed(asked)}

    assert [each.text for each in whole] == wanted
    for found in (completed, acompleted):
        assert [found[place] for place in range(6)] == wanted


def test_a_batch_may_keep_its_errors(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """With return_exceptions an error stands in its place."""
    small.error = large.error = ConnectionError("down")

    found = chat.batch([QUESTION, "Why?"], return_exceptions=True)

    assert [type(each) for each in found] == [NoCandidateLeft, NoCandidateLeft]


@pytest.mark.filterwarnings("ignore:astream_events version='v1'")
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_events_show_one_run(chat: ChatSLS, version: Any) -> None:
    """LangChain's events show one chat model's run from start to end, each word once."""
    events = [event async for event in chat.astream_events(QUESTION, version=version)]

    kinds = [event["event"] for event in events]
    assert kinds.count("on_chat_model_start") == kinds.count("on_chat_model_end") == 1
    words = [
        event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"
    ]
    assert "".join(words) == "Small says so."


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_handlers_hear_what_callers_see(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """In a stream that is taken over handlers hear each word once, in every kind of stream."""
    small.error, small.error_after = ConnectionError("lost"), 1
    chat = chat.model_copy(update={"takeovers": 1})
    chat.models["large"].reply = "Small says so, too."  # type: ignore[attr-defined]
    tokens = [Tokens() for _ in range(3)]

    list(chat.stream(QUESTION, {"callbacks": [tokens[0]]}))
    async for _ in chat.astream("And why?", {"callbacks": [tokens[1]]}):
        pass
    typed = chat.stream_events("And when?", {"callbacks": [tokens[2]]}, version="v3").output

    assert typed.text == "Small says so, too."
    assert ["".join(each.heard) for each in tokens] == ["Small says so, too."] * 3


def test_a_stream_that_is_taken_over_tells_who_finished(
    chat: ChatSLS, small: ScriptedChatModel
) -> None:
    """The first chunk tells who began, the last one who finished and what went wrong."""
    small.error, small.error_after = ConnectionError("lost"), 1
    chat = chat.model_copy(update={"takeovers": 1})

    chunks = list(chat.stream(QUESTION))

    assert chunks[0].response_metadata["sls"]["candidate"] == "small"
    last = chunks[-1].response_metadata["sls"]
    assert last["finished_by"] == "large"
    assert "lost" in last["failures"]["small"]
    assert "".join(chunk.text for chunk in chunks) == "SmallLarge says so."


def test_the_second_model_is_shown_what_was_said(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Who takes over is given the question, the words so far, and the request to go on."""
    small.error, small.error_after = ConnectionError("lost"), 2
    chat = chat.model_copy(update={"takeovers": 1})

    list(chat.stream(QUESTION))

    said = [(each.type, each.text) for each in large.heard[0]["messages"]]
    assert said[:2] == [("human", QUESTION), ("ai", "Small says")]
    assert "cut off" in said[2][1]


def test_a_tool_call_that_broke_off_is_not_gone_on_with(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Half a tool call is an error, whatever the policy."""

    class Halved(ScriptedChatModel):
        def _stream(self, *given: Any, **settings: Any) -> Any:
            for chunk in super()._stream(*given, **settings):
                yield chunk
                raise ConnectionError("lost")

    half = Halved(model_name="small")
    tools = [{"name": "f", "description": "F.", "parameters": {"type": "object", "properties": {}}}]
    chat = ChatSLS(chat.engine, {"small": half, "large": large}, takeovers=1)

    with pytest.raises(Exception, match="lost"):
        list(chat.bind_tools(tools).stream(QUESTION))
    assert large.heard == []


def test_usage_is_counted_once_in_every_way(chat: ChatSLS) -> None:
    """A usage handler counts a call once, and a hit not at all."""
    for call in (chat.invoke, lambda *given: list(chat.stream(*given))):
        counter = UsageMetadataCallbackHandler()
        call("What is counted, and how often?" + str(call), {"callbacks": [counter]})
        call("What is counted, and how often?" + str(call), {"callbacks": [counter]})
        assert counter.usage_metadata["small"]["output_tokens"] == 3


def test_langchains_cache_is_asked_once(chat: ChatSLS) -> None:
    """With LangChain's own cache on, a call asks it once and writes to it once; ours stays out."""

    class Counting(InMemoryCache):
        asked = written = 0

        def lookup(self, *given: Any) -> Any:
            Counting.asked += 1
            return super().lookup(*given)

        def update(self, *given: Any) -> None:
            Counting.written += 1
            super().update(*given)

    chat = ChatSLS(chat.engine, chat.models, cache=Counting())

    first = chat.invoke(QUESTION)
    again = chat.invoke(QUESTION)

    assert (Counting.asked, Counting.written) == (2, 1)
    assert again.text == first.text
    assert len(chat.engine.parts.log.after(0, 9)) == 1


def test_run_names_tags_and_metadata_are_ours_to_give(chat: ChatSLS) -> None:
    """A run is named, tagged and labelled by its config, as with any model."""
    collector = RunCollectorCallbackHandler()
    config = {"run_name": "brocken", "tags": ["hill"], "metadata": {"who": "me"}}

    chat.invoke(QUESTION, {**config, "callbacks": [collector]})

    (run,) = collector.traced_runs
    assert (run.name, run.tags) == ("brocken", ["hill"])
    assert run.extra["metadata"]["who"] == "me"
    message = run.outputs["generations"][0][0]["message"]["kwargs"]
    assert message["response_metadata"]["model_name"] == "small"


def test_models_can_be_switched_by_config(chat: ChatSLS) -> None:
    """A whole chat model can be one of several alternatives."""
    other = ScriptedChatModel(model_name="other", reply="Other says so.")
    either = chat.configurable_alternatives(ConfigurableField(id="who"), other=other)

    assert either.invoke(QUESTION).text == "Small says so."
    chosen = either.invoke(QUESTION, {"configurable": {"who": "other"}})
    assert chosen.text == "Other says so."


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_it_is_written_down_and_loaded_without_secrets(engine: Engine) -> None:
    """What LangChain writes of it holds no key and nothing learnt; loading hands both in."""
    models = {
        name: ChatOpenAI(model=name, api_key="hunter2", base_url="http://127.0.0.1:1/v1")
        for name in ("small", "large")
    }
    chat = ChatSLS(engine, models, tenant="acme", takeovers=1)

    written = json.dumps(dumpd(chat))
    loaded = load(
        json.loads(written),
        allowed_objects=[ChatSLS, ChatOpenAI],
        valid_namespaces=["langchain_sls"],
        secrets_map={"SLS_ENGINE": engine, "OPENAI_API_KEY": "hunter3"},
    )

    assert "hunter2" not in written
    assert isinstance(loaded, ChatSLS)
    assert (loaded.tenant, loaded.takeovers, set(loaded.models)) == ("acme", 1, {"small", "large"})
    assert loaded.engine is engine


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_models_that_cannot_be_written_down_are_handed_in(chat: ChatSLS) -> None:
    """A model that LangChain cannot load is not written: it is handed in like the engine."""
    written = dumpd(chat)

    loaded = load(
        written,
        allowed_objects=[ChatSLS],
        valid_namespaces=["langchain_sls"],
        secrets_map={"SLS_ENGINE": chat.engine, "SLS_MODELS": chat.models},
    )

    assert "ScriptedChatModel" not in json.dumps(written)
    assert loaded.invoke(QUESTION).text == "Small says so."


def test_models_behind_it_may_be_of_any_kind(engine: Engine, large: ScriptedChatModel) -> None:
    """A model that cannot stream or call tools is as good for a plain question."""

    class Plain(ScriptedChatModel):
        _stream = BaseChatModel._stream
        bind_tools = BaseChatModel.bind_tools

    chat = ChatSLS(engine, {"small": Plain(model_name="small", reply="Yes."), "large": large})

    assert [chunk.text for chunk in chat.stream(QUESTION)] == ["Yes."]
