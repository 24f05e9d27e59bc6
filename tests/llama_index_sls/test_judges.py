"""Evaluators as judges, ids of responses, retrieval scores that the engine learns by.

All tests are async: without a running loop LlamaIndex makes one that it does not close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import (
    CorrectnessEvaluator,
    EvaluationResult,
    FaithfulnessEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.query_engine import CustomQueryEngine, RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index_instrumentation import get_dispatcher

from llama_index_sls import CachedQueryEngine, EvaluatorJudge, SLSFeedbackHandler, SLSRouterLLM
from llama_index_sls.metered import Meter
from llama_index_sls.testing import ScriptedLLM, WordsEmbedding
from sls_plugins import Budget, Candidate, Engine, Settings, build
from sls_plugins.errors import InputError
from sls_plugins.types import Outcome

QUESTION = "How long is the warranty of the X20?"
MakeEngine = Callable[..., Engine]


def judged(engine: Engine) -> list[tuple[float | None, str]]:
    """The grades in the log."""
    lines: list[Outcome] = list(engine.parts.log.after(0, 100))
    return [(line.quality, line.quality_source) for line in lines]


def settings_with(*judges: str) -> Settings:
    return Settings(
        candidates=[
            {"name": "small", "input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4},
            {"name": "large", "input_usd_per_mtok": 10, "output_usd_per_mtok": 40},
        ],
        budget=Budget(price=1e6),
        encoder="hashing",
        index="memory",
        plugins=(),
        judges=list(judges),
    )


@pytest.mark.parametrize(
    ("kind", "says", "quality"),
    [
        (FaithfulnessEvaluator, "YES", 1.0),
        (FaithfulnessEvaluator, "NO", 0.0),
        (RelevancyEvaluator, "YES", 1.0),
        (CorrectnessEvaluator, "4\nNearly right.", 0.75),
        (CorrectnessEvaluator, "I cannot say.", None),
    ],
)
@pytest.mark.parametrize("blocking", [True, False])
async def test_evaluators_judge_at_once(
    kind: type[Any],
    says: str,
    quality: float | None,
    small: ScriptedLLM,
    large: ScriptedLLM,
    *,
    blocking: bool,
) -> None:
    """Each fresh answer is graded by the evaluator, on its own scale; an unclear word is none."""
    judge = EvaluatorJudge(kind(llm=ScriptedLLM(model_name="judge", reply=says)))
    with build(settings_with(judge.name), plugins=[judge]) as engine:
        llm = SLSRouterLLM(engine, {"small": small, "large": large})
        asked = [ChatMessage("The warranty is two years.", role="system"), ChatMessage(QUESTION)]
        _ = llm.chat(asked) if blocking else await llm.achat(asked)

        assert judged(engine) == [(quality, "" if quality is None else judge.name)]


async def test_contexts_are_what_the_answer_was_made_from(
    small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """An evaluator sees the messages that were sent, or a query engine's source nodes."""
    asked = ScriptedLLM(model_name="judge", reply="YES")
    judge = EvaluatorJudge(RelevancyEvaluator(llm=asked), name="relevant", weight=0.5)
    index = VectorStoreIndex.from_documents(
        [Document(text="The warranty of the X20 is two years.")], embed_model=WordsEmbedding()
    )
    with build(settings_with("relevant"), plugins=[judge]) as engine:
        llm = SLSRouterLLM(engine, {"small": small, "large": large})
        llm.chat([ChatMessage("Blue is the pump.", role="system"), ChatMessage(QUESTION)])
        assert "Blue is the pump." in asked.heard[-1]["words"]

        CachedQueryEngine(engine, index.as_query_engine(llm=small)).query(QUESTION)
        assert "The warranty of the X20 is two years." in asked.heard[-1]["words"]
        assert [source for _, source in judged(engine)] == ["relevant", "relevant"]


async def test_references_and_shares(small: ScriptedLLM, large: ScriptedLLM) -> None:
    """The right answer is handed on where it is known; a rate of 0 asks nobody."""
    asked = ScriptedLLM(model_name="judge", reply="5\nRight.")
    judge = EvaluatorJudge(
        CorrectnessEvaluator(llm=asked), reference_of=lambda query: f"Two years; {query.text}"
    )
    never = EvaluatorJudge(CorrectnessEvaluator(llm=asked), name="never", rate=0.0)
    with build(settings_with("correctness", "never"), plugins=[judge, never]) as engine:
        SLSRouterLLM(engine, {"small": small, "large": large}).complete(QUESTION)

        assert judged(engine) == [(1.0, "correctness")]
        assert len(asked.heard) == 1
        assert f"Two years; {QUESTION}" in asked.heard[0]["words"]


