"""ChatSLS as its callers see it: answers, metadata, usage, errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun, UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.rate_limiters import BaseRateLimiter

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Candidate, Engine
from sls_plugins.errors import (
    InvalidQueryError,
    NoCandidateLeft,
    UnknownCandidateError,
    UnknownDecisionError,
)


def test_answer_tells_its_decision(chat: ChatSLS) -> None:
    """An answer says who gave it, under which decision, and what was expected and paid."""
    message = chat.invoke("How high is the Brocken?")

    told = message.response_metadata["sls"]
    assert message.text == "Small says so."
    assert told["candidate"] == "small"
    assert told["source"] == "model"
    assert told["decision_id"]
    assert told["failures"] == {}
    assert told["cost_usd"] == pytest.approx((5 * 0.1 + 3 * 0.4) / 1e6)
    assert told["predicted_cost_usd"] > 0
    assert 0 <= told["predicted_quality"] <= 1
    assert "similarity" not in told


def test_inner_message_passes_through(engine: Engine, large: ScriptedChatModel) -> None:
    """Usage details, reasoning and the provider's own metadata reach the caller untouched."""
    said = AIMessage(
        content=[{"type": "text", "text": "Yes."}],
        additional_kwargs={"reasoning_content": "hm"},
        response_metadata={"finish_reason": "stop", "system_fingerprint": "fp"},
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "input_token_details": {"cache_read": 80},
            "output_token_details": {"reasoning": 40},
        },
        id="provider-7",
    )
    chat = ChatSLS(engine, models={"small": _Fixed(said=said), "large": large})

    message = chat.invoke("Is it so?")

    told = dict(message.response_metadata)
    told.pop("sls")
    assert told == {**said.response_metadata, "model_name": "fixed", "logprobs": None}
    assert (message.content, message.id) == (said.content, "provider-7")
    assert message.usage_metadata == said.usage_metadata
    assert message.additional_kwargs == said.additional_kwargs
    assert "sls" not in said.response_metadata


def test_usage_is_counted_once(chat: ChatSLS) -> None:
    """A usage handler counts the chosen model's tokens once, and nothing for a repeat."""
    counter = UsageMetadataCallbackHandler()

    for _ in range(2):
        chat.invoke("one two three", {"callbacks": [counter]})
        list(chat.stream("four five", {"callbacks": [counter]}))

    (used,) = counter.usage_metadata.values()
    assert set(counter.usage_metadata) == {"small"}
    assert (used["input_tokens"], used["output_tokens"]) == (5, 6)


