"""What ChatSLS may answer again, what it must not, and between whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine

QUESTION = "What is the capital of France?"


def source(message: BaseMessage) -> str:
    """Where an answer came from."""
    return str(message.response_metadata["sls"]["source"])


def test_repeat_is_answered_from_the_cache(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A repeated question is answered by a new message, free, without a call."""
    first = chat.invoke(QUESTION)
    again = chat.invoke(QUESTION)

    told = again.response_metadata["sls"]
    assert len(small.heard) == 1
    assert (again.text, again.content) == (first.text, first.content)
    assert again.id != first.id
    assert again.usage_metadata == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert again.response_metadata["model_name"] == "small"
    assert (told["source"], told["cost_usd"], told["candidate"]) == ("cache", 0.0, "small")
    assert told["similarity"] == pytest.approx(1.0)
    assert told["decision_id"] != first.response_metadata["sls"]["decision_id"]


def test_served_answers_are_copies(chat: ChatSLS) -> None:
    """What a caller does to an answer does not reach the next one."""
    chat.invoke(QUESTION)
    served = chat.invoke(QUESTION)
    served.content = "tampered"
    served.response_metadata["model_name"] = "tampered"

    assert chat.invoke(QUESTION).text == "Small says so."
    assert chat.invoke(QUESTION).response_metadata["model_name"] == "small"


async def test_all_roads_share_answers(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """An answer that was streamed is found by every other kind of call."""
    streamed = "".join(chunk.text for chunk in chat.stream(QUESTION))

    assert chat.invoke(QUESTION).text == streamed
    assert (await chat.ainvoke(QUESTION)).text == streamed
    assert "".join([chunk.text async for chunk in chat.astream(QUESTION)]) == streamed
    assert "".join(chunk.text for chunk in chat.stream(QUESTION)) == streamed
    assert len(small.heard) == 1


Change = Callable[[ChatSLS], AIMessage]

TOOL = {"type": "function", "function": {"name": "look_up", "description": "", "parameters": {}}}

CHANGES: dict[str, Change] = {
    "system prompt": lambda chat: chat.invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)]),
    "history": lambda chat: chat.invoke(
        [HumanMessage("Hello"), AIMessage("Hi"), HumanMessage(QUESTION)]
    ),
    "tools": lambda chat: chat.bind_tools([TOOL]).invoke(QUESTION),
    "temperature": lambda chat: chat.invoke(QUESTION, temperature=1.0),
    "stop words": lambda chat: chat.invoke(QUESTION, stop=["."]),
    "named candidate": lambda chat: chat.invoke(QUESTION, model="small"),
    "tenant as keyword": lambda chat: chat.invoke(QUESTION, sls_tenant="b"),
    "tenant in configurable": lambda chat: chat.invoke(
        QUESTION, {"configurable": {"sls_tenant": "b"}}
    ),
    "tenant in metadata": lambda chat: chat.invoke(QUESTION, {"metadata": {"sls_tenant": "b"}}),
    "tenant of the chain around": lambda chat: RunnableLambda(
        lambda text: chat.invoke(text)  # noqa: PLW0108 - without a config
    ).invoke(QUESTION, {"configurable": {"sls_tenant": "b"}}),
    "tenant in a batch": lambda chat: chat.batch([QUESTION], {"configurable": {"sls_tenant": "b"}})[
        0
    ],
    "tenant below generate": lambda chat: (
        chat.generate_prompt([chat._convert_input(QUESTION)], metadata={"sls_tenant": "b"})
        .generations[0][0]
        .message
    ),
    "task": lambda chat: chat.invoke(QUESTION, sls_task="quiz"),
    "epoch": lambda chat: ChatSLS(chat.engine, chat.models, epoch="2").invoke(QUESTION),
    "tenant of the model": lambda chat: ChatSLS(chat.engine, chat.models, tenant="b").invoke(
        QUESTION
    ),
    "speaker": lambda chat: chat.invoke([HumanMessage(QUESTION, name="Ada")]),
    "picture": lambda chat: chat.invoke([_with_picture("aGk=")]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_wall(chat: ChatSLS, change: str) -> None:
    """The same words under other circumstances are another question."""
    chat.invoke(QUESTION)

    assert source(CHANGES[change](chat)) == "model"


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "tools"])
def test_inside_a_wall_answers_are_shared(chat: ChatSLS, change: str) -> None:
    """Under equal circumstances the answer is found again: walls are not merely noise."""
    CHANGES[change](chat)

    assert source(CHANGES[change](chat)) == "cache"