async def test_what_judging_costs_is_charged(small: ScriptedLLM, large: ScriptedLLM) -> None:
    """By the tokens that the evaluator's own LLM tells, whether its verdict is clear or not."""
    for says, counts in (("YES", True), ("4\nNearly right.", True), ("I cannot say.", False)):
        asked = ScriptedLLM(model_name="judge", reply=says)
        kind: type[Any] = RelevancyEvaluator if says == "YES" else CorrectnessEvaluator
        price = Candidate(name="judge", input_usd_per_mtok=5.0, output_usd_per_mtok=20.0)
        judge = EvaluatorJudge(kind(llm=asked), priced_as=price)
        capped = {"budget": Budget(price=1e6, usd=10.0)}
        settings = settings_with(judge.name).model_copy(update=capped)
        with build(settings, plugins=[judge]) as engine:
            llm = SLSRouterLLM(engine, {"small": small, "large": large})
            said = llm.complete(QUESTION)

            purse = engine.parts.ledger.purse()
            judging_usd = purse.spent_usd - said.additional_kwargs["sls"]["cost_usd"]
            words = len(asked.heard[-1]["words"].split())
            assert judging_usd == pytest.approx((5 * words + 20 * len(says.split())) / 1e6)
            assert purse.reserved_usd == 0.0
            assert (judged(engine)[0][0] is not None) is counts


async def test_pieces_of_work_at_the_same_time_count_their_own_tokens() -> None:
    """An LLM is counted once, by whoever asked it, however many count at that moment."""
    entered, asked = [asyncio.Event(), asyncio.Event()], asyncio.Event()

    async def work(place: int) -> int:
        llm = ScriptedLLM(model_name=f"model {place}")
        with Meter() as counted:
            entered[place].set()
            await asyncio.gather(*(each.wait() for each in entered))
            for _ in range(place + 1):
                await llm.achat([ChatMessage(QUESTION)])
            asked.set() if place else await asked.wait()
        return len(counted)

    before = len(get_dispatcher().event_handlers)
    assert await asyncio.gather(work(0), work(1)) == [1, 2]
    assert len(get_dispatcher().event_handlers) == before


