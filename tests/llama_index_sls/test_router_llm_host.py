"""How SLSRouterLLM fits into LlamaIndex: names, limits, prompts, handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from llama_index.core import PromptTemplate, Settings
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import MockLLM
from llama_index.core.rate_limiter import TokenBucketRateLimiter

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Candidate, Engine
from sls_plugins.errors import InvalidQueryError, NoCandidateLeft, UnknownCandidateError

MakeEngine = Callable[..., Engine]
QUESTION = "How high is the Brocken?"


def facts(said: ChatResponse | CompletionResponse) -> dict[str, Any]:
    told: dict[str, Any] = said.additional_kwargs["sls"]
    return told


def test_call_may_name_its_candidate(llm: SLSRouterLLM, large: ScriptedLLM) -> None:
    """`model=` is an order, unless nobody has that name."""
    assert facts(llm.complete(QUESTION, model="large"))["candidate"] == "large"
    assert "model" not in large.heard[0]
    with pytest.raises(UnknownCandidateError, match="huge"):
        llm.complete(QUESTION, model="huge")


def test_settings_reach_the_llm(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """Keywords of a call are the chosen LLM's; those for the scheduler are not."""
    llm.chat([ChatMessage(QUESTION)], temperature=0.5, sls_tenant="acme", sls_task="facts")

    assert small.heard == [{"method": "chat", "words": QUESTION, "temperature": 0.5}]


def test_names_must_match(engine: Engine, small: ScriptedLLM, large: ScriptedLLM) -> None:
    """An LLM without a candidate, or a candidate without an LLM, is an error at the start."""
    with pytest.raises(UnknownCandidateError, match="huge"):
        SLSRouterLLM(engine, {"small": small, "large": large, "huge": large})
    with pytest.raises(UnknownCandidateError, match="large"):
        SLSRouterLLM(engine, {"small": small})


def test_nothing_asked(llm: SLSRouterLLM) -> None:
    """An empty conversation is the caller's error; a stream says so before it is read."""
    with pytest.raises(InvalidQueryError):
        llm.chat([])
    with pytest.raises(InvalidQueryError):
        llm.stream_complete(" ")


def test_metadata_is_the_best_of_all(engine: Engine, large: ScriptedLLM) -> None:
    """Window and capabilities are what at least one LLM offers."""
    llm = SLSRouterLLM(engine, {"small": MockLLM(max_tokens=9), "large": large})

    told = llm.metadata
    assert told.context_window == 8000
    assert told.num_output == 256
    assert told.is_chat_model
    assert told.is_function_calling_model
    assert llm.to_payload()["llms"] == ["large", "small"]


def test_metadata_is_what_candidates_may_do(
    make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """A declared window counts; nobody calls tools if no candidate says that it can."""
    prices = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}
    plain = (
        Candidate(name="small", context_window=4000, **prices),
        Candidate(name="large", context_window=100_000, **prices),
    )
    told = SLSRouterLLM(make_engine(plain), {"small": small, "large": large}).metadata

    assert told.context_window == 100_000
    assert not told.is_function_calling_model


def test_long_prompts_go_where_they_fit(engine: Engine, large: ScriptedLLM) -> None:
    """An LLM whose own window is too small is not asked, unless no other is left."""
    small = ScriptedLLM(model_name="small", context_window=10)
    llm = SLSRouterLLM(engine, {"small": small, "large": large})

    assert facts(llm.complete("tell me more " * 20))["candidate"] == "large"
    assert facts(llm.complete("tell me"))["candidate"] == "small"


def test_predict_and_stream_by_prompts(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """Prompt templates and the system prompt work as with any LLM."""
    llm.system_prompt = "Be brief."
    prompt = PromptTemplate("How high is {what}?")

    assert llm.predict(prompt, what="the Brocken") == "Small says so."
    assert "".join(llm.stream(prompt, what="the Harz")) == "Small says so."
    assert small.heard[0]["words"] == f"Be brief.\n{QUESTION}"


async def test_apredict_and_astream_by_prompts(llm: SLSRouterLLM) -> None:
    """The same, without blocking."""
    prompt = PromptTemplate("How high is {what}?")

    assert await llm.apredict(prompt, what="the Brocken") == "Small says so."
    words = [word async for word in await llm.astream(prompt, what="the Harz")]
    assert "".join(words) == "Small says so."


def test_own_handlers_are_left_alone(engine: Engine, large: ScriptedLLM) -> None:
    """An LLM with handlers keeps them; one without is lent the router's, also when they change."""
    own, routers, later = (TokenCountingHandler(tokenizer=str.split) for _ in range(3))
    small = ScriptedLLM(model_name="small", callback_manager=CallbackManager([own]))
    llm = SLSRouterLLM(
        engine, {"small": small, "large": large}, callback_manager=CallbackManager([routers])
    )

    llm.complete("one two")
    llm.complete("three four five", model="large")
    llm.callback_manager = CallbackManager([later])
    llm.complete("six", model="large")

    counts = [each.prompt_llm_token_count for each in (own, routers, later)]
    assert counts == [2, 3, 1]


def test_rate_limiter_is_lent(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """The router's rate limiter slows the LLMs that have none."""
    llm.rate_limiter = TokenBucketRateLimiter(requests_per_minute=600)

    llm.complete(QUESTION)

    assert small.rate_limiter is llm.rate_limiter


def test_candidates_limits_hold(make_engine: MakeEngine, small: ScriptedLLM) -> None:
    """A candidate's declared window decides, whatever LlamaIndex says of the LLM."""
    engine = make_engine(
        (Candidate(name="small", input_usd_per_mtok=1, output_usd_per_mtok=1, context_window=300),)
    )
    with pytest.raises(NoCandidateLeft, match="context window"):
        SLSRouterLLM(engine, {"small": small}).complete("word " * 200)


@pytest.fixture
def settings() -> Iterator[None]:
    """LlamaIndex's global settings, put back afterwards."""
    before = (Settings._llm, Settings._callback_manager)
    yield
    Settings._llm, Settings._callback_manager = before


def test_is_the_llm_of_the_settings(settings: None, llm: SLSRouterLLM) -> None:
    """`Settings.llm` may be a router, and the settings' handlers count its tokens once."""
    counter = TokenCountingHandler(tokenizer=str.split)
    Settings.callback_manager = CallbackManager([counter])
    Settings.llm = llm

    assert Settings.llm.complete(QUESTION).text == "Small says so."

    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (5, 3)


def test_candidates_may_join_later(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """A candidate that joins the engine, of which the router has no LLM, is not asked."""
    engine = llm.engine
    free = Candidate(name="free", input_usd_per_mtok=0, output_usd_per_mtok=0)
    engine.parts = replace(engine.parts, candidates={**engine.parts.candidates, "free": free})

    assert facts(llm.complete("How high is the Brocken?"))["candidate"] == "small"
