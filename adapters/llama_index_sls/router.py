"""An LLM that answers from the cache or with the LLM that is worth its price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Self, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from llama_index_instrumentation.dispatcher import active_instrument_tags
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from llama_index_sls.forms import FORM, FormLLM
from llama_index_sls.inner import Inner, calls_tools
from llama_index_sls.metadata import metadata_of, too_small
from llama_index_sls.road import Road
from llama_index_sls.toolcalls import tool_calls_of
from llama_index_sls.turns import ToolRequest, Turn, query_of, turn_of, with_strength
from llama_index_sls.turnwise import turnwise
from sls_plugins.engine import Engine, StreamPolicy
from sls_plugins.engine.calls import TASK, TENANT, Labels, labels_of
from sls_plugins.errors import UnknownCandidateError
from sls_plugins.types import Candidate, Query, Source

__all__ = ["SLSRouterLLM"]

TOOLS = "sls_tools"
"""The keyword that carries tools from `_prepare_chat_with_tools` to the call."""

NOT_FORWARDED = frozenset({TENANT, TASK, TOOLS, FORM, "model"})
"""Keywords of a call that are for the scheduler, not for the LLM."""


class SLSRouterLLM(FormLLM):
    """A LlamaIndex LLM which schedules each call to one of several LLMs.

    `llms` are LlamaIndex's own LLMs by the name of the engine's candidate. `tenant` and `task`
    label the queries of every call which says nothing else, by the keywords `sls_tenant` and
    `sls_task` or by `instrument_tags`; `epoch` is part of the cache's scope: change it when an LLM
    behind a name, or what it should say, has changed.

    A stream that fails before its first words goes on with another LLM, unnoticed; later it raises,
    or up to `takeovers` other LLMs are shown what was said, and go on. All of them have
    `deadline_s` seconds (a blocking stream ends at the next chunk) and `max_usd` dollars together.

    Tool calls, and answers to tools' results, are cached only with `cache_tool_calls` (or
    `cache.tool_calls` in the engine's settings): do that where tools only look things up.

    `retrieved` tells how well the context of a query was found, best by `SLSFeedbackHandler`: the
    engine then learns apart for strong and for weak context which LLM is worth its price.

    Every response, and every chunk of a stream, tells its decision under
    ``additional_kwargs["sls"]``; pass its `decision_id` to `engine.feedback`. A call may name a
    candidate: ``complete("…", model="large")``. LLMs without callback handlers or a rate limiter of
    their own are lent the router's. Raises UnknownCandidateError for an LLM without a candidate or
    a candidate without an LLM.
    """

    engine: Engine = Field(exclude=True, repr=False)
    llms: Mapping[str, LLM] = Field(exclude=True, repr=False)
    tenant: str = ""
    task: str = ""
    epoch: str = ""
    cache_tool_calls: bool = False
    retrieved: Callable[[], float | None] | None = Field(default=None, exclude=True, repr=False)
    takeovers: int = Field(default=0, ge=0)
    deadline_s: float | None = Field(default=None, gt=0)
    max_usd: float | None = Field(default=None, gt=0)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _road: Road = PrivateAttr()
    _toolless: frozenset[str] = PrivateAttr()
    _lent: dict[str, CallbackManager] = PrivateAttr(default_factory=dict)

    def __init__(self, engine: Engine, llms: Mapping[str, LLM], **settings: Any) -> None:
        """Take the engine by place; `settings` are the fields of this class and of LlamaIndex's."""
        # Pydantic's own constructor takes the fields; the type checker sees the base class's.
        super().__init__(engine=engine, llms=llms, **settings)  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _match_candidates(self) -> Self:
        known = tuple(candidate.name for candidate in self.engine.candidates)
        for name in self.llms:
            if name not in known:
                raise UnknownCandidateError(name, known, "SLSRouterLLM(llms=…)")
        for name in known:
            if name not in self.llms:
                raise UnknownCandidateError(name, tuple(self.llms), "the engine's candidates")
        policy = StreamPolicy(takeovers=self.takeovers, deadline_s=self.deadline_s)
        self._road = Road(self.engine, self._ready, policy)
        self._toolless = frozenset(name for name, llm in self.llms.items() if not calls_tools(llm))
        return self

    @classmethod
    def class_name(cls) -> str:
        """The name under which events tell of this LLM."""
        return "SLSRouterLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The largest window, and every capability that at least one candidate offers."""
        return metadata_of(self.engine.candidates, self.llms)

    def to_payload(self) -> dict[str, Any]:
        """What telemetry sees: names and limits, no keys."""
        return {**super().to_payload(), "llms": sorted(self.llms)}

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One response to a conversation."""
        return cast("ChatResponse", self._road.answer(self._query(kwargs, messages=messages)))

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """One response to a prompt."""
        query = self._query(kwargs, prompt=prompt, formatted=formatted)
        return cast("CompletionResponse", self._road.answer(query))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """One response to a conversation, chunk by chunk, from the cache too."""
        query = self._query(kwargs, messages=messages)
        return cast("ChatResponseGen", self._road.stream(query))

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """One response to a prompt, chunk by chunk, from the cache too."""
        query = self._query(kwargs, prompt=prompt, formatted=formatted)
        return cast("CompletionResponseGen", self._road.stream(query))

    @turnwise
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """`chat` without blocking."""
        query = partial(self._query, kwargs, messages=messages)
        return cast("ChatResponse", await self._road.aanswer(query, chat=True))

    @turnwise
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """`complete` without blocking."""
        query = partial(self._query, kwargs, prompt=prompt, formatted=formatted)
        return cast("CompletionResponse", await self._road.aanswer(query, chat=False))

    @turnwise
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """`stream_chat` without blocking."""
        query = await self._aquery(kwargs, messages=messages)
        return cast("ChatResponseAsyncGen", self._road.astream(query))

    @turnwise
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """`stream_complete` without blocking."""
        query = await self._aquery(kwargs, prompt=prompt, formatted=formatted)
        return cast("CompletionResponseAsyncGen", self._road.astream(query))

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls in a response, read by the LLM which gave it."""
        llm = self._author(response)
        if llm is not None:
            return llm.get_tool_calls_from_response(
                response, error_on_no_tool_call=error_on_no_tool_call, **kwargs
            )
        return tool_calls_of(response, error_on_no_tool_call=error_on_no_tool_call)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Carry the tools to the call; the LLM that is chosen there prepares them in its format.

        So they are never prepared for one LLM and sent to another, not even after a fallback.
        """
        messages = list(chat_history or ())
        if isinstance(user_msg, str):
            user_msg = ChatMessage(user_msg, role=MessageRole.USER)
        if user_msg is not None:
            messages.append(user_msg)
        request = ToolRequest(
            tools=tuple(tools),
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
        )
        return {**kwargs, "messages": messages, TOOLS: request}

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        llm = self._author(response)
        if llm is None:
            return response
        return llm._validate_chat_with_tools_response(  # noqa: SLF001 - as its own method would
            response, tools, allow_parallel_tool_calls=allow_parallel_tool_calls, **kwargs
        )

    def _author(self, response: ChatResponse) -> FunctionCallingLLM | None:
        """The LLM in whose form a response is, if it is known and reads tool calls.

        Stored responses are in LlamaIndex's own form.
        """
        facts = response.additional_kwargs.get("sls", {})
        if facts.get("source") == str(Source.CACHE):
            return None
        llm = self.llms.get(facts.get("candidate", ""))
        return llm if isinstance(llm, FunctionCallingLLM) else None

    def _query(
        self,
        kwargs: Mapping[str, Any],
        *,
        messages: Sequence[ChatMessage] = (),
        prompt: str | None = None,
        formatted: bool = False,
    ) -> Query:
        """What is asked of the engine; the walls come from the call, else from this LLM."""
        own = Labels(tenant=self.tenant, task=self.task, epoch=self.epoch)
        turn = Turn(
            messages=messages,
            prompt=prompt,
            formatted=formatted,
            settings={key: value for key, value in kwargs.items() if key not in NOT_FORWARDED},
            request=kwargs.get(TOOLS),
            is_form=bool(kwargs.get(FORM)),
            keeps_calls=self.cache_tool_calls or self.engine.parts.keeps_tool_calls,
        )
        name = kwargs.get("model")
        labels = labels_of({**active_instrument_tags.get(), **kwargs}, own)
        if self.retrieved is not None:
            labels = with_strength(labels, self.retrieved())
        query = query_of(turn, labels, self.engine.count_tokens, name)
        deny = too_small(query, self.engine.candidates, self.llms) | self._strangers()
        if turn.has_tools:
            deny |= self._toolless
        return replace(query, allow=self._only(name), deny=deny, max_usd=self.max_usd)

    async def _aquery(self, kwargs: Mapping[str, Any], **asked: Any) -> Query:
        """`_query` beside the loop, for it counts tokens; it sees the caller's tags."""
        work = partial(copy_context().run, self._query, kwargs, **asked)
        return await self.engine.as_async().beside.run(work)

    def _strangers(self) -> frozenset[str]:
        """Candidates that joined the engine later, of which this router has no LLM."""
        return frozenset(each.name for each in self.engine.candidates if each.name not in self.llms)

    def _only(self, name: str | None) -> frozenset[str] | None:
        """The candidate which a call names, if it names one."""
        if name is not None and name not in self.llms:
            raise UnknownCandidateError(name, tuple(self.llms), "model=")
        return None if name is None else frozenset({name})

    def _ready(self, candidate: Candidate, query: Query) -> Inner:
        """The candidate's LLM, with what it lacks of handlers and of a rate limiter."""
        name, llm = candidate.name, self.llms[candidate.name]
        own = llm.callback_manager
        if own is not self.callback_manager and (not own.handlers or own is self._lent.get(name)):
            llm.callback_manager = self._lent[name] = self.callback_manager
        if llm.rate_limiter is None:
            llm.rate_limiter = self.rate_limiter
        return Inner(llm, turn_of(query))
