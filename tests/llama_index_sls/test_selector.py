"""SLSSelector's contract: an index in range, no LLM, reasons, decisions, feedback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llama_index.core.base.base_selector import BaseSelector
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.retrievers import BaseRetriever, RouterRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import QueryEngineTool, RetrieverTool, ToolMetadata
from llama_index_instrumentation.dispatcher import instrument_tags

from llama_index.selectors.sls import SLSSelector as FromNamespace
from llama_index_sls import SLSSelector
from llama_index_sls.testing import ScriptedLLM, Witness
from sls_plugins import Budget, Candidate, Engine
from sls_plugins.errors import InvalidQueryError, NoCandidateLeft
from sls_plugins.types import Matrix

MakeEngine = Callable[..., Engine]

SHOP = ToolMetadata(name="shop", description="Opening hours and addresses of our shops.")
MANUAL = ToolMetadata(name="manual", description="How to repair a machine, by error number.")
LAW = ToolMetadata(name="law", description="Contracts, warranty and returning goods.")
CHOICES = [SHOP, MANUAL, LAW]


def at(name: str, usd: float) -> Candidate:
    """A query engine with a fixed fee."""
    return Candidate(name=name, input_usd_per_mtok=0, output_usd_per_mtok=0, usd_per_query=usd)


CANDIDATES = (at("shop", 0.001), at("manual", 0.002), at("law", 0.004))


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """Three query engines, the later the dearer."""
    return make_engine(CANDIDATES, budget=Budget(price=20))


@pytest.fixture
def selector(engine: Engine) -> SLSSelector:
    return SLSSelector(engine)


class Echo(CustomQueryEngine):
    """A query engine that says its name."""

    name: str

    def custom_query(self, query_str: str) -> str:
        return f"{self.name}: {query_str}"


class EchoRetriever(BaseRetriever):
    """A retriever of one node, which is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text=self.name, id_=self.name))]


def router(selector: SLSSelector, llm: ScriptedLLM) -> RouterQueryEngine:
    tools = [
        QueryEngineTool.from_defaults(
            query_engine=Echo(name=str(each.name)), name=each.name, description=each.description
        )
        for each in CHOICES
    ]
    return RouterQueryEngine(selector, tools, llm=llm)


def test_is_a_selector_of_llama_index(selector: SLSSelector) -> None:
    """LlamaIndex's users find the class where they look; it has no prompts to change."""
    assert FromNamespace is SLSSelector
    assert BaseSelector in SLSSelector.__mro__
    assert selector.get_prompts() == {}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("What are the opening hours of our shops?", 0),
        ("How to repair error number 7?", 1),
        ("Is there a warranty in contracts?", 2),
    ],
)
async def test_begins_with_the_descriptions(selector: SLSSelector, query: str, index: int) -> None:
    """Before anything was graded the nearest description wins; the reason names it."""
    result = selector.select(CHOICES, query)
    aresult = await selector.aselect(CHOICES, query)

    assert result.ind == aresult.ind == index
    assert str(CHOICES[index].name) in result.reason
    assert "nearest description" in result.reason
    assert result.decision_id != aresult.decision_id
    known = selector.engine.parts.log.find(result.decision_id)
    assert (known.candidate, known.query.text) == (CHOICES[index].name, query)


def test_learns_from_feedback(selector: SLSSelector) -> None:
    """Bad grades move one kind of query elsewhere, and leave other kinds alone."""
    for day in range(60):
        result = selector.select(CHOICES, f"What are the opening hours of our shops on day {day}?")
        quality = 1.0 if result.ind == 1 else 0.0
        selector.engine.feedback(result.decision_id, quality)

    late = [
        selector.select(CHOICES, f"What are the opening hours of our shops on day {day}?").ind
        for day in range(100, 120)
    ]
    assert late.count(1) >= 15
    assert selector.select(CHOICES, "Is there a warranty in contracts?").ind == 2


