"""How well the cost of a call is foreseen, candidate by candidate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sls_plugins.encoder.shelf import ShelfEncoder
from sls_plugins.evaluation.charges import charge
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.trials import over_seeds
from sls_plugins.plugins import Plugins
from sls_plugins.predictor import OnlinePredictor
from sls_plugins.protocols import Context, Encoder
from sls_plugins.tokens import TiktokenCounter
from sls_plugins.types import Candidate, Estimate, Matrix, Outcome, OutcomeKind, Query

__all__ = ["r2", "run"]

Floats = NDArray[np.float64]

TRACE = "routing_mixed_paretobandit"


@dataclass(frozen=True, slots=True)
class Scores:
    """One seed: by candidate, shape (m,); `plain` takes the mean for the logarithm's centre."""

    r2: Floats
    plain: Floats
    covered: Floats
    pooled: float


@dataclass(frozen=True, slots=True)
class Calls:
    """All calls of a trace, and the embeddings of its queries."""

    world: World
    vectors: Matrix
    counter: TiktokenCounter

    def outcome(self, row: int, candidate: Candidate) -> Outcome:
        """What one call told: tokens and cost, no grade."""
        recorded = self.world.rows[row]
        bill = charge(
            recorded.outcomes[candidate.name],
            candidate,
            recorded.prompt,
            lambda text: self.counter.count(text).tokens,
        )
        return Outcome(
            decision_id=f"{row}/{candidate.name}",
            query=self.query(row),
            vector=self.vectors[row],
            candidate=candidate.name,
            kind=OutcomeKind.ANSWERED,
            usage=bill.usage,
            cost_usd=bill.cost_usd,
        )

    def query(self, row: int) -> Query:
        """The query as an engine sees it."""
        recorded = self.world.rows[row]
        return Query(
            text=recorded.prompt,
            id=recorded.query_id,
            task=recorded.task,
            input_tokens=self.counter.count(recorded.prompt).tokens,
        )


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Learn rows of the split `train`, be measured on all others; all seeds."""
    world = load_world(setup.trace(TRACE), setup.limit)
    calls = Calls(world, _embedded(world, setup), TiktokenCounter())
    tables: list[Table] = []
    for title, every in (("one candidate's call per query", False), ("every candidate's", True)):
        scores = []
        for seed in setup.seeds:
            scores.append(_scores(calls, seed, every=every))
            advance(len(tables) * len(setup.seeds) + seed + 1, title)
        tables.append(_table(f"Learnt from {title}, {len(setup.seeds)} seeds", world, scores))
    return StudyReport(title=f"Foreseen cost on {world.name}", tables=tuple(tables))


def _embedded(world: World, setup: StudySetup) -> Matrix:
    context = Context(clock=time.time)
    encoder = cast("Encoder", Plugins.load().make("encoder", setup.encoder, context, {}))
    shelf = ShelfEncoder(encoder, setup.embeddings)
    try:
        return shelf.encode([row.prompt for row in world.rows])
    finally:
        shelf.close()


def _scores(calls: Calls, seed: int, *, every: bool) -> Scores:
    world, rng = calls.world, np.random.default_rng(seed)
    split = np.array([row.split == "train" for row in world.rows])
    train, test = np.flatnonzero(split), np.flatnonzero(~split).tolist()
    predictor = OnlinePredictor(calls.vectors.shape[1], world.candidates)
    drawn = rng.integers(len(world.candidates), size=len(world.rows))
    offsets: list[list[float]] = [[] for _ in world.candidates]
    for row in rng.permutation(train).tolist():
        for column, candidate in enumerate(world.candidates):
            if not every and column != drawn[row]:
                continue
            told = calls.outcome(row, candidate)
            expected = _estimates(predictor, calls, row)[column].cost_usd
            offsets[column].append(float(np.log(expected / world.outcomes.cost_usd[row, column])))
            predictor.learn_one(told)
    found = [_estimates(predictor, calls, row) for row in test]
    mean = np.array([[one.cost_usd for one in row] for row in found])
    high = np.array([[one.cost_high_usd for one in row] for row in found])
    real = world.outcomes.cost_usd[test]
    late = np.array([np.mean(one[len(one) // 3 :]) for one in offsets])
    return Scores(
        r2=r2(np.log(mean) - late, np.log(real)),
        plain=r2(np.log(mean), np.log(real)),
        covered=(real <= high).mean(axis=0),
        pooled=float(r2(np.log(mean).reshape(-1, 1), np.log(real).reshape(-1, 1))[0]),
    )


def _estimates(predictor: OnlinePredictor, calls: Calls, row: int) -> Sequence[Estimate]:
    return predictor.predict_one(calls.query(row), calls.vectors[row], calls.world.candidates)


def r2(expected: Floats, real: Floats) -> Floats:
    """Share of the variance that is explained, column by column, shape (m,)."""
    rest = ((real - expected) ** 2).sum(axis=0)
    total = ((real - real.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(1.0 - rest / np.maximum(total, 1e-12), dtype=np.float64)


def _table(title: str, world: World, scores: Sequence[Scores]) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            candidate.name,
            over_seeds([float(one.r2[column]) for one in scores], 3),
            over_seeds([float(one.plain[column]) for one in scores], 3),
            over_seeds([float(one.covered[column]) for one in scores], 3),
        )
        for column, candidate in enumerate(world.candidates)
    ]
    rows.append(
        (
            "mean of candidates",
            over_seeds([float(one.r2.mean()) for one in scores], 3),
            over_seeds([float(one.plain.mean()) for one in scores], 3),
            over_seeds([float(one.covered.mean()) for one in scores], 3),
        )
    )
    pooled = over_seeds([one.pooled for one in scores], 3)
    return Table(
        title=title,
        columns=("candidate", "R² of log-cost", "R², mean as centre", "under the 90 % quantile"),
        rows=tuple(rows),
        note=f"All candidates' calls together: R² {pooled}. Expected is the mean cost, which lies "
        "above the logarithm's centre: the first column takes off by how much, as seen while "
        "learning.",
    )
