"""What the cache has done, read from decisions, outcomes and rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, bindparam, case, func, select

from sls_plugins.storage import entry_statements as statements
from sls_plugins.storage.database import Database
from sls_plugins.storage.entry_codec import entry_of
from sls_plugins.storage.tables import cache_entries, decisions, outcomes
from sls_plugins.types import (
    AuditedPair,
    CacheRow,
    CacheStats,
    OutcomeKind,
    Share,
    Source,
    TaskAudit,
    TaskStats,
)

__all__ = ["SqlCacheReports"]

GOOD = 0.5

_made, _row, _told = decisions.c, cache_entries.c, outcomes.c
_graded = outcomes.alias("graded").c
_is_exact = case((_made.receipt.like('%"exact":true%'), 1), else_=0)
_call = (  # the call whose answer a hit served
    decisions.outerjoin(cache_entries, _row.id == _made.entry_id).outerjoin(
        outcomes,
        and_(
            _told.decision_id == func.coalesce(_row.alias_of, _made.entry_id),
            _told.kind == OutcomeKind.ANSWERED.value,
        ),
    )
)
_QUERIES = select(_made.task, func.count()).group_by(_made.task)
_HITS = (
    select(
        _made.task,
        func.count(),
        func.sum(_is_exact),
        func.sum(_told.cost_usd),
        func.sum(_told.cost_usd * _told.cost_usd),
        func.sum(_told.latency_s),
        func.sum(_told.latency_s * _told.latency_s),
    )
    .select_from(_call)
    .where(_made.source == Source.CACHE.value)
    .group_by(_made.task)
)
_last_grade = (
    select(func.max(_told.seq))
    .where(_told.source == Source.CACHE.value, _told.quality.is_not(None))
    .group_by(_told.decision_id)
)
_GRADED = (
    select(_made.task, func.count(), func.sum(case((_told.quality < GOOD, 1), else_=0)))
    .select_from(outcomes.join(decisions))
    .where(_told.seq.in_(_last_grade))
    .group_by(_made.task)
)
_ROWS = select(
    func.count(),
    func.sum(case((_row.alias_of.is_not(None), 1), else_=0)),
    func.coalesce(func.sum(_row.bytes), 0),
)
_ROW_OF = select(_made.entry_id).where(_made.id == bindparam("wanted"))
_AUDITED = (
    select(
        _made.id,
        _made.task,
        _made.text,
        _made.nearest_id,
        _made.nearest_similarity,
        _made.receipt,
        _row.text.label("entry_text"),
        _row.answer_text.label("stored"),
        _row.alias_of,
        _told.answer_text.label("fresh"),
        select(func.max(_graded.quality))
        .where(_graded.decision_id == _made.id)
        .scalar_subquery()
        .label("quality"),
    )
    .select_from(
        decisions.join(
            outcomes,
            and_(_told.decision_id == _made.id, _told.kind == OutcomeKind.ANSWERED.value),
        ).outerjoin(cache_entries, _row.id == _made.nearest_id)
    )
    .where(
        _made.source == Source.MODEL.value,
        _made.nearest_id.is_not(None),
        _made.receipt.like('%"chance":%'),
        _made.receipt.not_like('%"chance":1.0%'),
    )
    .order_by(_made.created_s.desc())
)
_ANSWER_OF = select(_row.id, _row.answer_text).where(_row.id.in_(bindparam("ids", expanding=True)))


class SqlCacheReports:
    """Reads only; any process may ask while others serve."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stats(self) -> CacheStats:
        """Rows, and for each task: queries, hits, wrong hits, savings."""
        now = {"now_s": self._database.clock()}
        self._database.flush()

        def read(sql: Connection) -> CacheStats:
            rows, aliases, size = sql.execute(_ROWS).one()
            return CacheStats(
                live=sql.execute(statements.COUNT_LIVE, now).scalar_one(),
                revoked=sql.execute(statements.COUNT_REVOKED).scalar_one(),
                aliases=int(aliases or 0) if rows else 0,
                bytes=int(size),
                tasks=tuple(_tasks(sql)),
            )

        return self._database.read(read)

    def show(self, wanted: str) -> CacheRow | None:
        """The row with this id, or the one that this decision used; None if there is none."""
        now = {"now_s": self._database.clock()}
        self._database.flush()

        def read(sql: Connection) -> CacheRow | None:
            used = sql.execute(_ROW_OF, {"wanted": wanted}).scalar_one_or_none()
            row = sql.execute(statements.FIND_ID, {"entry_id": used or wanted}).first()
            if row is None:
                return None
            live = sql.execute(statements.FIND_IDS, {"ids": [row.id], **now}).first()
            shared = sql.execute(statements.ALIASES, {"ids": [row.alias_of or row.id]})
            aliases = tuple(sorted(each.id for each in shared))
            return CacheRow(entry=entry_of(row), live=live is not None, aliases=aliases)

        return self._database.read(read)

    def audits(self) -> tuple[tuple[TaskAudit, ...], tuple[AuditedPair, ...]]:
        """What came of acceptable neighbours that were called for all the same, newest first."""
        self._database.flush()
        pairs = self._database.read(lambda sql: tuple(_pairs(sql)))
        tasks = {}
        for task in sorted({pair.task for pair in pairs}):
            mine = [pair for pair in pairs if pair.task == task]
            known = [pair for pair in mine if pair.right is not None]
            wrong = sum(pair.right is False for pair in known)
            tasks[task] = TaskAudit(task=task, audits=len(mine), wrong=Share(wrong, len(known)))
        return tuple(tasks.values()), pairs


