"""CachedQueryEngine: responses that were given before, as long as the index says the same.

All tests are async: without a running loop LlamaIndex makes one that it does not close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex, VectorStoreIndex
from llama_index.core.base.response.schema import (
    AsyncStreamingResponse,
    PydanticResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores import (
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
)
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from llama_index_sls import CachedQueryEngine, SLSFeedbackHandler
from llama_index_sls.testing import ScriptedLLM, Witness, WordsEmbedding
from sls_plugins import CacheSettings, Engine
from sls_plugins.errors import InputError

MakeEngine = Callable[..., Engine]
Index = VectorStoreIndex | SummaryIndex
QUESTION = "How long is the warranty of the X20?"


class Fact(BaseModel):
    """A thing and a number."""

    thing: str
    number: int


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


async def ask(cached: CachedQueryEngine, question: str = QUESTION, *, blocking: bool) -> Any:
    return cached.query(question) if blocking else await cached.aquery(question)


def source(said: Any) -> str:
    return str(said.metadata["sls"]["source"])


def words(node: TextNode) -> str:
    return node.get_content()


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_repeat_is_answered_without_the_query_engine(
    cached: CachedQueryEngine, reader: ScriptedLLM, *, blocking: bool
) -> None:
    """Nodes, scores and metadata of the first response survive; no LLM is asked again."""
    first = await ask(cached, blocking=blocking)
    again = await ask(cached, blocking=blocking)

    assert isinstance(again, Response)
    assert (source(first), source(again)) == ("model", "cache")
    assert str(again) == str(first) == "Two years."
    assert len(reader.heard) == 1
    assert [node.score for node in again.source_nodes] == [
        node.score for node in first.source_nodes
    ]
    [was], [now] = first.source_nodes, again.source_nodes
    assert (now.node.node_id, words(now.node)) == (was.node.node_id, words(was.node))
    assert now.node.metadata == was.node.metadata == {"of": "acme"}
    assert now.node.ref_doc_id == "x20"
    plain = {key: value for key, value in first.metadata.items() if key != "sls"}
    assert plain == {key: value for key, value in again.metadata.items() if key != "sls"}
    assert was.node.node_id in plain


async def test_served_responses_are_copies(cached: CachedQueryEngine) -> None:
    """What a caller does to a response does not reach the next one."""
    cached.query(QUESTION)
    one = cached.query(QUESTION)
    one.source_nodes[0].node.metadata["of"] = "changed"
    one.metadata.clear()

    again = cached.query(QUESTION)
    assert again.source_nodes[0].node.metadata == {"of": "acme"}
    assert len(again.metadata) == 2


@pytest.mark.parametrize("blocking", [True, False])
async def test_streams_are_kept_when_they_were_read(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM, *, blocking: bool
) -> None:
    """A stream passes word by word; a repeat is a stream, too; nodes survive."""
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader, streaming=True))

    async def read(said: StreamingResponse | AsyncStreamingResponse) -> list[str]:
        if isinstance(said, StreamingResponse):
            return list(said.response_gen)
        return [word async for word in said.response_gen]

    first = await ask(cached, blocking=blocking)
    assert "sls" not in (first.metadata or {})
    spoken = await read(first)
    again = await ask(cached, blocking=blocking)

    assert isinstance(again, StreamingResponse if blocking else AsyncStreamingResponse)
    assert len(spoken) > 1
    assert "".join(spoken) == "Two years."
    assert await read(again) == ["Two years."]
    assert (source(first), source(again)) == ("model", "cache")
    assert [each.node.node_id for each in again.source_nodes] == [
        each.node.node_id for each in first.source_nodes
    ]
    assert len(reader.heard) == 1


async def test_a_stream_that_is_left_is_not_kept(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM
) -> None:
    """Half an answer is nobody's answer."""
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader, streaming=True))
    said = cached.query(QUESTION)
    assert next(said.response_gen) == "Two"
    said.response_gen.close()
    left = await cached.aquery(QUESTION)
    assert await anext(left.response_gen) == "Two"
    await left.response_gen.aclose()

    assert str(cached.query(QUESTION)) == "Two years."
    assert len(reader.heard) == 3