async def test_a_router_llm_is_no_evaluators_llm(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """A judge whose answers would be judged again is refused; so are options in the settings."""
    router = SLSRouterLLM(engine, {"small": small, "large": large})
    with pytest.raises(InputError, match="an LLM of its own"):
        EvaluatorJudge(FaithfulnessEvaluator(llm=router))
    judge = EvaluatorJudge(FaithfulnessEvaluator(llm=small))
    [make] = judge.sls_judges().values()
    with pytest.raises(InputError, match="no options"):
        make(None, {"rate": 0.5})


class Named(ScriptedLLM):
    """Names its responses, as providers do."""

    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        said = super().chat(messages, **kwargs)
        return said.model_copy(update={"raw": {**said.raw, "id": f"response-{len(self.heard)}"}})


async def test_responses_are_known_by_the_providers_ids(engine: Engine, large: ScriptedLLM) -> None:
    """Who only has the provider's id of a response can still grade it."""
    handler = SLSFeedbackHandler(engine)
    handler.install()
    llm = SLSRouterLLM(engine, {"small": Named(model_name="small"), "large": large})
    said = llm.chat([ChatMessage(QUESTION)])
    handler.close()

    decision_id = said.additional_kwargs["sls"]["decision_id"]
    assert handler.decision_of("response-1") == decision_id
    assert handler.decision_of("response-2") is None
    assert handler.evaluated("response-1", EvaluationResult(score=0.5)) == (decision_id,)


async def test_the_providers_ids_are_known_after_a_restart(
    make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM, tmp_path: Path
) -> None:
    """A later process grades a response by its id, through a handler or without one."""
    first = make_engine(folder=tmp_path)
    handler = SLSFeedbackHandler(first)
    handler.install()
    llm = SLSRouterLLM(first, {"small": Named(model_name="small"), "large": large})
    decision_id = llm.chat([ChatMessage(QUESTION)]).additional_kwargs["sls"]["decision_id"]
    handler.close()
    first.close()

    later = make_engine(folder=tmp_path)
    assert SLSFeedbackHandler(later).decision_of("response-1") == decision_id
    later.feedback("response-1", 0.5, source="thumbs")
    graded = [line for line in later.parts.log.after(0, 10) if line.quality is not None]
    assert [(line.decision_id, line.quality) for line in graded] == [(decision_id, 0.5)]


class Found(BaseRetriever):
    """Finds one node, with the score that the question names."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        score = float(query_bundle.query_str.rsplit(" ", 1)[1])
        return [NodeWithScore(node=TextNode(text="Something."), score=score)]


class Outside(CustomQueryEngine):
    """Asks its LLM without retrieval."""

    llm: Any

    def custom_query(self, query_str: str) -> str:
        return str(self.llm.complete(query_str))


@pytest.mark.parametrize("blocking", [True, False])
async def test_retrieval_scores_tell_queries_apart(
    make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM, *, blocking: bool
) -> None:
    """With strong context the cheap LLM does, with weak context the dear one: that is learnt."""
    engine = make_engine(budget=Budget(price=300.0))
    handler = SLSFeedbackHandler(engine)
    handler.install()
    llm = SLSRouterLLM(
        engine, {"small": small, "large": large}, task="rag", retrieved=handler.retrieved
    )
    asked = RetrieverQueryEngine.from_args(Found(), llm=llm)
    chosen: dict[str, list[str]] = {"0.9": [], "0.3": []}
    for number in range(40):
        for score, names in chosen.items():
            text = f"What of thing {number} at {score}"
            said = asked.query(text) if blocking else await asked.aquery(text)
            assert isinstance(said, Response)
            [decision_id] = (said.metadata or {})["sls_decision_ids"]
            known = engine.parts.log.find(decision_id)
            names.append(known.candidate)
            good = known.candidate == "large" or score == "0.9"
            engine.feedback(decision_id, 1.0 if good else 0.0)
    handler.close()

    tasks = {line.query.task for line in engine.parts.log.after(0, 1000)}
    assert tasks == {"rag+strong context", "rag+weak context"}
    assert chosen["0.9"][-10:].count("small") >= 8
    assert chosen["0.3"][-10:].count("large") >= 8


async def test_without_retrieval_the_task_is_as_it_was(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """Scores count only in the query for which they were found."""
    handler = SLSFeedbackHandler(engine)
    handler.install()
    llm = SLSRouterLLM(
        engine, {"small": small, "large": large}, task="rag", retrieved=handler.retrieved
    )
    RetrieverQueryEngine.from_args(Found(), llm=llm).query("What is it 0.1")
    Outside(llm=llm).query("What is it 0.9")
    llm.complete("And this?")
    handler.close()

    tasks = [line.query.task for line in engine.parts.log.after(0, 100)]
    assert tasks == ["rag+faint context", "rag", "rag"]


@pytest.mark.parametrize("blocking", [True, False])
async def test_streamed_responses_tell_their_decision_once_they_were_read(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM, *, blocking: bool
) -> None:
    """The LLM of a stream decides when it is read; then its response can be evaluated, too."""
    handler = SLSFeedbackHandler(engine)
    handler.install()
    index = VectorStoreIndex.from_documents(
        [Document(text="The warranty of the X20 is two years.")], embed_model=WordsEmbedding()
    )
    llm = SLSRouterLLM(
        engine, {"small": small, "large": large}, task="rag", retrieved=handler.retrieved
    )
    asked = index.as_query_engine(llm=llm, streaming=True)
    if blocking:
        said = asked.query(QUESTION)
        words = list(said.response_gen)
    else:
        said = await asked.aquery(QUESTION)
        words = [word async for word in said.response_gen]
    handler.close()

    assert "".join(words) == "Small says so."
    [decision_id] = said.metadata["sls_decision_ids"]
    assert handler.evaluated(said, EvaluationResult(score=1.0)) == (decision_id,)
    known = engine.parts.log.find(decision_id)
    assert (known.candidate, known.query.task) == ("small", "rag+fair context")
