"""Follows a streamed response, for its LLM is asked when it is read: after its query has ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.types import TokenAsyncGen, TokenGen

from llama_index_sls.responses import Stream

__all__ = ["READING", "Reading", "followed"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A streamed response that is being read: its decisions so far, the score of its context."""

    decisions: list[str]
    best_score: float | None = None


READING: ContextVar[Reading | None] = ContextVar("sls_reading", default=None)
"""The streamed response whose next words are being asked for, here and now."""


def followed(response: Stream, reading: Reading) -> None:
    """Let whatever happens while the response is read know that it belongs to it."""
    if isinstance(response, AsyncStreamingResponse):
        response.response_gen = _awords(response.response_gen, reading)
    elif isinstance(response, StreamingResponse):
        response.response_gen = _words(response.response_gen, reading)


@contextmanager
def _being(reading: Reading) -> Iterator[None]:
    before = READING.set(reading)
    try:
        yield
    finally:
        READING.reset(before)


def _words(source: TokenGen, reading: Reading) -> Generator[str, None, None]:
    words = iter(source)
    try:
        while True:
            with _being(reading):
                word = next(words, None)
            if word is None:
                return
            yield word
    finally:
        close = getattr(words, "close", None)
        if close is not None:
            close()


async def _awords(source: TokenAsyncGen, reading: Reading) -> AsyncGenerator[str, None]:
    words = aiter(source)
    try:
        while True:
            with _being(reading):
                word = await anext(words, None)
            if word is None:
                return
            yield word
    finally:
        close = getattr(words, "aclose", None)
        if close is not None:
            await close()
