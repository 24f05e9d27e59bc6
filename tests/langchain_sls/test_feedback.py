"""SLSFeedbackHandler: what it reports by itself, and feedback by run id."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_sls import ChatSLS, SLSCache, SLSFeedbackHandler, SLSRouter
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.errors import InputError, InvalidFeedbackError

PROMPT = ChatPromptTemplate.from_messages([("human", "{question}")])
ASKED = {"question": "What is a heap?"}
GOOD_JSON = '{"a": 1}'

Graded = list[tuple[str, float | None, str]]


@pytest.fixture
def handler(engine: Engine) -> SLSFeedbackHandler:
    """The handler under test."""
    return SLSFeedbackHandler(engine)


def graded(engine: Engine) -> Graded:
    """Query text, quality and source of every grade in the log."""
    return [
        (line.query.text, line.quality, line.quality_source)
        for line in engine.parts.log.after(0, 100)
        if line.quality is not None
    ]


async def run(chain: Runnable[Any, Any], how: str, given: object, config: RunnableConfig) -> None:
    """Run a chain in one of four ways."""
    if how == "invoke":
        chain.invoke(given, config)
    elif how == "ainvoke":
        await chain.ainvoke(given, config)
    elif how == "stream":
        list(chain.stream(given, config))
    else:
        [_ async for _ in chain.astream(given, config)]


WAYS = ["invoke", "ainvoke", "stream", "astream"]


class Number(BaseOutputParser[int]):
    """A parser that is as strict in streams."""

    def parse(self, text: str) -> int:
        """The number. Raises OutputParserException if it is none."""
        if not text.isdigit():
            raise OutputParserException(text)
        return int(text)


@pytest.mark.parametrize("how", WAYS)
async def test_parser_failures_are_bad_grades(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler, how: str
) -> None:
    """An answer that a chain's parser cannot read is graded 0, once, and the chain still raises."""
    chain = PROMPT | chat | Number()

    with pytest.raises(OutputParserException):
        await run(RunnableLambda(lambda _: ASKED) | chain, how, None, {"callbacks": [handler]})

    assert graded(engine) == [("What is a heap?", 0.0, "output_parser")]


@pytest.mark.parametrize("how", WAYS)
async def test_good_answers_are_not_graded(
    chat: ChatSLS, engine: Engine, small: ScriptedChatModel, handler: SLSFeedbackHandler, how: str
) -> None:
    """Where nothing fails nothing is said."""
    small.reply = GOOD_JSON

    await run(PROMPT | chat | JsonOutputParser(), how, ASKED, {"callbacks": [handler]})

    assert graded(engine) == []


def test_an_unreadable_answer_is_not_served_again(
    chat: ChatSLS, small: ScriptedChatModel, handler: SLSFeedbackHandler
) -> None:
    """What could not be parsed is not answered from the cache when the user tries again."""
    chain = PROMPT | chat | JsonOutputParser()
    for _ in range(2):
        with pytest.raises(OutputParserException):
            chain.invoke(ASKED, {"callbacks": [handler]})

    assert len(small.heard) == 2


@pytest.mark.parametrize("blocking", [True, False])
async def test_the_right_branch_is_blamed(
    chat: ChatSLS,
    engine: Engine,
    small: ScriptedChatModel,
    handler: SLSFeedbackHandler,
    *,
    blocking: bool,
) -> None:
    """Of parallel branches only the one whose answer could not be parsed is graded."""
    small.reply = lambda messages: GOOD_JSON if "good" in messages[-1].text else "no JSON"
    branches: dict[str, Any] = {
        name: RunnableLambda(lambda _, name=name: f"{name} question") | chat | parse
        for name, parse in [
            ("good", JsonOutputParser()),
            ("bad", StrOutputParser() | JsonOutputParser()),
            ("plain", StrOutputParser()),
        ]
    }
    chain: Runnable[Any, Any] = RunnablePassthrough() | RunnableParallel(branches)

    with pytest.raises(OutputParserException):
        await run(chain, "invoke" if blocking else "ainvoke", {}, {"callbacks": [handler]})

    assert graded(engine) == [("bad question", 0.0, "output_parser")]


def test_caught_failures_count(chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler) -> None:
    """A parser's failure is the answer's, also where a fallback saves the chain."""
    fallback = RunnableLambda(lambda _: "saved")
    chain = PROMPT | chat | JsonOutputParser().with_fallbacks([fallback])

    assert chain.invoke(ASKED, {"callbacks": [handler]}) == "saved"
    assert graded(engine) == [("What is a heap?", 0.0, "output_parser")]


