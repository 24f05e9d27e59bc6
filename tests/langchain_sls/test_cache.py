"""SLSCache behind LangChain's own chat models: what it answers, and what it must not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListLLM
from langchain_core.load import dumps
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite

from langchain_sls import ChatSLS, SLSCache
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.settings import CacheSettings

MakeEngine = Callable[..., Engine]

QUESTION = "What is the capital of France?"
TOOL = {"type": "function", "function": {"name": "look_up", "description": "", "parameters": {}}}
PICTURE = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
USED_NOTHING = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


class TestSyncSuite(SyncCacheTestSuite):
    """LangChain's suite for caches, blocking."""

    @pytest.fixture
    def cache(self, engine: Engine) -> SLSCache:
        """An empty cache."""
        return SLSCache(engine)


class TestAsyncSuite(AsyncCacheTestSuite):
    """LangChain's suite for caches, async."""

    @pytest.fixture
    async def cache(self, engine: Engine) -> SLSCache:  # type: ignore[override]
        """An empty cache."""
        return SLSCache(engine)


@pytest.fixture
def cache(engine: Engine) -> Iterator[SLSCache]:
    """The cache under test, as LangChain's global cache."""
    made = SLSCache(engine)
    set_llm_cache(made)
    yield made
    set_llm_cache(None)


def test_a_repeat_makes_no_call(cache: SLSCache, small: ScriptedChatModel) -> None:
    """The repeat is a new message with the same words, no tokens used and a decision of its own."""
    first = small.invoke(QUESTION)
    again = small.invoke(QUESTION)

    assert len(small.heard) == 1
    assert isinstance(again, AIMessage)
    assert again.content == first.content
    assert again.id != first.id
    assert again.usage_metadata == {**USED_NOTHING, "total_cost": 0}
    told = again.response_metadata["sls"]
    assert (told["source"], told["cost_usd"], told["candidate"]) == ("cache", 0.0, "small")
    assert told["similarity"] == pytest.approx(1.0)


async def test_async_calls_share_answers(cache: SLSCache, small: ScriptedChatModel) -> None:
    """What was kept blocking is served async, and the other way round, to many at once."""
    await small.ainvoke(QUESTION)
    small.invoke("Who wrote Faust?")
    answers = await asyncio.gather(*(small.ainvoke("Who wrote Faust?") for _ in range(20)))

    assert small.invoke(QUESTION).response_metadata["sls"]["source"] == "cache"
    assert {each.response_metadata["sls"]["source"] for each in answers} == {"cache"}
    assert len({each.response_metadata["sls"]["decision_id"] for each in answers}) == 20
    assert len(small.heard) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hi", "stop"),
        ("yes", "no"),
        ("What is 2+2?", "What is 2+3?"),
        ("capital of France", "capital of Germany"),
        ("Is it on?", "Is it off?"),
        ("weather?", "recipe?"),
    ],
)
def test_unrelated_short_questions_never_share(
    cache: SLSCache, small: ScriptedChatModel, one: str, other: str
) -> None:
    """Short questions whose messages look alike as JSON are told apart."""
    small.invoke(one)
    small.invoke(other)

    assert len(small.heard) == 2


def test_what_is_compared_is_the_question(cache: SLSCache, engine: Engine) -> None:
    """The dump's own words are never embedded: the query is the last human turn alone."""
    talk = [SystemMessage("Be brief."), HumanMessage("Hello"), AIMessage("Hi")]
    cache.update(dumps([*talk, HumanMessage(QUESTION)]), "m", [_said("Paris.")])
    cache.update("Plain text.", "m", [Generation(text="Fine.")])

    assert [line.query.text for line in engine.parts.log.after(0, 9)] == [QUESTION, "Plain text."]


WALLS: dict[str, Callable[[ScriptedChatModel], object]] = {
    "system prompt": lambda chat: chat.invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)]),
    "history": lambda chat: chat.invoke(
        [HumanMessage("Hello"), AIMessage("Hi"), HumanMessage(QUESTION)]
    ),
    "another history": lambda chat: chat.invoke(
        [HumanMessage("Hello"), AIMessage("Hey"), HumanMessage(QUESTION)]
    ),
    "tools": lambda chat: chat.bind_tools([TOOL]).invoke(QUESTION),
    "stop words": lambda chat: chat.invoke(QUESTION, stop=["."]),
    "setting": lambda chat: chat.invoke(QUESTION, temperature=1.0),
    "speaker": lambda chat: chat.invoke([HumanMessage(QUESTION, name="Ada")]),
    "role": lambda chat: chat.invoke([ChatMessage(QUESTION, role="user")]),
    "picture": lambda chat: chat.invoke(
        [HumanMessage([{"type": "text", "text": QUESTION}, PICTURE])]
    ),
}


