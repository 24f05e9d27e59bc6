"""LlamaIndex's evaluators as judges: what they say of an answer is learnt from at once."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from llama_index.core.evaluation import BaseEvaluator, CorrectnessEvaluator, EvaluationResult
from llama_index.core.llms import ChatMessage

from llama_index_sls.metered import Meter
from llama_index_sls.responses import Kept
from llama_index_sls.router import SLSRouterLLM
from llama_index_sls.turns import Turn
from sls_plugins.errors import InputError
from sls_plugins.hookspecs import hookimpl
from sls_plugins.protocols import Context, Grade
from sls_plugins.tokens import cost_usd
from sls_plugins.types import Answer, Candidate, Query, Usage

__all__ = ["EvaluatorJudge", "Scale", "quality_of", "scale_of"]

ResultT = TypeVar("ResultT")

PROMPT_TOKENS, HIGH_TOKENS = 1000, 500
"""Tokens that are held for an evaluator's own prompt, and for its answer."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An evaluator's best and worst scores."""

    full: float = 1.0
    none: float = 0.0


def scale_of(evaluator: BaseEvaluator) -> Scale:
    """LlamaIndex's CorrectnessEvaluator grades from 1 to 5, the others from 0 to 1."""
    return Scale(5.0, 1.0) if isinstance(evaluator, CorrectnessEvaluator) else Scale()


def quality_of(result: EvaluationResult, scale: Scale) -> float | None:
    """The quality 0…1 in a result; None if it is invalid or says nothing.

    A result without a score counts by whether it passes.
    """
    if result.invalid_result:
        return None
    if result.score is not None:
        return (result.score - scale.none) / (scale.full - scale.none)
    return None if result.passing is None else float(result.passing)


class EvaluatorJudge:
    """Asks an evaluator about each answer, or about a share of them.

    It is a judge and the plugin that brings it: ``build(Settings(…, judges=[judge.name]),
    plugins=[judge])``. The contexts are the source nodes of a query engine's response (behind
    `CachedQueryEngine`), else the messages that were sent, which in retrieval-augmented prompts
    hold them. `reference_of` tells the right answer to a query, where the evaluator wants one.
    `priced_as` is the candidate whose prices the evaluator's LLM has: then what judging costs is
    held and charged, by the tokens that the LLM tells. Raises InputError for an evaluator that asks
    a router LLM: its judgements would be judged, too.
    """

    def __init__(
        self,
        evaluator: BaseEvaluator,
        *,
        name: str = "",
        rate: float = 1.0,
        weight: float = 1.0,
        reference_of: Callable[[Query], str | None] | None = None,
        priced_as: Candidate | None = None,
    ) -> None:
        """`rate` is the share of answers (0…1) that are judged, `weight` what a grade counts."""
        if isinstance(getattr(evaluator, "_llm", None), SLSRouterLLM):
            raise InputError("an evaluator that judges for an engine needs an LLM of its own")
        self._evaluator = evaluator
        self._scale = scale_of(evaluator)
        self._rate = rate
        self._weight = weight
        self._reference_of = reference_of
        self._priced_as = priced_as
        self.name = name or type(evaluator).__name__.removesuffix("Evaluator").lower()

    @hookimpl
    def sls_judges(self) -> Mapping[str, Callable[..., EvaluatorJudge]]:
        """This judge under its name."""
        return {self.name: self._made}

    def cost_high_usd(self, query: Query, answer: Answer) -> float:
        """What judging this answer may cost; 0 if it is not judged, or nobody tells its price."""
        if self._priced_as is None or not self._wants(answer):
            return 0.0
        asked = self._asked(query, answer)
        letters = sum(len(str(each)) for each in asked.values())
        return cost_usd(
            self._priced_as, Usage(input_tokens=PROMPT_TOKENS + letters, output_tokens=HIGH_TOKENS)
        )

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """The evaluator's verdict; None if it was not asked, or had none."""
        if not self._wants(answer):
            return None
        result, spent_usd = _run(self._evaluate(self._asked(query, answer)))
        quality = quality_of(result, self._scale)
        if quality is None and not spent_usd:
            return None
        return Grade(
            quality=quality or 0.0,
            source=self.name,
            weight=0.0 if quality is None else self._weight,
            cost_usd=spent_usd,
        )

    async def _evaluate(self, asked: Mapping[str, Any]) -> tuple[EvaluationResult, float]:
        """The evaluator's result, and what its LLM has cost in USD."""
        if self._priced_as is None:
            return await self._evaluator.aevaluate(**asked), 0.0
        with Meter() as used:
            try:
                result = await self._evaluator.aevaluate(**asked)
            except ValueError as error:  # words without a verdict, which are paid all the same
                result = EvaluationResult(invalid_result=True, invalid_reason=str(error))
        return result, sum(cost_usd(self._priced_as, each) for each in used)

    def _wants(self, answer: Answer) -> bool:
        draw = zlib.crc32(answer.decision_id.encode("utf-8", "surrogatepass")) / 2**32
        return draw < self._rate and bool(answer.text.strip())

    def _asked(self, query: Query, answer: Answer) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "query": query.text,
            "response": answer.text,
            "contexts": _contexts(query, answer),
        }
        reference = self._reference_of(query) if self._reference_of else None
        if reference is not None:
            asked["reference"] = reference
        return asked

    def _made(self, context: Context, options: Mapping[str, object]) -> EvaluatorJudge:
        """As plugins make parts; all was said when this judge was made."""
        del context
        if options:
            raise InputError(f"the judge {self.name!r} takes no options in the settings")
        return self


def _contexts(query: Query, answer: Answer) -> list[str]:
    """What the answer was made from."""
    if isinstance(query.payload, Turn):
        turn = query.payload
        if turn.prompt is not None:
            return [turn.prompt]
        return [text for message in turn.messages if (text := _text(message))]
    kept = Kept.read(answer.text, answer.payload) if answer.payload else Kept(text="")
    return [node.node.get_content() for node in kept.scored()]


def _text(message: ChatMessage) -> str:
    return message.content or ""


def _run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """In a thread of its own, for the caller's may have a loop that runs."""
    with ThreadPoolExecutor(1, thread_name_prefix="sls-judge") as pool:
        return pool.submit(partial(copy_context().run, asyncio.run, work)).result()
