"""Calls the chosen chat model for one turn, whole; checks that the answer has the form wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_sls.answers import answer_of, message_of
from langchain_sls.inner import inner_of
from langchain_sls.messages import Turn, turn_of
from langchain_sls.structured import Structured
from sls_plugins.engine import Beside
from sls_plugins.errors import UnusableAnswerError
from sls_plugins.types import Answer, Candidate, Query, Source

__all__ = ["UNUSABLE", "Calls", "answer_of_turn", "problem_of", "result_of"]

UNUSABLE = "unusable"
"""The source under which answers in the wrong form are graded, and what their facts say."""


class Calls:
    """What the engine calls: `call` and `acall`."""

    def __init__(
        self, models: Mapping[str, BaseChatModel], timer: Callable[[], float], beside: Beside
    ) -> None:
        """`timer` tells seconds; many async answers may come at once."""
        self._models = models
        self._timer = timer
        self._beside = beside

    def call(self, candidate: Candidate, query: Query) -> Answer:
        """The candidate's answer. Raises UnusableAnswerError for one in the wrong form."""
        start_s, turn = self._timer(), turn_of(query)
        result = inner_of(self._models[candidate.name], turn).generate()
        return self._checked(candidate, turn, result, self._timer() - start_s)

    async def acall(self, candidate: Candidate, query: Query) -> Answer:
        """`call` without blocking."""
        start_s, turn = self._timer(), turn_of(query)
        result = await inner_of(self._models[candidate.name], turn).agenerate()
        took_s = self._timer() - start_s
        await self._beside.go_on()
        return self._checked(candidate, turn, result, took_s)

    def _checked(
        self, candidate: Candidate, turn: Turn, result: ChatResult, latency_s: float
    ) -> Answer:
        answer = answer_of_turn(result, turn, latency_s)
        problem = problem_of(answer, turn.form)
        if problem is not None:
            raise UnusableAnswerError(candidate.name, problem, answer)
        return answer


def answer_of_turn(result: ChatResult, turn: Turn, latency_s: float | None = None) -> Answer:
    """The answer in a result; one in the wrong form is kept from the cache."""
    answer = answer_of(result, latency_s, is_form=turn.form is not None)
    return replace(answer, cacheable=False) if problem_of(answer, turn.form) is not None else answer


def problem_of(answer: Answer, form: Structured | None) -> str | None:
    """Why an answer of a model has not the form that is wanted; None if it has."""
    if form is None or not isinstance(answer.raw, ChatResult):
        return None
    return form.problem(answer.raw.generations[0].message)


def result_of(answer: Answer, form: Structured | None) -> ChatResult:
    """LangChain's result: the chosen model's own one, or a new message for a stored answer."""
    if answer.source is Source.CACHE:
        said = ChatResult(generations=[ChatGeneration(message=message_of(answer))])
    else:
        assert isinstance(answer.raw, ChatResult)
        said = answer.raw
    facts = answer.facts()
    if problem_of(answer, form) is not None:
        facts[UNUSABLE] = True
    generations = [
        ChatGeneration(
            message=each.message.model_copy(
                update={"response_metadata": {**each.message.response_metadata, "sls": facts}}
            ),
            generation_info=each.generation_info,
        )
        for each in said.generations
    ]
    return ChatResult(generations=generations, llm_output=said.llm_output)
