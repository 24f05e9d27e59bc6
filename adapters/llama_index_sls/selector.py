"""A selector that learns which choice is worth its cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.schema import QueryBundle
from llama_index.core.tools.types import ToolMetadata
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags
from pydantic import Field

from llama_index_sls.choices import Choice, Descriptions, clean
from llama_index_sls.events import SLSDecisionEvent
from llama_index_sls.experience import Experience
from sls_plugins.engine import Engine
from sls_plugins.engine.calls import Labels, labels_of
from sls_plugins.errors import InvalidQueryError, NoCandidateLeft
from sls_plugins.types import CacheHit, Decision, Query

__all__ = ["SLSSelector", "SLSSelectorResult"]

BLAME, PRAISE = 3.0, 12.0
"""One more choice may be tried for so many bad answers of this kind, or for so many good ones."""

ALSO = 0.6
"""A further choice is taken if its description is nearly as near as the nearest: this share."""

_dispatcher = get_dispatcher(__name__)


class SLSSelectorResult(SelectorResult):
    """A selection which knows its decisions, in the order of `selections`.

    `RouterQueryEngine` hands it on as ``response.metadata["selector_result"]``.
    """

    decision_ids: list[str] = Field(default_factory=list)

    @property
    def decision_id(self) -> str:
        """The decision of the first selection; "" if the engine knows none of the choices."""
        return self.decision_ids[0] if self.decision_ids else ""


Picked = tuple[Choice, Decision]


@dataclass(frozen=True, slots=True)
class _Task:
    """One selection to be made: what to ask the engine, and all choices, nearest first."""

    query: Query
    choices: tuple[Choice, ...]

    @property
    def nearest(self) -> Choice:
        """The choice whose description is nearest to the query."""
        return self.choices[0]

    @property
    def unlearnable(self) -> bool:
        """Whether the nearest choice is no candidate, so that there is nothing to ask."""
        return self.nearest.candidate is None

    @property
    def wider(self) -> Query:
        """The query with every choice allowed that is a candidate."""
        return replace(self.query, allow=frozenset(_by_candidate(self.choices)))

    def chosen(self, decision: Decision) -> Picked:
        """The choice that a decision is about."""
        return _by_candidate(self.choices)[decision.candidate], decision

    def also(self, first: Choice, most: int) -> list[tuple[Choice, Query]]:
        """Further choices to which the query is nearly as near, each with its own query."""
        floor = ALSO * max(self.nearest.similarity, 0.0)
        near = [
            (choice, replace(self.query, allow=frozenset({name})))
            for name, choice in _by_candidate(self.choices).items()
            if choice is not first and choice.similarity >= floor > 0
        ]
        return near[: most - 1]


class SLSSelector(BaseSelector):
    """Selects query engines, retrievers or tools; never asks an LLM.

    Choices are the engine's candidates by their tools' names, or, if these tell nothing, by place:
    ``SLSSelector(engine, names=["faq", "manuals"])``. At first the choice whose description is
    nearest to the query is taken. The nearest description also tells what kind of query it is: as
    grades for this kind come in (`engine.feedback` with the result's `decision_id`), the others are
    tried in the order of their nearness, and the engine learns which one is worth its cost.

    `most` choices are taken at once if several descriptions are nearly as near. `tenant` and `task`
    label the queries unless `instrument_tags` say otherwise. A choice that is no candidate can be
    taken by its description alone; nothing is learnt of it. Raises InvalidQueryError if there is no
    choice, or if `names` are not as many as the choices.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        names: Sequence[str] | None = None,
        most: int = 1,
        tenant: str = "",
        task: str = "select",
    ) -> None:
        """The engine may be shared with LLMs and other hosts: other tasks are kept apart."""
        self.engine = engine
        self.names = tuple(names) if names is not None else None
        self.most = most
        self._labels = Labels(tenant=tenant, task=task)
        self._descriptions = Descriptions(engine.parts.encoder)
        self._experience = Experience(engine)

    def _get_prompts(self) -> PromptDictType:
        """None: no LLM is asked."""
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        """There are none."""

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SLSSelectorResult:
        task = self._task(choices, query)
        if task.unlearnable:
            return _by_description(task)
        try:
            first = task.chosen(_made(self.engine.plan(task.query)))
        except NoCandidateLeft:  # the nearest are too dear for the budget
            first = task.chosen(_made(self.engine.plan(task.wider)))
        picked = [first]
        for choice, own in task.also(first[0], self.most):
            picked.append((choice, _made(self.engine.plan(own))))
        return _result(task, picked)

    async def _aselect(
        self, choices: Sequence[ToolMetadata], query: QueryBundle
    ) -> SLSSelectorResult:
        task = await asyncio.to_thread(self._task, choices, query)
        if task.unlearnable:
            return _by_description(task)
        plan = self.engine.as_async().plan
        try:
            first = task.chosen(_made(await plan(task.query)))
        except NoCandidateLeft:
            first = task.chosen(_made(await plan(task.wider)))
        picked = [first]
        for choice, own in task.also(first[0], self.most):
            picked.append((choice, _made(await plan(own))))
        return _result(task, picked)

    def _task(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> _Task:
        """What is to be decided, and among which choices.

        Every few grades of this kind of query allow one more choice.
        """
        text = clean(query.query_str)
        ordered = self._ordered(text, choices)
        labels = labels_of(active_instrument_tags.get(), self._labels)
        known = list(_by_candidate(ordered))
        kind = f"{labels.task}:{known[0]}" if known else labels.task
        good, bad = self._experience.grades(kind)
        tried = 1 + int(bad / BLAME + good / PRAISE)
        asked = Query(
            text=text,
            tenant=labels.tenant,
            task=kind,
            allow=frozenset(known[:tried]),
            cacheable=False,
        )
        return _Task(asked, ordered)

    def _ordered(self, text: str, choices: Sequence[ToolMetadata]) -> tuple[Choice, ...]:
        """The choices, nearest first; equals in the order in which they were given."""
        if not choices:
            raise InvalidQueryError("there is no choice to select: pass at least one")
        names = self.names or [choice.name for choice in choices]
        if len(names) != len(choices):
            raise InvalidQueryError(
                f"{len(choices)} choices, but SLSSelector(names=…) has {len(names)} names"
            )
        near = self._descriptions.similarities(text, choices)
        known = {candidate.name for candidate in self.engine.candidates}  # which may change
        found = [
            Choice(index, name if name in known else None, near[index])
            for index, name in enumerate(names)
        ]
        return tuple(sorted(found, key=lambda each: (-each.similarity, each.index)))


def _by_candidate(choices: Sequence[Choice]) -> dict[str, Choice]:
    """The choices that are candidates, in order; of several with one name, the first."""
    found: dict[str, Choice] = {}
    for choice in choices:
        if choice.candidate is not None:
            found.setdefault(choice.candidate, choice)
    return found


def _made(planned: CacheHit | Decision) -> Decision:
    assert isinstance(planned, Decision)  # the query is not cacheable
    return planned


def _by_description(task: _Task) -> SLSSelectorResult:
    """The nearest choice, of which the engine knows nothing."""
    reason = f"nearest description ({task.nearest.similarity:.2f}); no candidate has this name"
    chosen = SingleSelection(index=task.nearest.index, reason=reason)
    return SLSSelectorResult(selections=[chosen])


def _result(task: _Task, picked: Sequence[Picked]) -> SLSSelectorResult:
    """The selection, of which handlers are told."""
    nearest = f"nearest description: {task.nearest.candidate} ({task.nearest.similarity:.2f})"
    for _, decision in picked:
        _dispatcher.event(
            SLSDecisionEvent(decision_id=decision.id, candidate=decision.candidate, open=True)
        )
    return SLSSelectorResult(
        selections=[
            SingleSelection(
                index=choice.index, reason=f"{decision.candidate}: {decision.why}; {nearest}"
            )
            for choice, decision in picked
        ],
        decision_ids=[decision.id for _, decision in picked],
    )
