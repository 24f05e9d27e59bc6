"""A router that schedules each input to one of several chains."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, Field, model_validator

from langchain_sls.messages import Labels, labels_in
from langchain_sls.routes import (
    AsyncRouteHost,
    Errand,
    RouteHost,
    RouteStamp,
    answer_of_output,
    errand_of,
    output_of,
    query_of_errand,
)
from sls_plugins.engine import Engine
from sls_plugins.errors import UnknownCandidateError
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["SLSRouter"]

Asked = str | Callable[[Any], str]


class SLSRouter(RunnableSerializable[Any, Any]):
    """Schedules each input to one of several runnables: chains, agents, models.

    `routes` are runnables by the name of the engine's candidate. A text, a prompt or messages are
    asked as they are; of a mapping, what stands under the key `query`; of anything else, what the
    function `query` finds in it. All that is not asked is scope. A route that fails is replaced by
    the next one; a stream, until its first chunk.

    The decision is told under ``response_metadata["sls"]`` of an output that is a message, and to
    the function `on_decision`, if there is one. Outputs that are texts or whole messages are cached
    if `cache` is true. Raises UnknownCandidateError for a route without a candidate or a candidate
    without a route.
    """

    engine: Engine = Field(exclude=True, repr=False)
    routes: Mapping[str, Runnable[Any, Any]] = Field(exclude=True, repr=False)
    query: Asked = Field(default="query", exclude=True)
    tenant: str = ""
    task: str = ""
    epoch: str = ""
    cache: bool = True
    on_decision: Callable[[Mapping[str, Any]], None] | None = Field(default=None, exclude=True)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def __init__(
        self, engine: Engine, routes: Mapping[str, Runnable[Any, Any]], **settings: Any
    ) -> None:
        """Take the engine by place; `settings` are the fields of this class."""
        # Pydantic's own constructor takes the fields; the type checker sees the base class's.
        super().__init__(engine=engine, routes=routes, **settings)  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _match_candidates(self) -> Self:
        known = tuple(candidate.name for candidate in self.engine.candidates)
        for name in self.routes:
            if name not in known:
                raise UnknownCandidateError(name, known, "SLSRouter(routes=…)")
        for name in known:
            if name not in self.routes:
                raise UnknownCandidateError(name, tuple(self.routes), "the engine's candidates")
        return self

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        """The output of the route that is worth its price, or an earlier one from the cache."""
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        """`invoke` without blocking; of many calls at once, a few begin at a time."""
        await self.engine.as_async().beside.begin()
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def stream(
        self,
        input: Any,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """The route's own chunks; a cached output is one chunk."""
        yield from self._transform_stream_with_config(
            iter([input]), self._transform, config, **kwargs
        )

    async def astream(
        self,
        input: Any,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """`stream` without blocking."""

        async def inputs() -> AsyncIterator[Any]:
            yield input

        async for chunk in self._atransform_stream_with_config(
            inputs(), self._atransform, config, **kwargs
        ):
            yield chunk

    def _invoke(
        self,
        given: Any,
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Any:
        query = self._query(Errand(given, run_manager, config, kwargs))
        answer = self.engine.answer(query, self._call)
        return self._finish(answer)

    async def _ainvoke(
        self,
        given: Any,
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Any:
        query = partial(self._query, Errand(given, run_manager, config, kwargs))
        answer = await self.engine.as_async().answer(query, self._acall)
        return self._finish(answer)

    def _transform(
        self,
        inputs: Iterator[Any],
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Iterator[Any]:
        for given in inputs:
            query = self._query(Errand(given, run_manager, config, kwargs))
            with closing(self.engine.stream(query, RouteHost(self.routes))) as chunks:
                stamp = RouteStamp()
                for chunk in chunks:
                    if stamp.wants(chunk):
                        stamp.begin(chunks.known)
                    yield from stamp.passing(chunk)
                assert chunks.answer is not None
                yield from stamp.end(chunks.answer)
                self._tell(chunks.answer)

    async def _atransform(
        self,
        inputs: AsyncIterator[Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        async for given in inputs:
            query = self._query(Errand(given, run_manager, config, kwargs))
            host = AsyncRouteHost(self.routes)
            async with aclosing(self.engine.as_async().stream(query, host)) as chunks:
                stamp = RouteStamp()
                async for chunk in chunks:
                    if stamp.wants(chunk):
                        stamp.begin(chunks.known)
                    for each in stamp.passing(chunk):
                        yield each
                assert chunks.answer is not None
                for each in stamp.end(chunks.answer):
                    yield each
                self._tell(chunks.answer)

    def _call(self, candidate: Candidate, query: Query) -> Answer:
        errand = errand_of(query)
        config, usage = errand.under(candidate.name)
        output = self.routes[candidate.name].invoke(errand.input, config, **errand.settings)
        return answer_of_output(output, usage)

    async def _acall(self, candidate: Candidate, query: Query) -> Answer:
        errand = errand_of(query)
        config, usage = errand.under(candidate.name)
        output = await self.routes[candidate.name].ainvoke(errand.input, config, **errand.settings)
        return answer_of_output(output, usage)

    def _query(self, errand: Errand) -> Query:
        """What is asked of the engine; the walls come from the config, else from this router."""
        own = Labels(tenant=self.tenant, task=self.task, epoch=self.epoch)
        labels = labels_in(errand.config, own)
        query = query_of_errand(errand, self.query, labels, self.engine.count_tokens)
        return query if self.cache else replace(query, cacheable=False)

    def _finish(self, answer: Answer) -> Any:
        """The output, with its decision on it."""
        self._tell(answer)
        return output_of(answer)

    def _tell(self, answer: Answer) -> None:
        if self.on_decision is not None:
            self.on_decision(answer.facts())
