"""The engine's schedule behind LangChain's own model router, where that is installed (core 1.8)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.decisions import BaseDecisionModel, Choice, ChoiceAnswer, ClassifierResponse
from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import ConfigDict, Field

from langchain_sls.messages import Labels, Turn, query_of
from sls_plugins.engine import Engine
from sls_plugins.errors import InputError, UnknownCandidateError
from sls_plugins.types import CacheHit, Decision, Query

__all__ = ["SLSDecisionModel"]


class SLSDecisionModel(BaseDecisionModel):
    """Answers a `Choice` between the engine's candidates: the one that is worth its price.

    ``ModelRouterMiddleware(choices={"small": …}, classifier=SLSDecisionModel(engine=engine), …)``:
    the labels are candidates' names. `probabilities` are those of the draw, spread evenly over the
    labels that were not chosen; `request_id` is the decision's id (several, with
    commas between, for several questions). LangChain's router tells nobody what came of a choice:
    say it with `engine.record` and `engine.feedback`. `SLSMiddleware` does all that by itself.
    """

    engine: Engine = Field(exclude=True, repr=False)
    model: str = "sls"
    tenant: str = ""
    task: str = ""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def _provider(self) -> str:
        return "sls"

    def _classify(self, state: Any, questions: dict[str, Any]) -> ClassifierResponse:
        found = {
            name: self.engine.plan(self._query(state, name, question))
            for name, question in questions.items()
        }
        return _response(self.model, questions, found)

    async def _aclassify(self, state: Any, questions: dict[str, Any]) -> ClassifierResponse:
        engine = self.engine.as_async()
        found = {
            name: await engine.plan(self._query(state, name, question))
            for name, question in questions.items()
        }
        return _response(self.model, questions, found)

    def _query(self, state: Any, name: str, question: Any) -> Query:
        """The query in a state. Raises InputError for a question that is no `Choice`."""
        if not isinstance(question, Choice):
            raise InputError(
                f"question {name!r} is a {type(question).__name__}: SLSDecisionModel answers "
                "only a Choice between candidates"
            )
        known = tuple(candidate.name for candidate in self.engine.candidates)
        for label in question.criteria:
            if label not in known:
                raise UnknownCandidateError(label, known, f"the labels of question {name!r}")
        turn = Turn(messages=_messages(state))
        labels = Labels(tenant=self.tenant, task=self.task)
        query = query_of(turn, labels, self.engine.count_tokens)
        return replace(query, allow=frozenset(question.criteria), cacheable=False)


def _messages(state: Any) -> Sequence[BaseMessage]:
    """What a state says, as messages; structured state as JSON."""
    if isinstance(state, str):
        return [HumanMessage(state)]
    if isinstance(state, BaseMessage):
        return [state]
    if isinstance(state, Sequence) and all(isinstance(each, BaseMessage) for each in state):
        return list(state)
    if isinstance(state, Mapping) and "messages" in state:
        return _messages(state["messages"])
    return [HumanMessage(json.dumps(state, default=_said, ensure_ascii=False))]


def _said(value: object) -> str:
    return str(value.text) if isinstance(value, BaseMessage) else repr(value)


def _response(
    model: str, questions: Mapping[str, Choice], found: Mapping[str, CacheHit | Decision]
) -> ClassifierResponse:
    return ClassifierResponse(
        model=model,
        answers={name: _answer(questions[name], each) for name, each in found.items()},
        request_id=",".join(each.id for each in found.values()),
    )


def _answer(question: Choice, decision: CacheHit | Decision) -> ChoiceAnswer:
    assert isinstance(decision, Decision)
    others = [label for label in question.criteria if label != decision.candidate]
    share = (1.0 - decision.propensity) / len(others) if others else 0.0
    probabilities = {**dict.fromkeys(others, share), decision.candidate: decision.propensity}
    return ChoiceAnswer(
        type="choice",
        choice=decision.candidate,
        probabilities=probabilities,
        confidence=decision.propensity,
    )
