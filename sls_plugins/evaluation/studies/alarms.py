"""How soon a fall is noticed, and how often an alarm is false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

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

SETTLED = 400
"""The last of the queries after the recovery, from which is told what the fall still costs."""

STATIONARY = 100_000
"""Outcomes of a world that never changes, over all traces together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What came of one fall: graded outcomes and queries until the alarm (None: never), shares.

    `left` is the candidate's share in the 200 queries that begin 300 after the alarm, `back` its
    share in the 200 that begin 500 after the recovery, relative to its share before. `lost` is the
    mean quality of the last 400 queries of a world in which nothing fell, less that of the same
    queries here; `spend` is what they cost here, relative to that world.
    """

    trace: str
    outcomes: int | None
    left: float
    back: float
    lost: float
    spend: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What came of a price cut: a candidate's share before, in the first 100 queries, and later.

    `after` is its share 100 to 300 queries after, `quality` and `cost_usd` are means of these;
    `informed` is its share of the same queries with who knew the new price from the beginning,
    `informed_quality` and `informed_usd` are what that one reached.
    """

    trace: str
    candidate: str
    before: float
    first: float
    after: float
    informed: float
    quality: float
    informed_quality: float
    cost_usd: float
    informed_usd: float


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Three traces: falls by 20 points and recoveries, price cuts by 10, and nothing at all."""
    counter, done = TiktokenCounter(), 0
    falls, cuts, false = [], [], []
    stationary = (setup.limit or STATIONARY) // len(TRACES)
    for name in TRACES:
        world = load_world(setup.trace(name))
        vectors = embedded(setup, [row.prompt for row in world.rows])
        for seed in setup.seeds:
            loop = partial(DriftLoop, world, vectors, seed, counter.count)
            falls.append(_fall(loop(), loop()))
            cuts.append(_cut(loop(), loop()))
            done += 1
            advance(done, name)
        false.append(_steady(world, vectors, stationary, counter))
        advance(done, f"{name}, stationary")
    return _report(falls, cuts, false)


def _fall(loop: DriftLoop, calm: DriftLoop) -> Fall:
    """One fall and recovery; `calm` begins like `loop`, and nothing ever changes there."""
    loop.run(STEADY)
    who = favourite(loop, 400)
    usual = loop.chosen(who, STEADY - 400, STEADY)
    loop.run(FALLEN, Change(candidate=who, fall=FALL))
    loop.run(AFTER)
    calm.run(STEADY + FALLEN + AFTER)
    alarm = first_alarm(loop.events, who, STEADY)
    noticed = alarm is not None and alarm < STEADY + FALLEN
    begin = (alarm or STEADY) + 300
    recovered = STEADY + FALLEN + 500
    ours, theirs = loop.steps[-SETTLED:], calm.steps[-SETTLED:]
    return Fall(
        trace=loop.world.name,
        outcomes=loop.graded(who, STEADY, alarm) if noticed and alarm is not None else None,
        left=loop.chosen(who, begin, min(begin + 200, STEADY + FALLEN)),
        back=loop.chosen(who, recovered, recovered + 200) / usual,
        lost=float(
            np.mean([one.quality for one in theirs]) - np.mean([one.quality for one in ours])
        ),
        spend=sum(one.cost_usd for one in ours) / sum(one.cost_usd for one in theirs),
    )


def _cut(loop: DriftLoop, informed: DriftLoop) -> Cut:
    """The dearest candidate gets ten times cheaper; `informed` knows that from the beginning."""
    cost = loop.world.outcomes.cost_usd.mean(axis=0)
    who = loop.world.candidates[int(cost.argmax())].name
    cut = Change(candidate=who, cost_factor=0.1)
    loop.run(STEADY)
    loop.reprice(who, 0.1)
    loop.run(300, cut)
    informed.reprice(who, 0.1)
    informed.run(STEADY + 300, cut)
    ours, theirs = loop.steps[STEADY + 100 :], informed.steps[STEADY + 100 :]
    return Cut(
        trace=loop.world.name,
        candidate=who,
        before=loop.chosen(who, STEADY - 200, STEADY),
        first=loop.chosen(who, STEADY, STEADY + 100),
        after=loop.chosen(who, STEADY + 100),
        informed=informed.chosen(who, STEADY + 100),
        quality=float(np.mean([one.quality for one in ours])),
        informed_quality=float(np.mean([one.quality for one in theirs])),
        cost_usd=float(np.mean([one.cost_usd for one in ours])),
        informed_usd=float(np.mean([one.cost_usd for one in theirs])),
    )


def _steady(
    world: World, vectors: Matrix, outcomes: int, counter: TiktokenCounter
) -> tuple[str, int, int]:
    loop = DriftLoop(world, vectors, 12345, counter.count)
    loop.run(outcomes)
    return world.name, outcomes, len(loop.events)


def _finite(value: float) -> float | None:
    """The number; None if more than half were never noticed."""
    return value if np.isfinite(value) else None


def _fallen(falls: Sequence[Fall]) -> Table:
    """A line for each trace, and one for all of them."""
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
                float(np.mean([one.lost for one in chosen])),
                float(np.median([one.spend for one in chosen])),
            )
        )
    return Table(
        title="a candidate's quality falls by 20 points, and recovers 900 queries later",
        columns=(
            "trace", "falls", "noticed after", "never", "share left", "share back", "lost", "spend",
        ),
        rows=tuple(rows),
        note="noticed after: median of its graded outcomes; share left: 300 to 500 queries "
        "after the alarm; share back: 500 to 700 queries after the recovery, relative to "
        "before the fall (medians); lost: mean quality, and spend: cost (median), of "
        "the last 400 queries relative to a world without the fall",
    )  # fmt: skip


def _report(
    falls: Sequence[Fall],
    cuts: Sequence[Cut],
    false: Sequence[tuple[str, int, int]],
) -> StudyReport:
    tables = (
        _fallen(falls),
        Table(
            title="nothing changes",
            columns=("trace", "outcomes", "alarms"),
            rows=(*false, ("all", sum(o for _, o, _ in false), sum(a for *_, a in false))),
        ),
        Table(
            title="the dearest candidate gets ten times cheaper",
            columns=(
                "trace",
                "candidate",
                "share before",
                "first 100",
                "100 to 300",
                "informed",
                "quality",
                "informed",
                "spend",
            ),
            rows=tuple(
                (
                    *(one.trace, one.candidate, one.before, one.first, one.after, one.informed),
                    *(one.quality, one.informed_quality, one.cost_usd / one.informed_usd),
                )
                for one in cuts
            ),
            note="informed: the same 100 to 300 queries after the cut where its new price was "
            "known from the beginning on; spend: of the informed one's; who is not worth a tenth "
            "of the price is used by nobody",
        ),
    )
    return StudyReport(title="Drift: noticed, and falsely alarmed", tables=tables)