@pytest.mark.parametrize("wall", WALLS)
def test_walls(cache: SLSCache, small: ScriptedChatModel, wall: str) -> None:
    """The same words under other circumstances are another question; under equal ones the same."""
    small.invoke(QUESTION)
    WALLS[wall](small)
    assert len(small.heard) == 2
    WALLS[wall](small)
    assert len(small.heard) == (3 if wall == "tools" else 2)


def test_models_tenants_and_tasks_are_walls(engine: Engine) -> None:
    """Neither another model's answer nor another tenant's or task's is served."""
    prompt = dumps([HumanMessage(QUESTION)])
    SLSCache(engine, tenant="a", task="quiz").update(prompt, "m", [_said("Paris.")])

    assert SLSCache(engine, tenant="a", task="quiz").lookup(prompt, "m")
    assert SLSCache(engine, tenant="a", task="quiz").lookup(prompt, "other") is None
    assert SLSCache(engine, tenant="a").lookup(prompt, "m") is None
    assert SLSCache(engine, tenant="b", task="quiz").lookup(prompt, "m") is None
    assert SLSCache(engine, tenant="a", task="quiz").lookup(QUESTION, "m") is None


def test_served_generations_are_copies_in_a_list(engine: Engine) -> None:
    """LangChain changes what it is given; the next caller does not see that."""
    cache, prompt = SLSCache(engine), dumps([HumanMessage(QUESTION)])
    cache.update(prompt, "m", [_said("Paris.")])

    served = cache.lookup(prompt, "m")
    assert isinstance(served, list)
    assert isinstance(served[0], ChatGeneration)
    served[0].message.content = "tampered"
    served[0].message.response_metadata.clear()
    served.clear()

    [again] = cache.lookup(prompt, "m") or []
    assert again.text == "Paris."
    assert isinstance(again, ChatGeneration)
    assert again.message.response_metadata["finish_reason"] == "stop"


NOT_KEPT: dict[str, Sequence[Generation]] = {
    "nothing": [],
    "silence": [Generation(text=" ")],
    "cut off": [Generation(text="Par", generation_info={"finish_reason": "length"})],
    "cut off message": [ChatGeneration(message=AIMessage("Par"), generation_info={"status": "x"})],
    "censored": [
        ChatGeneration(
            message=AIMessage("Par", response_metadata={"finish_reason": "content_filter"})
        )
    ],
    "refused": [ChatGeneration(message=AIMessage("No.", additional_kwargs={"refusal": "No."}))],
    "tool call": [
        ChatGeneration(
            message=AIMessage(
                "Let me see.",
                tool_calls=[{"name": "look_up", "args": {}, "id": "1", "type": "tool_call"}],
            )
        )
    ],
    "half of it": [Generation(text="Paris."), Generation(text="")],
}


@pytest.mark.parametrize("reason", NOT_KEPT)
def test_not_kept(engine: Engine, reason: str) -> None:
    """Only whole answers in words are kept."""
    cache, prompt = SLSCache(engine), dumps([HumanMessage(QUESTION)])

    cache.update(prompt, "m", NOT_KEPT[reason])

    assert cache.lookup(prompt, "m") is None
    assert engine.parts.log.last_seq() == 0


@pytest.mark.parametrize("by", ["the cache", "the engine's settings"])
def test_tool_calls_are_kept_where_they_may_be(
    make_engine: MakeEngine, small: ScriptedChatModel, by: str
) -> None:
    """With the opt-in a call, and what is made of its result, are served; calls have new ids."""
    engine = make_engine(cache=CacheSettings(tool_calls=by != "the cache"))
    set_llm_cache(SLSCache(engine, cache_tool_calls=by == "the cache"))
    model = small.bind_tools([TOOL])
    try:
        first, again = (model.invoke(QUESTION) for _ in range(2))
        spoken = [
            model.invoke([HumanMessage(QUESTION), said, ToolMessage("Big.", tool_call_id=call_id)])
            for said in (first, again)
            for call_id in [said.tool_calls[0]["id"]]
        ]
    finally:
        set_llm_cache(None)

    (one,), (other,) = first.tool_calls, again.tool_calls
    assert (one["name"], one["args"]) == (other["name"], other["args"])
    assert one["id"] != other["id"]
    assert spoken[0].text == spoken[1].text
    assert len(small.heard) == 2


