"""Whether an hour's budget lasts the hour under real arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.errors import BudgetExhausted, NoCandidateLeft
from sls_plugins.evaluation.charges import charge
from sls_plugins.evaluation.rounds import World, load_world, settings_for
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.traces import RoutingRow, read_arrivals
from sls_plugins.evaluation.world import Ids
from sls_plugins.settings import Budget
from sls_plugins.types import Answer, Candidate, Query

__all__ = ["run"]

ARRIVALS = "arrivals_azure_llm2023_conv"

TRACES = ("routing_mixed_paretobandit", "routing_mcq_mmlu_routellm")

SHARE = 0.6
"""Of what the cheapest right answers would cost."""

HOUR_S = 3600.0

START_S = 1_700_000_000 // 3600 * 3600.0

COLUMNS = (
    "trace", "seed", "budget", "spent", "used", "quality", "first tenth", "last tenth", "ratio",
    "unanswered",
)  # fmt: skip


class Clock:
    """Shows the time of the arrival that is being answered."""

    now_s = START_S

    def __call__(self) -> float:
        """Now, in seconds since the epoch."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour as it went: quality and cost of each arrival, shape (n,); NaN: not answered."""

    quality: NDArray[np.float64]
    cost_usd: NDArray[np.float64]

    def tenth(self, which: int) -> float:
        """Mean quality of a tenth of the arrivals; an unanswered one counts 0."""
        part = np.array_split(np.nan_to_num(self.quality), 10)[which]
        return float(part.mean())


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """The hour of `ARRIVALS`, each arrival asking the next row of a routing trace."""
    times = _times(setup)
    rows = []
    for name in TRACES:
        world = load_world(setup.trace(name))
        budget_usd = SHARE * cheapest_right_usd(world, len(times))
        for seed in setup.seeds:
            hour = _hour(world, times, budget_usd, setup, seed)
            rows.append(_row(name, seed, budget_usd, hour))
            advance(len(rows), name)
    return StudyReport(
        title="An hour's budget under real arrivals",
        tables=(
            Table(
                title=f"{len(times)} arrivals; budget: {SHARE:.0%} of the cheapest right answers",
                columns=COLUMNS,
                rows=tuple(rows),
                note="used: spent / budget. ratio: quality of the last tenth of the arrivals to "
                "that of the first tenth; unanswered ones count 0.",
            ),
        ),
    )


def _times(setup: StudySetup) -> list[float]:
    """Seconds from the hour's begin; with a limit every so manieth arrival."""
    arrivals = [row.t_s for row in read_arrivals(setup.trace(ARRIVALS))]
    step = -(-len(arrivals) // setup.limit) if setup.limit else 1
    return [t_s for t_s in arrivals[::step] if t_s < HOUR_S]


def cheapest_right_usd(world: World, queries: int) -> float:
    """What so many queries cost in all, each answered by the cheapest candidate that is right.

    Where nobody is (quality below a half), the cheapest one counts.
    """
    cost, right = world.outcomes.cost_usd, world.outcomes.quality >= 0.5
    cheapest = np.where(right, cost, np.inf).min(axis=1)
    each = np.where(np.isfinite(cheapest), cheapest, cost.min(axis=1))
    return float(each[np.arange(queries) % len(each)].sum())


def _hour(
    world: World, times: Sequence[float], budget_usd: float, setup: StudySetup, seed: int
) -> Hour:
    clock = Clock()
    budget = Budget(usd=budget_usd, window="hour")
    quality, cost = np.full(len(times), np.nan), np.zeros(len(times))
    settings = settings_for(setup, world.candidates, budget, seed)
    with build(settings, clock=clock, ids=Ids()) as engine:
        for place, t_s in enumerate(times):
            clock.now_s = START_S + t_s
            row = world.rows[place % len(world.rows)]
            answer = _answer(engine, row, place)
            if answer is not None:
                cost[place] = answer.cost_usd or 0.0
                quality[place] = row.outcomes[answer.candidate].score
                engine.feedback(answer.decision_id, quality[place], source="trace")
    return Hour(quality, cost)


def _answer(engine: Engine, row: RoutingRow, place: int) -> Answer | None:
    query = Query(text=row.prompt, id=str(place), task=row.task)

    def call(candidate: Candidate, query: Query) -> Answer:
        """What the trace recorded of the chosen candidate."""
        outcome = row.outcomes[candidate.name]
        bill = charge(outcome, candidate, query.text, engine.count_tokens)
        return Answer(text=f"answer of {candidate.name}", usage=bill.usage, cost_usd=bill.cost_usd)

    try:
        return engine.answer(query, call)
    except (BudgetExhausted, NoCandidateLeft):
        return None


def _row(name: str, seed: int, budget_usd: float, hour: Hour) -> tuple[str | float | int, ...]:
    spent = float(hour.cost_usd.sum())
    first, last = hour.tenth(0), hour.tenth(9)
    return (
        name,
        seed,
        round(budget_usd, 4),
        round(spent, 4),
        round(spent / budget_usd, 4),
        round(float(np.nan_to_num(hour.quality).mean()), 4),
        round(first, 4),
        round(last, 4),
        round(last / max(first, 1e-9), 4),
        int(np.isnan(hour.quality).sum()),
    )