def test_experience_survives(make_engine: MakeEngine, tmp_path: Any) -> None:
    """A new selector on the same database goes on where the last one was."""
    budget = Budget(price=20)
    where = f"sqlite:///{tmp_path / 'sls.db'}"
    first = SLSSelector(make_engine(CANDIDATES, database=where, budget=budget))
    for day in range(60):
        result = first.select(CHOICES, f"What are the opening hours of our shops on day {day}?")
        first.engine.feedback(result.decision_id, 1.0 if result.ind == 1 else 0.0)
    first.engine.close()

    again = SLSSelector(make_engine(CANDIDATES, database=where, budget=budget))
    late = [
        again.select(CHOICES, f"What are the opening hours of our shops on day {day}?").ind
        for day in range(100, 120)
    ]
    assert late.count(1) >= 15


def test_several_at_once(engine: Engine) -> None:
    """A query that belongs to two choices gets both, each with a decision; others get one."""
    selector = SLSSelector(engine, most=2)

    both = selector.select(
        CHOICES, "opening hours of our shops, and how to repair a machine by error number"
    )
    one = selector.select(CHOICES, "Opening hours and addresses of our shops.")

    assert sorted(both.inds) == [0, 1]
    assert len(both.reasons) == len(set(both.decision_ids)) == 2
    assert one.inds == [0]


async def test_query_engines_are_chosen_without_an_llm(
    selector: SLSSelector, small: ScriptedLLM
) -> None:
    """RouterQueryEngine works, blocking and not, and hands on the decision."""
    engine = router(selector, small)

    said = engine.query("How to repair error number 7?")
    asaid = await engine.aquery("Is there a warranty in contracts?")

    assert str(said) == "manual: How to repair error number 7?"
    assert str(asaid) == "law: Is there a warranty in contracts?"
    assert said.metadata is not None
    selector.engine.feedback(said.metadata["selector_result"].decision_id, 1.0)
    assert small.heard == []


def test_several_query_engines_are_combined(engine: Engine, small: ScriptedLLM) -> None:
    """With several selections the router's own summary is made, by the LLM it was given."""
    said = router(SLSSelector(engine, most=2), small).query(
        "opening hours of our shops, and how to repair a machine by error number"
    )

    assert str(said) == "Small says so."
    assert "shop:" in small.heard[0]["words"]
    assert "manual:" in small.heard[0]["words"]


async def test_retrievers_are_chosen(engine: Engine, small: ScriptedLLM) -> None:
    """RouterRetriever works with choices named by place: its tools have one name all."""
    tools = [
        RetrieverTool.from_defaults(EchoRetriever(str(each.name)), description=each.description)
        for each in CHOICES
    ]
    selector = SLSSelector(engine, names=["shop", "manual", "law"])
    retriever = RouterRetriever(selector, tools, llm=small)

    assert [node.text for node in retriever.retrieve("How to repair error 7?")] == ["manual"]
    assert [node.text for node in await retriever.aretrieve("warranty in contracts")] == ["law"]


def test_names_by_place_must_fit(engine: Engine) -> None:
    """Names by place that are not as many as the choices are the caller's error; so is none."""
    with pytest.raises(InvalidQueryError, match="3 choices"):
        SLSSelector(engine, names=["shop"]).select(CHOICES, "hello")
    with pytest.raises(InvalidQueryError, match="no choice"):
        SLSSelector(engine).select([], "hello")


def test_unknown_choices_are_taken_by_description(selector: SLSSelector) -> None:
    """A choice that is no candidate can be right all the same; the reason says so."""
    result = selector.select([*CHOICES, "Recipes for soup and bread."], "recipes for bread")

    assert result.ind == 3
    assert "no candidate" in result.reason
    assert result.decision_id == ""


