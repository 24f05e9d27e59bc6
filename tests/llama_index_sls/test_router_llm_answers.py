"""SLSRouterLLM by every method: decisions, events, fallback, errors, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import MockLLM
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLMWithNonyieldingChatStream

from llama_index.llms.sls import SLSRouterLLM as FromNamespace
from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM, Witness
from sls_plugins import Budget, Engine
from sls_plugins.errors import NoCandidateLeft

QUESTION = "How high is the Brocken?"
MakeEngine = Callable[..., Engine]
Said = ChatResponse | CompletionResponse
Road = Callable[[SLSRouterLLM], Awaitable[list[Said]]]


async def _all(chunks: AsyncIterator[Said]) -> list[Said]:
    return [chunk async for chunk in chunks]


def _asked() -> list[ChatMessage]:
    return [ChatMessage(QUESTION)]


async def _chat(llm: SLSRouterLLM) -> list[Said]:
    return [llm.chat(_asked())]


async def _achat(llm: SLSRouterLLM) -> list[Said]:
    return [await llm.achat(_asked())]


async def _stream_chat(llm: SLSRouterLLM) -> list[Said]:
    return list(llm.stream_chat(_asked()))


async def _astream_chat(llm: SLSRouterLLM) -> list[Said]:
    return await _all(await llm.astream_chat(_asked()))


async def _complete(llm: SLSRouterLLM) -> list[Said]:
    return [llm.complete(QUESTION)]


async def _acomplete(llm: SLSRouterLLM) -> list[Said]:
    return [await llm.acomplete(QUESTION)]


async def _stream_complete(llm: SLSRouterLLM) -> list[Said]:
    return list(llm.stream_complete(QUESTION))


async def _astream_complete(llm: SLSRouterLLM) -> list[Said]:
    return await _all(await llm.astream_complete(QUESTION))


CHATS: list[Road] = [_chat, _achat, _stream_chat, _astream_chat]
COMPLETIONS: list[Road] = [_complete, _acomplete, _stream_complete, _astream_complete]
ROADS = CHATS + COMPLETIONS
STREAMS: list[Road] = [_stream_chat, _astream_chat, _stream_complete, _astream_complete]


def text_of(said: Said) -> str | None:
    return said.text if isinstance(said, CompletionResponse) else said.message.content


def facts(said: Said) -> dict[str, Any]:
    told: dict[str, Any] = said.additional_kwargs["sls"]
    return told


def spoken(chunks: Iterable[Said]) -> str:
    return "".join(chunk.delta or "" for chunk in chunks)


def test_is_an_llm_of_llama_index() -> None:
    """LlamaIndex's users find the class where they look, and it is one of their LLMs."""
    assert FromNamespace is SLSRouterLLM
    assert BaseLLM in SLSRouterLLM.__mro__
    assert SLSRouterLLM.class_name() == "SLSRouterLLM"


@pytest.mark.parametrize("road", ROADS)
async def test_every_method_tells_its_decision(road: Road, llm: SLSRouterLLM) -> None:
    """The response says who gave it, under which decision, what was expected and paid."""
    said = (await road(llm))[-1]

    told = facts(said)
    assert text_of(said) == "Small says so."
    assert (told["candidate"], told["source"], told["failures"]) == ("small", "model", {})
    assert told["decision_id"]
    assert told["cost_usd"] == pytest.approx((5 * 0.1 + 3 * 0.4) / 1e6)
    assert told["predicted_cost_usd"] > 0
    assert 0 <= told["predicted_quality"] <= 1
    assert said.raw["usage"] == {"prompt_tokens": 5, "completion_tokens": 3}


@pytest.mark.parametrize("road", STREAMS)
async def test_every_chunk_is_stamped(road: Road, llm: SLSRouterLLM) -> None:
    """Each chunk names the same decision; together they say the answer once."""
    chunks = await road(llm)

    assert len(chunks) > 3
    assert len({facts(chunk)["decision_id"] for chunk in chunks}) == 1
    assert {facts(chunk)["candidate"] for chunk in chunks} == {"small"}
    assert spoken(chunks) == "Small says so."
    assert facts(chunks[0])["cost_usd"] is None
    assert facts(chunks[-1])["cost_usd"] > 0


@pytest.mark.parametrize("road", ROADS)
async def test_feedback_goes_by_the_decision(road: Road, llm: SLSRouterLLM) -> None:
    """The decision id that a response tells is known to the engine."""
    told = facts((await road(llm))[-1])

    llm.engine.feedback(told["decision_id"], 1.0)

    known = llm.engine.parts.log.find(told["decision_id"])
    assert (known.candidate, known.answer_text) == ("small", "Small says so.")
    assert known.cost_usd == told["cost_usd"]


@pytest.mark.parametrize("road", ROADS)
async def test_one_call_one_event_one_count(
    road: Road, llm: SLSRouterLLM, witness: Witness
) -> None:
    """Handlers see one start, one end, one decision and one count of tokens; none for a repeat."""
    counter = TokenCountingHandler(tokenizer=str.split)
    llm.callback_manager = CallbackManager([counter])

    first = await road(llm)
    after_first = witness.names()
    await road(llm)

    kind = "Chat" if isinstance(first[0], ChatResponse) else "Completion"
    assert after_first.count(f"LLM{kind}StartEvent") == 1
    assert after_first.count(f"LLM{kind}EndEvent") == 1
    assert after_first.count("SLSDecisionEvent") == 1
    repeat = witness.names()[len(after_first) :]
    assert repeat.count("SLSDecisionEvent") == 1
    assert [name for name in repeat if name.startswith("LLM")] == []
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (5, 3)


