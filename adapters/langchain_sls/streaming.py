"""Streams the chosen model's chunks, with the decision on the first of them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_sls.answers import message_of
from langchain_sls.calls import answer_of_turn
from langchain_sls.chunks import Continuation, Opening, is_words
from langchain_sls.inner import Inner, as_chunk, inner_of
from langchain_sls.messages import Turn, turn_of
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["AsyncChatHost", "ChatHost", "Stamp", "aheard", "heard"]


_FEW_WORDS = re.compile(r"(?:\s*\S+){1,4}\s*?(?=\s|$)|\s+$")
"""Pieces which add up to a text that begins and ends with a word, or with blanks."""


class _Host:
    """What both hosts share: joining, replaying, and whether somebody else can go on."""

    def __init__(self, models: Mapping[str, BaseChatModel], turn: Turn) -> None:
        """A host serves one stream: that of this turn."""
        self._models = models
        self._turn = turn

    def join(self, chunks: Sequence[ChatGenerationChunk]) -> Answer:
        """The whole answer. Raises ValueError if there is none."""
        if not chunks:
            raise ValueError("the chat model's stream ended without a chunk")
        return answer_of_turn(generate_from_stream(iter(chunks)), self._turn)

    def replay(self, answer: Answer) -> Iterator[ChatGenerationChunk]:
        """A stored answer in chunks of a few words, as a model would say it."""
        whole = message_of(answer)
        pieces = _FEW_WORDS.findall(whole.content) if isinstance(whole.content, str) else []
        if whole.tool_calls:
            pieces = []
        for piece in pieces[:-1]:
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        rest = {"content": pieces[-1]} if pieces else {}
        yield ChatGenerationChunk(message=as_chunk(whole.model_copy(update=rest)))

    def may_resume(self, said: Sequence[ChatGenerationChunk]) -> bool:
        """Words can be gone on with; a tool call or an object that broke off cannot."""
        return self._turn.form is None and all(is_words(chunk) for chunk in said)

    def _inner(self, candidate: Candidate, query: Query) -> Inner:
        return inner_of(self._models[candidate.name], turn_of(query))

    def _going_on(
        self, candidate: Candidate, query: Query, said: Sequence[ChatGenerationChunk]
    ) -> tuple[Inner, Continuation]:
        """The candidate, shown what was said, and what joins its words to that."""
        goes_on = Continuation(said)
        turn = goes_on.turn(turn_of(query))
        return inner_of(self._models[candidate.name], turn), goes_on


class ChatHost(_Host):
    """Streams one turn with LangChain's blocking chat models."""

    def open(self, candidate: Candidate, query: Query) -> Iterator[ChatGenerationChunk]:
        """The candidate's own chunks."""
        inner = self._inner(candidate, query)
        opening = Opening(inner.model)
        for chunk in inner.stream():
            yield from opening.passing(chunk)
        yield from opening.end()

    def resume(
        self, candidate: Candidate, query: Query, said: Sequence[ChatGenerationChunk]
    ) -> Iterator[ChatGenerationChunk]:
        """The chunks that are missing after these."""
        inner, goes_on = self._going_on(candidate, query, said)
        opening = Opening(inner.model)
        for chunk in inner.stream():
            for each in opening.passing(chunk):
                yield from goes_on.passing(each)
        for each in opening.end():
            yield from goes_on.passing(each)
        yield goes_on.end()


class AsyncChatHost(_Host):
    """Streams one turn with LangChain's async chat models."""

    async def open(
        self, candidate: Candidate, query: Query
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """The candidate's own chunks."""
        inner = self._inner(candidate, query)
        opening = Opening(inner.model)
        async with aclosing(inner.astream()) as chunks:
            async for chunk in chunks:
                for each in opening.passing(chunk):
                    yield each
        for each in opening.end():
            yield each

    async def resume(
        self, candidate: Candidate, query: Query, said: Sequence[ChatGenerationChunk]
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """The chunks that are missing after these."""
        inner, goes_on = self._going_on(candidate, query, said)
        opening = Opening(inner.model)
        async with aclosing(inner.astream()) as chunks:
            async for chunk in chunks:
                for opened in opening.passing(chunk):
                    for each in goes_on.passing(opened):
                        yield each
        for opened in opening.end():
            for each in goes_on.passing(opened):
                yield each
        yield goes_on.end()


def heard(run_manager: CallbackManagerForLLMRun | None, chunk: ChatGenerationChunk) -> None:
    """Tell handlers of a token, where LangChain leaves that to the model."""
    if run_manager is not None:
        run_manager.on_llm_new_token(chunk.text, chunk=chunk)


async def aheard(
    run_manager: AsyncCallbackManagerForLLMRun | None, chunk: ChatGenerationChunk
) -> None:
    """`heard` for async handlers."""
    if run_manager is not None:
        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)


class Stamp:
    """Writes the decision on a stream's first chunk, and what it cost on the last.

    LangChain adds a stream's chunks up, so that a fact may be told once only; its events (which are
    given a run manager) let a later chunk's metadata replace an earlier one's, so that all must be
    told at last. The cost is known when the inner stream has ended: a chunk that calls itself the
    last is held back until then.
    """

    def __init__(self, *, replaces: bool) -> None:
        """A stamp serves one stream. `replaces`: later metadata replace earlier ones."""
        self._replaces = replaces
        self._told: dict[str, Any] = {}
        self._held: ChatGenerationChunk | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether no chunk was stamped yet."""
        return not self._told

    def passing(self, chunk: ChatGenerationChunk, known: Answer) -> Iterator[ChatGenerationChunk]:
        """The chunk, the first one with what is `known` when it comes; the last is kept back."""
        if self.is_fresh:
            facts = {**known.facts(), "cost_usd": None}
            self._told = {key: value for key, value in facts.items() if key != "failures"}
            chunk = _stamped(chunk, self._told)
        if self._held is not None:
            yield self._held
        self._held = chunk if _is_last(chunk) else None
        if self._held is None:
            yield _own(chunk)

    def last(self, answer: Answer) -> ChatGenerationChunk:
        """The last chunk, with the facts that were not yet told."""
        told = self._told
        facts = answer.facts()
        news = {
            key: value
            for key, value in facts.items()
            if value is not None and told.get(key) is None
        }
        if facts["candidate"] != told.get("candidate"):
            news["finished_by"] = facts["candidate"]
        if self._replaces:
            news = {**told, **news}
        end = AIMessageChunk(content="", chunk_position="last")
        return _stamped(self._held or ChatGenerationChunk(message=end), news)


def _is_last(chunk: ChatGenerationChunk) -> bool:
    return isinstance(chunk.message, AIMessageChunk) and chunk.message.chunk_position == "last"


def _own(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    """A copy for LangChain to write on: others may be listening to the same stream."""
    message = chunk.message.model_copy()
    return ChatGenerationChunk(message=message, generation_info=chunk.generation_info)


def _stamped(chunk: ChatGenerationChunk, facts: Mapping[str, Any]) -> ChatGenerationChunk:
    """A copy of the chunk which tells these facts; the inner model's own chunk stays as it was."""
    message = chunk.message
    told = {**message.response_metadata.get("sls", {}), **facts}
    metadata = {**message.response_metadata, "sls": told}
    return ChatGenerationChunk(
        message=message.model_copy(update={"response_metadata": metadata}),
        generation_info=chunk.generation_info,
    )
