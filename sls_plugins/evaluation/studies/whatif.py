"""Whether intervals of `sls whatif` cover what a rerun at the other price really brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sls_plugins.evaluation.drifting import DriftLoop
from sls_plugins.evaluation.embedded import embedded
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.whatif import Logged, Rule, rechosen, what_if
from sls_plugins.scheduler.exploration import Scenarios
from sls_plugins.scheduler.selection import Terms, pick
from sls_plugins.tokens import TiktokenCounter
from sls_plugins.types import Decision

__all__ = ["run"]

TRACES = ("routing_mixed_paretobandit", "routing_mcq_mmlu_routellm")
REPLAYS = 200
DECISIONS = 10_000
EXPLORED = 0.05
LEARNT = 1500
"""Queries from which the predictor has learnt, before it is kept as it is."""

CHANGES = (0.5, 2.0)
"""The other price, relative to the logged one."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One log and one rerun: intervals (mean, half width) and what the rerun brought."""

    quality: tuple[float, float, float]
    cost: tuple[float, float, float]
    same: float

    @property
    def covered(self) -> tuple[bool, bool]:
        """Do both intervals hold the truth?"""
        return tuple(abs(mean - truth) <= half for mean, half, truth in (self.quality, self.cost))  # type: ignore[return-value]


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """200 logs of 10,000 decisions each over two traces, half and double the price."""
    decisions = setup.limit or DECISIONS
    rows, done = [], 0
    each = REPLAYS // (len(TRACES) * len(CHANGES))
    for name in TRACES:
        logger = _Logger(load_world(setup.trace(name)), setup)
        for factor in CHANGES:
            trials = []
            for seed in range(each):
                trials.append(logger.trial(seed, decisions, factor))
                done += 1
                advance(done, name)
            rows.append((name, factor, *_summary(trials)))
    table = Table(
        title=f"95 % intervals from {decisions} decisions, {EXPLORED:.0%} explored",
        columns=(
            "trace", "price times", "replays", "quality covered", "half width",
            "spend covered", "half width, share", "same choices",
        ),
        rows=tuple(rows),
        note="covered: share of replays whose interval holds the mean of a real rerun of the same "
        "queries at the other price (predictor as learnt, other draws); same choices: share of "
        "stored decisions that are chosen alike once more",
    )  # fmt: skip
    return StudyReport(title="What if: intervals and the truth", tables=(table,))


class _Logger:
    """A world whose predictor has learnt, and which then decides as often as is wanted."""

    def __init__(self, world: World, setup: StudySetup) -> None:
        vectors = embedded(setup, [row.prompt for row in world.rows])
        loop = DriftLoop(world, vectors, 0, TiktokenCounter().count)
        loop.run(LEARNT)
        self._world = world
        self._offers = [loop.expect(row) for row in range(len(world.rows))]
        names = [one.name for one in world.candidates]
        self._places = {name: place for place, name in enumerate(names)}
        self._terms = Terms(
            price=self._usual_price(),
            purse_usd=float("inf"),
            curiosity=dict.fromkeys(names, 0.3),
            trial=dict.fromkeys(names, EXPLORED / len(names)),
        )
        self._scenarios = Scenarios(0)

    def trial(self, seed: int, decisions: int, factor: float) -> Trial:
        """Log at the usual price, estimate the other one, rerun at that."""
        random = np.random.default_rng(seed)
        rows = random.integers(len(self._world.rows), size=decisions).tolist()
        other = self._price(factor)
        seeds = random.integers(2**62, size=(2, decisions)).tolist()
        logged = [
            self._logged(row, self._decide(row, one, self._terms), one)
            for row, one in zip(rows, seeds[0], strict=True)
        ]
        told = what_if(logged, Rule(price=other.price))
        redone = [
            self._truth(row, self._decide(row, one, other)[0])
            for row, one in zip(rows, seeds[1], strict=True)
        ]
        quality, cost = np.mean(redone, axis=0).tolist()
        sample = logged[:: max(len(logged) // 200, 1)]
        same = np.mean([rechosen(one.decision) == one.decision.ranking for one in sample])
        return Trial(
            (told.quality.mean, told.quality.high - told.quality.mean, quality),
            (told.usd_per_query.mean, told.usd_per_query.high - told.usd_per_query.mean, cost),
            float(same),
        )

    def _price(self, factor: float) -> Terms:
        terms = self._terms
        return Terms(
            price=factor * terms.price,
            purse_usd=terms.purse_usd,
            curiosity=terms.curiosity,
            trial=terms.trial,
        )

    def _usual_price(self) -> float:
        """A twentieth of quality for the whole span of mean costs."""
        cost = self._world.outcomes.cost_usd.mean(axis=0)
        return 0.05 / max(float(cost.max() - cost.min()), 1e-9)

    def _decide(self, row: int, seed: int, terms: Terms) -> tuple[str, tuple[str, ...], float]:
        picked = pick(self._offers[row], terms, self._scenarios, seed)
        ranking = tuple(one.candidate for one in picked.ranking)
        return ranking[0], ranking, picked.propensity

    def _logged(self, row: int, chosen: tuple[str, tuple[str, ...], float], seed: int) -> Logged:
        name, ranking, propensity = chosen
        quality, cost = self._truth(row, name)
        decision = Decision(
            id="",
            query_id="",
            candidate=name,
            ranking=ranking,
            estimates=self._offers[row],
            propensity=propensity,
            price=self._terms.price,
            seed=seed,
            why="",
            created_s=0.0,
            terms=self._terms.flat(),
        )
        return Logged(decision=decision, cost_usd=cost, quality=quality)

    def _truth(self, row: int, name: str) -> tuple[float, float]:
        outcomes, place = self._world.outcomes, self._places[name]
        return float(outcomes.quality[row, place]), float(outcomes.cost_usd[row, place])


def _summary(trials: Sequence[Trial]) -> tuple[int, float, float, float, float, float]:
    covered = np.mean([one.covered for one in trials], axis=0).tolist()
    return (
        len(trials),
        covered[0],
        float(np.mean([one.quality[1] for one in trials])),
        covered[1],
        float(np.mean([one.cost[1] / one.cost[0] for one in trials])),
        float(np.mean([one.same for one in trials])),
    )