@pytest.mark.parametrize("road", ROADS)
async def test_next_one_takes_over(
    road: Road, llm: SLSRouterLLM, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """An LLM that fails is replaced by the next one; the response tells why."""
    small.error = ConnectionError("no route to host")

    chunks = await road(llm)

    told = facts(chunks[-1])
    assert text_of(chunks[-1]) == "Large says so."
    assert told["candidate"] == "large"
    assert "no route to host" in told["failures"]["small"]
    assert len(large.heard) == 1


@pytest.mark.parametrize("road", STREAMS)
async def test_broken_stream_is_not_replaced(
    road: Road, llm: SLSRouterLLM, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """After the first chunk the caller gets the error, and no other LLM is asked."""
    small.error, small.error_after = ConnectionError("cut"), 2

    with pytest.raises(Exception, match="cut"):
        await road(llm)

    assert large.heard == []


@pytest.mark.parametrize("road", ROADS)
async def test_all_fail(
    road: Road, llm: SLSRouterLLM, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """When nobody is left the error carries every cause."""
    small.error, large.error = ConnectionError("first"), TimeoutError("second")

    with pytest.raises(NoCandidateLeft, match="first") as caught:
        await road(llm)

    assert set(caught.value.causes) == {"small", "large"}


async def test_async_calls_are_async(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """The async methods use the LLM's own async methods."""
    for road in ROADS:
        llm.epoch = str(road)
        await road(llm)

    assert [each["method"] for each in small.heard] == [
        road.__name__.removeprefix("_") for road in ROADS
    ]


async def test_many_at_once(
    make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """250 concurrent calls are answered, each its own question, and every cent is in the books."""
    small.reply = lambda words: f"You said {words}"
    engine = make_engine(budget=Budget(price=1e6, usd=1.0))
    llm = SLSRouterLLM(engine, {"small": small, "large": large})
    asked = [f"word{n} " * 3 for n in range(250)]

    said = await asyncio.gather(*(llm.achat([ChatMessage(each)]) for each in asked))

    assert [each.message.content for each in said] == [f"You said {each}" for each in asked]
    assert len({facts(each)["decision_id"] for each in said}) == 250
    spent = engine.parts.ledger.purse()
    assert spent.spent_usd == pytest.approx(sum(facts(each)["cost_usd"] for each in said))
    assert spent.reserved_usd == 0


async def test_cancelled_call_gives_its_money_back(
    make_engine: MakeEngine, large: ScriptedLLM
) -> None:
    """A call that is cancelled holds no money."""
    engine = make_engine(budget=Budget(price=1e6, usd=1.0))
    called = asyncio.Event()

    class Slow(ScriptedLLM):
        async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
            called.set()
            await asyncio.Event().wait()
            raise AssertionError

    llm = SLSRouterLLM(engine, {"small": Slow(model_name="small"), "large": large})
    call = asyncio.create_task(llm.achat(_asked()))
    await called.wait()
    assert engine.parts.ledger.purse().reserved_usd > 0

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert engine.parts.ledger.purse().reserved_usd == 0


@pytest.mark.parametrize("road", STREAMS)
async def test_left_stream_is_charged(road: Road, llm: SLSRouterLLM) -> None:
    """A stream that is closed early costs what was said, and is not stored."""
    if road in (_stream_chat, _stream_complete):
        chunks = (
            llm.stream_chat(_asked()) if road is _stream_chat else llm.stream_complete(QUESTION)
        )
        first: Said = next(chunks)
        chunks.close()
    else:
        achunks = (
            await llm.astream_chat(_asked())
            if road is _astream_chat
            else await llm.astream_complete(QUESTION)
        )
        first = await anext(achunks)
        await achunks.aclose()

    known = llm.engine.parts.log.find(facts(first)["decision_id"])
    assert known.answer_text == "Small"
    assert known.cost_usd is not None
    assert known.cost_usd > 0
    assert facts((await road(llm))[-1])["source"] == "model"


@pytest.mark.parametrize("road", ROADS)
async def test_over_llama_indexs_own_mocks(road: Road, engine: Engine) -> None:
    """LlamaIndex's own mock LLMs answer through every method."""
    llm = SLSRouterLLM(engine, {"small": MockLLM(max_tokens=3), "large": MockFunctionCallingLLM()})

    chunks = await road(llm)

    whole = spoken(chunks) if road in STREAMS else text_of(chunks[-1])
    assert whole == "text text text"
    assert facts(chunks[-1])["candidate"] == "small"
    again = await road(llm)
    assert text_of(again[-1]) == "text text text"
    assert facts(again[-1])["source"] == "cache"


def test_stream_without_a_chunk_is_a_failure(engine: Engine, large: ScriptedLLM) -> None:
    """An LLM whose stream ends before it began is replaced by the next one."""
    llm = SLSRouterLLM(engine, {"small": MockLLMWithNonyieldingChatStream(), "large": large})

    chunks = list(llm.stream_chat(_asked()))

    assert spoken(chunks) == "Large says so."
    assert "without a chunk" in facts(chunks[-1])["failures"]["small"]
