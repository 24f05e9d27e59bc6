"""An agent middleware that schedules each turn to one of several models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.structured_output import StructuredOutputError
from langchain_core.language_models import BaseChatModel
from langgraph.errors import GraphBubbleUp

from langchain_sls.answers import message_answer
from langchain_sls.messages import Labels
from langchain_sls.prompt_caches import without_strange_settings
from langchain_sls.turns import (
    TurnRules,
    answer_of_response,
    query_of_request,
    request_of,
    response_of,
)
from sls_plugins.engine import Engine
from sls_plugins.errors import NoCandidateLeft, UnknownCandidateError, UnusableAnswerError
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["SLSMiddleware"]

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class SLSMiddleware(AgentMiddleware[Any, Any, Any]):
    """Picks the model of each turn of an agent: ``create_agent(…, middleware=[SLSMiddleware(…)])``.

    `models` are chat models by the name of the engine's candidate; the agent's own model is not
    called. A model that fails is replaced by the next one. Whoever answered before is reckoned with
    its provider's price for cached input; with ``stick="run"`` it also answers all turns after its
    own tool calls, as long as it does not fail. Settings for the prompt cache of another provider
    are taken out of a request.

    Answers in words are cached if `cache` is true; tool calls, and answers to tools' results, only
    with `cache_tool_calls` (or `cache.tool_calls` in the engine's settings): do that where tools
    only look things up. Turns that end in a structured
    response are not cached. Every message of a model tells its decision under
    ``response_metadata["sls"]``. Raises UnknownCandidateError for a model without a candidate or a
    candidate without a model.
    """

    def __init__(
        self,
        engine: Engine,
        models: Mapping[str, BaseChatModel],
        *,
        labels: Labels = Labels(),  # noqa: B008 - a frozen value
        stick: Literal["turn", "run"] = "turn",
        cache: bool = True,
        cache_tool_calls: bool = False,
    ) -> None:
        """`labels` are tenant, task and epoch: walls, as everywhere in the engine."""
        super().__init__()
        known = tuple(candidate.name for candidate in engine.candidates)
        for name in (*models, *known):
            if name not in known or name not in models:
                raise UnknownCandidateError(name, known, "SLSMiddleware(models=…)")
        self._engine = engine
        self._models = dict(models)
        self._rules = TurnRules(
            labels=labels,
            per_run=stick == "run",
            cache=cache,
            cache_tool_calls=cache_tool_calls or engine.parts.keeps_tool_calls,
        )

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """One turn: from the cache, or with the model that is worth its price."""

        def call(candidate: Candidate, query: Query) -> Answer:
            try:
                return answer_of_response(handler(self._with_model(candidate, query)))
            except StructuredOutputError as error:
                raise _unusable(candidate, error) from error
            except GraphBubbleUp as passing:
                raise _Bubble(passing) from passing

        query = query_of_request(request, self._rules, self._engine.count_tokens)
        try:
            try:
                return _response(self._engine.answer(query, call))
            except NoCandidateLeft:
                if query.allow is None:
                    raise
                return _response(self._engine.answer(_anybody_else(query), call))
        except _Bubble as bubble:
            raise bubble.passing from None

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: AsyncHandler
    ) -> ModelResponse[Any]:
        """`wrap_model_call` without blocking."""

        async def call(candidate: Candidate, query: Query) -> Answer:
            try:
                return answer_of_response(await handler(self._with_model(candidate, query)))
            except StructuredOutputError as error:
                raise _unusable(candidate, error) from error
            except GraphBubbleUp as passing:
                raise _Bubble(passing) from passing

        engine = self._engine.as_async()
        await engine.beside.begin()
        query = query_of_request(request, self._rules, self._engine.count_tokens)
        try:
            try:
                return _response(await engine.answer(query, call))
            except NoCandidateLeft:
                if query.allow is None:
                    raise
                return _response(await engine.answer(_anybody_else(query), call))
        except _Bubble as bubble:
            raise bubble.passing from None

    def _with_model(self, candidate: Candidate, query: Query) -> ModelRequest[Any]:
        return without_strange_settings(request_of(query), self._models[candidate.name])


class _Bubble(BaseException):
    """Carries LangGraph's interrupts and jumps through the engine: they are no model's failure."""

    def __init__(self, passing: GraphBubbleUp) -> None:
        super().__init__()
        self.passing = passing


def _anybody_else(query: Query) -> Query:
    """The query for when the model that had the run's first turn has failed."""
    assert query.allow is not None
    return replace(query, id="", deny=query.deny | query.allow, allow=None)


def _unusable(candidate: Candidate, error: StructuredOutputError) -> UnusableAnswerError:
    """A structured response that is none; the error itself is kept, to be raised in the end."""
    said = replace(message_answer(error.ai_message, raw=error), cacheable=False)
    return UnusableAnswerError(candidate.name, str(error), said)


def _response(answer: Answer) -> ModelResponse[Any]:
    if isinstance(answer.raw, StructuredOutputError):
        raise answer.raw
    return response_of(answer)