def test_other_pictures_are_other_questions(chat: ChatSLS) -> None:
    """Equal words about another picture are not answered from the cache."""
    chat.invoke([_with_picture("aGk=")])

    assert source(chat.invoke([_with_picture("aGl=")])) == "model"


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
def test_unrelated_short_questions_never_share(chat: ChatSLS, one: str, other: str) -> None:
    """Short questions whose messages look alike as JSON are told apart."""
    chat.invoke(one)

    assert source(chat.invoke(other)) == "model"


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens", "SAFETY"])
def test_unfinished_answers_are_not_kept(
    chat: ChatSLS, small: ScriptedChatModel, reason: str
) -> None:
    """An answer that was cut off or censored is not served to the next who asks."""
    small.finish_reason = reason
    chat.invoke(QUESTION)

    assert source(chat.invoke(QUESTION)) == "model"


def test_empty_answers_are_not_kept(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """Silence is not an answer to share."""
    small.reply = ""
    chat.invoke(QUESTION)

    assert source(chat.invoke(QUESTION)) == "model"


def test_tool_calls_are_not_kept(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A tool call is to be carried out each time it is wanted."""
    with_tool = chat.bind_tools([TOOL])

    for _ in range(2):
        assert with_tool.invoke(QUESTION).tool_calls
    assert len(small.heard) == 2


def test_answers_to_tool_results_are_not_kept(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """What a model makes of a tool's result is said once, not stored."""
    call = {"name": "look_up", "args": {}, "id": "1", "type": "tool_call"}
    talk = [
        HumanMessage(QUESTION),
        AIMessage("", tool_calls=[call]),
        ToolMessage("Paris", tool_call_id="1"),
    ]

    for _ in range(2):
        assert source(chat.invoke(talk)) == "model"
    assert len(small.heard) == 2


def test_settings_without_a_plain_form_are_not_shared(chat: ChatSLS) -> None:
    """A call with an object among its settings is never answered from the cache."""
    for _ in range(2):
        assert source(chat.invoke(QUESTION, hook=object())) == "model"


def test_bad_feedback_retires_an_answer(chat: ChatSLS, engine: Engine) -> None:
    """Telling that a served answer was wrong, by the decision that served it, retires it."""
    chat.invoke(QUESTION)
    served = chat.invoke(QUESTION).response_metadata["sls"]
    assert served["source"] == "cache"

    engine.feedback(served["decision_id"], 0.0)

    assert source(chat.invoke(QUESTION)) == "model"


def test_langchain_global_cache_is_asked_only_when_wanted(
    chat: ChatSLS, small: ScriptedChatModel
) -> None:
    """ChatSLS has its own cache; LangChain's is used by those who say so."""
    theirs = InMemoryCache()
    set_llm_cache(theirs)
    try:
        chat.invoke(QUESTION)
        assert theirs._cache == {}
        ChatSLS(chat.engine, chat.models, cache=True).invoke(QUESTION)
        assert len(theirs._cache) == 1
    finally:
        set_llm_cache(None)


def test_no_label_is_the_default(chat: ChatSLS) -> None:
    """A label that is given as None is not given."""
    chat.invoke(QUESTION)

    assert source(chat.invoke(QUESTION, {"configurable": {"sls_tenant": None}})) == "cache"
    assert source(chat.invoke(QUESTION, sls_tenant=None)) == "cache"


@pytest.mark.parametrize("label", ["configurable", "metadata"])
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_events_keep_tenants_apart(chat: ChatSLS, label: str) -> None:
    """The tenant is a wall in LangChain's event streams of every version, too."""
    chat.invoke(QUESTION)
    config: RunnableConfig = {label: {"sls_tenant": "b"}}  # type: ignore[misc]
    other: RunnableConfig = {label: {"sls_tenant": "c"}}  # type: ignore[misc]

    assert source(chat.stream_events(QUESTION, config, version="v3").output) == "model"
    awaited = await chat.astream_events(QUESTION, other, version="v3")
    assert source(await awaited.output) == "model"
    async for event in chat.astream_events(QUESTION, other, version="v2"):
        if event["event"] == "on_chat_model_end":
            assert source(event["data"]["output"]) == "cache"


def _with_picture(data: str) -> HumanMessage:
    picture: dict[str, Any] = {"type": "image", "base64": data, "mime_type": "image/png"}
    return HumanMessage([{"type": "text", "text": QUESTION}, picture])


def test_bound_labels_hold_for_streams(chat: ChatSLS) -> None:
    """Labels bound by `with_config` hold for streams too."""
    config: RunnableConfig = {"configurable": {"sls_tenant": "b"}}
    chat.invoke(QUESTION)

    first = next(iter(chat.with_config(config).stream(QUESTION)))

    assert source(first) == "model"
