"""A chat model that hears the labels of its config in every way it can be called."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig

from langchain_sls.messages import labelled

__all__ = ["LabelledChatModel"]


class LabelledChatModel(BaseChatModel):
    """Hands the tenant and task of a config down to `_generate` and `_stream`, as keywords.

    LangChain hands a config's `configurable` no further than to the public methods, and to some
    streams not even its `metadata`. A tenant that got lost on the way would be a wall fallen down.
    """

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """One answer; labels in the config become the query's tenant and task."""
        return super().invoke(input, config, stop=stop, **labelled(config, kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """`invoke` without blocking; of many calls at once, a few begin at a time."""
        await self._begin()
        return await super().ainvoke(input, config, stop=stop, **labelled(config, kwargs))

    async def _begin(self) -> None:
        """Wait until a call may begin."""

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """One answer, chunk by chunk, from the cache too."""
        return super().stream(input, config, stop=stop, **labelled(config, kwargs))

    def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """`stream` without blocking; of many calls at once, a few begin at a time."""
        chunks = super().astream(input, config, stop=stop, **labelled(config, kwargs))
        return self._in_turn(chunks)

    async def _in_turn(
        self, chunks: AsyncIterator[AIMessageChunk]
    ) -> AsyncIterator[AIMessageChunk]:
        await self._begin()
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def stream_events(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        version: Any = "v2",
        **kwargs: Any,
    ) -> Any:
        """LangChain's events, in any version."""
        labels = labelled(config, kwargs)
        return super().stream_events(input, config, version=version, **labels)

    def astream_events(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        version: Any = "v2",
        **kwargs: Any,
    ) -> Any:
        """`stream_events` without blocking."""
        labels = labelled(config, kwargs)
        return super().astream_events(input, config, version=version, **labels)