def test_errors_raised_by_hand_count(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler
) -> None:
    """An OutputParserException out of a plain function is a parser's failure; others are not."""

    def refuse(message: AIMessage) -> str:
        raise OutputParserException(message.text)

    def stumble(message: AIMessage) -> str:
        raise ValueError(message.text)

    with pytest.raises(ValueError, match="Small"):
        (chat | RunnableLambda(stumble)).invoke("one", {"callbacks": [handler]})
    with pytest.raises(OutputParserException):
        (chat | RunnableLambda(refuse)).invoke("two", {"callbacks": [handler]})

    assert graded(engine) == [("two", 0.0, "output_parser")]


class Person(BaseModel):
    """A person."""

    age: int


def test_structured_output_that_does_not_fit(
    chat: ChatSLS,
    engine: Engine,
    small: ScriptedChatModel,
    large: ScriptedChatModel,
    handler: SLSFeedbackHandler,
) -> None:
    """Arguments that fit no schema are graded by ChatSLS already: the handler blames nobody."""
    small.arguments = large.arguments = {"age": "old"}
    chain = chat.with_structured_output(Person, include_raw=True)

    told = chain.invoke("How old?", {"callbacks": [handler]})

    assert isinstance(told, dict)
    assert told["parsing_error"]
    assert graded(engine) == [("How old?", 0.0, "unusable")] * 2


@tool
def divide(a: int, b: int) -> float:
    """Divide a by b."""
    return a / b


@tool
def shrug(a: int) -> str:
    """Shrug."""
    return f"{a}?"


shrug.handle_validation_error = True


@pytest.mark.parametrize("blocking", [True, False])
async def test_failing_tool_calls_are_bad_grades(
    chat: ChatSLS,
    engine: Engine,
    small: ScriptedChatModel,
    handler: SLSFeedbackHandler,
    *,
    blocking: bool,
) -> None:
    """The decision that asked for a tool call which fails is graded 0 by the source "tool"."""
    small.arguments = {"a": 1, "b": 0}
    config: RunnableConfig = {"callbacks": [handler]}
    call = chat.bind_tools([divide]).invoke("1 by 0?", config).tool_calls[0]

    for _ in range(2):  # a second try of the same call is not a second fault
        with pytest.raises(ZeroDivisionError):
            await run(divide, "invoke" if blocking else "ainvoke", call, config)

    assert graded(engine) == [("1 by 0?", 0.0, "tool")]


def test_handled_tool_errors_count(
    chat: ChatSLS, engine: Engine, small: ScriptedChatModel, handler: SLSFeedbackHandler
) -> None:
    """A tool that turns its error into a message has failed all the same."""
    small.arguments = {"a": "many"}
    config: RunnableConfig = {"callbacks": [handler]}
    call = chat.bind_tools([shrug]).invoke("How many?", config).tool_calls[0]

    assert shrug.invoke(call, config).status == "error"
    assert graded(engine) == [("How many?", 0.0, "tool")]


def test_tools_that_no_answer_asked_for(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler
) -> None:
    """A tool which the program calls by itself is nobody's fault."""
    chain: Runnable[Any, Any] = chat | RunnableLambda(lambda _: {"a": 1, "b": 0}) | divide

    with pytest.raises(ZeroDivisionError):
        chain.invoke("1 by 0?", {"callbacks": [handler]})

    assert graded(engine) == []


@pytest.mark.parametrize("how", WAYS)
async def test_feedback_by_run_id(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler, how: str
) -> None:
    """The outermost run's id is enough, in any form; the key is the source."""
    run_id = uuid.uuid4()
    await run(PROMPT | chat, how, ASKED, {"callbacks": [handler], "run_id": run_id})

    [decision_id] = handler.feedback(run_id, score=0.5)
    assert handler.feedback(str(run_id), "stars", score=1) == (decision_id,)
    assert await handler.afeedback(run_id, "thumbs", score=True) == (decision_id,)

    assert graded(engine) == [
        ("What is a heap?", 0.5, "user_score"),
        ("What is a heap?", 1.0, "stars"),
        ("What is a heap?", 1.0, "thumbs"),
    ]


def test_feedback_by_message_id(chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler) -> None:
    """A message tells its run, whether it is fresh, from the cache, or streamed."""
    config: RunnableConfig = {"callbacks": [handler]}
    fresh, hit = chat.invoke("one", config), chat.invoke("one", config)
    streamed = next(iter(chat.stream("two", config)))

    for message in (fresh, hit, streamed):
        assert message.id is not None
        told = handler.feedback(message.id, score=1.0)
        assert told == (message.response_metadata["sls"]["decision_id"],)
    assert [text for text, _, _ in graded(engine)] == ["one", "one", "two"]


