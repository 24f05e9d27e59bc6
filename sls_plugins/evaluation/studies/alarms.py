"""How soon a fall is noticed, and how often an alarm is false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sls_plugins.evaluation.drifting import Change, DriftLoop, favourite, first_alarm
from sls_plugins.evaluation.embedded import embedded
from sls_plugins.evaluation.rounds import World, load_world
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.tokens import TiktokenCounter
from sls_plugins.types import Matrix

__all__ = ["run"]

TRACES = ("routing_mixed_paretobandit", "routing_mcq_mmlu_routellm", "overruling")

FALL = 0.2
STEADY, FALLEN, AFTER = 1500, 900, 900
"""Queries before the fall, while it lasts, and after the recovery."""

STATIONARY = 100_000
"""Outcomes of a world that never changes, over all traces together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What came of one fall: graded outcomes and queries until the alarm (None: never), shares.

    `left` is the candidate's share in the 200 queries that begin 300 after the alarm, `back` its
    share in the 200 that begin 500 after the recovery, relative to its share before.
    """

    trace: str
    outcomes: int | None
    left: float
    back: float


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Three traces: falls by 20 points and recoveries, price cuts by 10, and nothing at all."""
    counter, done = TiktokenCounter(), 0
    falls, cuts, false = [], [], []
    stationary = (setup.limit or STATIONARY) // len(TRACES)
    for name in TRACES:
        world = load_world(setup.trace(name))
        vectors = embedded(setup, [row.prompt for row in world.rows])
        for seed in setup.seeds:
            falls.append(_fall(DriftLoop(world, vectors, seed, counter.count)))
            cuts.append((name, *_cut(DriftLoop(world, vectors, seed, counter.count))))
            done += 1
            advance(done, name)
        false.append(_steady(world, vectors, stationary, counter))
        advance(done, f"{name}, stationary")
    return _report(falls, cuts, false)


def _fall(loop: DriftLoop) -> Fall:
    loop.run(STEADY)
    who = favourite(loop, 400)
    usual = loop.chosen(who, STEADY - 400, STEADY)
    loop.run(FALLEN, Change(candidate=who, fall=FALL))
    loop.run(AFTER)
    alarm = first_alarm(loop.events, who, STEADY)
    noticed = alarm is not None and alarm < STEADY + FALLEN
    begin = (alarm or STEADY) + 300
    recovered = STEADY + FALLEN + 500
    return Fall(
        trace=loop.world.name,
        outcomes=loop.graded(who, STEADY, alarm) if noticed and alarm is not None else None,
        left=loop.chosen(who, begin, min(begin + 200, STEADY + FALLEN)),
        back=loop.chosen(who, recovered, recovered + 200) / usual,
    )


def _cut(loop: DriftLoop) -> tuple[str, float, float]:
    """The dearest candidate gets ten times cheaper: its share before, and 100 to 300 after."""
    loop.run(STEADY)
    cost = loop.world.outcomes.cost_usd.mean(axis=0)
    who = loop.world.candidates[int(cost.argmax())].name
    before = loop.chosen(who, STEADY - 200)
    loop.reprice(who, 0.1)
    loop.run(300, Change(candidate=who, cost_factor=0.1))
    return who, before, loop.chosen(who, STEADY + 100)


def _steady(
    world: World, vectors: Matrix, outcomes: int, counter: TiktokenCounter
) -> tuple[str, int, int]:
    loop = DriftLoop(world, vectors, 12345, counter.count)
    loop.run(outcomes)
    return world.name, outcomes, len(loop.events)


def _finite(value: float) -> float | None:
    """The number; None if more than half were never noticed."""
    return value if np.isfinite(value) else None


def _report(
    falls: Sequence[Fall],
    cuts: Sequence[tuple[str, str, float, float]],
    false: Sequence[tuple[str, int, int]],
) -> StudyReport:
    rows = []
    for name in (*TRACES, "all"):
        chosen = [fall for fall in falls if name in (fall.trace, "all")]
        delays = [np.inf if one.outcomes is None else one.outcomes for one in chosen]
        rows.append(
            (
                name,
                len(chosen),
                _finite(float(np.median(delays))),
                sum(one.outcomes is None for one in chosen),
                float(np.median([one.left for one in chosen])),
                float(np.median([one.back for one in chosen])),
            )
        )
    tables = (
        Table(
            title="a candidate's quality falls by 20 points, and recovers 900 queries later",
            columns=("trace", "falls", "noticed after", "never", "share left", "share back"),
            rows=tuple(rows),
            note="noticed after: median of its graded outcomes; share left: 300 to 500 queries "
            "after the alarm; share back: 500 to 700 queries after the recovery, relative to "
            "before the fall (medians)",
        ),
        Table(
            title="nothing changes",
            columns=("trace", "outcomes", "alarms"),
            rows=(*false, ("all", sum(o for _, o, _ in false), sum(a for *_, a in false))),
        ),
        Table(
            title="the dearest candidate gets ten times cheaper",
            columns=("trace", "candidate", "share before", "share 100 to 300 after"),
            rows=tuple(cuts),
        ),
    )
    return StudyReport(title="Drift: noticed, and falsely alarmed", tables=tables)
