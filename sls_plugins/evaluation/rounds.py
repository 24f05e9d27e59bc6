"""Streams a recorded trace through a new engine, as often as a study wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.evaluation.baselines import Outcomes, table_of
from sls_plugins.evaluation.candidates import find_candidates
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.results import ReplayResult
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.evaluation.traces import RoutingRow, load_routing
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget, CacheSettings, PartSettings, Settings
from sls_plugins.tokens import TiktokenCounter
from sls_plugins.types import Candidate

__all__ = ["World", "load_world", "settings_for", "stream"]


@dataclass(frozen=True, slots=True)
class World:
    """A trace: its rows, its candidates at list prices, and all outcomes for hindsight."""

    name: str
    rows: tuple[RoutingRow, ...]
    candidates: tuple[Candidate, ...]
    outcomes: Outcomes

    @property
    def priced(self) -> bool:
        """Whether every outcome's cost was recorded, or the tokens that list prices pay for."""
        return all(
            outcome.cost_usd is not None or outcome.output_tokens is not None
            for row in self.rows[:10]
            for outcome in row.outcomes.values()
        )


def load_world(path: Path, limit: int | None = None) -> World:
    """Read a trace. Raises TraceError or SettingsError."""
    rows = load_routing(path, limit)
    candidates = find_candidates(path, rows[0].outcomes)
    counter = TiktokenCounter()
    outcomes = table_of(rows, candidates, lambda text: counter.count(text).tokens)
    return World(path.name.split(".", 1)[0], rows, candidates, outcomes)


def settings_for(
    setup: StudySetup, candidates: Sequence[Candidate], budget: Budget, seed: int
) -> Settings:
    """An engine's settings in a study: no cache, no files but the kept embeddings."""
    return Settings(
        candidates=tuple(candidates),
        budget=budget,
        cache=CacheSettings(enabled=False),
        encoder=PartSettings(name=setup.encoder),
        embeddings=setup.embeddings,
        index=PartSettings(name="memory"),
        seed=seed,
    )


def stream(
    world: World, setup: StudySetup, budget: Budget, seed: int, *, warm_split: str | None = None
) -> ReplayResult:
    """One pass through the trace in order, learning from zero, every call graded."""
    clock, receipts = VirtualClock(), Receipts()
    settings = settings_for(setup, world.candidates, budget, seed)
    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        options = ReplayOptions(seed=seed, warm_split=warm_split)
        return replay(world.rows, engine, receipts, options, lambda _: clock.tick())
