"""ChatSLS while it streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessageChunk

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.errors import NoCandidateLeft, ProviderError
from sls_plugins.types import OutcomeKind

QUESTION = "Tell me a story?"


def added(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """All chunks added up, as LangChain's callers do."""
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


def test_decision_comes_first_and_cost_last(chat: ChatSLS) -> None:
    """The first chunk tells the decision, the last one what it cost; each fact is told once."""
    chunks = list(chat.stream(QUESTION))

    first = chunks[0].response_metadata["sls"]
    last = chunks[-1].response_metadata["sls"]
    assert (first["candidate"], first["source"], first["cost_usd"]) == ("small", "model", None)
    assert first["decision_id"]
    assert first["predicted_cost_usd"] > 0
    assert last == {"cost_usd": pytest.approx((4 * 0.1 + 3 * 0.4) / 1e6), "failures": {}}
    assert all("sls" not in chunk.response_metadata for chunk in chunks[1:-1])
    assert [chunk.chunk_position for chunk in chunks] == [None] * (len(chunks) - 1) + ["last"]


def test_added_chunks_are_the_answer(chat: ChatSLS) -> None:
    """Chunks add up to the text, usage and metadata of the whole answer."""
    whole = added(list(chat.stream(QUESTION)))

    assert whole.text == "Small says so."
    assert whole.usage_metadata == {"input_tokens": 4, "output_tokens": 3, "total_tokens": 7}
    assert whole.response_metadata["model_name"] == "small"
    assert whole.response_metadata["sls"]["cost_usd"] > 0
    assert whole.response_metadata["sls"]["candidate"] == "small"


def test_cached_answer_is_streamed(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A stored answer is streamed too, free, and says so."""
    list(chat.stream(QUESTION))

    whole = added(list(chat.stream(QUESTION)))

    told = whole.response_metadata["sls"]
    assert len(small.heard) == 1
    assert whole.text == "Small says so."
    assert (told["source"], told["cost_usd"]) == ("cache", 0.0)
    assert told["similarity"] == pytest.approx(1.0)
    assert whole.usage_metadata == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def test_next_candidate_takes_over_before_the_first_chunk(
    chat: ChatSLS, small: ScriptedChatModel
) -> None:
    """A stream that fails before its first chunk is replaced unnoticed."""
    small.error = ConnectionError("refused")

    whole = added(list(chat.stream(QUESTION)))

    assert whole.text == "Large says so."
    assert whole.response_metadata["sls"]["candidate"] == "large"
    assert "refused" in whole.response_metadata["sls"]["failures"]["small"]


async def test_next_candidate_takes_over_in_async_streams(
    chat: ChatSLS, small: ScriptedChatModel
) -> None:
    """The async stream falls back as the blocking one does."""
    small.error = ConnectionError("refused")

    whole = added([chunk async for chunk in chat.astream(QUESTION)])

    assert whole.text == "Large says so."
    assert whole.response_metadata["sls"]["candidate"] == "large"


def test_breaking_after_the_first_chunk_is_an_error(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Nobody can unsee a chunk: the stream breaks, with the model's own error as its cause."""
    small.error, small.error_after = ConnectionError("lost"), 2
    seen = []

    with pytest.raises(ProviderError) as caught:
        for chunk in chat.stream(QUESTION):
            seen.append(chunk.text)  # noqa: PERF401 - what was seen before the error

    assert "".join(seen) == "Small says"
    assert caught.value.__cause__ is small.error
    assert large.heard == []
    small.error = None
    assert chat.invoke(QUESTION).response_metadata["sls"]["source"] == "model"


def test_all_streams_failing_tells_every_cause(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """When no stream begins, the error carries every cause."""
    small.error, large.error = ConnectionError("refused"), TimeoutError("too slow")

    with pytest.raises(NoCandidateLeft) as caught:
        list(chat.stream(QUESTION))

    assert set(caught.value.causes) == {"small", "large"}


def test_closing_early_is_charged_and_not_kept(chat: ChatSLS, engine: Engine) -> None:
    """Who leaves in mid-sentence has used what was said; half an answer is not served again."""
    stream = chat.stream(QUESTION)
    next(iter(stream))
    stream.close()

    (line,) = engine.parts.log.after(0, 10)
    assert line.kind is OutcomeKind.ANSWERED
    assert line.answer_text == "Small"
    assert (line.cost_usd or 0) > 0
    assert chat.invoke(QUESTION).response_metadata["sls"]["source"] == "model"


def test_model_without_streaming_gives_one_chunk(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """A model that does not stream is asked for its whole answer."""
    mute = small.model_copy(update={"disable_streaming": True})
    chat = ChatSLS(engine, models={"small": mute, "large": large})

    chunks = list(chat.stream(QUESTION))

    assert [chunk.text for chunk in chunks] == ["Small says so."]
    assert chunks[0].response_metadata["model_name"] == "small"
    assert chunks[0].response_metadata["sls"]["cost_usd"] > 0


async def test_events_and_usage_while_streaming(chat: ChatSLS) -> None:
    """LangChain's event stream shows the words once; a handler counts the tokens once."""
    counter = UsageMetadataCallbackHandler()
    events = [
        event
        async for event in chat.astream_events(QUESTION, {"callbacks": [counter]}, version="v2")
    ]

    said = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(chunk.text for chunk in said) == "Small says so."
    assert counter.usage_metadata["small"]["output_tokens"] == 3


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_typed_events_tell_the_whole_decision(chat: ChatSLS) -> None:
    """The message that LangChain's typed events end in tells decision and cost like any other."""
    message = chat.stream_events(QUESTION, version="v3").output
    awaited = await (await chat.astream_events("Another one?", version="v3")).output

    for told in (message.response_metadata["sls"], awaited.response_metadata["sls"]):
        assert told["cost_usd"] > 0
        assert (told["candidate"], told["source"]) == ("small", "model")
        assert chat.engine.parts.log.decision(told["decision_id"]).candidate == "small"


def test_cached_answer_comes_in_pieces(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A stored answer is streamed a few words at a time, and adds up to the very same text."""
    small.reply = "One  two three\n\nfour five six seven eight nine."
    first = "".join(chunk.text for chunk in chat.stream(QUESTION))

    again = list(chat.stream(QUESTION))

    assert len([chunk for chunk in again if chunk.text]) >= 3
    assert "".join(chunk.text for chunk in again) == first == small.reply
    assert added(again).usage_metadata["total_tokens"] == 0


async def test_a_late_async_call_is_stopped(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """A call that takes longer than its deadline raises, and holds no money afterwards."""

    class Slow(ScriptedChatModel):
        async def _agenerate(self, *given: Any, **settings: Any) -> Any:
            await asyncio.sleep(60)

    chat = ChatSLS(engine, {"small": Slow(model_name="small"), "large": large}, deadline_s=0.2)

    with pytest.raises(TimeoutError):
        await chat.ainvoke(QUESTION)

    assert engine.parts.ledger.purse().reserved_usd == 0.0


async def test_leaving_an_async_stream_is_charged(chat: ChatSLS, engine: Engine) -> None:
    """The async stream, too, is charged for what was said when its caller leaves."""
    stream = chat.astream(QUESTION)
    first = await anext(stream)
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()

    (line,) = engine.parts.log.after(0, 10)
    assert first.text == line.answer_text == "Small"
    assert (line.cost_usd or 0) > 0
