"""A query engine that answers from the cache where an earlier response may be reused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    PydanticResponse,
    StreamingResponse,
)
from llama_index.core.prompts.mixin import PromptDictType, PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags
from llama_index_instrumentation.span import active_span_id
from pydantic import BaseModel

from llama_index_sls.choices import clean
from llama_index_sls.content import content_of, indexes_behind, is_seen, settings_of
from llama_index_sls.events import SLSDecisionEvent
from llama_index_sls.responses import DECISIONS, FACTS, Kept, kept_of, model_name
from llama_index_sls.seats import Seat
from sls_plugins.cache.keys import scope_of
from sls_plugins.engine import Engine
from sls_plugins.engine.calls import Labels, labels_of
from sls_plugins.engine.waiting import follow, follow_async
from sls_plugins.errors import InputError, StorageError
from sls_plugins.flow import Flights
from sls_plugins.types import Answer, CacheHit, CacheMiss, Query, Source

__all__ = ["CachedQueryEngine"]

_dispatcher = get_dispatcher(__name__)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the query engine that is to be kept: when it began, in which span, who waits."""

    query: Query
    start_s: float
    span_id: str | None
    seat: Seat


class CachedQueryEngine(BaseQueryEngine):
    """Asks a query engine only what was not answered before: no retrieval, no LLM for a hit.

    Two queries share a response only if tenant, task, retrieval filters, prompts and other settings
    of the query engine, and the *content* of its indexes are the same: when an index changes, its
    old answers are out of reach. The content is read anew for each query. Where it cannot be seen
    (query engines without an index, indexes whose texts only a vector store knows), an `epoch` must
    say which version is asked: a text, or a function that tells it. It may be given besides, for
    what nobody sees in a query engine.

    Of equal queries that come together one asks the query engine, the others wait for its answer,
    for `cache.single_flight_s` seconds at most, unless it is a stream.

    A hit is a new response of the same kind with the source nodes, scores and plain metadata of the
    first one. Responses tell their decision under ``metadata["sls"]``, for `engine.feedback`; a
    streamed one when its last word was read. `tenant` and `task` are labels unless
    `instrument_tags` say otherwise. Raises InputError if the content cannot be seen and there is no
    `epoch`.
    """

    def __init__(
        self,
        engine: Engine,
        query_engine: BaseQueryEngine,
        *,
        epoch: str | Callable[[], str] | None = None,
        tenant: str = "",
        task: str = "",
    ) -> None:
        """The engine may be shared with LLMs and other hosts."""
        super().__init__(query_engine.callback_manager)
        self.engine = engine
        self.query_engine = query_engine
        self._epoch = epoch
        self._labels = Labels(tenant=tenant, task=task)
        self._models: dict[str, type[BaseModel]] = {}
        flights = engine.parts.flights
        self._flights = None if flights is None else Flights(flights.wait_s)
        if epoch is None:
            self._content()

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The query engine's own nodes, never from the cache."""
        return self.query_engine.retrieve(query_bundle)

    def synthesize(self, *args: Any, **kwargs: Any) -> RESPONSE_TYPE:
        """The query engine's own answer about nodes, never from the cache."""
        return self.query_engine.synthesize(*args, **kwargs)

    async def asynthesize(self, *args: Any, **kwargs: Any) -> RESPONSE_TYPE:
        """`synthesize` without blocking."""
        return await self.query_engine.asynthesize(*args, **kwargs)

    def _get_prompts(self) -> PromptDictType:
        """The query engine's, by its names: LlamaIndex changes no prompts three levels down."""
        return self.query_engine._get_prompts()  # noqa: SLF001 - one prompt mixin to another

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        self.query_engine._update_prompts(prompts_dict)  # noqa: SLF001 - the same

    def _get_prompt_modules(self) -> PromptMixinType:
        return self.query_engine._get_prompt_modules()  # noqa: SLF001 - the same

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        query = self._asked(query_bundle)
        seat = Seat(self._flights, query)
        while (flight := seat.waits_for()) is not None:
            seat.landed(follow(flight, seat.wait_s).landing)
        try:
            stored = self._stored(self.engine.cache.look_up(query), blocking=True)
            if stored is not None:
                seat.end(kept=True)
                return stored
            call = self._begin(query, seat)
            response = self.query_engine.query(replace(query_bundle))
            if isinstance(response, StreamingResponse | AsyncStreamingResponse):
                return self._followed(response, call)
            self._tell(response, call, self._keep(call, kept_of(response)))
        finally:
            seat.fail()
        return response

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        query = await asyncio.to_thread(self._asked, query_bundle)
        seat = Seat(self._flights, query)
        while (flight := seat.waits_for()) is not None:
            seat.landed((await follow_async(flight, seat.wait_s)).landing)
        try:
            found = await self.engine.as_async().cache.look_up(query)
            stored = self._stored(found, blocking=False)
            if stored is not None:
                seat.end(kept=True)
                return stored
            call = self._begin(query, seat)
            response = await self.query_engine.aquery(replace(query_bundle))
            if isinstance(response, StreamingResponse | AsyncStreamingResponse):
                return self._followed(response, call)
            decision_id = await asyncio.to_thread(self._keep, call, kept_of(response))
            self._tell(response, call, decision_id)
        finally:
            seat.fail()
        return response

    def _asked(self, bundle: QueryBundle) -> Query:
        """What is asked of the cache: the words, and the walls between it and other queries."""
        labels = labels_of(active_instrument_tags.get(), self._labels)
        scope = {
            "host": "llama_index",
            "kind": "query_engine",
            "epoch": self._epoch() if callable(self._epoch) else self._epoch,
            "content": self._content(),
            "settings": settings_of(self.query_engine),
            "embedded": [bundle.custom_embedding_strs, bundle.embedding],
        }
        return Query(
            text=clean(bundle.query_str),
            tenant=labels.tenant,
            task=labels.task,
            scope=scope_of(scope),
            cacheable=bundle.image_path is None,  # a file may change
        )

    def _content(self) -> list[str]:
        """Digests of what is in the indexes. Raises InputError if only an epoch could tell."""
        indexes = indexes_behind(self.query_engine)
        if self._epoch is not None:
            return [content_of(index) for index in indexes if is_seen(index)]
        if not indexes:
            raise InputError(
                f"no index is found behind this {type(self.query_engine).__name__}: say by "
                "CachedQueryEngine(epoch=…) which version of its content is asked"
            )
        return [content_of(index) for index in indexes]

    def _stored(self, found: CacheHit | CacheMiss, *, blocking: bool) -> RESPONSE_TYPE | None:
        """The stored response, of which handlers are told; None if there is none of use."""
        if isinstance(found, CacheMiss):
            return None
        answer = found.answer
        kept = Kept.read(answer.text, answer.payload or "{}")
        model = self._model(kept.model)
        if kept.model and model is None:
            return None
        _announce(found.id, answer.candidate, active_span_id.get())
        return kept.response(answer.facts(), model, blocking=blocking)

    def _model(self, name: str) -> type[BaseModel] | None:
        """The class of a stored object, which its synthesizer names or an earlier answer had."""
        synthesizer = getattr(self.query_engine, "_response_synthesizer", None)
        wanted = getattr(synthesizer, "_output_cls", None)
        if isinstance(wanted, type) and model_name(wanted) == name:
            return wanted
        return self._models.get(name)

    def _begin(self, query: Query, seat: Seat) -> _Call:
        return _Call(query, time.perf_counter(), active_span_id.get(), seat)

    def _keep(self, call: _Call, kept: Kept) -> str:
        """Take the response in; returns its decision, "" if the database is out of order."""
        answer = Answer(
            text=kept.text,
            candidate=type(self.query_engine).__name__,
            latency_s=time.perf_counter() - call.start_s,
            cacheable=kept.is_worth_keeping,
            payload=kept.payload(),
        )
        try:
            decision_id = self.engine.cache.keep(call.query, answer)
        except StorageError:
            _log.exception("a response was given, but is not stored")
            decision_id = ""
        call.seat.end(kept=bool(decision_id) and answer.cacheable)
        return decision_id

    def _tell(self, response: RESPONSE_TYPE, call: _Call, decision_id: str) -> None:
        """Write its decision on a response that was kept."""
        if isinstance(response, PydanticResponse) and isinstance(response.response, BaseModel):
            self._models[model_name(type(response.response))] = type(response.response)
        if not decision_id:
            return
        name = type(self.query_engine).__name__
        facts = {"decision_id": decision_id, "source": str(Source.MODEL), "candidate": name}
        response.metadata = {**(response.metadata or {}), FACTS: facts}
        told = response.metadata.get(DECISIONS)
        if isinstance(told, list):  # a handler has begun it, and would not hear of this in time
            told.append(decision_id)
        _announce(decision_id, name, call.span_id)

    def _followed(
        self, response: StreamingResponse | AsyncStreamingResponse, call: _Call
    ) -> RESPONSE_TYPE:
        """The stream, which is kept when its last word was read; one that is left is not."""
        call.seat.end(kept=False)  # whoever waits may be the one who is to read it
        if isinstance(response, StreamingResponse):
            response.response_gen = self._read(response, response.response_gen, call)
        else:
            response.response_gen = self._aread(response, response.response_gen, call)
        return response

    def _read(
        self, response: StreamingResponse, words: Generator[str, None, None], call: _Call
    ) -> Generator[str, None, None]:
        said = []
        for word in words:
            said.append(word)
            yield word
        self._tell(response, call, self._keep(call, kept_of(response, "".join(said))))

    async def _aread(
        self, response: AsyncStreamingResponse, words: AsyncGenerator[str, None], call: _Call
    ) -> AsyncGenerator[str, None]:
        said = []
        async for word in words:
            said.append(word)
            yield word
        kept = kept_of(response, "".join(said))
        self._tell(response, call, await asyncio.to_thread(self._keep, call, kept))


def _announce(decision_id: str, candidate: str, span_id: str | None) -> None:
    _dispatcher.event(
        SLSDecisionEvent(decision_id=decision_id, candidate=candidate, span_id=span_id)
    )
