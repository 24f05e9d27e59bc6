"""CachedQueryEngine: what separates one response from another.

All tests are async: without a running loop LlamaIndex makes one that it does not close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex, VectorStoreIndex
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
)
from llama_index_instrumentation.dispatcher import instrument_tags

from llama_index_sls import CachedQueryEngine
from llama_index_sls.testing import ScriptedLLM, WordsEmbedding
from sls_plugins import Engine
from sls_plugins.errors import InputError

MakeEngine = Callable[..., Engine]
Index = VectorStoreIndex | SummaryIndex
QUESTION = "How long is the warranty of the X20?"


def source(said: Any) -> str:
    return str(said.metadata["sls"]["source"])


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
