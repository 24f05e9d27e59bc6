"""Streams a trace of (text, group) through the semantic cache of an engine.

A group's members may share an answer, so every answer stands for its group. On a miss the fresh
answer comes, and with it the word whether the nearest entry would have been right. Hits reveal
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.evaluation.cache_figures import CacheDecided, cold_share, figures_of
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.evaluation.static_bar import BarFigures, best_bar, run_bars
from sls_plugins.evaluation.traces import CacheRow
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget, CacheSettings, PartSettings, Settings
from sls_plugins.types import Answer, CacheHit, Candidate, Query, State, Usage

__all__ = ["CacheDecided", "CacheResult", "CacheRun", "cache_replay", "run_cache"]

ONLY = Candidate(name="model", input_usd_per_mtok=1000.0, output_usd_per_mtok=1000.0)
"""Who answers on a miss: one candidate, so dear that every hit within the bound is welcome."""

DEAR = Budget(price=1e6)

_LAST_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRun:
    """How a trace is replayed: the bound, the encoder, where embeddings are kept, the seed.

    With `rival`, the best fixed bar is looked for, too.
    """

    max_error: float
    encoder: str
    embeddings: Path | None
    seed: int = 0
    rival: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheResult:
    """All rows in order; `rival` is the best fixed bar at the same error, if one was looked for.

    `learnt` is what acceptance knows at the end.
    """

    decided: tuple[CacheDecided, ...]
    groups: int
    seconds: float
    fingerprint: str = ""
    learnt: State = field(default_factory=dict)
    rival: BarFigures | None = None

    def facts(self) -> dict[str, JsonValue]:
        """Figures of all rows, of the cold start and of each stream."""
        streams = dict.fromkeys(row.stream for row in self.decided)
        last = self.decided[-int(_LAST_SHARE * len(self.decided)) or None :]
        return {
            **figures_of(self.decided).facts(),
            "groups": self.groups,
            "found_share_after_300_labels": cold_share(self.decided),
            "found_share_of_last_quarter": figures_of(last).found_share,
            "static_bar": self._bar_facts(),
            "streams": {
                name: figures_of([row for row in self.decided if row.stream == name]).facts()
                for name in streams
                if len(streams) > 1
            },
            "seconds": round(self.seconds, 3),
        }

    def _bar_facts(self) -> JsonValue:
        if self.rival is None:
            return None
        share = self.rival.wrong / self.rival.hits if self.rival.hits else 0.0
        return {
            "bar": self.rival.bar,
            "found_share": self.rival.found_share,
            "wrong_share": share,
        }


Watch = Callable[[CacheDecided], None]


def run_cache(rows: Sequence[CacheRow], run: CacheRun, watch: Watch) -> CacheResult:
    """Replay the rows through a new engine in a world without chance. Raises SLSError."""
    clock, receipts = VirtualClock(), Receipts()
    settings = Settings(
        candidates=(ONLY,),
        budget=DEAR,
        cache=CacheSettings(max_error=run.max_error),
        encoder=PartSettings(name=run.encoder),
        embeddings=run.embeddings,
        index=PartSettings(name="memory"),
        seed=run.seed,
    )

    def tick(row: CacheDecided) -> None:
        clock.tick()
        watch(row)

    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        result = cache_replay(rows, engine, receipts, tick)
        return CacheResult(
            decided=result.decided,
            groups=result.groups,
            seconds=result.seconds,
            fingerprint=engine.parts.encoder.fingerprint,
            learnt=engine.parts.cache.save() if engine.parts.cache is not None else {},
            rival=_rival(rows, engine, run.max_error) if run.rival else None,
        )


def cache_replay(
    rows: Sequence[CacheRow], engine: Engine, receipts: Receipts, watch: Watch
) -> CacheResult:
    """Decide every row in order. `receipts` must be an observer of this engine.

    A row's `stream` is the query's task: streams do not share answers, but all are of one family.
    """
    start_s = time.perf_counter()
    groups = {row.query_id: row.group for row in rows}
    seen: set[str] = set()
    decided: list[CacheDecided] = []
    for row in rows:
        result = _decide(row, engine, receipts, groups, possible=row.group in seen)
        seen.add(row.group)
        decided.append(result)
        watch(result)
    return CacheResult(
        decided=tuple(decided), groups=len(seen), seconds=time.perf_counter() - start_s
    )


def _decide(
    row: CacheRow, engine: Engine, receipts: Receipts, groups: dict[str, str], *, possible: bool
) -> CacheDecided:
    def call(_candidate: Candidate, _query: Query) -> Answer:
        text = f"the answer of group {row.group}"
        return Answer(text=text, usage=Usage(output_tokens=1), cost_usd=1.0, latency_s=0.0)

    answer = engine.answer(Query(text=row.text, id=row.query_id, task=_task(row)), call)
    receipt = receipts.take(answer.decision_id)
    hit = isinstance(receipt, CacheHit)
    told = False
    if not hit:
        engine.feedback(answer.decision_id, quality=1.0, source="trace")
        told = engine.parts.log.find(answer.decision_id).nearest_id is not None
    return CacheDecided(
        query_id=row.query_id,
        hit=hit,
        from_query_id=answer.from_query_id if hit else None,
        right=groups.get(answer.from_query_id or "") == row.group if hit else None,
        exact=isinstance(receipt, CacheHit) and receipt.exact,
        stream=row.stream,
        possible=possible,
        told=told,
        cost_usd=row.cost_usd,
        latency_s=row.latency_s,
    )


def _task(row: CacheRow) -> str:
    return f"cache/{row.stream}" if row.stream else ""


def _rival(rows: Sequence[CacheRow], engine: Engine, max_error: float) -> BarFigures | None:
    vectors = engine.parts.encoder.encode([row.text for row in rows])
    runs = run_bars(vectors, [row.group for row in rows], [row.stream for row in rows])
    return best_bar(runs, max_error)
