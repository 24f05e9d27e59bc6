"""A handler that tells the engine what came of decisions, as LlamaIndex's instrumentation shows."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    PydanticResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.evaluation import EvaluationResult
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index.core.instrumentation.events.query import QueryStartEvent
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span import active_span_id
from llama_index_instrumentation.span.base import BaseSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import PrivateAttr

from llama_index_sls.events import SLSDecisionEvent
from llama_index_sls.judges import Scale, quality_of
from llama_index_sls.responses import DECISIONS, Stream
from llama_index_sls.streamed import READING, Reading, followed
from llama_index_sls.usage import Said, usage_of
from sls_plugins.engine import Engine
from sls_plugins.errors import InputError, SLSError, UnknownDecisionError
from sls_plugins.types import Answer, Usage

__all__ = ["SLSFeedbackHandler"]

REMEMBERED = 10_000
"""Of how many responses the provider's ids are remembered: the newest."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """A span that has not ended: its parent, what was decided in it, tokens used in it."""

    parent: str | None
    start_s: float
    made: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    usage: Usage | None = None
    is_query: bool = False
    best_score: float | None = None


class SLSFeedbackHandler(BaseEventHandler, BaseSpanHandler[BaseSpan]):
    """Tells the engine what came of a selector's decisions, and responses of which they came.

    A selected query engine or retriever that answers is recorded with its latency, and with the
    tokens of all LLMs it called as far as these tell them; one that raises is graded 0, by the
    source "error". Every response of a query engine tells the decisions behind it under
    ``metadata["sls_decision_ids"]``; `evaluated` grades them. What a router LLM's own calls cost
    and how long they take, the engine knows already. Streamed responses tell their LLM's decision
    once they were read; its tokens are not among what is recorded of a selected query engine.

    It works in a thread of its own; what goes wrong there is logged, for LlamaIndex would hide it.
    """

    _engine: Engine = PrivateAttr()
    _timer: Callable[[], float] = PrivateAttr()
    _spans: dict[str, _Open] = PrivateAttr(default_factory=dict)
    _responses: dict[str, str] = PrivateAttr(default_factory=dict)
    _pool: ThreadPoolExecutor = PrivateAttr()

    def __init__(self, engine: Engine, timer: Callable[[], float] = time.perf_counter) -> None:
        """`timer` tells seconds. Nothing is heard before `install`."""
        super().__init__()
        self._engine = engine
        self._timer = timer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sls-feedback")

    def install(self) -> None:
        """Hear of everything that LlamaIndex does from now on."""
        root = get_dispatcher()
        root.add_event_handler(self)
        root.add_span_handler(self)

    def close(self) -> None:
        """Hear of nothing more; return when all that was heard has been told."""
        root = get_dispatcher()
        root.event_handlers = [each for each in root.event_handlers if each is not self]
        root.span_handlers = [each for each in root.span_handlers if each is not self]
        self._pool.shutdown(wait=True)

    def evaluated(
        self,
        response: RESPONSE_TYPE | str,
        result: EvaluationResult,
        *,
        source: str = "evaluator",
        full: float = 1.0,
        none: float = 0.0,
    ) -> tuple[str, ...]:
        """Grade the decisions behind a response; returns their ids.

        One decision may be named by its id, or by the provider's own id of the response. `full` and
        `none` are the evaluator's best and worst scores: 5 and 1 for LlamaIndex's
        CorrectnessEvaluator. A result without a score counts by whether it passes; an invalid one
        not at all. Raises InputError for a response without decisions, or a score out of range.
        """
        if isinstance(response, str):
            ids: tuple[str, ...] = (self.decision_of(response) or response,)
        else:
            ids = _decisions_of(response)
        if not ids:
            raise InputError("the response tells no decision: was the handler installed?")
        quality = quality_of(result, Scale(full, none))
        if quality is None:
            return ()
        for decision_id in ids:
            self._engine.feedback(decision_id, quality, source=source)
        return ids

    def decision_of(self, response_id: str) -> str | None:
        """The decision behind a response, by the provider's id of it; None if it is not known.

        The engine's database remembers it: after a restart, and in other processes.
        """
        known = self._responses.get(response_id)
        if known is not None:
            return known
        try:
            return self._engine.parts.log.find(response_id).decision_id
        except UnknownDecisionError:
            return None

    def retrieved(self) -> float | None:
        """The best score of what was retrieved for the query that is being answered here.

        Hand it to ``SLSRouterLLM(retrieved=handler.retrieved)``. None outside of query engines.
        """
        best_score = self._score_in(self._spans.get(active_span_id.get() or ""))
        reading = READING.get()
        return reading.best_score if best_score is None and reading is not None else best_score

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Note a decision, or tokens, in the span to which they belong."""
        if isinstance(event, SLSDecisionEvent):
            self._decided(event)
        elif isinstance(event, QueryStartEvent):
            span = self._spans.get(event.span_id or "")
            if span is not None:
                span.is_query = True
        elif isinstance(event, RetrievalEndEvent):
            self._found(event)
        elif isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            self._used(event.span_id, event.response)

    def span_enter(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        parent_id: str | None = None,
        tags: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A span begins."""
        self._spans[id_] = _Open(parent_id, self._timer())

    def span_exit(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        result: Any | None = None,
        **kwargs: Any,
    ) -> None:
        """A span ends well: what was selected in it has answered."""
        span = self._end(id_)
        if span is None:
            return
        if isinstance(result, StreamingResponse | AsyncStreamingResponse):
            self._follow(result, span)
        elif isinstance(result, Response | PydanticResponse) and span.made:
            result.metadata = {**(result.metadata or {}), DECISIONS: list(span.made)}
        if len(span.pending) == 1:  # of several, nobody knows which took how long
            answer = Answer(
                text=str(result) if isinstance(result, Response) else "",
                usage=span.usage,
                latency_s=self._timer() - span.start_s,
            )
            self._later(partial(self._engine.record, span.pending[0], answer))

    def span_drop(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        err: BaseException | None = None,
        **kwargs: Any,
    ) -> None:
        """A span ends with an error: what was selected in it has failed."""
        span = self._end(id_)
        if span is not None and isinstance(err, Exception):  # cancelling is nobody's fault
            for decision_id in span.pending:
                self._later(partial(self._engine.feedback, decision_id, 0.0, source="error"))

    def new_span(self, *args: Any, **kwargs: Any) -> None:
        """No spans are kept."""

    def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None:
        """No spans are kept."""

    def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None:
        """No spans are kept."""

    def _score_in(self, span: _Open | None) -> float | None:
        while span is not None:
            if span.best_score is not None:
                return span.best_score
            span = self._spans.get(span.parent or "")
        return None

    def _follow(self, result: Stream, span: _Open) -> None:
        """Let a streamed response, seen first where it was made, tell what is yet to be decided."""
        if DECISIONS in (result.metadata or {}):
            return
        made = list(span.made)
        result.metadata = {**(result.metadata or {}), DECISIONS: made}
        followed(result, Reading(made, self._score_in(span)))

    def _found(self, event: RetrievalEndEvent) -> None:
        """Note the best score in the spans up to the query for which nodes were retrieved."""
        scores = [node.score for node in event.nodes if node.score is not None]
        span = self._spans.get(event.span_id or "")
        while scores and span is not None:
            span.best_score = max(scores)
            span = None if span.is_query else self._spans.get(span.parent or "")

    def _decided(self, event: SLSDecisionEvent) -> None:
        reading = READING.get()
        if reading is not None and event.decision_id not in reading.decisions:
            reading.decisions.append(event.decision_id)
        if event.response_id:
            self._responses[event.response_id] = event.decision_id
            self._engine.updates.link(event.response_id, event.decision_id)
            while len(self._responses) > REMEMBERED:
                self._responses.pop(next(iter(self._responses)), None)
        span = self._spans.get(event.span_id or "")
        if span is None:
            return
        span.made.append(event.decision_id)
        caller = self._spans.get(span.parent or "")
        if event.open and caller is not None:  # the selector's own span ends before the answer
            caller.pending.append(event.decision_id)

    def _used(self, span_id: str | None, response: Said | None) -> None:
        usage = usage_of(response) if response is not None else None
        span = self._spans.get(span_id or "")
        while usage is not None and span is not None:
            span.usage = _sum(span.usage, usage)
            span = self._spans.get(span.parent or "")

    def _end(self, id_: str) -> _Open | None:
        """Take out a span; its decisions belong to its parent as well."""
        span = self._spans.pop(id_, None)
        parent = self._spans.get(span.parent or "") if span is not None else None
        if span is not None and parent is not None:
            parent.made.extend(span.made)
        return span

    def _later(self, tell: Callable[[], None]) -> None:
        self._pool.submit(_told, tell)


def _told(tell: Callable[[], None]) -> None:
    try:
        tell()
    except SLSError:
        _log.exception("what came of a decision could not be told")


def _decisions_of(response: RESPONSE_TYPE) -> tuple[str, ...]:
    return tuple((response.metadata or {}).get(DECISIONS, ()))


def _sum(one: Usage | None, other: Usage) -> Usage:
    if one is None:
        return other
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
    )
