"""Goes the whole road: ChatSLS on Chroma and SQLite, every answer graded, feedback given."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from langchain_core.messages.ai import add_ai_message_chunks

from langchain_sls.chat import ChatSLS
from langchain_sls.demo.simulated import SimulatedTime
from langchain_sls.demo.summary import DemoResult, demo_report
from langchain_sls.demo.worlds import MadeUp, Recorded, World
from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.baselines import compare, table_of
from sls_plugins.evaluation.results import Decided, Report
from sls_plugins.evaluation.traces import RoutingRow
from sls_plugins.evaluation.world import Ids
from sls_plugins.scheduler.selection import explored_usd
from sls_plugins.settings import PartSettings, Settings
from sls_plugins.types import Source

__all__ = ["Advance", "run_demo", "run_world"]

QUERIES = 800
"""Length of the made-up workload."""

STREAMED = 10
"""Every tenth query is streamed."""


class Advance(Protocol):
    """Told how far the demo is."""

    def __call__(self, done: int, note: str = "") -> None:
        """So many queries are answered; `note` is for the user."""


def run_demo(
    folder: Path,
    seed: int = 0,
    trace: Path | None = None,
    advance: Advance | None = None,
    queries: int = QUERIES,
) -> Report:
    """Answer a made-up workload, or a recorded trace, through ChatSLS; tell what came of it.

    `folder` keeps database and index; run again on the same one and it begins with what it has
    learnt. `queries` is the length of the made-up workload. Raises SLSError.
    """
    world: World = MadeUp(seed, queries) if trace is None else Recorded(trace)
    return demo_report(run_world(world, folder, seed, advance))


def run_world(world: World, folder: Path, seed: int, advance: Advance | None = None) -> DemoResult:
    """Every row of a world through ChatSLS, beside what each model alone would have done."""
    clock, ids = SimulatedTime(), Ids("demo")
    settings = Settings(
        candidates=world.candidates,
        budget=world.budget,
        folder=folder,
        seed=seed,
        index=PartSettings(name="chroma"),
    )
    start_s = time.perf_counter()
    with build(settings, clock=clock, ids=ids) as engine:
        ids.run = f"demo{engine.parts.log.last_seq()}"
        run = _Run(world, engine, clock)
        for number, row in enumerate(world.rows):
            run.ask(row, streamed=number % STREAMED == STREAMED - 1)
            if advance is not None and number % 20 == 19:
                advance(number + 1, run.note)
        outcomes = table_of(world.rows, world.candidates, engine.count_tokens)
        encoder = engine.parts.encoder.fingerprint
    spent = sum(each.cost_usd for each in run.decided) / len(run.decided)
    return DemoResult(
        title=world.title,
        decided=tuple(run.decided),
        rivals=compare(outcomes, spent),
        candidates=tuple(candidate.name for candidate in world.candidates),
        encoder=encoder,
        seed=seed,
        seconds=time.perf_counter() - start_s,
        waited_s=run.waited_s,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer as its caller sees it."""

    text: str
    facts: Mapping[str, Any]


class _Run:
    """One pass through a world."""

    def __init__(self, world: World, engine: Engine, clock: SimulatedTime) -> None:
        self._world = world
        self._engine = engine
        self._clock = clock
        self._began_s = clock()
        self._chat = ChatSLS(engine, models=world.models(clock, engine.count_tokens), timer=clock)
        self._rows: dict[str, RoutingRow] = {}
        self.decided: list[Decided] = []

    @property
    def waited_s(self) -> float:
        """How long the users waited for models, in simulated seconds."""
        return self._clock() - self._began_s

    @property
    def note(self) -> str:
        """How it goes, in a few words."""
        hits = sum(each.source is Source.CACHE for each in self.decided)
        usd = sum(each.cost_usd for each in self.decided)
        return f"${usd:.4f}, {hits / len(self.decided):.0%} from cache"

    def ask(self, row: RoutingRow, *, streamed: bool) -> None:
        """Ask, grade, give feedback."""
        self._world.turn_to(row)
        said = self._stream(row) if streamed else self._invoke(row)
        facts = said.facts
        self._rows[facts["decision_id"]] = row
        is_hit = facts["source"] == Source.CACHE
        quality = self._grade(row, said, is_hit=is_hit)
        if self._world.tells_hits or not is_hit:
            self._engine.feedback(facts["decision_id"], quality, source="checker")
        earlier = self._rows.get(facts.get("from_query_id") or "")
        self.decided.append(
            Decided(
                query_id=row.query_id,
                source=Source(facts["source"]),
                candidate=facts["candidate"],
                cost_usd=facts["cost_usd"],
                quality=quality,
                from_query_id=earlier.query_id if earlier else None,
                predicted_quality=facts["predicted_quality"],
                predicted_cost_usd=facts["predicted_cost_usd"],
                explored_usd=None if is_hit else self._explored_usd(facts["decision_id"]),
            )
        )

    def _explored_usd(self, decision_id: str) -> float | None:
        return explored_usd(self._engine.parts.log.decision(decision_id))

    def _grade(self, row: RoutingRow, said: _Said, *, is_hit: bool) -> float:
        if not is_hit:
            return self._world.grade_call(row, said.facts["candidate"], said.text)
        earlier = self._rows.get(said.facts["from_query_id"] or "")
        return self._world.grade_hit(row, earlier, said.text)

    def _invoke(self, row: RoutingRow) -> _Said:
        message = self._chat.invoke(row.prompt, sls_task=row.task)
        return _Said(str(message.text), message.response_metadata["sls"])

    def _stream(self, row: RoutingRow) -> _Said:
        chunks = list(self._chat.stream(row.prompt, sls_task=row.task))
        whole = add_ai_message_chunks(chunks[0], *chunks[1:])
        return _Said(str(whole.text), whole.response_metadata["sls"])
