"""A chat model that answers from the cache or with the model that is worth its price."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from typing import Any, Self

from langchain_core.caches import BaseCache
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from langchain_sls.calls import UNUSABLE, Calls, problem_of, result_of
from langchain_sls.inner import TOOL_OPTIONS, calls_tools
from langchain_sls.labelled import LabelledChatModel
from langchain_sls.messages import (
    TASK,
    TENANT,
    Labels,
    RunManager,
    Turn,
    labels_of,
    query_of,
    turn_of,
)
from langchain_sls.streaming import AsyncChatHost, ChatHost, Stamp, aheard, heard
from langchain_sls.structured import FORMAT, STRUCTURED, Method, Structured, parsed, trace_format
from sls_plugins.engine import AsyncEngine, Engine, StreamPolicy
from sls_plugins.errors import InputError, UnknownCandidateError
from sls_plugins.types import Query

__all__ = ["ChatSLS"]

NOT_FORWARDED = frozenset({TENANT, TASK, "model", STRUCTURED, FORMAT})
"""Keywords of a call that are for the scheduler, not for the model."""


class ChatSLS(LabelledChatModel):
    """A LangChain chat model which schedules each call to one of several chat models.

    `models` are LangChain's own chat models by the name of the engine's candidate. `tenant` and
    `task` label the queries of every call which says nothing else; `epoch` is part of the cache's
    scope: change it when a model behind a name, or what it should say, has changed.
    `temperature`, `max_tokens` and `stop` are handed to every model unless a call brings its own.

    A stream that fails before its first words goes on with another model, unnoticed; later it
    raises, or up to `takeovers` other models are shown what was said, and go on. All of them have
    `deadline_s` seconds and `max_usd` dollars together; an async call that is late raises
    TimeoutError, a blocking stream ends at the next chunk, a blocking call waits for its model.

    Every answer tells its decision under ``response_metadata["sls"]``; pass its `decision_id` to
    `engine.feedback`. A call may name a candidate: ``invoke("…", model="large")``.

    Raises UnknownCandidateError for a model without a candidate or a candidate without a model.
    LangChain's global cache is not asked unless `cache=True`: it knows neither costs nor tenants.
    """

    engine: Engine = Field(exclude=True, repr=False)
    models: Mapping[str, BaseChatModel] = Field(exclude=True, repr=False)
    tenant: str = ""
    task: str = ""
    epoch: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    streaming: bool = False
    cache_tool_calls: bool = False
    takeovers: int = Field(default=0, ge=0)
    deadline_s: float | None = Field(default=None, gt=0)
    max_usd: float | None = Field(default=None, gt=0)
    cache: BaseCache | bool | None = Field(default=False, exclude=True)
    timer: Callable[[], float] = Field(default=time.perf_counter, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _async: AsyncEngine = PrivateAttr()
    _calls: Calls = PrivateAttr()
    _toolless: frozenset[str] = PrivateAttr()

    def __init__(
        self, engine: Engine, models: Mapping[str, BaseChatModel], **settings: Any
    ) -> None:
        """Take the engine by place; `settings` are the fields of this class and of LangChain's."""
        # Pydantic's own constructor takes the fields; the type checker sees BaseChatModel's.
        super().__init__(engine=engine, models=models, **settings)  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _match_candidates(self) -> Self:
        known = tuple(candidate.name for candidate in self.engine.candidates)
        for name in self.models:
            if name not in known:
                raise UnknownCandidateError(name, known, "ChatSLS(models=…)")
        for name in known:
            if name not in self.models:
                raise UnknownCandidateError(name, tuple(self.models), "the engine's candidates")
        self._async = self.engine.as_async()
        self._calls = Calls(self.models, self.timer, self._async.beside)
        self._toolless = frozenset(
            name for name, model in self.models.items() if not calls_tools(model)
        )
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether LangChain may write it down: without its engine, which holds what was learnt."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """What `load` is handed in its `secrets_map`: the engine, models that cannot be loaded."""
        return {"engine": "SLS_ENGINE"} | ({} if self._loadable else {"models": "SLS_MODELS"})

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Models that LangChain can load go along, without their keys."""
        return {"models": dict(self.models)} if self._loadable else {}

    @property
    def _loadable(self) -> bool:
        return all(model.is_lc_serializable() for model in self.models.values())

    @property
    def _llm_type(self) -> str:
        return "sls"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "models": sorted(self.models),
            "tenant": self.tenant,
            "task": self.task,
            "epoch": self.epoch,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params.setdefault("ls_model_name", "sls")
        return params

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Keep the tools in OpenAI's format; the chosen model binds them in its provider's own.

        Only candidates with the capability "tools" are eligible then.
        """
        plain = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in tools]
        format_ = kwargs.pop("ls_structured_output_format", None)
        bound: dict[str, Any] = {"tools": plain}
        if tool_choice is not None:
            bound["tool_choice"] = tool_choice
        if format_ is not None:
            bound["ls_structured_output_format"] = format_
        if kwargs:
            bound[TOOL_OPTIONS] = kwargs
        return self.bind(**bound)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        method: Method = "function_calling",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers of a schema, by a tool call, in JSON mode or by the provider's own JSON schema.

        An answer that breaks the schema counts as quality 0, and another model is asked, once; in a
        stream, where it is seen already, it just counts. Raises InputError for what is unknown.
        """
        if kwargs:
            raise InputError(f"with_structured_output does not know {', '.join(sorted(kwargs))}")
        form = Structured(schema, method, strict)
        told: dict[str, Any] = {STRUCTURED: form, FORMAT: trace_format(form)}
        if method == "function_calling":
            options = {} if strict is None else {"strict": strict}
            bound = self.bind_tools([form.schema], tool_choice="any", **options).bind(**told)
        else:
            bound = self.bind(**told)
        return parsed(bound, form, include_raw=include_raw)

    async def _begin(self) -> None:
        await self._async.beside.begin()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        query = self._query(messages, stop, run_manager, kwargs)
        return result_of(self.engine.answer(query, self._calls.call), turn_of(query).form)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        query = partial(self._query, messages, stop, run_manager, kwargs)
        async with asyncio.timeout(self.deadline_s):
            answer = await self._async.answer(query, self._calls.acall)
        return result_of(answer, kwargs.get(STRUCTURED))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        query = self._query(messages, stop, run_manager, kwargs)
        stamp = Stamp(replaces=run_manager is not None)
        host = ChatHost(self.models, turn_of(query))
        with closing(self.engine.stream(query, host, self._policy)) as chunks:
            for chunk in chunks:
                for each in stamp.passing(chunk, chunks.known):
                    heard(run_manager, each)
                    yield each
            assert chunks.answer is not None
            last = stamp.last(chunks.answer)
            heard(run_manager, last)
            if problem_of(chunks.answer, turn_of(query).form) is not None:
                self.engine.feedback(chunks.decision_id, 0.0, source=UNUSABLE)
            yield last

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        query = self._query(messages, stop, run_manager, kwargs)
        stamp = Stamp(replaces=run_manager is not None)
        host = AsyncChatHost(self.models, turn_of(query))
        async with aclosing(self._async.stream(query, host, self._policy)) as chunks:
            async for chunk in chunks:
                for each in stamp.passing(chunk, chunks.known):
                    await aheard(run_manager, each)
                    yield each
            assert chunks.answer is not None
            last = stamp.last(chunks.answer)
            await aheard(run_manager, last)
            if problem_of(chunks.answer, turn_of(query).form) is not None:
                await self._async.feedback(chunks.decision_id, 0.0, source=UNUSABLE)
            yield last

    def _query(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        run_manager: RunManager,
        settings: Mapping[str, Any],
    ) -> Query:
        """What is asked of the engine; the walls come from the call, else from this model."""
        metadata = (run_manager.metadata if run_manager else None) or {}
        own_labels = Labels(tenant=self.tenant, task=self.task, epoch=self.epoch)
        labels = labels_of({**metadata, **settings}, own_labels)
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        wanted = {
            **{key: value for key, value in own.items() if value is not None},
            **{key: value for key, value in settings.items() if key not in NOT_FORWARDED},
        }
        turn = Turn(
            messages=messages,
            stop=stop or self.stop,
            settings=wanted,
            run_manager=run_manager,
            form=settings.get(STRUCTURED),
            keeps_calls=self.cache_tool_calls or self.engine.parts.keeps_tool_calls,
        )
        name = settings.get("model")
        query = query_of(turn, labels, self.engine.count_tokens, {"model": name})
        deny = self._toolless if turn.has_tools else frozenset[str]()
        deny |= {each.name for each in self.engine.candidates if each.name not in self.models}
        return replace(query, allow=self._only(name), deny=deny, max_usd=self.max_usd)

    @property
    def _policy(self) -> StreamPolicy:
        return StreamPolicy(takeovers=self.takeovers, deadline_s=self.deadline_s)

    def _only(self, name: str | None) -> frozenset[str] | None:
        """The candidate which a call names, if it names one."""
        if name is not None and name not in self.models:
            raise UnknownCandidateError(name, tuple(self.models), "model=")
        return None if name is None else frozenset({name})
