"""Forgets queries: their cached answers, decisions, outcomes, and the vectors in learnt state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import (
    BindParameter,
    Connection,
    Table,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from sls_plugins.storage import entry_statements as statements
from sls_plugins.storage.codec import plain
from sls_plugins.storage.database import Database
from sls_plugins.storage.dialect import overwrite_deleted
from sls_plugins.storage.snapshots import without_vectors
from sls_plugins.storage.tables import METADATA, cache_entries, decisions, snapshots
from sls_plugins.types import Erased, Selection

__all__ = ["SeveralErasers", "SqlEraser"]

CHUNK_IDS = 500
PAGE_ROWS = 1000

_made = decisions.c
_told = select(_made.id, _made.text, _made.vector).order_by(_made.id).limit(PAGE_ROWS)
_ids: BindParameter[Sequence[str]] = bindparam("ids", expanding=True)
_OF_ENTRIES = select(_made.id, _made.text, _made.vector).where(
    or_(_made.id.in_(_ids), _made.entry_id.in_(_ids))
)
_ENTRIES = select(cache_entries.c.id, cache_entries.c.text, cache_entries.c.vector).where(
    cache_entries.c.id.in_(_ids)
)
_ABOUT = [table for table in METADATA.sorted_tables if "decision_id" in table.c]
_DECISIONS = delete(decisions).where(_made.id.in_(_ids))
_SNAPSHOTS = select(snapshots.c.id, snapshots.c.npz)
_SCRUBBED = (
    update(snapshots).where(snapshots.c.id == bindparam("the_id")).values(npz=bindparam("new_npz"))
)


class SqlEraser:
    """Takes every row that holds a text or a vector of what is to be forgotten.

    Sums of money remain, and what was learnt remains as numbers, without the vectors themselves.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase(self, wanted: Selection, is_meant: Callable[[str], bool]) -> Erased:
        """Delete what is meant; `is_meant` tells whether a query's text is (for `wanted.key`)."""

        def forget(sql: Connection) -> Erased:
            overwrite_deleted(sql)
            entries = _entries(sql, wanted)
            made = _decisions(sql, wanted, is_meant, [*entries])
            found = [*entries.values(), *made.values()]
            vectors = frozenset(vector for _, vector in found if vector is not None)
            outcomes = sum(
                _delete(sql, table, made) for table in _ABOUT if table.name == "outcomes"
            )
            for table in _ABOUT:
                _delete(sql, table, made)
            for ids in _chunks([*made]):
                sql.execute(_DECISIONS, {"ids": ids})
            for ids in _chunks([*entries]):
                sql.execute(statements.ERASE, {"ids": ids})
            _scrub(sql, vectors)
            return Erased(
                entry_ids=tuple(entries),
                decisions=len(made),
                outcomes=outcomes,
                texts=tuple(sorted({text for text, _ in found})),
                vectors=vectors,
            )

        return self._database.write(forget)

    def tidy(self) -> None:
        """Overwrite what deleted rows left in the files. Takes as long as copying the database."""
        self._database.flush()
        self._database.read(_vacuum)


def _entries(sql: Connection, wanted: Selection) -> dict[str, tuple[str, bytes | None]]:
    """Rows of the cache that are meant, with their aliases."""
    statement, values = statements.selected(wanted)
    ids = [row.id for row in sql.execute(statement, values)]
    for chunk in _chunks(ids):
        ids += [row.id for row in sql.execute(statements.ALIASES, {"ids": chunk})]
    return {
        row.id: (row.text, row.vector)
        for chunk in _chunks(sorted(set(ids)))
        for row in sql.execute(_ENTRIES, {"ids": chunk})
    }


def _decisions(
    sql: Connection, wanted: Selection, is_meant: Callable[[str], bool], entry_ids: Sequence[str]
) -> dict[str, tuple[str, bytes | None]]:
    """Decisions that are meant, and those that made or used one of these rows."""
    found = {
        row.id: (row.text, row.vector)
        for chunk in _chunks([*entry_ids, *(wanted.ids or ())])
        for row in sql.execute(_OF_ENTRIES, {"ids": chunk})
    }
    if wanted.ids is not None:
        return found
    chosen, values = _told.where(_made.id > bindparam("after_id")), {"after_id": ""}
    if wanted.tenant is not None:
        chosen = chosen.where(_made.tenant == plain(wanted.tenant))
    if wanted.scope is not None:
        begin = plain(wanted.scope)
        chosen = chosen.where(func.substr(_made.scope, 1, len(begin)) == begin)
    if wanted.before_s is not None:
        chosen = chosen.where(_made.created_s <= wanted.before_s)
    while rows := sql.execute(chosen, values).all():
        found |= {row.id: (row.text, row.vector) for row in rows if is_meant(row.text)}
        values = {"after_id": rows[-1].id}
    return found


def _delete(sql: Connection, table: Table, ids: Iterable[str]) -> int:
    """Delete what a table tells about decisions; returns how many rows."""
    gone = delete(table).where(table.c.decision_id.in_(_ids))
    return sum(sql.execute(gone, {"ids": chunk}).rowcount for chunk in _chunks([*ids]))


def _scrub(sql: Connection, vectors: frozenset[bytes]) -> None:
    """Put zeros where learnt state holds one of these vectors."""
    for row in sql.execute(_SNAPSHOTS).all() if vectors else ():
        scrubbed = without_vectors(row.npz, vectors)
        if scrubbed is not None:
            sql.execute(_SCRUBBED, {"the_id": row.id, "new_npz": scrubbed})


def _vacuum(sql: Connection) -> None:
    if sql.dialect.name == "sqlite":
        overwrite_deleted(sql)
        sql.exec_driver_sql("VACUUM").close()
        sql.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        return
    for table in (cache_entries, decisions, snapshots, *_ABOUT):
        sql.exec_driver_sql(f"VACUUM (FULL) {table.name}").close()


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    """No database takes a list of any length."""
    return [ids[start : start + CHUNK_IDS] for start in range(0, len(ids), CHUNK_IDS)]


class SeveralErasers:
    """Erases in several databases as if they were one."""

    def __init__(self, erasers: Sequence[SqlEraser]) -> None:
        self._erasers = tuple(erasers)

    def erase(self, wanted: Selection, is_meant: Callable[[str], bool]) -> Erased:
        """Delete in each; the result is all of it."""
        found = [one.erase(wanted, is_meant) for one in self._erasers]
        return Erased(
            entry_ids=tuple(name for one in found for name in one.entry_ids),
            decisions=sum(one.decisions for one in found),
            outcomes=sum(one.outcomes for one in found),
            texts=tuple(sorted({text for one in found for text in one.texts})),
            vectors=frozenset(vector for one in found for vector in one.vectors),
        )

    def tidy(self) -> None:
        """Overwrite what deleted rows left in each."""
        for one in self._erasers:
            one.tidy()
