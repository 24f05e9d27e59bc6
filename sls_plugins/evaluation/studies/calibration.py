"""Whether the quality that was expected of the chosen candidate comes true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InputError
from sls_plugins.evaluation.metrics import calibration_error
from sls_plugins.evaluation.replay import ReplayOptions
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.evaluation.trials import Trial, over_seeds, trial
from sls_plugins.settings import Budget

__all__ = ["covered", "run"]

Floats = NDArray[np.float64]

ROWS = 1000
"""Shorter traces are left out."""

BINS = 20

Z90 = 1.6449

SHUFFLES = 200


COLUMNS = (
    "trace", "aim", "ECE", "ECE if perfect", "ECE, seeds pooled", "covered", "covered if perfect",
    "excess",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """Expected and real quality of the chosen candidates in the second half of one run."""

    expected: Floats
    real: Floats


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Every routing trace with 1,000 rows, without an aim and at a middling budget, all seeds."""
    rows: list[tuple[str | float, ...]] = []
    for world in _worlds(setup):
        for name, budget in _aims(world):
            found = []
            for seed in setup.seeds:
                found.append(_second_half(world, setup, budget, seed))
                advance(len(rows) * len(setup.seeds) + seed + 1, f"{world.name} {name}")
            rows.append(_row(world.name, name, found))
    if not rows:
        raise InputError(f"no routing trace with {ROWS} rows is in {setup.traces}")
    table = Table(
        title=f"Second half of a replay from zero, {len(setup.seeds)} seeds",
        columns=COLUMNS,
        rows=tuple(rows),
        note="ECE: 10 bins of equal count; if perfect: what chance alone makes of it in one run, "
        "were each answer right (1) or wrong (0) with just the probability that was expected. "
        f"covered: share of {BINS} bins whose mean expectation lies within the 90 % interval of "
        "the mean real quality. excess: mean expected less mean real quality (winner's curse).",
    )
    return StudyReport(title="Calibration of expected quality", tables=(table,))


def _worlds(setup: StudySetup) -> Iterator[World]:
    for name in setup.routing():
        world = load_world(setup.trace(name), setup.limit)
        if len(world.rows) >= min(ROWS, setup.limit or ROWS):
            yield world


def _aims(world: World) -> Iterator[tuple[str, Budget]]:
    yield "none", Budget()
    cost = world.outcomes.cost_usd.mean(axis=0)
    best = float(cost[world.outcomes.quality.mean(axis=0).argmax()])
    if world.priced and best > cost.min() > 0:
        yield "budget", Budget(usd_per_query=float(np.sqrt(cost.min() * best)))


def _second_half(world: World, setup: StudySetup, budget: Budget, seed: int) -> Found:
    result = trial(world, setup, Trial(budget=budget, options=ReplayOptions(seed=seed)))
    late = result.decided[len(result.decided) // 2 :]
    told = [(row.predicted_quality, row.quality) for row in late]
    pairs = np.array([(expected, real) for expected, real in told if expected is not None])
    return Found(pairs[:, 0], pairs[:, 1])


def _row(trace: str, aim: str, found: Sequence[Found]) -> tuple[str | float, ...]:
    pooled = Found(
        np.concatenate([one.expected for one in found]), np.concatenate([one.real for one in found])
    )
    by_chance = _by_chance(found[0])
    return (
        trace,
        aim,
        over_seeds([_ece(one) for one in found]),
        round(by_chance.ece, 4),
        round(_ece(pooled), 4),
        over_seeds([covered(one.expected, one.real) for one in found], 2),
        round(by_chance.covered, 2),
        over_seeds([float(one.expected.mean() - one.real.mean()) for one in found]),
    )


def _ece(found: Found) -> float:
    return calibration_error(found.expected.tolist(), found.real.tolist()) or 0.0


@dataclass(frozen=True, slots=True)
class Chance:
    """What a perfect predictor would be measured at, on average over draws."""

    ece: float
    covered: float


def _by_chance(found: Found) -> Chance:
    """Both figures if the real qualities were drawn with the means that were expected."""
    rng = np.random.default_rng(0)
    draws = [
        Found(found.expected, (rng.random(found.expected.size) < found.expected).astype(float))
        for _ in range(SHUFFLES)
    ]
    return Chance(
        float(np.mean([_ece(draw) for draw in draws])),
        float(np.mean([covered(draw.expected, draw.real) for draw in draws[: SHUFFLES // 4]])),
    )


def covered(expected: Floats, real: Floats, bins: int = BINS) -> float:
    """Share of bins (equal count, by expectation) whose 90 % interval holds the expectation.

    The interval is that of the mean real quality in the bin; where all are equal, one outcome in
    the bin is imagined to be otherwise.
    """
    order = np.argsort(expected, kind="stable")
    hits = []
    for part in np.array_split(order, min(bins, order.size)):
        spread = float(real[part].std(ddof=1)) if part.size > 1 else 0.5
        error = max(spread / np.sqrt(part.size), 0.5 / part.size)
        gap = abs(float(expected[part].mean() - real[part].mean()))
        hits.append(gap <= Z90 * error)
    return float(np.mean(hits))
