"""Deletes what is older than it may be kept: lines, their decisions, events, opinions, runs."""

from __future__ import annotations

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, exists, select

from sls_plugins.storage.database import Database
from sls_plugins.storage.dialect import overwrite_deleted
from sls_plugins.storage.tables import decisions, events, feedback, outcomes, runs

__all__ = ["SqlRetention"]

_old: BindParameter[float] = bindparam("before_s")
_LINES = delete(outcomes).where(
    outcomes.c.created_s < _old, outcomes.c.seq <= bindparam("learnt_seq")
)
_DECISIONS = delete(decisions).where(
    and_(
        decisions.c.created_s < _old,
        ~exists(select(outcomes.c.seq).where(outcomes.c.decision_id == decisions.c.id)),
    )
)
_OTHERS = tuple(delete(table).where(table.c.created_s < _old) for table in (feedback, runs, events))


class SqlRetention:
    """Forgets by age, never a line that is not in a snapshot yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def drop_before(self, before_s: float, learnt_seq: int) -> int:
        """Delete rows older than that; of the log only up to `learnt_seq`. Returns its lines."""
        values = {"before_s": before_s, "learnt_seq": learnt_seq}

        def drop(sql: Connection) -> int:
            overwrite_deleted(sql)
            lines = sql.execute(_LINES, values).rowcount
            sql.execute(_DECISIONS, {"before_s": before_s})
            for statement in _OTHERS:
                sql.execute(statement, {"before_s": before_s})
            return lines

        return self._database.write(drop)
