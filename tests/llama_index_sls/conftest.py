"""A small real engine behind LlamaIndex: hashing encoder, SQLite in memory, two scripted LLMs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher

from llama_index_sls import CachedQueryEngine, SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM, Witness, WordsEmbedding
from sls_plugins import Budget, Candidate, Engine, Settings, build

ALL = frozenset({"tools", "vision", "json", "audio"})

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, capabilities=ALL),
    Candidate(name="large", input_usd_per_mtok=10.0, output_usd_per_mtok=40.0, capabilities=ALL),
)

MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    """Makes engines that draw the same every time, and closes them afterwards."""
    made: list[Engine] = []
    numbers = itertools.count()

    def make(candidates: tuple[Candidate, ...] = CANDIDATES, **changes: object) -> Engine:
        settings = Settings(
            candidates=candidates,
            budget=Budget(price=1e6),  # money is dear: the cheap candidate comes first
            encoder="hashing",
            index="memory",
            plugins=(),
        )
        changed = settings.model_copy(update=changes)
        made.append(build(changed, ids=lambda: f"decision-{next(numbers)}"))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """An engine with the candidates "small" and "large", of which it tries "small" first."""
    return make_engine()


@pytest.fixture
def small() -> ScriptedLLM:
    """The cheap LLM."""
    return ScriptedLLM(model_name="small", reply="Small says so.")


@pytest.fixture
def large() -> ScriptedLLM:
    """The dear LLM."""
    return ScriptedLLM(model_name="large", reply="Large says so.")


@pytest.fixture
def llm(engine: Engine, small: ScriptedLLM, large: ScriptedLLM) -> SLSRouterLLM:
    """The router under test."""
    return SLSRouterLLM(engine, llms={"small": small, "large": large})


@pytest.fixture
def witness() -> Iterator[Witness]:
    """All events from now on; forgotten by LlamaIndex afterwards."""
    root = get_dispatcher()
    handler = Witness()
    before = root.event_handlers
    root.event_handlers = [*before, handler]
    yield handler
    root.event_handlers = before


@pytest.fixture
def reader() -> ScriptedLLM:
    """The LLM of the query engines; `heard` tells how often it was asked."""
    return ScriptedLLM(model_name="reader", reply="Two years.")


@pytest.fixture
def index() -> VectorStoreIndex:
    """Two documents, each with a tenant in its metadata."""
    documents = [
        Document(text="The warranty of the X20 is two years.", id_="x20", metadata={"of": "acme"}),
        Document(text="The pump of the Z9 is blue.", id_="z9", metadata={"of": "other"}),
    ]
    return VectorStoreIndex.from_documents(documents, embed_model=WordsEmbedding())


@pytest.fixture
def cached(engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM) -> CachedQueryEngine:
    """The query engine under test."""
    return CachedQueryEngine(engine, index.as_query_engine(llm=reader, similarity_top_k=1))
