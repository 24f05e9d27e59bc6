"""What the demo runs on: a made-up world, or a recorded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from langchain_core.language_models import BaseChatModel

from langchain_sls.demo.recorded import Cursor, RecordedChatModel
from langchain_sls.demo.simulated import (
    PROFILES,
    SimulatedChatModel,
    SimulatedTime,
    candidates,
)
from langchain_sls.demo.tasks import Problem, is_right
from langchain_sls.demo.workload import make_workload
from sls_plugins.evaluation.candidates import find_candidates
from sls_plugins.evaluation.charges import CountTokens
from sls_plugins.evaluation.traces import RecordedOutcome, RoutingRow, load_routing
from sls_plugins.settings import Budget
from sls_plugins.types import Candidate

__all__ = ["MadeUp", "Recorded", "World"]


class World(Protocol):
    """Queries in their order, the models that can answer them, and the judgement on an answer."""

    @property
    def title(self) -> str:
        """What it is called in the report."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates, with their list prices."""

    @property
    def budget(self) -> Budget:
        """What to aim at."""

    @property
    def rows(self) -> Sequence[RoutingRow]:
        """All queries; outcomes of other models than the chosen one serve the comparison only."""

    @property
    def tells_hits(self) -> bool:
        """Whether anybody could grade an answer from the cache, too."""

    def models(self, clock: SimulatedTime, count: CountTokens) -> Mapping[str, BaseChatModel]:
        """The chat models by the candidates' names."""

    def turn_to(self, row: RoutingRow) -> None:
        """This row is asked next."""

    def grade_call(self, row: RoutingRow, candidate: str, text: str) -> float:
        """Quality (0…1) of what this candidate answered."""

    def grade_hit(self, row: RoutingRow, source: RoutingRow | None, text: str) -> float:
        """Quality (0 or 1) of a stored answer which had been given to the row `source`."""


class MadeUp:
    """A made-up workload, simulated models, and a checker of every answer."""

    tells_hits = True
    budget = Budget(price=20.0)
    """A dollar must buy twenty right answers more than the cheaper model would give."""

    def __init__(self, seed: int, queries: int) -> None:
        """The same world for the same seed."""
        self.title = "made-up workload, simulated chat models"
        self.candidates = candidates()
        self._seed = seed
        asked = make_workload(seed, queries)
        self._problems: Mapping[str, Problem] = {each.query_id: each.problem for each in asked}
        models = [SimulatedChatModel(character=each, seed=seed) for each in PROFILES]
        self.rows = tuple(
            RoutingRow(
                query_id=each.query_id,
                prompt=each.text,
                task=each.problem.family,
                reference=each.problem.answer,
                outcomes={
                    model.model_name: _outcome(model, each.text, each.problem) for model in models
                },
            )
            for each in asked
        )

    def models(self, clock: SimulatedTime, count: CountTokens) -> Mapping[str, BaseChatModel]:  # noqa: ARG002 - they count for themselves
        """The four simulated models."""
        return {
            each.name: SimulatedChatModel(character=each, seed=self._seed, clock=clock)
            for each in PROFILES
        }

    def turn_to(self, row: RoutingRow) -> None:
        """Nothing to do: the models read the prompt."""

    def grade_call(self, row: RoutingRow, candidate: str, text: str) -> float:  # noqa: ARG002 - whoever said it
        """What the checker says."""
        return float(is_right(self._problems[row.query_id], text))

    def grade_hit(self, row: RoutingRow, source: RoutingRow | None, text: str) -> float:  # noqa: ARG002 - whomever it was said to
        """What the checker says."""
        return float(is_right(self._problems[row.query_id], text))


class Recorded:
    """A recorded trace: the chosen model's recorded answer is given, and nothing else is seen."""

    tells_hits = False
    budget = Budget()

    def __init__(self, trace: Path) -> None:
        """Read the trace and its prices. Raises TraceError, SettingsError."""
        self.title = f"recorded trace {trace.name}"
        self.rows = load_routing(trace)
        self.candidates = find_candidates(trace, self.rows[0].outcomes)
        self._cursor = Cursor()

    def models(self, clock: SimulatedTime, count: CountTokens) -> Mapping[str, BaseChatModel]:
        """One replaying model for each recorded one."""
        return {
            each.name: RecordedChatModel(
                candidate=each, cursor=self._cursor, count_tokens=count, clock=clock
            )
            for each in self.candidates
        }

    def turn_to(self, row: RoutingRow) -> None:
        """Set the cursor, by which the models find their answers."""
        self._cursor.row = row

    def grade_call(self, row: RoutingRow, candidate: str, text: str) -> float:  # noqa: ARG002 - graded when it was recorded
        """The recorded score of the chosen model's answer."""
        return row.outcomes[candidate].score

    def grade_hit(self, row: RoutingRow, source: RoutingRow | None, text: str) -> float:
        """1 if it is the reference; without one, if it answered the very same prompt."""
        if row.reference is not None:
            return float(text == row.reference)
        return float(source is not None and source.prompt == row.prompt)


def _outcome(model: SimulatedChatModel, prompt: str, problem: Problem) -> RecordedOutcome:
    """What a model would answer, for the comparison with always asking it."""
    message = model.invoke(prompt)
    assert message.usage_metadata is not None
    return RecordedOutcome(
        score=float(is_right(problem, str(message.text))),
        input_tokens=message.usage_metadata["input_tokens"],
        output_tokens=message.usage_metadata["output_tokens"],
        response=str(message.text),
    )