async def test_answers_to_tool_results_are_not_kept(engine: Engine) -> None:
    """What a model makes of a tool's result is said once, not stored."""
    call: Any = {"name": "look_up", "args": {}, "id": "1", "type": "tool_call"}
    prompt = dumps(
        [
            HumanMessage(QUESTION),
            AIMessage("", tool_calls=[call]),
            ToolMessage("Paris", tool_call_id="1"),
        ]
    )
    cache = SLSCache(engine)

    await cache.aupdate(prompt, "m", [_said("Paris.")])

    assert await cache.alookup(prompt, "m") is None


@pytest.mark.parametrize(
    "prompt",
    ["", "[]", '[{"lc":', '[{"lc": 1}]', '[{"lc": 1, "kwargs": {"type": "alien"}}]'],
)
async def test_odd_prompts_do_no_harm(engine: Engine, prompt: str) -> None:
    """Dumps that cannot be read, or hold no question, are misses; text that looks like JSON not."""
    cache = SLSCache(engine)
    cache.update(prompt, "m", [Generation(text="Fine.")])
    await cache.aupdate(prompt, "m", [Generation(text="Fine.")])

    assert bool(cache.lookup(prompt, "m")) is (prompt == "[]")
    assert bool(await cache.alookup(prompt, "m")) is (prompt == "[]")


def test_completion_models(cache: SLSCache) -> None:
    """LLMs of plain text are served, too."""
    llm = FakeListLLM(responses=["one", "two"])

    assert [llm.invoke(QUESTION), llm.invoke(QUESTION)] == ["one", "one"]


def test_bad_feedback_retires_an_answer(
    cache: SLSCache, engine: Engine, small: ScriptedChatModel
) -> None:
    """A thumbs-down on a served answer, by its decision, has the model asked again."""
    small.invoke(QUESTION)
    served = small.invoke(QUESTION)

    engine.feedback(served.response_metadata["sls"]["decision_id"], 0.0)
    small.invoke(QUESTION)

    assert len(small.heard) == 2


def test_clear_takes_only_its_own(engine: Engine, chat: ChatSLS) -> None:
    """Clearing spares other tenants, other tasks, and the answers of ChatSLS."""
    caches = [SLSCache(engine), SLSCache(engine, task="quiz"), SLSCache(engine, tenant="b")]
    for each in caches:
        each.update(QUESTION, "m", [Generation(text="Paris.")])
    chat.invoke(QUESTION)

    SLSCache(engine).clear()

    assert [bool(each.lookup(QUESTION, "m")) for each in caches] == [False, True, True]
    assert chat.invoke(QUESTION).response_metadata["sls"]["source"] == "cache"


async def test_chat_sls_is_unaffected(
    cache: SLSCache, chat: ChatSLS, small: ScriptedChatModel, engine: Engine
) -> None:
    """ChatSLS streams and repeats from its own cache, whether LangChain's is asked or not."""
    streamed = "".join(chunk.text for chunk in chat.stream(QUESTION))
    again = "".join([chunk.text async for chunk in chat.astream(QUESTION)])
    assert streamed == again == chat.invoke(QUESTION).text == "Small says so."
    assert len(small.heard) == 1
    assert engine.parts.log.last_seq() == 1

    asking = ChatSLS(engine, chat.models, cache=True)
    assert asking.invoke(QUESTION).response_metadata["sls"]["source"] == "cache"
    assert asking.invoke("Who wrote Faust?").response_metadata["sls"]["source"] == "model"
    assert engine.parts.log.last_seq() == 2  # its answers are not kept twice


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_failing_database_is_a_miss(
    make_engine: MakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, blocking: bool
) -> None:
    """The model is called, its answer reaches the user, and the log tells why."""
    cache = SLSCache(make_engine(folder=tmp_path))
    with closing(sqlite3.connect(tmp_path / "sls.db")) as sql:
        sql.execute("DROP TABLE cache_entries")
        sql.commit()
    with caplog.at_level(logging.ERROR):
        if blocking:
            assert cache.lookup(QUESTION, "m") is None
            cache.update(QUESTION, "m", [Generation(text="Paris.")])
        else:
            assert await cache.alookup(QUESTION, "m") is None
            await cache.aupdate(QUESTION, "m", [Generation(text="Paris.")])
    assert len(caplog.records) == 2


def _said(text: str) -> ChatGeneration:
    message: BaseMessage = AIMessage(text, response_metadata={"finish_reason": "stop"})
    return ChatGeneration(message=message)
