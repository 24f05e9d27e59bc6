"""A world that changes: rows of a trace drawn at random, with one candidate made worse in between.

The loop is predictor, scheduler and the update manager's watch, without a database: what is asked
of them is the same as in an engine. Only the chosen candidate's outcome is ever learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sls_plugins.evaluation.charges import charge
from sls_plugins.evaluation.rounds import World
from sls_plugins.evaluation.traces import RecordedOutcome, RoutingRow
from sls_plugins.predictor.online import OnlinePredictor
from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.lagrange import LagrangeScheduler
from sls_plugins.types import (
    Candidate,
    Estimate,
    Event,
    Matrix,
    Outcome,
    OutcomeKind,
    Purse,
    Query,
    TokenCount,
)
from sls_plugins.updater import DriftWatch, Reactions

__all__ = ["Change", "DriftLoop", "Step", "favourite", "first_alarm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one candidate is like for a while: `fall` of its quality, factor on its prices."""

    candidate: str
    fall: float = 0.0
    cost_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One query: who was chosen, how good it was, and what it cost."""

    candidate: str
    quality: float
    cost_usd: float


class DriftLoop:
    """Queries of a trace, drawn with replacement; what was decided, and what was noticed."""

    def __init__(
        self, world: World, vectors: Matrix, seed: int, count: Callable[[str], TokenCount]
    ) -> None:
        """Begin from nothing learnt; `vectors` are the rows' embeddings, shape (rows, d)."""
        self.world = world
        self.vectors = vectors
        self.count = count
        self.steps: list[Step] = []
        self.events: list[tuple[int, Event]] = []
        self._random = np.random.default_rng(seed)
        self._candidates: tuple[Candidate, ...] = self.world.candidates
        self._predictor = OnlinePredictor(self.vectors.shape[1], self._candidates)
        self._scheduler = LagrangeScheduler(Aim(), seed=seed)
        self._reactions = Reactions(self._predictor, self._scheduler, self._note)
        watch = DriftWatch(self._reactions.alarm, steady=self._reactions.steady)
        self._reactions.restart = watch.restart
        self._learners = (watch, self._reactions, self._predictor, self._scheduler)
        self._means = {
            one.name: float(np.mean([row.outcomes[one.name].score for row in self.world.rows]))
            for one in self._candidates
        }

    def run(self, queries: int, change: Change | None = None) -> None:
        """So many more queries, during which the world is changed."""
        rows = self._random.integers(len(self.world.rows), size=queries)
        for row in rows.tolist():
            self._one(self.world.rows[row], self.vectors[row], change)

    def reprice(self, candidate: str, factor: float) -> None:
        """A candidate's list prices change, as its provider announces."""
        before = next(one for one in self._candidates if one.name == candidate)
        after = replace(
            before,
            input_usd_per_mtok=(before.input_usd_per_mtok or 0.0) * factor,
            output_usd_per_mtok=(before.output_usd_per_mtok or 0.0) * factor,
            usd_per_query=before.usd_per_query * factor,
        )
        self._candidates = tuple(after if one is before else one for one in self._candidates)
        self._reactions.reprice(before, after, factor, len(self.steps))

    def expect(self, row: int) -> tuple[Estimate, ...]:
        """What is expected of each candidate for a row of the trace now."""
        query = self._query(self.world.rows[row], "expect")
        return self._predictor.predict_one(query, self.vectors[row], self._candidates)

    def chosen(self, candidate: str, begin: int, end: int | None = None) -> float:
        """Share of a candidate among the queries from number `begin` on."""
        names = [step.candidate for step in self.steps[begin:end]]
        return names.count(candidate) / max(len(names), 1)

    def graded(self, candidate: str, begin: int, end: int) -> int:
        """How often it was chosen, and so graded, in a span of queries."""
        return sum(step.candidate == candidate for step in self.steps[begin:end])

    def _one(self, row: RoutingRow, vector: Matrix, change: Change | None) -> None:
        number = len(self.steps)
        query = self._query(row, str(number))
        estimates = self._predictor.predict_one(query, vector, self._candidates)
        choice = self._scheduler.decide(query, estimates, Purse(), number)
        name = choice.ranking[0]
        candidate = next(one for one in self._candidates if one.name == name)
        outcome = self._changed(row.outcomes[name], name, change)
        bill = charge(outcome, candidate, row.prompt, lambda text: self.count(text).tokens)
        self.steps.append(Step(name, outcome.score, bill.cost_usd))
        line = Outcome(
            decision_id=str(number),
            query=query,
            vector=vector,
            candidate=name,
            kind=OutcomeKind.ANSWERED,
            seq=number + 1,
            quality=outcome.score,
            quality_source="trace",
            usage=bill.usage,
            cost_usd=bill.cost_usd,
            latency_s=outcome.latency_s,
            estimate=next(one for one in estimates if one.candidate == name),
            propensity=choice.propensity,
        )
        for learner in self._learners:
            learner.learn_one(line)

    def _query(self, row: RoutingRow, name: str) -> Query:
        tokens = self.count(row.prompt).tokens
        return Query(text=row.prompt, id=name, task=row.task, input_tokens=tokens)

    def _changed(
        self, outcome: RecordedOutcome, name: str, change: Change | None
    ) -> RecordedOutcome:
        """Good answers turn bad so often that the mean falls as far; costs are multiplied."""
        draw = float(self._random.random())
        if change is None or change.candidate != name:
            return outcome
        spoilt = draw < change.fall / max(self._means[name], change.fall)
        usd = outcome.cost_usd
        return outcome.model_copy(
            update={
                "score": 0.0 if spoilt else outcome.score,
                "cost_usd": None if usd is None else usd * change.cost_factor,
            }
        )

    def _note(self, event: Event) -> None:
        self.events.append((len(self.steps), event))


def favourite(loop: DriftLoop, last: int) -> str:
    """Who was chosen most among the last queries."""
    names = [step.candidate for step in loop.steps[-last:]]
    return max(sorted(set(names)), key=names.count)


def first_alarm(events: Sequence[tuple[int, Event]], candidate: str, begin: int) -> int | None:
    """The query at which a fall of the candidate's quality was first told, from `begin` on."""
    for number, event in events:
        fell = event.facts.get("measure") == "quality" and event.facts.get("direction") == -1
        if number >= begin and event.candidate == candidate and fell:
            return number
    return None