def test_an_agents_run_is_all_it_decided(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler
) -> None:
    """Feedback on a run grades every decision in it, and none of an earlier run's."""
    old = chat.invoke("zero", {"callbacks": [handler]})
    steps = RunnableLambda(lambda _: chat.invoke("one") and chat.invoke("two") and old)
    run_id = uuid.uuid4()
    steps.invoke(None, {"callbacks": [handler], "run_id": run_id})

    handler.feedback(run_id, score=1.0)

    assert [text for text, _, _ in graded(engine)] == ["one", "two"]


def test_routers_are_known(
    engine: Engine, small: ScriptedChatModel, handler: SLSFeedbackHandler
) -> None:
    """A router's decision belongs to its run, and is blamed for what a parser cannot read."""
    router = SLSRouter(engine, {"small": small, "large": small})
    run_id = uuid.uuid4()
    with pytest.raises(OutputParserException):
        (router | JsonOutputParser()).invoke("one", {"callbacks": [handler], "run_id": run_id})

    handler.feedback(run_id, score=0.0)
    assert graded(engine) == [("one", 0.0, "output_parser"), ("one", 0.0, "user_score")]


def test_hits_of_the_cache_are_known(
    engine: Engine, small: ScriptedChatModel, handler: SLSFeedbackHandler
) -> None:
    """Feedback by run id reaches what SLSCache served to a model that is no ChatSLS."""
    set_llm_cache(SLSCache(engine))
    try:
        small.invoke("one")
        run_id = uuid.uuid4()
        small.invoke("one", {"callbacks": [handler], "run_id": run_id})
        handler.feedback(run_id, score=0.0)
        small.invoke("one")
    finally:
        set_llm_cache(None)

    assert graded(engine) == [("one", 0.0, "user_score")]
    assert len(small.heard) == 2


UNKNOWN: dict[str, Callable[[], UUID | str]] = {
    "never run": uuid.uuid4,
    "no id": lambda: "run-7",
    "provider's message id": lambda: "chatcmpl-123",
}


@pytest.mark.parametrize("kind", UNKNOWN)
async def test_unknown_runs(handler: SLSFeedbackHandler, kind: str) -> None:
    """Feedback on what is not known says so, and names the run."""
    run_id = UNKNOWN[kind]()

    with pytest.raises(InputError, match=str(run_id)):
        handler.feedback(run_id, score=1.0)
    with pytest.raises(InputError, match=str(run_id)):
        await handler.afeedback(run_id, score=1.0)


def test_scores_out_of_range(chat: ChatSLS, handler: SLSFeedbackHandler) -> None:
    """A score that is no quality is refused."""
    message = chat.invoke("one", {"callbacks": [handler]})
    assert message.id is not None
    with pytest.raises(InvalidFeedbackError):
        handler.feedback(message.id, score=5)


def test_another_engines_decisions(
    chat: ChatSLS,
    make_engine: Callable[..., Engine],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be told is a warning in LangChain's log; the chain's own error is unchanged."""
    handler = SLSFeedbackHandler(make_engine())
    with caplog.at_level(logging.WARNING), pytest.raises(OutputParserException):
        (chat | JsonOutputParser()).invoke([HumanMessage("one")], {"callbacks": [handler]})

    assert "no decision" in caplog.text


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_a_repeated_step_tells_a_little_of_its_answer(
    chat: ChatSLS, engine: Engine, handler: SLSFeedbackHandler, how: str
) -> None:
    """What was answered in a step that failed and is tried again is graded 0, with less weight."""
    tries = []

    def check(message: AIMessage) -> str:
        tries.append(message)
        if len(tries) == 1:
            raise ValueError("no")
        return str(message.content)

    chain = (PROMPT | chat | RunnableLambda(check)).with_retry(
        retry_if_exception_type=(ValueError,), wait_exponential_jitter=False
    )
    await run(chain, how, ASKED, {"callbacks": [handler]})
    await asyncio.sleep(0.1)
    first = tries[0].response_metadata["sls"]["decision_id"]
    told = [line for line in engine.parts.log.after(0, 100) if line.quality is not None]
    assert [(line.decision_id, line.quality, line.quality_source) for line in told] == [
        (first, 0.0, "retry")
    ]
    assert told[0].weight < 1.0
    assert len(tries) == 2
