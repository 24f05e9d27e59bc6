"""The road from a query to a response: by the engine, to the LLM it chooses, with its decision."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import Any

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span import active_span_id

from llama_index_sls.answers import response_of, stamped
from llama_index_sls.chunks import text_of, with_text
from llama_index_sls.events import SLSDecisionEvent
from llama_index_sls.streaming import AsyncLLMHost, LLMHost, Ready
from llama_index_sls.turns import turn_of
from llama_index_sls.usage import Said, response_id_of
from sls_plugins.engine import Engine, StreamPolicy
from sls_plugins.engine.stream_hosts import RAISES
from sls_plugins.types import Answer, Candidate, Query, Source

__all__ = ["Road"]

Facts = dict[str, Any]

_dispatcher = get_dispatcher(__name__)


@dataclass(frozen=True, slots=True)
class Road:
    """Answers queries: blocking, async, and streaming."""

    engine: Engine
    ready: Ready
    policy: StreamPolicy = RAISES

    def answer(self, query: Query) -> Said:
        """The whole response."""
        answer = self.engine.answer(query, self._call)
        return _told(answer, chat=_is_chat(query))

    async def aanswer(self, query: Callable[[], Query], *, chat: bool) -> Said:
        """The whole response to a query that is made beside the loop."""
        answer = await self.engine.as_async().answer(query, self._acall)
        return _told(answer, chat=chat)

    def stream(self, query: Query) -> Generator[Said, None, None]:
        """The response in chunks, each with the decision; what it cost is told by the last."""
        span_id = active_span_id.get()  # of the call, not of whoever reads the chunks
        host = LLMHost(self.ready, chat=_is_chat(query))
        return self._chunks(query, host, span_id)

    def astream(self, query: Query) -> AsyncGenerator[Said, None]:
        """`stream` without blocking."""
        span_id = active_span_id.get()
        host = AsyncLLMHost(self.ready, chat=_is_chat(query))
        return self._achunks(query, host, span_id)

    def _chunks(
        self, query: Query, host: LLMHost, span_id: str | None
    ) -> Generator[Said, None, None]:
        route = _Route()
        with closing(self.engine.stream(query, host, self.policy)) as chunks:
            for chunk in chunks:
                yield route.passing(chunk, chunks.known)
        assert chunks.answer is not None
        yield from _ended(chunks.answer, route.facts, span_id)

    async def _achunks(
        self, query: Query, host: AsyncLLMHost, span_id: str | None
    ) -> AsyncGenerator[Said, None]:
        route = _Route()
        async with aclosing(self.engine.as_async().stream(query, host, self.policy)) as chunks:
            async for chunk in chunks:
                yield route.passing(chunk, chunks.known)
        assert chunks.answer is not None
        for end in _ended(chunks.answer, route.facts, span_id):
            yield end

    def _call(self, candidate: Candidate, query: Query) -> Answer:
        inner = self.ready(candidate, query)
        return inner.read(inner.answer())

    async def _acall(self, candidate: Candidate, query: Query) -> Answer:
        clock, beside = self.engine.parts.clock, self.engine.as_async().beside
        start_s = clock()
        inner = self.ready(candidate, query)
        said = await inner.aanswer()
        took_s = clock() - start_s
        await beside.go_on()
        return replace(inner.read(said), latency_s=took_s)


class _Route:
    """Writes on every chunk who says it, and all that was said so far, by whomever."""

    def __init__(self) -> None:
        """A route serves one stream."""
        self.facts: Facts = {}
        self._spoken = ""

    def passing(self, chunk: Said, known: Answer) -> Said:
        """The chunk as the caller sees it; `known` is what is known when it comes."""
        if self.facts.get("candidate") != known.candidate:
            self.facts = known.facts()
        self._spoken += chunk.delta or ""
        whole = chunk
        if len(self._spoken) > len(text_of(chunk)):
            whole = with_text(chunk, self._spoken)
        return stamped(whole, self.facts)


def _is_chat(query: Query) -> bool:
    return turn_of(query).prompt is None


def _told(answer: Answer, *, chat: bool) -> Said:
    """The response with its decision on it, of which handlers are told as well."""
    said, facts = response_of(answer, chat=chat), answer.facts()
    _announce(facts, active_span_id.get(), said)
    return stamped(said, facts)


def _ended(answer: Answer, facts: Facts, span_id: str | None) -> Generator[Said, None, None]:
    """A last chunk which says nothing new but what the answer cost; none for a stored answer."""
    news = {key: value for key, value in answer.facts().items() if value is not None}
    said = response_of(answer, chat=True)
    _announce({**facts, **news}, span_id, said)
    if answer.source is Source.MODEL:
        yield stamped(said.model_copy(update={"delta": ""}), {**facts, **news})


def _announce(facts: Facts, span_id: str | None, said: Said) -> None:
    _dispatcher.event(
        SLSDecisionEvent(
            decision_id=facts["decision_id"],
            candidate=facts["candidate"],
            response_id=response_id_of(said),
            facts=facts,
            span_id=span_id,
        )
    )
