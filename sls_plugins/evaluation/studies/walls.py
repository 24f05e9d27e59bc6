"""Whether any answer ever crosses from one tenant, scope or task to another."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.phrases import TOPICS, desk_settings, wordings
from sls_plugins.evaluation.study import Advance, Cell, StudyReport, StudySetup, Table
from sls_plugins.evaluation.world import Ids
from sls_plugins.settings import CacheSettings, PartSettings
from sls_plugins.types import Answer, Candidate, Query, Source

__all__ = ["run"]

QUERIES = 10_000
TENANTS = ("acme", "acme ", "Acme", "", "acme/eu")
SCOPES = ("s", "s2", "")
TASKS = ("", "t")
FUZZ = ("", " ", "\n", "?", "…", " \t ", "!!", "\u00a0", " 1", " 2")


@dataclass(slots=True)
class Tally:
    """What came of a part of the queries."""

    queries: int = 0
    hits: int = 0
    near: int = 0
    crossings: int = 0


def run(setup: StudySetup, advance: Advance) -> StudyReport:
    """Ask overlapping questions everywhere; then again after a rebuild, and after a swap."""
    count = setup.limit or QUERIES
    rows: list[tuple[Cell, ...]] = []
    for index in ("memory", "chroma"):
        for seed in setup.seeds[:1]:
            rows += _stream(setup, index, seed, count, advance)
    table = Table(
        title="crossings",
        columns=("index", "after", "queries", "hits", "of them near", "crossings"),
        rows=tuple(rows),
        note=f"{len(TENANTS)} tenants, {len(SCOPES)} scopes and {len(TASKS)} tasks ask the same; "
        "every answer names its place.",
    )
    return StudyReport(title="Walls", tables=(table,))


def _stream(
    setup: StudySetup, index: str, seed: int, count: int, advance: Advance
) -> list[tuple[Cell, ...]]:
    dice = random.Random(seed)
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        cache = CacheSettings(max_error=0.2)  # loose on purpose: walls must not need caution
        settings = desk_settings(setup, Path(folder), PartSettings(name=index), cache)
        with build(settings, ids=Ids()) as engine:
            for part, name in enumerate(("start", "rebuild", "swap")):
                if name == "rebuild":
                    engine.cache.forget(text=f"What is {TOPICS[0]}")
                elif name == "swap":
                    engine.cache.clear(tenant=TENANTS[0])
                tally = Tally()
                for number in range(count // 3):
                    _ask(engine, _drawn(dice), tally)
                    advance(part * (count // 3) + number + 1, index)
                rows.append((index, name, tally.queries, tally.hits, tally.near, tally.crossings))
    return rows


def _drawn(dice: random.Random) -> Query:
    text = dice.choice(wordings(dice.choice(TOPICS[:5]), 8)) + dice.choice(FUZZ)
    return Query(
        text=text if dice.random() < 0.8 else text.upper(),
        tenant=dice.choice(TENANTS),
        scope=dice.choice(SCOPES),
        task=dice.choice(TASKS),
    )


def _ask(engine: Engine, query: Query, tally: Tally) -> None:
    place = repr((query.tenant, query.scope, query.task))

    def call(_candidate: Candidate, asked: Query) -> Answer:
        topic = next(topic for topic in TOPICS if topic in asked.text.lower())
        return Answer(text=f"{topic} for {place}", cost_usd=0.001)

    said = engine.answer(query, call)
    tally.queries += 1
    tally.crossings += not said.text.endswith(f" for {place}")
    engine.feedback(said.decision_id, 1.0)
    if said.source is Source.CACHE:
        tally.hits += 1
        tally.near += (said.similarity or 0.0) < 1.0
