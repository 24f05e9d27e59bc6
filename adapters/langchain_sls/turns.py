"""An agent's turns: the query in a model request, the answer in a model response."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_sls.answers import message_answer, message_of
from langchain_sls.messages import Labels, Turn, query_of
from sls_plugins.types import Answer, Query, Session, Source

__all__ = ["TurnRules", "answer_of_response", "query_of_request", "request_of", "response_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRules:
    """How an agent's turns become queries: its walls, what is cached, how it sticks to a model."""

    labels: Labels
    per_run: bool = False
    cache: bool = True
    cache_tool_calls: bool = False
    max_usd: float | None = None


def query_of_request(
    request: ModelRequest[Any], rules: TurnRules, count_tokens: Callable[[str], int]
) -> Query:
    """The query of an agent's turn: the last human turn is asked, all else is scope.

    Who answered before in this conversation has its beginning in its provider's prompt cache. With
    `per_run`, whoever took the run's first turn is the only one allowed in the others.
    """
    messages = [*((request.system_message,) if request.system_message else ()), *request.messages]
    turn = Turn(messages=messages, settings=_settings(request), keeps_calls=rules.cache_tool_calls)
    query = query_of(turn, rules.labels, count_tokens, {"agent": True})
    after_tool = isinstance(messages[-1], ToolMessage) if messages else False
    may_cache = rules.cache and request.response_format is None
    query = replace(query, payload=request, max_usd=rules.max_usd)
    if not may_cache:
        query = replace(query, cacheable=False)
    before = _before(messages)
    if before is None:
        return query
    name, place = before
    said = "\n".join(str(message.text) for message in messages[:place])
    query = replace(query, session=Session(held=((name, count_tokens(said)),)))
    return replace(query, allow=frozenset({name})) if rules.per_run and after_tool else query


def request_of(query: Query) -> ModelRequest[Any]:
    """The request that a query was made of."""
    assert isinstance(query.payload, ModelRequest)
    return query.payload


def answer_of_response(response: ModelResponse[Any]) -> Answer:
    """The answer in a response. Raises ValueError if nobody spoke."""
    said = next((each for each in response.result if isinstance(each, AIMessage)), None)
    if said is None:
        raise ValueError("the model's response has no message of the model")
    answer = message_answer(said, raw=response)
    if response.structured_response is not None or len(response.result) > 1:
        return replace(answer, cacheable=False)
    return answer


def response_of(answer: Answer) -> ModelResponse[Any]:
    """The model's own response, or a new one for a stored answer; it tells the decision."""
    if answer.source is Source.CACHE:
        return ModelResponse(result=[_told(message_of(answer), answer)])
    assert isinstance(answer.raw, ModelResponse)
    return ModelResponse(
        result=[_told(each, answer) for each in answer.raw.result],
        structured_response=answer.raw.structured_response,
    )


def _told(message: BaseMessage, answer: Answer) -> BaseMessage:
    if not isinstance(message, AIMessage):
        return message
    metadata = {**message.response_metadata, "sls": answer.facts()}
    return message.model_copy(update={"response_metadata": metadata})


def _settings(request: ModelRequest[Any]) -> dict[str, Any]:
    """Tools and settings, as a chat model would be given them."""
    settings: dict[str, Any] = dict(request.model_settings)
    if request.tools:
        settings["tools"] = [_plain_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        settings["tool_choice"] = request.tool_choice
    return settings


def _plain_tool(tool: BaseTool | dict[str, Any]) -> Mapping[str, Any]:
    return tool if isinstance(tool, dict) else convert_to_openai_tool(tool)


def _before(messages: Sequence[BaseMessage]) -> tuple[str, int] | None:
    """Who answered last in this conversation, and after how many messages."""
    for place in range(len(messages) - 1, -1, -1):
        facts = messages[place].response_metadata.get("sls")
        if isinstance(facts, Mapping) and facts.get("source") == str(Source.MODEL):
            return str(facts["candidate"]), place + 1
    return None
