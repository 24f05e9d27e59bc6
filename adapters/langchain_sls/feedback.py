"""A callback handler that tells the engine what became of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult

from langchain_sls.runs import RunBook, decision_in
from sls_plugins.engine import Engine
from sls_plugins.engine.background import AsyncBackground
from sls_plugins.errors import InputError, UnknownDecisionError

__all__ = ["SLSFeedbackHandler"]

PARSER, TOOL, RETRY = "output_parser", "tool", "retry"
"""The sources under which failures are reported."""

RETRY_WEIGHT = 0.3
"""Whoever repeats a step may do so for another reason than the answer in it."""

_AGAIN = "retry:attempt:"

_MESSAGE_ID = "lc_run--"


class SLSFeedbackHandler(BaseCallbackHandler):
    """Ties LangChain's runs to the engine's decisions; hand it to a chain's outermost call.

    ``chain.invoke(…, {"callbacks": [handler]})``, blocking or async. An answer that an output
    parser cannot read is graded 0 by the source "output_parser", one whose tool call fails (as far
    as the tool is told the call's id) by the source "tool", one in a step that `with_retry` repeats
    by the source "retry", with less weight: each decision once. Decisions are those of ChatSLS,
    SLSRouter (if its output is a message) and SLSCache. `feedback` grades by run id, as LangSmith
    does. It remembers the newest `capacity` runs; the engine's database keeps the last decision of
    each, so that `feedback` here, or `engine.feedback(run_id, …)`, knows it after a restart and in
    other processes. What goes wrong in it LangChain logs as a warning.
    """

    run_inline = True  # keeping books takes microseconds; a thread for each token would take more

    def __init__(self, engine: Engine, capacity: int = 10_000) -> None:
        """The engine that makes the decisions."""
        self._engine = engine
        self._runs = RunBook(capacity)
        self._later = AsyncBackground()

    def feedback(
        self, run_id: UUID | str, key: str = "user_score", *, score: float, weight: float = 1.0
    ) -> tuple[str, ...]:
        """Grade (0…1) what was decided in a run and those inside it; returns the decision ids.

        `run_id` may also be a message's id that tells its run ("lc_run--…"); `key` becomes the
        feedback's source. Of a run that is not remembered here the last decision is graded. Raises
        InputError for a run in which nothing was decided as far as anybody knows,
        InvalidFeedbackError for a score out of range.
        """
        ids = self._decisions(run_id)
        for decision_id in ids:
            self._engine.feedback(decision_id, float(score), source=key, weight=weight)
        return ids

    async def afeedback(
        self, run_id: UUID | str, key: str = "user_score", *, score: float, weight: float = 1.0
    ) -> tuple[str, ...]:
        """`feedback` without blocking."""
        engine = self._engine.as_async()
        ids = await engine.beside.run(partial(self._decisions, run_id))
        for decision_id in ids:
            await engine.feedback(decision_id, float(score), source=key, weight=weight)
        return ids

    def on_chain_start(  # noqa: D102 - LangChain's, as are those below
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        run_type: str | None = None,
        tags: list[str] | None = None,
        **_: Any,
    ) -> None:
        self._retried(parent_run_id, tags)
        self._runs.begin(run_id, parent_run_id, is_parser=run_type == "parser", given=inputs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: D102
        self._made(run_id, outputs)
        self._runs.end(run_id)

    async def on_chain_error(  # noqa: D102
        self, error: BaseException, *, run_id: UUID, inputs: Any = None, **_: Any
    ) -> None:
        await self._report(self._runs.failed(run_id, error, inputs), PARSER)

    def on_chat_model_start(  # noqa: D102
        self,
        serialized: dict[str, Any],  # noqa: ARG002
        messages: Sequence[Any],  # noqa: ARG002
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **_: Any,
    ) -> None:
        self._retried(parent_run_id, tags)
        self._runs.begin(run_id, parent_run_id)

    def on_llm_new_token(  # noqa: D102
        self,
        token: str | list[str | dict[str, Any]],  # noqa: ARG002
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        run_id: UUID,
        **_: Any,
    ) -> None:
        if isinstance(chunk, ChatGenerationChunk):
            self._made(run_id, chunk.message)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:  # noqa: D102
        for each in (one for generations in response.generations for one in generations):
            self._made(run_id, getattr(each, "message", None))
        self._runs.end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:  # noqa: D102
        self._runs.end(run_id, error)  # the engine knows what failed

    def on_tool_start(  # noqa: D102
        self,
        serialized: dict[str, Any],  # noqa: ARG002
        input_str: str,  # noqa: ARG002
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        self._runs.begin(run_id, parent_run_id)

    async def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: D102
        if isinstance(output, ToolMessage) and output.status == "error":
            await self._report(self._runs.tool_failed(run_id, output.tool_call_id), TOOL)
        else:
            self._runs.end(run_id)

    async def on_tool_error(  # noqa: D102
        self,
        error: BaseException,
        *,
        run_id: UUID,
        tool_call_id: str | None = None,
        **_: Any,
    ) -> None:
        if isinstance(error, Exception):  # else somebody interrupted it
            await self._report(self._runs.tool_failed(run_id, tool_call_id, error), TOOL)
        else:
            self._runs.end(run_id, error)

    async def _report(self, decision_id: str | None, source: str, weight: float = 1.0) -> None:
        if decision_id is not None:
            engine = self._engine.as_async()
            await engine.feedback(decision_id, 0.0, source=source, weight=weight)

    def _retried(self, around: UUID | None, tags: list[str] | None) -> None:
        """A step of a run begins again: what was decided in it did not do, as far as one knows."""
        if not any(tag.startswith(_AGAIN) for tag in tags or ()):
            return
        decision_id = self._runs.retried(around)
        if decision_id is None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._engine.feedback(decision_id, 0.0, source=RETRY, weight=RETRY_WEIGHT)
        else:  # beginnings of runs are not awaited
            self._later.take(self._report(decision_id, RETRY, RETRY_WEIGHT))

    def _made(self, run_id: UUID, said: object) -> None:
        """Note a decision's runs, for other processes too (written behind)."""
        for each in self._runs.made(run_id, said):
            self._engine.updates.link(str(each), decision_in(said))

    def _decisions(self, run_id: UUID | str) -> tuple[str, ...]:
        run = _uuid(run_id)
        ids = self._runs.decisions(run)
        if ids:
            return ids
        try:
            return (self._engine.parts.log.find(str(run)).decision_id,)
        except UnknownDecisionError as error:
            raise InputError(
                f"no decision of run {run_id} is known: was the handler among the callbacks of its "
                "outermost call? Feedback by decision id needs none: engine.feedback"
            ) from error


def _uuid(run_id: UUID | str) -> UUID:
    """The run's id, also from a message's id. Raises InputError if it is neither."""
    if isinstance(run_id, UUID):
        return run_id
    try:
        return UUID(run_id.removeprefix(_MESSAGE_ID)[:36])
    except ValueError as error:
        raise InputError(f"{run_id!r} is no id of a run (a UUID), nor tells one") from error
