"""How soon a model that changed under its name is found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sls_plugins.evaluation.baselines import table_of
from sls_plugins.evaluation.replay import ReplayOptions
from sls_plugins.evaluation.results import Decided
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.trials import Trial, over_seeds, qualities, trial
from sls_plugins.settings import Budget
from sls_plugins.tokens import TiktokenCounter

__all__ = ["Swap", "run", "swapped"]

TRACE = "routing_primes_llmdrift"

SOON = 400
"""Queries after the change; from then on the broken model should have few."""

AIMS = {"none": Budget(), "quality at any price": Budget(price=0.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Which recorded model stands behind each name before and after; `broken` got worse."""

    title: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    broken: str


SWAPS = (
    Swap(
        title="gpt-4 March → June",
        before={"gpt-4": "gpt-4-0314", "gpt-3.5": "gpt-3.5-turbo-0613"},
        after={"gpt-4": "gpt-4-0613", "gpt-3.5": "gpt-3.5-turbo-0613"},
        broken="gpt-4",
    ),
    Swap(
        title="gpt-3.5 June → March",
        before={"gpt-4": "gpt-4-0314", "gpt-3.5": "gpt-3.5-turbo-0613"},
        after={"gpt-4": "gpt-4-0314", "gpt-3.5": "gpt-3.5-turbo-0301"},
        broken="gpt-3.5",
    ),
    Swap(
        title="both March → June",
        before={"gpt-4": "gpt-4-0314", "gpt-3.5": "gpt-3.5-turbo-0301"},
        after={"gpt-4": "gpt-4-0613", "gpt-3.5": "gpt-3.5-turbo-0613"},
        broken="gpt-4",
    ),
    Swap(
        title="both June → March",
        before={"gpt-4": "gpt-4-0613", "gpt-3.5": "gpt-3.5-turbo-0613"},
        after={"gpt-4": "gpt-4-0314", "gpt-3.5": "gpt-3.5-turbo-0301"},
        broken="gpt-3.5",
    ),
)


def swapped(world: World, swap: Swap) -> World:
    """The trace as it would be if each name had changed its model half-way."""
    half = len(world.rows) // 2
    rows = tuple(
        row.model_copy(
            update={
                "outcomes": {
                    name: row.outcomes[model]
                    for name, model in (swap.before if place < half else swap.after).items()
                }
            }
        )
        for place, row in enumerate(world.rows)
    )
    prices = {one.name: one for one in world.candidates}
    candidates = tuple(replace(prices[model], name=name) for name, model in swap.before.items())
    counter = TiktokenCounter()
    outcomes = table_of(rows, candidates, lambda text: counter.count(text).tokens)
    return World(world.name, rows, candidates, outcomes)


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Each swap with each aim, beside an engine that begins at the change; all seeds."""
    world = load_world(setup.trace(TRACE), setup.limit)
    rows = []
    for swap in SWAPS:
        changed = swapped(world, swap)
        for name, budget in AIMS.items():
            rows.append((swap.title, name, *_figures(changed, swap, setup, budget)))
            advance(len(rows), f"{swap.title}, {name}")
    table = Table(
        title=f"Half-way change, {len(setup.seeds)} seeds",
        columns=(
            "change", "aim", "broken one's share before", f"share from {SOON} after on",
            "worst seed", "last quarter", "fresh engine's", "difference",
        ),
        rows=tuple(rows),
        note="last quarter: quality of the last 25 % of all queries; the fresh engine knows "
        "nothing of the time before the change.",
    )  # fmt: skip
    return StudyReport(title="A model that changes under its name", tables=(table,))


def _figures(
    world: World, swap: Swap, setup: StudySetup, budget: Budget
) -> tuple[str | float, ...]:
    half, last = len(world.rows) // 2, len(world.rows) // 4
    fresh_world = replace(world, rows=world.rows[half:], outcomes=world.outcomes.after(half))
    before, after, ours, fresh = [], [], [], []
    for seed in setup.seeds:
        how = Trial(budget=budget, options=ReplayOptions(seed=seed))
        decided = trial(world, setup, how).decided
        before.append(_share(decided[half // 2 : half], swap.broken))
        after.append(_share(decided[half + half * SOON // 500 :], swap.broken))
        ours.append(float(qualities(decided[-last:]).mean()))
        fresh.append(float(qualities(trial(fresh_world, setup, how).decided[-last:]).mean()))
    return (
        round(float(np.mean(before)), 3),
        over_seeds(after, 3),
        round(max(after), 3),
        over_seeds(ours),
        over_seeds(fresh),
        over_seeds(np.array(ours) - np.array(fresh)),
    )


def _share(decided: Sequence[Decided], name: str) -> float:
    return float(np.mean([row.candidate == name for row in decided]))