def _tasks(sql: Connection) -> Iterator[TaskStats]:
    hits = {row[0]: row[1:] for row in sql.execute(_HITS)}
    graded = {row[0]: Share(int(row[2] or 0), row[1]) for row in sql.execute(_GRADED)}
    for task, queries in sorted((row[0], row[1]) for row in sql.execute(_QUERIES)):
        count, exact, usd, usd2, seconds, seconds2 = hits.get(task, (0, 0, 0, 0, 0, 0))
        yield TaskStats(
            task=task,
            queries=queries,
            hits=count,
            exact=int(exact or 0),
            wrong=graded.get(task, Share(0, 0)),
            saved_usd=float(usd or 0.0),
            saved_usd_sd=_sd(count, usd, usd2),
            saved_s=float(seconds or 0.0),
            saved_s_sd=_sd(count, seconds, seconds2),
        )


def _sd(count: int, total: float | None, squares: float | None) -> float:
    """Of a sum of `count` values, from their sum and the sum of their squares."""
    if count < 2:
        return 0.0
    mean = (total or 0.0) / count
    return math.sqrt(max(0.0, (squares or 0.0) - count * mean * mean) * count / (count - 1))


def _pairs(sql: Connection) -> Iterator[AuditedPair]:
    rows = [row for row in sql.execute(_AUDITED) if _is_audit(row.receipt)]
    roots = _answers(sql, [row.alias_of for row in rows if row.alias_of])
    for row in rows:
        stored = roots.get(row.alias_of, row.stored) if row.alias_of else row.stored
        same = None if stored is None else stored.split() == row.fresh.split()
        good = row.quality is None or row.quality >= GOOD
        yield AuditedPair(
            decision_id=row.id,
            task=row.task,
            text=row.text,
            entry_id=row.nearest_id,
            entry_text=row.entry_text or "",
            similarity=row.nearest_similarity,
            right=same if good or same is None else (False if same else None),
        )


def _answers(sql: Connection, ids: Sequence[str]) -> dict[str, str]:
    return {row.id: row.answer_text for row in sql.execute(_ANSWER_OF, {"ids": list(set(ids))})}


def _is_audit(receipt: str) -> bool:
    evidence = json.loads(receipt).get("evidence") or {}
    return float(evidence.get("chance", 1.0)) < 1.0
