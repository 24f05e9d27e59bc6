"""What is lost when a process is killed while it stores answers."""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.evaluation.phrases import desk_settings, question
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.settings import PartSettings, Settings
from sls_plugins.types import Answer, Query

__all__ = ["run"]

ADMISSIONS = 10_000
KILLS = 20
WAIT_S = 120.0


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Kill a storing process again and again; each time compare what it had promised."""
    count = setup.limit or ADMISSIONS
    kills = min(KILLS, count)
    dice = random.Random(setup.seeds[0])
    rows: list[tuple[Cell, ...]] = []
    for index in ("chroma", "memory"):
        with tempfile.TemporaryDirectory() as folder:
            settings = desk_settings(setup, Path(folder), PartSettings(name=index))
            promised: list[str] = []
            lost = differing = 0
            for kill in range(kills):
                wanted = max(1, count // kills + dice.randint(-2, 2))
                promised += _killed(settings, len(promised), wanted)
                missing, apart = _compare(settings, promised)
                lost, differing = lost + missing, differing + apart
                advance(kill + 1, index)
            rows.append((index, kills, len(promised), lost, differing))
    table = Table(
        title="killed while storing",
        columns=("index", "kills", "answers stored", "lost", "ids on which index and rows differ"),
        rows=tuple(rows),
        note="An answer counts as stored when the engine has returned it; SIGKILL comes at once.",
    )
    return StudyReport(title="Admissions", tables=(table,))


def _killed(settings: Settings, first: int, count: int) -> list[str]:
    """Ids of what a child had stored when it was killed, after about `count` answers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_store, args=(settings, first, theirs), daemon=True)
    child.start()
    theirs.close()
    told: list[str] = []
    try:
        while len(told) < count and ours.poll(WAIT_S):
            told.append(ours.recv())
        child.kill()
        while ours.poll(1.0):
            told.append(ours.recv())
    except EOFError:
        pass
    finally:
        child.kill()
        child.join()
    return told


def _store(settings: Settings, first: int, told: Connection) -> None:
    """Store answers for ever, telling each id once the engine has returned it."""
    number = first * 10 + time.time_ns() % 10_000_000_000
    with build(settings) as engine:
        while True:
            number += 1
            query = Query(text=question(number))
            said = engine.answer(query, lambda _candidate, asked: Answer(text=f"on {asked.text}"))
            told.send(said.decision_id)


def _compare(settings: Settings, promised: list[str]) -> tuple[int, int]:
    """How many promised rows are missing; on how many ids index and rows differ."""
    with build(settings) as engine:
        cache = engine.parts.cache
        assert cache is not None
        stock = cache.stock()
        held = stock.index.ids()
    return len(set(promised).difference(stock.rows)), len(stock.vectors.symmetric_difference(held))