def test_budget_holds(make_engine: MakeEngine) -> None:
    """A choice dearer than the ceiling is not taken, however near; nor is anybody forced."""
    candidates = (at("shop", 0.001), at("manual", 0.002), at("law", 1.0))
    dear = SLSSelector(make_engine(candidates, budget=Budget(max_usd_per_query=0.1)))
    assert dear.select(CHOICES, "Is there a warranty in contracts?").ind in (0, 1)

    poor = SLSSelector(make_engine(candidates, budget=Budget(max_usd_per_query=1e-9)))
    with pytest.raises(NoCandidateLeft):
        poor.select(CHOICES, "Is there a warranty in contracts?")


def test_tenants_come_by_tags(selector: SLSSelector) -> None:
    """Who asks is told by the selector, or by LlamaIndex's tags."""
    with instrument_tags({"sls_tenant": "acme", "sls_task": "help"}):
        result = selector.select(CHOICES, "warranty in contracts")

    known = selector.engine.parts.log.find(result.decision_id).query
    assert (known.tenant, known.task) == ("acme", "help:law")


def test_handlers_hear_of_decisions(selector: SLSSelector, witness: Witness) -> None:
    """Each decision is an event, whose answer is yet to come."""
    result = selector.select(CHOICES, "warranty in contracts")

    [event] = [each for each in witness.seen if each.class_name() == "SLSDecisionEvent"]
    told = event.model_dump()
    assert (told["decision_id"], told["candidate"]) == (result.decision_id, "law")
    assert told["open"]


def test_descriptions_are_embedded_once(engine: Engine) -> None:
    """Many queries over the same choices encode each description once."""
    counting = CountingEncoder(engine)
    selector = SLSSelector(engine)
    selector._descriptions._encoder = counting

    for number in range(50):
        selector.select(CHOICES, f"question {number}")

    assert sum(counting.texts.count(str(each.description)) for each in CHOICES) == 3


class CountingEncoder:
    """The engine's encoder, which remembers what it encoded."""

    def __init__(self, engine: Engine) -> None:
        self._inner = engine.parts.encoder
        self.fingerprint, self.dimension = self._inner.fingerprint, self._inner.dimension
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.texts += texts
        return self._inner.encode(texts)


WORDS = [
    "hours",
    "repair",
    "warranty",
    "7",
    "ünïcödé",
    "日本語",
    "\ud800",
    "\x00",
    "{json}",
    "",
    " ",
]


def fuzzed(draw: random.Random) -> tuple[list[str | ToolMetadata], str]:
    """A query and 1 to 50 choices: known, unknown, nameless, doubled, with odd descriptions."""
    names = ["shop", "manual", "law", None, "other", "日本", ""]
    choices: list[str | ToolMetadata] = []
    for _ in range(draw.randint(1, 50) if draw.random() < 0.2 else draw.randint(1, 6)):
        description = " ".join(draw.choices(WORDS, k=draw.randint(0, 2)))
        tool = ToolMetadata(name=draw.choice(names), description=description)
        choices.append(description if draw.random() < 0.3 else tool)
    return choices, " ".join(draw.choices(WORDS, k=draw.randint(0, 4)))


@pytest.mark.parametrize("most", [1, 3])
def test_any_query_any_choices(engine: Engine, most: int) -> None:
    """10,000 fuzzed queries and lists of choices: the indexes are always valid, and distinct."""
    draw = random.Random(most)
    selector = SLSSelector(engine, most=most)
    wrong = []
    for _ in range(5000):
        choices, query = fuzzed(draw)
        result = selector.select(choices, query)
        fits = 1 <= len(result.inds) <= most and all(
            type(index) is int and 0 <= index < len(choices) for index in result.inds
        )
        if not fits or len(set(result.inds)) < len(result.inds) or not all(result.reasons):
            wrong.append((choices, query, result))
    assert wrong == []


async def test_any_query_any_choices_at_once(engine: Engine) -> None:
    """The same, 200 at a time."""
    draw = random.Random(7)
    selector = SLSSelector(engine)
    cases = [fuzzed(draw) for _ in range(200)]

    results = await asyncio.gather(*(selector.aselect(*case) for case in cases))

    assert all(
        0 <= result.ind < len(choices) for result, (choices, _) in zip(results, cases, strict=True)
    )
