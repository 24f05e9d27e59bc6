"""A small real engine: hashing encoder, SQLite, three candidates of rising price."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sls_plugins import Budget, Candidate, Engine, Settings, build

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, context_window=4_000),
    Candidate(
        name="middle",
        input_usd_per_mtok=1.0,
        output_usd_per_mtok=4.0,
        context_window=32_000,
        capabilities=frozenset({"tools"}),
    ),
    Candidate(
        name="large",
        input_usd_per_mtok=10.0,
        output_usd_per_mtok=40.0,
        context_window=128_000,
        capabilities=frozenset({"tools", "vision"}),
    ),
)

MakeEngine = Callable[..., Engine]


@pytest.fixture
def settings() -> Settings:
    """Settings whose parts are quick to make."""
    return Settings(
        candidates=CANDIDATES,
        budget=Budget(price=10.0),
        encoder="hashing",
        index="memory",
        plugins=(),
    )


@pytest.fixture
def make_engine(settings: Settings) -> Iterator[MakeEngine]:
    """Makes engines from changed settings and closes them afterwards."""
    made: list[Engine] = []

    def make(
        folder: Path | None = None,
        *,
        plugins: tuple[object, ...] = (),
        clock: Callable[[], float] = time.time,
        **changes: object,
    ) -> Engine:
        counter = itertools.count(len(made) * 1_000_000)
        changed = Settings(**{**dict(settings), **changes, "folder": folder})
        engine = build(changed, ids=lambda: f"d{next(counter)}", plugins=plugins, clock=clock)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()