@pytest.mark.parametrize("blocking", [True, False])
async def test_objects_survive(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM, *, blocking: bool
) -> None:
    """A structured response comes back as the same object, also in a later process."""
    asked = index.as_query_engine(llm=reader, output_cls=Fact, response_mode="compact")
    first = await ask(CachedQueryEngine(engine, asked), blocking=blocking)
    again = await ask(CachedQueryEngine(engine, asked), blocking=blocking)

    assert isinstance(again, PydanticResponse)
    assert again.response == first.response
    assert isinstance(again.response, Fact)
    assert source(again) == "cache"


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.insert(Document(text="The warranty is three years now.")),
        lambda index: index.delete_ref_doc("z9"),
        lambda index: index.delete_ref_doc("x20", delete_from_docstore=True),
        lambda index: index.update_ref_doc(Document(text="The X20 has no warranty.", id_="x20")),
        lambda index: index.refresh_ref_docs([Document(text="The pump is red.", id_="z9")]),
        lambda index: index.insert_nodes([TextNode(text="One more word.")]),
    ],
    ids=["insert", "delete", "delete-all", "update", "refresh", "nodes"],
)
@pytest.mark.parametrize("kind", [VectorStoreIndex, SummaryIndex])
async def test_a_changed_index_is_asked_anew(
    engine: Engine,
    index: VectorStoreIndex,
    reader: ScriptedLLM,
    change: Callable[[Index], None],
    kind: type[Index],
) -> None:
    """Whatever changes the index puts its old answers out of reach, at once and for good."""
    documents = [
        Document(text="The warranty of the X20 is two years.", id_="x20"),
        Document(text="The pump of the Z9 is blue.", id_="z9"),
    ]
    index = kind.from_documents(documents, embed_model=WordsEmbedding())
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader))
    cached.query(QUESTION)
    assert source(cached.query(QUESTION)) == "cache"

    change(index)

    assert source(cached.query(QUESTION)) == "model"
    assert source(await cached.aquery(QUESTION)) == "cache"


async def test_the_same_texts_are_the_same_content(
    make_engine: MakeEngine, reader: ScriptedLLM, tmp_path: Any
) -> None:
    """A process that reads the same documents anew goes on with the answers of the last one."""
    sources = []
    for _ in range(2):
        engine = make_engine(folder=tmp_path)
        documents = [Document(text="The warranty of the X20 is two years.")]
        index = VectorStoreIndex.from_documents(documents, embed_model=WordsEmbedding())
        sources.append(
            source(CachedQueryEngine(engine, index.as_query_engine(llm=reader)).query(QUESTION))
        )
        engine.close()

    assert sources == ["model", "cache"]


def _of(name: str) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key="of", value=name)])


@pytest.mark.parametrize(
    "other",
    [
        {"filters": _of("acme")},
        {"similarity_top_k": 2},
        {"text_qa_template": PromptTemplate("Be rude. {context_str} {query_str}")},
        {"response_mode": "tree_summarize"},
        {"streaming": True},
    ],
    ids=["filters", "top-k", "prompt", "mode", "streaming"],
)
async def test_settings_are_walls(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM, other: dict[str, Any]
) -> None:
    """Query engines that retrieve or answer in another way do not share answers."""
    base = {"llm": reader, "similarity_top_k": 1, "filters": _of("other")}
    CachedQueryEngine(engine, index.as_query_engine(**base)).query(QUESTION)
    same = CachedQueryEngine(engine, index.as_query_engine(**base)).query(QUESTION)
    said = CachedQueryEngine(engine, index.as_query_engine(**{**base, **other})).query(QUESTION)

    assert source(same) == "cache"
    assert str(said)
    assert source(said) == "model"


async def test_changed_prompts_are_walls(cached: CachedQueryEngine) -> None:
    """A prompt that is changed through the cache reaches the query engine, and is asked anew."""
    cached.query(QUESTION)
    [name] = [key for key in cached.get_prompts() if key.endswith("text_qa_template")]
    cached.update_prompts({name: PromptTemplate("Be rude. {context_str} {query_str}")})

    assert source(cached.query(QUESTION)) == "model"


async def test_tenants_are_walls(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM
) -> None:
    """Who asks is told by the query engine, or by LlamaIndex's tags, and sees its own answers."""
    asked = index.as_query_engine(llm=reader)
    CachedQueryEngine(engine, asked, tenant="acme").query(QUESTION)
    other = CachedQueryEngine(engine, asked, tenant="other")

    assert source(other.query(QUESTION)) == "model"
    with instrument_tags({"sls_tenant": "acme"}):
        assert source(other.query(QUESTION)) == "cache"


async def test_epochs_are_walls(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM
) -> None:
    """An epoch, told or asked for, separates what nobody can see."""
    version = ["1"]
    asked = index.as_query_engine(llm=reader)
    cached = CachedQueryEngine(engine, asked, epoch=lambda: version[0])
    cached.query(QUESTION)
    assert source(cached.query(QUESTION)) == "cache"

    version[0] = "2"
    assert source(cached.query(QUESTION)) == "model"
    assert source(CachedQueryEngine(engine, asked, epoch="2").query(QUESTION)) == "cache"


