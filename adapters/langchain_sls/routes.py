"""What a router needs of each call: the query in an input, the answer in an output."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForChainRun,
    CallbackManagerForChainRun,
    UsageMetadataCallbackHandler,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    convert_to_messages,
)
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, patch_config

from langchain_sls.answers import message_answer, message_of, usage_of
from langchain_sls.inner import as_chunk
from langchain_sls.messages import Labels, Turn, query_of
from langchain_sls.streaming import Stamp
from sls_plugins.errors import InvalidQueryError
from sls_plugins.types import Answer, Candidate, Query, Source, Usage

__all__ = [
    "AsyncRouteHost",
    "Errand",
    "RouteHost",
    "RouteStamp",
    "answer_of_output",
    "errand_of",
    "output_of",
    "query_of_errand",
]


@dataclass(frozen=True, slots=True)
class Errand:
    """One call of a router: what came in, in which run, under which config, with which keywords."""

    input: Any
    run_manager: CallbackManagerForChainRun | AsyncCallbackManagerForChainRun
    config: RunnableConfig
    settings: Mapping[str, Any] = field(default_factory=dict)

    def under(self, route: str) -> tuple[RunnableConfig, UsageMetadataCallbackHandler]:
        """The config of a route's run, traced below the router's, and what counts its tokens."""
        counter = UsageMetadataCallbackHandler()
        manager = self.run_manager.get_child(f"route:{route}")
        manager.add_handler(counter)
        manager.add_metadata({"sls_route": route})
        return patch_config(self.config, callbacks=manager), counter


def errand_of(query: Query) -> Errand:
    """The errand that a query was made of."""
    assert isinstance(query.payload, Errand)
    return query.payload


def query_of_errand(
    errand: Errand,
    asked: str | Callable[[Any], str],
    labels: Labels,
    count_tokens: Callable[[str], int],
) -> Query:
    """The query in a router's input; whatever of the input is not asked is scope.

    Raises InvalidQueryError when nothing is found that could be asked.
    """
    messages, rest = _found(errand.input, asked)
    turn = Turn(messages=messages)
    extra = {"router": True, "rest": rest, "settings": dict(errand.settings)}
    return replace(query_of(turn, labels, count_tokens, extra), payload=errand)


def _found(given: Any, asked: str | Callable[[Any], str]) -> tuple[Sequence[BaseMessage], object]:
    """What is asked, as messages, and the rest of the input."""
    if callable(asked):
        return [HumanMessage(asked(given))], given
    if isinstance(given, Mapping):
        if asked not in given:
            raise InvalidQueryError(
                f"the router's input has no key {asked!r}, only {sorted(map(str, given))}: name "
                "the key that holds the user's words with SLSRouter(query=…)"
            )
        rest = {key: value for key, value in given.items() if key != asked}
        return _messages(given[asked]), rest
    return _messages(given), None


def _messages(said: LanguageModelInput) -> Sequence[BaseMessage]:
    if isinstance(said, str):
        return [HumanMessage(said)]
    if isinstance(said, PromptValue):
        return said.to_messages()
    if isinstance(said, BaseMessage):
        return [said]
    if isinstance(said, Sequence):
        return convert_to_messages(said)
    raise InvalidQueryError(
        f"a {type(said).__name__} does not tell what is asked: pass SLSRouter(query=…) a function "
        "that finds the user's words in it"
    )


def answer_of_output(
    output: Any, counter: UsageMetadataCallbackHandler, latency_s: float | None = None
) -> Answer:
    """The answer in a route's output; its usage is that of all models which the route called."""
    usage = _total(counter)
    if isinstance(output, BaseMessage):
        said = message_answer(message_chunk_to_message(output), latency_s=latency_s, raw=output)
        return replace(said, usage=usage or said.usage)
    text = output if isinstance(output, str) else repr(output)
    return Answer(
        text=text,
        usage=usage,
        latency_s=latency_s,
        cacheable=isinstance(output, str) and bool(output.strip()),
        raw=output,
    )


def output_of(answer: Answer) -> Any:
    """A route's own output, or a stored one; a message tells its decision."""
    output = _stored(answer) if answer.source is Source.CACHE else answer.raw
    if isinstance(output, AIMessage):
        metadata = {**output.response_metadata, "sls": answer.facts()}
        return output.model_copy(update={"response_metadata": metadata})
    return output


def _stored(answer: Answer) -> str | AIMessage:
    """A stored output: a text was stored without a payload."""
    return answer.text if answer.payload is None else message_of(answer)


def _total(counter: UsageMetadataCallbackHandler) -> Usage | None:
    """Tokens of all models together; None if none told."""
    told = [usage_of(each) for each in counter.usage_metadata.values()]
    known = [usage for usage in told if usage is not None]
    if not known:
        return None
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in known),
        output_tokens=sum(usage.output_tokens for usage in known),
        cached_tokens=sum(usage.cached_tokens for usage in known),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
    )


class _Host:
    """What both hosts share: joining and replaying."""

    def __init__(self, routes: Mapping[str, Runnable[Any, Any]]) -> None:
        """A host serves one stream."""
        self._routes = routes
        self._counter = UsageMetadataCallbackHandler()

    def join(self, chunks: Sequence[Any]) -> Answer:
        """The whole output: the chunks' sum. Raises ValueError if there is none."""
        if not chunks:
            raise ValueError("the route's stream ended without a chunk")
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        return answer_of_output(whole, self._counter)

    def replay(self, answer: Answer) -> Iterator[Any]:
        """A stored output as one chunk."""
        output = _stored(answer)
        yield as_chunk(output) if isinstance(output, AIMessage) else output


class RouteHost(_Host):
    """Streams the chosen route."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[Any]:
        """The route's own chunks."""
        errand = errand_of(query)
        config, self._counter = errand.under(candidate.name)
        route = self._routes[candidate.name]
        return route.stream(errand.input, config, **errand.settings)


class AsyncRouteHost(_Host):
    """Streams the chosen route without blocking."""

    def open(self, candidate: Candidate, query: Query) -> AsyncIterator[Any]:
        """The route's own chunks."""
        errand = errand_of(query)
        config, self._counter = errand.under(candidate.name)
        route = self._routes[candidate.name]
        return route.astream(errand.input, config, **errand.settings)


class RouteStamp:
    """Writes the decision on streamed messages; chunks of other kinds pass as they are."""

    def __init__(self) -> None:
        """A stamp serves one stream."""
        self._stamp = Stamp(replaces=False)
        self._known: Answer | None = None

    def wants(self, chunk: object) -> bool:
        """Whether this is the first message, so that the decision must be told now."""
        return self._stamp.is_fresh and isinstance(chunk, AIMessageChunk)

    def begin(self, known: Answer) -> None:
        """Tell what is to be written on the first message."""
        self._known = known

    def passing(self, chunk: Any) -> Iterator[Any]:
        """The chunk as the caller sees it, or nothing while it is held back."""
        if not isinstance(chunk, AIMessageChunk):
            yield chunk
            return
        passed = ChatGenerationChunk(message=chunk)
        for each in self._stamp.passing(passed, self._known or Answer(text="")):
            yield each.message

    def end(self, answer: Answer) -> Iterator[Any]:
        """The last message, if messages were streamed: it tells the cost."""
        if not self._stamp.is_fresh:
            yield self._stamp.last(answer).message
