"""SLSFeedbackHandler: what came of decisions, told by LlamaIndex's own events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import (
    CorrectnessEvaluator,
    EvaluationResult,
    FaithfulnessEvaluator,
)
from llama_index.core.llms import LLM
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import QueryEngineTool
from llama_index_instrumentation import get_dispatcher

from llama_index_sls import SLSFeedbackHandler, SLSRouterLLM, SLSSelector
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Candidate, Engine
from sls_plugins.errors import InputError

MakeEngine = Callable[..., Engine]


class Asking(CustomQueryEngine):
    """A query engine that asks its LLM, or breaks."""

    llm: LLM
    broken: bool = False

    def custom_query(self, query_str: str) -> str:
        if self.broken:
            raise ConnectionError("the index is gone")
        return self.llm.complete(query_str).text

    async def acustom_query(self, query_str: str) -> str:
        if self.broken:
            raise ConnectionError("the index is gone")
        return (await self.llm.acomplete(query_str)).text


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """One query engine whose tokens are priced."""
    return make_engine((Candidate(name="docs", input_usd_per_mtok=1, output_usd_per_mtok=10),))


@pytest.fixture
def handler(engine: Engine) -> Iterator[SLSFeedbackHandler]:
    """The handler under test, with a clock of which every look takes a second."""
    ticks = iter(range(1000))
    handler = SLSFeedbackHandler(engine, timer=lambda: float(next(ticks)))
    handler.install()
    yield handler
    handler.close()


def routed(engine: Engine, llm: LLM, *, broken: bool = False) -> RouterQueryEngine:
    inner = Asking(llm=llm, broken=broken)
    tool = QueryEngineTool.from_defaults(query_engine=inner, name="docs", description="All docs.")
    return RouterQueryEngine(SLSSelector(engine), [tool], llm=llm)


async def ask(router: RouterQueryEngine, *, blocking: bool) -> Response:
    said = router.query("one two") if blocking else await router.aquery("one two")
    assert isinstance(said, Response)
    return said


@pytest.mark.parametrize("blocking", [True, False])
async def test_selected_engines_are_recorded(
    engine: Engine, handler: SLSFeedbackHandler, small: ScriptedLLM, *, blocking: bool
) -> None:
    """Latency, tokens and words of the query engine that was selected are known to the engine."""
    said = await ask(routed(engine, small), blocking=blocking)
    handler.close()

    assert said.metadata is not None
    known = engine.parts.log.find(said.metadata["selector_result"].decision_id)
    assert known.answer_text == "Small says so."
    assert known.usage is not None
    assert (known.usage.input_tokens, known.usage.output_tokens) == (2, 3)
    assert known.cost_usd == pytest.approx((2 * 1 + 3 * 10) / 1e6)
    assert known.latency_s is not None
    assert known.latency_s > 0


@pytest.mark.parametrize("blocking", [True, False])
async def test_errors_are_bad_grades(
    engine: Engine, handler: SLSFeedbackHandler, small: ScriptedLLM, *, blocking: bool
) -> None:
    """A query engine that raises is graded 0 by the source "error"; the error reaches the user."""
    with pytest.raises(ConnectionError):
        await ask(routed(engine, small, broken=True), blocking=blocking)
    handler.close()

    [line] = engine.parts.log.after(0, 10)
    assert (line.candidate, line.quality, line.quality_source) == ("docs", 0.0, "error")


async def test_concurrent_queries_are_kept_apart(
    engine: Engine, handler: SLSFeedbackHandler, small: ScriptedLLM
) -> None:
    """Many queries at once: each decision gets its own answer's tokens."""
    small.reply = lambda words: words
    router = routed(engine, small)
    asked = [f"{'word ' * (n + 1)}".strip() for n in range(40)]

    said = await asyncio.gather(*(router.aquery(each) for each in asked))
    handler.close()

    for text, each in zip(asked, said, strict=True):
        assert isinstance(each, Response)
        assert each.metadata is not None
        [decision_id] = each.metadata["sls_decision_ids"]
        known = engine.parts.log.find(decision_id)
        assert known.query.text == known.answer_text == text
        assert known.usage is not None
        assert known.usage.output_tokens == len(text.split())


async def test_evaluators_grade_what_was_decided(
    make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """A response tells the router LLM's decision behind it, and an evaluator's result grades it."""
    engine = make_engine()
    handler = SLSFeedbackHandler(engine)
    handler.install()
    said = Asking(llm=SLSRouterLLM(engine, {"small": small, "large": large})).query("one two")
    handler.close()
    assert isinstance(said, Response)

    judge = ScriptedLLM(model_name="judge", reply="YES")
    faithful = await FaithfulnessEvaluator(llm=judge).aevaluate(
        query="one two", response=said.response, contexts=["Small says so."]
    )
    correct = await CorrectnessEvaluator(
        llm=ScriptedLLM(model_name="judge", reply="4\nNearly right.")
    ).aevaluate(query="one two", response=said.response, reference="It is so.")
    graded = handler.evaluated(said, faithful, source="faithfulness")
    handler.evaluated(said, correct, source="correctness", full=5.0, none=1.0)

    lines = [each for each in engine.parts.log.after(0, 10) if each.quality is not None]
    assert [(each.quality, each.quality_source) for each in lines] == [
        (1.0, "faithfulness"),
        (0.75, "correctness"),
    ]
    assert {(each.decision_id,) for each in lines} == {graded}
    assert {each.candidate for each in lines} == {"small"}


def test_results_without_a_score(engine: Engine, handler: SLSFeedbackHandler) -> None:
    """What fails is bad, what is invalid is nothing; a response must tell its decision."""
    router = routed(engine, ScriptedLLM(model_name="any"))
    said = router.query("one two")
    assert isinstance(said, Response)

    assert len(handler.evaluated(said, EvaluationResult(passing=False))) == 1
    assert handler.evaluated(said, EvaluationResult(invalid_result=True, score=1.0)) == ()
    assert handler.evaluated(said, EvaluationResult()) == ()
    with pytest.raises(InputError, match="no decision"):
        handler.evaluated(Response("words"), EvaluationResult(score=1.0))
    with pytest.raises(InputError):
        handler.evaluated(said, EvaluationResult(score=4.0))


def test_own_errors_are_logged(
    engine: Engine,
    make_engine: MakeEngine,
    small: ScriptedLLM,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the handler cannot tell is in the log, and the user's query is answered all the same."""
    handler = SLSFeedbackHandler(make_engine())  # which does not know the selector's decisions
    handler.install()
    with caplog.at_level(logging.ERROR):
        said = routed(engine, small).query("one two")
        handler.close()

    assert str(said) == "Small says so."
    assert "could not be told" in caplog.text


def test_closed_handlers_hear_nothing(engine: Engine, small: ScriptedLLM) -> None:
    """After `close` LlamaIndex has forgotten the handler."""
    before = (list(get_dispatcher().event_handlers), list(get_dispatcher().span_handlers))
    handler = SLSFeedbackHandler(engine)
    handler.install()
    handler.close()

    assert (get_dispatcher().event_handlers, get_dispatcher().span_handlers) == before
    assert "sls_decision_ids" not in (routed(engine, small).query("one two").metadata or {})