class Echo(CustomQueryEngine):
    """A query engine without an index."""

    reply: str = "Fine."

    def custom_query(self, query_str: str) -> str:
        return self.reply


class BlindStore(SimpleVectorStore):
    """A vector store that keeps the texts, so that the index does not."""

    stores_text: bool = True


async def test_content_that_cannot_be_seen_needs_an_epoch(engine: Engine) -> None:
    """Without an index, or with one that knows no texts, the caller must name the version."""
    with pytest.raises(InputError, match=r"no index is found behind this Echo.*epoch="):
        CachedQueryEngine(engine, Echo())
    blind = VectorStoreIndex.from_vector_store(BlindStore(), embed_model=WordsEmbedding())
    with pytest.raises(InputError, match=r"VectorStoreIndex only its vector store knows.*epoch="):
        CachedQueryEngine(engine, blind.as_query_engine(llm=ScriptedLLM(model_name="any")))

    assert str(CachedQueryEngine(engine, Echo(), epoch="1").query(QUESTION)) == "Fine."


async def test_bad_answers_are_not_served_again(cached: CachedQueryEngine) -> None:
    """Feedback on either response, or revoking it, takes the stored one out."""
    for grade in (cached.engine.feedback, lambda one, _: cached.engine.revoke(one)):
        for _ in range(2):
            said = cached.query(QUESTION)
        assert source(said) == "cache"
        grade(said.metadata["sls"]["decision_id"], 0.0)
        assert source(cached.query(QUESTION)) == "model"


async def test_empty_responses_are_not_kept(engine: Engine, reader: ScriptedLLM) -> None:
    """When nothing was found, nothing is kept; nor are pictures on disk compared."""
    empty = VectorStoreIndex.from_documents([], embed_model=WordsEmbedding())
    cached = CachedQueryEngine(engine, empty.as_query_engine(llm=reader))
    assert [source(cached.query(QUESTION)) for _ in range(2)] == ["model", "model"]

    picture = CachedQueryEngine(engine, Echo(), epoch="1")
    asked = QueryBundle("What is this?", image_path="picture.png")
    assert [source(picture.query(asked)) for _ in range(2)] == ["model", "model"]


async def test_errors_pass(engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM) -> None:
    """What the query engine raises reaches the caller, and is not kept."""
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader))
    reader.error = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        cached.query(QUESTION)
    reader.error = None
    assert source(cached.query(QUESTION)) == "model"


async def test_without_a_cache_all_is_asked(
    make_engine: MakeEngine, index: VectorStoreIndex, reader: ScriptedLLM
) -> None:
    """An engine whose cache is off is no obstacle."""
    engine = make_engine(cache=CacheSettings(enabled=False))
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader))
    assert [source(cached.query(QUESTION)) for _ in range(2)] == ["model", "model"]


class Odd(CustomQueryEngine):
    """Tells nodes of other kinds, and metadata without a plain form."""

    def custom_query(self, query_str: str) -> Response:
        found = ImageNode(text="A picture.", image_url="https://example.org/a.png")
        return Response(
            "Seen.",
            source_nodes=[NodeWithScore(node=found)],
            metadata={"object": object(), "pair": (1, 2), "page": 4, "sls_decision_ids": ["old"]},
        )


async def test_odd_parts(engine: Engine) -> None:
    """Nodes keep their kind; metadata that JSON cannot give back is left out."""
    cached = CachedQueryEngine(engine, Odd(), epoch="1")
    cached.query(QUESTION)
    said = cached.query(QUESTION)

    [found] = said.source_nodes
    assert isinstance(found.node, ImageNode)
    assert (found.node.image_url, found.score) == ("https://example.org/a.png", None)
    assert set(said.metadata) == {"page", "sls"}


@pytest.mark.parametrize("blocking", [True, False])
async def test_handlers_hear_of_kept_and_stored_responses(
    cached: CachedQueryEngine, witness: Witness, *, blocking: bool
) -> None:
    """Each response is one decision, which the feedback handler puts on it."""
    handler = SLSFeedbackHandler(cached.engine)
    handler.install()
    said = [await ask(cached, blocking=blocking) for _ in range(2)]
    handler.close()

    for each in said:
        assert each.metadata["sls_decision_ids"] == [each.metadata["sls"]["decision_id"]]
    assert witness.names().count("SLSDecisionEvent") == 2
    assert witness.names().count("LLMChatStartEvent") == 1


async def test_nodes_can_be_asked_for(cached: CachedQueryEngine) -> None:
    """Retrieving and synthesizing go to the query engine itself."""
    found = cached.retrieve(QueryBundle(QUESTION))
    assert [each.node.ref_doc_id for each in found] == ["x20"]
    assert str(cached.synthesize(QueryBundle(QUESTION), found)) == "Two years."
