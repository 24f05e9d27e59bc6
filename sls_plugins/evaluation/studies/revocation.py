"""How soon a revoked answer is gone in another process."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.errors import StorageError
from sls_plugins.evaluation.metrics import percentile
from sls_plugins.evaluation.phrases import desk_settings, question
from sls_plugins.evaluation.server import chroma_server
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.protocols import Index
from sls_plugins.settings import PartSettings, Settings
from sls_plugins.storage.own_postgres import find_programs, running
from sls_plugins.types import Answer, CacheHit, Query

__all__ = ["run"]

TRIALS = 10_000
START_S = 60.0
_SAME = 0.9999


@dataclass(slots=True)
class Tally:
    """What the other process saw: look-ups begun after the revocation, and their answers."""

    seen_before: int = 0
    stale: int = 0
    held: int = 0
    after_ms: list[float] = field(default_factory=list)

    def cells(self) -> tuple[Cell, ...]:
        """What a table shows of it."""
        p50, p99 = (percentile(self.after_ms, share) for share in (0.5, 0.99))
        return (self.seen_before, self.held, self.stale, p50, p99)


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Store here, serve there, revoke here, ask there: with Chroma as a server between them.

    The vector is in Chroma before its answer is revoked, and is removed behind the caller's back.
    On SQLite, and on PostgreSQL where it is installed.
    """
    trials = setup.limit or TRIALS
    rows: list[tuple[Cell, ...]] = []
    with ExitStack() as stack:
        databases: dict[str, str | None] = {"SQLite": None}
        if find_programs() is not None:
            databases["PostgreSQL"] = stack.enter_context(running()).new_database()
        for name, url in databases.items():
            tally = _tally(setup, url, trials, partial(_advance, advance, trials * len(rows)))
            rows.append((name, trials, *tally.cells()))
    table = Table(
        title="revoked in one process, asked in another",
        columns=(
            "database", "trials", "served before", "vector still in Chroma", "stale answers",
            "gone after, ms p50", "ms p99",
        ),
        rows=tuple(rows),
        note="Gone after: from the call of revoke to the end of the first look-up that misses.",
    )  # fmt: skip
    return StudyReport(title="Revocation", tables=(table,))


def _advance(advance: Advance, before: int, done: int) -> None:
    advance(before + done)


def _tally(
    setup: StudySetup, url: str | None, trials: int, advance: Callable[[int], None]
) -> Tally:
    """So many trials on a database; None is a file of SQLite."""
    tally = Tally()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, chroma_server(Path(folder) / "chroma") as at:
        index = PartSettings(name="chroma", options={"url": at})
        settings = desk_settings(setup, Path(folder), index)
        settings = settings.model_copy(update={"database": url})
        ours, theirs = context.Pipe()
        child = context.Process(target=_serve, args=(settings, theirs), daemon=True)
        child.start()
        try:
            with build(settings) as engine:
                flush = _index(engine).flush
                for number in range(trials):
                    _trial(engine, flush, ours, number, tally)
                    advance(number + 1)
            ours.send(None)
            child.join(START_S)
        finally:
            child.kill()
    return tally


def _index(engine: Engine) -> Index:
    cache = engine.parts.cache
    assert cache is not None
    return cache.stock().index


def _trial(
    engine: Engine, flush: Callable[[], None], other: Connection, number: int, tally: Tally
) -> None:
    text = question(number)
    kept = engine.cache.keep(Query(text=text), Answer(text="an answer", candidate="model"))
    tally.seen_before += _asked(other, text).served
    flush()
    start_s = time.perf_counter()
    engine.revoke(kept)
    seen = _asked(other, text)
    tally.held += seen.held
    while seen.served:
        tally.stale += 1
        seen = _asked(other, text)
    tally.after_ms.append(1000 * (seen.at_s - start_s))


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whether the other process serves it, when that was known, and if its index has the vector."""

    served: bool
    at_s: float
    held: bool


def _asked(other: Connection, text: str) -> _Seen:
    other.send(text)
    if not other.poll(START_S):
        raise StorageError("the other process", "does not answer")
    seen = other.recv()
    assert isinstance(seen, _Seen)
    return seen


def _serve(settings: Settings, asked: Connection) -> None:
    """Look texts up until told to end."""
    with build(settings) as engine:
        index = _index(engine)
        while (text := asked.recv()) is not None:
            query = Query(text=text)
            served = isinstance(engine.cache.look_up(query), CacheHit)  # both tiers
            at_s = time.perf_counter()  # one clock for all processes of a machine
            found = index.search(query.space, engine.parts.encoder.encode([text])[0], 1)
            held = any(one.similarity > _SAME for one in found)
            asked.send(_Seen(served, at_s, held))
