"""Lets many async calls of an LLM begin a few at a time, before LlamaIndex works for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

from llama_index_instrumentation import get_dispatcher

__all__ = ["turnwise"]

MethodT = TypeVar("MethodT", bound=Callable[..., Coroutine[Any, Any, Any]])


def turnwise(method: MethodT) -> MethodT:
    """The method of something with an `engine`, under a span that begins when its turn comes.

    LlamaIndex opens a span, which takes a while, on every such method of an LLM, unless that has
    been done: so it is done here.
    """
    spanned: Any = get_dispatcher(method.__module__).span(method)

    @wraps(method)
    async def waiting(self: Any, *args: Any, **kwargs: Any) -> Any:
        await self.engine.as_async().beside.begin()
        return await spanned.__get__(self, type(self))(*args, **kwargs)

    return waiting  # type: ignore[return-value]
