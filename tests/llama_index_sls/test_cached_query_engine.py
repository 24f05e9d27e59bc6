"""CachedQueryEngine: responses that were given before, as long as the index says the same.

All tests are async: without a running loop LlamaIndex makes one that it does not close.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core import SummaryIndex, VectorStoreIndex
from llama_index.core.base.response.schema import (
    AsyncStreamingResponse,
    PydanticResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from pydantic import BaseModel

from llama_index_sls import CachedQueryEngine, SLSFeedbackHandler
from llama_index_sls.testing import ScriptedLLM, Witness, WordsEmbedding
from sls_plugins import CacheSettings, Engine

MakeEngine = Callable[..., Engine]
Index = VectorStoreIndex | SummaryIndex
QUESTION = "How long is the warranty of the X20?"


class Fact(BaseModel):
    """A thing and a number."""

    thing: str
    number: int


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


class Echo(CustomQueryEngine):
    """A query engine without an index."""

    def custom_query(self, query_str: str) -> str:
        return "Fine."


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


@pytest.mark.parametrize("blocking", [True, False])
async def test_handlers_hear_of_streamed_responses(
    engine: Engine, index: VectorStoreIndex, reader: ScriptedLLM, *, blocking: bool
) -> None:
    """A streamed response, kept or stored, tells its decision to whoever evaluates it."""
    handler = SLSFeedbackHandler(engine)
    handler.install()
    cached = CachedQueryEngine(engine, index.as_query_engine(llm=reader, streaming=True))
    for _ in range(2):
        said = await ask(cached, blocking=blocking)
        words = said.response_gen
        assert list(words) if blocking else [word async for word in words]
        assert said.metadata["sls_decision_ids"] == [said.metadata["sls"]["decision_id"]]
    handler.close()


class Slow(CustomQueryEngine):
    """Counts what it is asked, and takes its time; fails as often as it is told to."""

    asked: int = 0
    fails: int = 0

    def custom_query(self, query_str: str) -> str:
        """The answer."""
        self.asked += 1
        time.sleep(0.02)
        if self.asked <= self.fails:
            raise ConnectionError("down")
        return f"{query_str} Yes."

    async def acustom_query(self, query_str: str) -> str:
        """The answer, letting others run."""
        self.asked += 1
        await asyncio.sleep(0.02)
        if self.asked <= self.fails:
            raise ConnectionError("down")
        return f"{query_str} Yes."


async def all_at_once(cached: CachedQueryEngine, count: int, *, blocking: bool) -> list[Any]:
    """Equal questions in threads, or in tasks; what comes of each, errors too."""
    if not blocking:
        asked = (cached.aquery(QUESTION) for _ in range(count))
    else:
        pool = ThreadPoolExecutor(count)
        loop = asyncio.get_running_loop()
        asked = (loop.run_in_executor(pool, cached.query, QUESTION) for _ in range(count))
    return list(await asyncio.gather(*asked, return_exceptions=True))


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_hundred_equal_questions_are_one(engine: Engine, *, blocking: bool) -> None:
    """One of them reaches the query engine; the others get what it said, from the cache."""
    slow = Slow()
    said = await all_at_once(CachedQueryEngine(engine, slow, epoch="1"), 100, blocking=blocking)

    assert slow.asked == 1
    assert {str(each) for each in said} == {f"{QUESTION} Yes."}
    assert sorted(source(each) for each in said) == ["cache"] * 99 + ["model"]


@pytest.mark.parametrize("blocking", [True, False])
async def test_the_next_one_asks_when_the_first_has_failed(
    engine: Engine, *, blocking: bool
) -> None:
    """A failure is told to who met it; another one asks, and the rest get its answer."""
    slow = Slow(fails=2)
    said = await all_at_once(CachedQueryEngine(engine, slow, epoch="1"), 20, blocking=blocking)

    assert slow.asked == 3
    assert sum(isinstance(each, ConnectionError) for each in said) == 2
    assert sum(str(each) == f"{QUESTION} Yes." for each in said) == 18


async def test_an_unread_stream_makes_nobody_wait(engine: Engine, index: VectorStoreIndex) -> None:
    """Who holds a stream can ask the same again before reading it."""
    reader = ScriptedLLM(model_name="reader", reply="Two years.")
    streaming = index.as_query_engine(llm=reader, streaming=True)
    cached = CachedQueryEngine(engine, streaming)

    one, other = cached.query(QUESTION), cached.query(QUESTION)

    assert [str(each.get_response()) for each in (one, other)] == ["Two years."] * 2
