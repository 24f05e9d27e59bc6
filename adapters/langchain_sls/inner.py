"""Calls the chosen chat model beneath LangChain's own run, cache and tracing.

ChatSLS is the run that callers see. Were the inner model's `invoke` called instead, every handler
would count its tokens twice, and LangChain's global cache would be asked twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding

from langchain_sls.messages import Turn
from langchain_sls.structured import FORMAT

__all__ = ["TOOL_OPTIONS", "Inner", "as_chunk", "calls_tools", "inner_of"]

TOOL_OPTIONS = "sls_tool_options"
"""The setting that carries what was said to `bind_tools` besides the tools."""


def calls_tools(model: BaseChatModel) -> bool:
    """Whether tools can be bound to this model."""
    return type(model).bind_tools is not BaseChatModel.bind_tools


def inner_of(model: BaseChatModel, turn: Turn) -> Inner:
    """The model with the turn's tools and settings bound in its provider's own format.

    Raises TypeError for a model whose `bind_tools` gives something that is no chat model.
    """
    settings = dict(turn.settings)
    options = settings.pop(TOOL_OPTIONS, {})
    if turn.form is not None and turn.form.method != "function_calling":
        bound, bindings = _unwrap(turn.form.bound_on(model))
        return Inner(bound, turn, {**bindings, **settings})
    if not turn.has_tools:
        return Inner(model, turn, settings)
    tools, choice = settings.pop("tools"), settings.pop("tool_choice", None)
    if choice is not None:
        options = {**options, "tool_choice": choice}
    bound, bindings = _unwrap(model.bind_tools(tools, **options))
    return Inner(bound, turn, {**bindings, **settings})


def _unwrap(bound: Runnable[Any, Any]) -> tuple[BaseChatModel, Mapping[str, Any]]:
    """The chat model inside a binding, and all that is bound to it."""
    bindings: dict[str, Any] = {}
    while isinstance(bound, RunnableBinding):
        bindings = {**bound.kwargs, **bindings}
        bound = bound.bound
    bindings.pop(FORMAT, None)  # for LangChain's own trace, which is ours
    if not isinstance(bound, BaseChatModel):
        raise TypeError(f"bind_tools gave a {type(bound).__name__} instead of a bound chat model")
    return bound, bindings


@dataclass(frozen=True, slots=True)
class Inner:
    """A chat model ready to answer one turn."""

    model: BaseChatModel
    turn: Turn
    settings: Mapping[str, Any]

    def generate(self) -> ChatResult:
        """The whole answer."""
        if self.model.rate_limiter is not None:
            self.model.rate_limiter.acquire(blocking=True)
        return self.model._generate(**self._arguments())  # noqa: SLF001

    async def agenerate(self) -> ChatResult:
        """The whole answer, without blocking."""
        if self.model.rate_limiter is not None:
            await self.model.rate_limiter.aacquire(blocking=True)
        return await self.model._agenerate(**self._arguments())  # noqa: SLF001

    def stream(self) -> Iterator[ChatGenerationChunk]:
        """The answer in chunks; in one, if the model cannot stream."""
        if not self._streams(async_api=False):
            yield _one_chunk(self.generate())
            return
        if self.model.rate_limiter is not None:
            self.model.rate_limiter.acquire(blocking=True)
        yield from self.model._stream(**self._unheard())  # noqa: SLF001

    async def astream(self) -> AsyncGenerator[ChatGenerationChunk, None]:
        """The answer in chunks, without blocking."""
        if not self._streams(async_api=True):
            yield _one_chunk(await self.agenerate())
            return
        if self.model.rate_limiter is not None:
            await self.model.rate_limiter.aacquire(blocking=True)
        chunks = self.model._astream(**self._unheard())  # noqa: SLF001
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def _streams(self, *, async_api: bool) -> bool:
        wanted = {**self.settings, "stream": True}
        return self.model._should_stream(async_api=async_api, **wanted)  # noqa: SLF001

    def _unheard(self) -> dict[str, Any]:
        """For streams: handlers hear of tokens when callers do, not of those nobody will see."""
        return {**self._arguments(), "run_manager": None}

    def _arguments(self) -> dict[str, Any]:
        """The same for all four calls."""
        return {
            **self.settings,
            "messages": list(self.turn.messages),
            "stop": list(self.turn.stop) if self.turn.stop else None,
            "run_manager": self.turn.run_manager,
        }


def _one_chunk(result: ChatResult) -> ChatGenerationChunk:
    """A whole answer as a single chunk."""
    first: ChatGeneration = result.generations[0]
    assert isinstance(first.message, AIMessage)
    info = {**(result.llm_output or {}), **(first.generation_info or {})}
    return ChatGenerationChunk(message=as_chunk(first.message), generation_info=info)


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """The message as a stream's only chunk."""
    return AIMessageChunk(**message.model_dump(exclude={"type"}), chunk_position="last")