def test_failing_candidate_is_replaced(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """When the chosen model fails the next one answers, and the failure is told."""
    small.error = RuntimeError("overloaded")

    message = chat.invoke("Who answers?")

    told = message.response_metadata["sls"]
    assert message.text == "Large says so."
    assert told["candidate"] == "large"
    assert "overloaded" in told["failures"]["small"]


def test_all_failing_tells_every_cause(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """When nobody can answer, the error carries each model's own error."""
    small.error, large.error = RuntimeError("overloaded"), TimeoutError("too slow")

    with pytest.raises(NoCandidateLeft) as caught:
        chat.invoke("Who answers?")

    causes = caught.value.causes
    assert isinstance(causes["small"], Exception)
    assert isinstance(causes["large"], Exception)
    assert causes["small"].__cause__ is small.error
    assert causes["large"].__cause__ is large.error


@pytest.mark.parametrize("prompt", ["", "  \n", []])
def test_empty_prompt_is_refused(
    chat: ChatSLS, small: ScriptedChatModel, prompt: str | list[BaseMessage]
) -> None:
    """Nobody is called when nothing is asked."""
    with pytest.raises(InvalidQueryError, match="empty"):
        chat.invoke(prompt)
    assert small.heard == []


def test_names_must_match(engine: Engine, small: ScriptedChatModel) -> None:
    """A model without a candidate, a candidate without a model: both are named."""
    with pytest.raises(UnknownCandidateError, match="'huge'"):
        ChatSLS(engine, models={"small": small, "large": small, "huge": small})
    with pytest.raises(UnknownCandidateError, match="'large'"):
        ChatSLS(engine, models={"small": small})


def test_misspelt_field_is_refused(engine: Engine, small: ScriptedChatModel) -> None:
    """A wall that is misspelt must not silently be no wall."""
    with pytest.raises(ValueError, match="tennant"):
        ChatSLS(engine, models={"small": small, "large": small}, tennant="a")


def test_call_may_name_a_candidate(chat: ChatSLS) -> None:
    """`model=` asks one candidate only, and an unknown one is named."""
    assert chat.invoke("Who are you?", model="large").text == "Large says so."
    with pytest.raises(UnknownCandidateError, match="'tiny'"):
        chat.invoke("Who are you?", model="tiny")


def test_settings_reach_the_model(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Stop words and settings, the call's before ChatSLS's own, reach the model; labels do not."""
    chat = ChatSLS(
        engine, models={"small": small, "large": large}, temperature=0.5, stop=["END"], task="t"
    )

    chat.invoke("one", top_p=0.3)
    chat.invoke("two", temperature=0.0, stop=["X"], sls_tenant="a")

    first, second = ({k: v for k, v in heard.items() if k != "messages"} for heard in small.heard)
    assert first == {"stop": ["END"], "temperature": 0.5, "top_p": 0.3}
    assert second == {"stop": ["X"], "temperature": 0.0}


def test_feedback_by_decision_id(chat: ChatSLS, engine: Engine) -> None:
    """What a user thinks of an answer is taken by its decision id; an unknown id is refused."""
    told = chat.invoke("Was this good?").response_metadata["sls"]

    engine.feedback(told["decision_id"], 0.25)

    assert engine.parts.log.after(0, 10)[-1].quality == 0.25
    with pytest.raises(UnknownDecisionError):
        engine.feedback("nobody", 1.0)


def test_batch_keeps_order(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A batch gives one answer per input, in order, each with a decision of its own."""
    small.reply = lambda messages: f"re: {messages[-1].text}"
    prompts = [f"Question number {place} about {name}?" for place, name in enumerate("abcd")]

    messages = chat.batch(prompts)

    assert [message.text for message in messages] == [f"re: {prompt}" for prompt in prompts]
    assert len({message.response_metadata["sls"]["decision_id"] for message in messages}) == 4


async def test_async_calls_do_not_block(engine: Engine) -> None:
    """Two awaited answers wait at the same time: each model waits until both were called."""
    gate = asyncio.Barrier(2)
    models = {name: _Waiting(gate=gate) for name in ("small", "large")}
    chat = ChatSLS(engine, models=models)

    first, second = await asyncio.wait_for(
        asyncio.gather(chat.ainvoke("first of both"), chat.ainvoke("another thing")), 30
    )

    assert (first.text, second.text) == ("waited", "waited")


async def test_abatch_and_fallback(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """The async road falls back like the blocking one."""
    small.error = RuntimeError("overloaded")

    messages = await chat.abatch(["What is a?", "Where is b?"])

    assert [message.text for message in messages] == ["Large says so."] * 2


def test_rate_limiter_of_the_inner_model_is_honoured(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """The chosen model's rate limiter is asked once per call, and not for a repeat."""
    limiter = _CountingLimiter()
    limited = small.model_copy(update={"rate_limiter": limiter})
    chat = ChatSLS(engine, models={"small": limited, "large": large})

    chat.invoke("Slow down?")
    chat.invoke("Slow down?")
    list(chat.stream("Slower still, please"))

    assert limiter.asked == 2


def test_billed_cost_wins(engine: Engine, large: ScriptedChatModel) -> None:
    """A provider that tells its bill is believed rather than the list price."""
    said = AIMessage("Yes.", response_metadata={"token_usage": {"cost": 0.125}})
    chat = ChatSLS(engine, models={"small": _Fixed(said=said), "large": large})

    assert chat.invoke("How much?").response_metadata["sls"]["cost_usd"] == 0.125


def test_candidates_that_cannot_see_are_not_eligible(make_engine: Any) -> None:
    """An image in the conversation needs a candidate with the capability "vision"."""
    blind = Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4)
    seeing = Candidate(
        name="large",
        input_usd_per_mtok=9.0,
        output_usd_per_mtok=9.0,
        capabilities=frozenset({"vision"}),
    )
    models = {name: ScriptedChatModel(model_name=name, reply=name) for name in ("small", "large")}
    chat = ChatSLS(make_engine((blind, seeing)), models=models)
    picture = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}

    message = chat.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])])

    assert message.text == "large"


class _Fixed(BaseChatModel):
    """Says one message."""

    said: AIMessage

    @property
    def _llm_type(self) -> str:
        return "fixed"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        generation = ChatGeneration(message=self.said, generation_info={"logprobs": None})
        return ChatResult(generations=[generation], llm_output={"model_name": "fixed"})


class _Waiting(_Fixed):
    """Answers when as many have been called as its gate has places."""

    said: AIMessage = AIMessage("waited")
    gate: Any

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        await self.gate.wait()
        return self._generate(messages, stop)


class _CountingLimiter(BaseRateLimiter):
    """Lets all pass and counts them."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire(blocking=blocking)
