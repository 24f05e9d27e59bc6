"""Calls the chosen LLM by its own public methods, which tell LlamaIndex's handlers.

The router's methods tell no handler themselves. Were they decorated like an LLM's, every handler
would see two calls and count all tokens twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from pydantic import ValidationError

from llama_index_sls.answers import answer_of
from llama_index_sls.chunks import is_words
from llama_index_sls.turns import Turn
from llama_index_sls.usage import Said
from sls_plugins.types import Answer

__all__ = ["Inner", "calls_tools"]


def calls_tools(llm: LLM) -> bool:
    """Whether tools can be handed to this LLM."""
    return isinstance(llm, FunctionCallingLLM) and llm.metadata.is_function_calling_model


@dataclass(frozen=True, slots=True)
class Inner:
    """An LLM ready to answer one turn."""

    llm: LLM
    turn: Turn

    def answer(self) -> Said:
        """The whole response."""
        if self.turn.prompt is not None:
            return self.llm.complete(self.turn.prompt, **self._completion())
        return self.llm.chat(**self._conversation())

    async def aanswer(self) -> Said:
        """The whole response, without blocking."""
        if self.turn.prompt is not None:
            return await self.llm.acomplete(self.turn.prompt, **self._completion())
        return await self.llm.achat(**self._conversation())

    def read(self, said: Said, chunks: Sequence[Said] = ()) -> Answer:
        """The answer in what this LLM has said, in these chunks if it was streamed.

        A call that gives the answer its form calls nothing; one that breaks the form is not kept.
        """
        calls = self._calls(said)
        answer = answer_of(said, chunks, calls, is_form=self.turn.is_form)
        if self.turn.is_form and not all(self._fits(call) for call in calls):
            return replace(answer, cacheable=False)
        return answer

    def _fits(self, call: ToolSelection) -> bool:
        tools = self.turn.request.tools if self.turn.request is not None else ()
        schemas = {tool.metadata.name: tool.metadata.fn_schema for tool in tools}
        schema = schemas.get(call.tool_name)
        if schema is None:
            return False
        try:
            schema.model_validate(call.tool_kwargs)
        except ValidationError:
            return False
        return True

    def _calls(self, said: Said) -> list[ToolSelection]:
        """The tool calls in what this LLM has said."""
        if not self.turn.has_tools or is_words(said):
            return []
        if not isinstance(said, ChatResponse) or not isinstance(self.llm, FunctionCallingLLM):
            return []
        return self.llm.get_tool_calls_from_response(said, error_on_no_tool_call=False)

    def stream(self) -> Iterator[Said]:
        """The response in chunks."""
        if self.turn.prompt is not None:
            with closing(self.llm.stream_complete(self.turn.prompt, **self._completion())) as said:
                yield from said
        else:
            with closing(self.llm.stream_chat(**self._conversation())) as told:
                yield from told

    async def astream(self) -> AsyncGenerator[Said, None]:
        """The response in chunks, without blocking."""
        if self.turn.prompt is not None:
            said = await self.llm.astream_complete(self.turn.prompt, **self._completion())
            async with aclosing(said):
                async for chunk in said:
                    yield chunk
        else:
            told = await self.llm.astream_chat(**self._conversation())
            async with aclosing(told):
                async for message in told:
                    yield message

    def _completion(self) -> dict[str, Any]:
        return {"formatted": self.turn.formatted, **self.turn.settings}

    def _conversation(self) -> dict[str, Any]:
        """The arguments of a chat, with tools in this LLM's own format."""
        messages, request = list(self.turn.messages), self.turn.request
        if request is None:
            return {"messages": messages, **self.turn.settings}
        assert isinstance(self.llm, FunctionCallingLLM)
        prepared: dict[str, Any] = self.llm._prepare_chat_with_tools_compat(  # noqa: SLF001
            request.tools,
            chat_history=messages,
            verbose=request.verbose,
            allow_parallel_tool_calls=request.allow_parallel_tool_calls,
            tool_required=request.tool_required,
            **self.turn.settings,
        )
        return prepared
