"""Streams a trace of (text, group) through the semantic cache of an engine.

A group's members may share an answer, so every answer stands for its group. On a miss the fresh
answer comes, and with it the word whether the nearest entry would have been right. Hits reveal
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sls_plugins.engine import Engine
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.evaluation.traces import CacheRow
from sls_plugins.types import Answer, CacheHit, Candidate, Query, Usage

__all__ = ["CacheDecided", "CacheResult", "cache_replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheDecided:
    """One row as it was decided; `right` is None on a miss, `exact` a repeat of the same text."""

    query_id: str
    hit: bool
    from_query_id: str | None = None
    right: bool | None = None
    exact: bool = False

    def line(self) -> dict[str, JsonValue]:
        """The row as `--decisions` writes it."""
        return {
            "query_id": self.query_id,
            "hit": self.hit,
            "from_query_id": self.from_query_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheResult:
    """All rows in order. `ideal_hit_rate` is the share of rows whose group was seen before."""

    decided: tuple[CacheDecided, ...]
    groups: int
    ideal_hit_rate: float
    seconds: float

    def facts(self) -> dict[str, JsonValue]:
        """Counts and rates; `near_wrong_share` is about hits that were no exact repeats."""
        hits = [row for row in self.decided if row.hit]
        near = [row for row in hits if not row.exact]
        wrong = sum(not row.right for row in hits)
        near_wrong = sum(not row.right for row in near)
        return {
            "queries": len(self.decided),
            "groups": self.groups,
            "hits": len(hits),
            "hit_rate": len(hits) / len(self.decided),
            "ideal_hit_rate": self.ideal_hit_rate,
            "wrong_hits": {"count": wrong, "share": wrong / len(hits) if hits else 0.0},
            "exact_hits": len(hits) - len(near),
            "near_hits": len(near),
            "near_wrong_share": near_wrong / len(near) if near else 0.0,
            "seconds": round(self.seconds, 3),
        }


Watch = Callable[[CacheDecided], None]


def cache_replay(
    rows: Sequence[CacheRow], engine: Engine, receipts: Receipts, watch: Watch
) -> CacheResult:
    """Decide every row in order. `receipts` must be an observer of this engine.

    A row's `stream` is the query's task: streams do not share answers, but all are of one family.
    """
    start_s = time.perf_counter()
    groups = {row.query_id: row.group for row in rows}
    seen: set[str] = set()
    repeats = 0
    decided: list[CacheDecided] = []
    for row in rows:
        repeats += row.group in seen
        seen.add(row.group)
        result = _decide(row, engine, receipts, groups)
        decided.append(result)
        watch(result)
    return CacheResult(
        decided=tuple(decided),
        groups=len(seen),
        ideal_hit_rate=repeats / len(rows),
        seconds=time.perf_counter() - start_s,
    )


def _decide(
    row: CacheRow, engine: Engine, receipts: Receipts, groups: dict[str, str]
) -> CacheDecided:
    def call(_candidate: Candidate, _query: Query) -> Answer:
        text = f"the answer of group {row.group}"
        return Answer(text=text, usage=Usage(output_tokens=1), cost_usd=0.0, latency_s=0.0)

    answer = engine.answer(Query(text=row.text, id=row.query_id, task=_task(row)), call)
    receipt = receipts.take(answer.decision_id)
    if isinstance(receipt, CacheHit):
        return CacheDecided(
            query_id=row.query_id,
            hit=True,
            from_query_id=answer.from_query_id,
            right=groups.get(answer.from_query_id or "") == row.group,
            exact=receipt.exact,
        )
    engine.feedback(answer.decision_id, quality=1.0, source="trace")
    return CacheDecided(query_id=row.query_id, hit=False)


def _task(row: CacheRow) -> str:
    return f"cache/{row.stream}" if row.stream else ""
