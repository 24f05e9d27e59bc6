"""Whether requests get slower while the update manager works as hard as it may."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.study import Advance, StudyReport, StudySetup, Table
from sls_plugins.settings import CacheSettings, LearningSettings, PartSettings, Settings
from sls_plugins.types import Answer, Candidate, Query, Usage

__all__ = ["run"]

BACKLOG = 6000
"""Lines that others wrote, which the background reads while requests are timed."""

REQUESTS = 200
ROUNDS = 8

CANDIDATES = tuple(
    Candidate(name=f"m{number}", input_usd_per_mtok=price, output_usd_per_mtok=price)
    for number, price in enumerate((0.1, 0.5, 2.0, 8.0))
)


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Requests beside an updater that is idle, catches up, refits: in turn, several rounds.

    Only requests that came while the updater was behind, or refitted, count as those beside it.
    """
    backlog = setup.limit or BACKLOG
    idle: list[float] = []
    busy: list[float] = []
    refits: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _opened(folder, 0.0) as other,
        _opened(folder, 3600.0) as engine,
    ):
        _timed(engine, "warm", REQUESTS)
        for number in range(ROUNDS):
            engine.updates.round()
            idle += _timed(engine, f"idle {number}", REQUESTS)
            upto = _write(other, number, backlog // ROUNDS)
            engine.parts.learner.wake()
            busy += _timed(engine, f"busy {number}", REQUESTS, _learnt(engine, upto))
            refits += _beside_refit(engine, f"refit {number}")
            advance(number + 1)
    rows = tuple(
        (name, float(np.median(times)), float(np.quantile(times, 0.99)), len(times))
        for name, times in (("idle", idle), ("catching up", busy), ("refitting", refits))
    )
    table = Table(
        title="one request (answer and its outcome), milliseconds",
        columns=("updater", "p50", "p99", "requests"),
        rows=rows,
        note=f"p99 next to idle: catching up {rows[1][2] / rows[0][2]:.2f}, refitting "
        f"{rows[2][2] / rows[0][2]:.2f}; four candidates, hashing encoder, SQLite; best on a quiet "
        "machine",
    )
    return StudyReport(title="Requests beside a busy updater", tables=(table,))


def _opened(folder: str, every_s: float) -> Engine:
    settings = Settings(
        candidates=CANDIDATES,
        cache=CacheSettings(enabled=False),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        folder=Path(folder),
        learning=LearningSettings(every_s=every_s, refit_every=0),
    )
    return build(settings)


def _call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text=candidate.name, usage=Usage(input_tokens=len(query.text), output_tokens=9))


def _learnt(engine: Engine, upto: int) -> Callable[[], bool]:
    """Whether this line is learnt by now."""
    return lambda: engine.parts.learner.seq >= upto


def _beside_refit(engine: Engine, name: str) -> list[float]:
    """Milliseconds of requests while a refit, as the background does it, is on its way."""
    refit = threading.Thread(target=engine.parts.manager.refit, args=("to be timed",))
    refit.start()
    times = _timed(engine, name, REQUESTS, lambda: not refit.is_alive())
    refit.join()
    return times


def _timed(
    engine: Engine, name: str, count: int, over: Callable[[], bool] = lambda: False
) -> list[float]:
    """Milliseconds of so many requests, or of as many as come before it is `over`."""
    times: list[float] = []
    for number in range(count):
        if times and over():
            break
        query = Query(text=f"{name}: what is {number} and {number * 7}?")
        start_s = time.perf_counter()
        engine.answer(query, _call)
        times.append(1000.0 * (time.perf_counter() - start_s))
        time.sleep(0.002)
    return times


def _write(other: Engine, number: int, lines: int) -> int:
    """Lines of another engine; returns the last one's number."""
    for line in range(lines // 2):
        query = Query(text=f"round {number}: tell me about {line}")
        other.feedback(other.answer(query, _call).decision_id, 0.5, source="test")
    return other.parts.log.last_seq()
