"""The rows of the cache in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from sls_plugins.storage.codec import plain, vector_of, vector_values
from sls_plugins.storage.database import Database
from sls_plugins.storage.entry_codec import entry_of, entry_values
from sls_plugins.storage.tables import cache_entries
from sls_plugins.types import CacheEntry, IndexEntry, Space, Vector

__all__ = ["SqlEntryStore"]

TOPIC = "entries"
CHUNK_IDS = 500
PAGE_VECTORS = 1000

_columns = cache_entries.c
_entry = select(*[column for column in _columns if column.name not in {"vector", "fingerprint"}])


def _live() -> ColumnElement[bool]:
    return and_(
        ~_columns.revoked,
        or_(_columns.expires_s.is_(None), _columns.expires_s > bindparam("now_s")),
    )


def _at_key() -> ColumnElement[bool]:
    return and_(
        _columns.tenant == bindparam("at_tenant"),
        _columns.scope == bindparam("at_scope"),
        _columns.key == bindparam("at_key"),
    )


_FIND_KEY = _entry.where(_at_key(), _live())
_FIND_IDS = _entry.where(_columns.id.in_(bindparam("ids", expanding=True)), _live())
_FIND_ID = _entry.where(_columns.id == bindparam("entry_id"))
_REPLACED = delete(cache_entries).where(or_(_at_key(), _columns.id == bindparam("entry_id")))
_GRADE = (
    update(cache_entries)
    .where(_columns.id == bindparam("entry_id"))
    .values(good=_columns.good + bindparam("more_good"), bad=_columns.bad + bindparam("more_bad"))
)
_REVOKE = (
    update(cache_entries)
    .where(_columns.id.in_(bindparam("ids", expanding=True)))
    .values(revoked=True)
)
_ADD = cache_entries.insert()
_VECTORS = (
    select(_columns.id, _columns.tenant, _columns.scope, _columns.vector)
    .where(
        _columns.id > bindparam("after_id"),
        _columns.fingerprint == bindparam("made_by"),
        _columns.vector.is_not(None),
        _live(),
    )
    .order_by(_columns.id)
    .limit(PAGE_VECTORS)
)
_COUNT = select(func.count()).select_from(cache_entries)
_COUNT_LIVE = _COUNT.where(_live())
_COUNT_REVOKED = _COUNT.where(_columns.revoked)


class SqlEntryStore:
    """An `EntryStore` in a database. Threads and processes may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_key(self, space: Space, key: str, now_s: float) -> CacheEntry | None:
        """The live row with this exact key, if any."""
        at = _place(space, key)
        rows = self._rows(_FIND_KEY, {**at, "now_s": now_s})
        return entry_of(rows[0]) if rows else None

    def find_ids(self, ids: Sequence[str], now_s: float) -> Mapping[str, CacheEntry]:
        """The live rows among these ids."""
        found: dict[str, CacheEntry] = {}
        for chunk in _chunks(ids):
            wanted = {"ids": chunk, "now_s": now_s}
            for row in self._rows(_FIND_IDS, wanted):
                found[row.id] = entry_of(row)
        return found

    def add(self, entry: CacheEntry, vector: Vector | None, fingerprint: str) -> None:
        """Write a row behind, durable when the next outcome is; the same space and key replaces."""
        blob = vector_values(vector)

        def insert(sql: Connection) -> None:
            at = _place(entry.space, entry.key)
            sql.execute(_REPLACED, {**at, "entry_id": entry.id})
            sql.execute(_ADD, entry_values(entry, blob, fingerprint))

        self._database.write_later(insert, TOPIC)

    def grade(self, entry_id: str, good: float, bad: float) -> CacheEntry | None:
        """Add to a row's record and return the row, also when revoked; None if unknown."""
        more = {"entry_id": entry_id, "more_good": float(good), "more_bad": float(bad)}

        def grade(sql: Connection) -> Any:
            sql.execute(_GRADE, more)
            return sql.execute(_FIND_ID, {"entry_id": entry_id}).first()

        row = self._database.write(grade)
        return None if row is None else entry_of(row)

    def revoke(self, ids: Sequence[str]) -> None:
        """Make rows unservable, in every process, when this returns."""
        chunks = _chunks(ids)
        self._database.write(lambda sql: [sql.execute(_REVOKE, {"ids": c}) for c in chunks])

    def vectors(self, fingerprint: str, now_s: float) -> Iterator[IndexEntry]:
        """Vectors of all live rows made with this encoder, to rebuild an index (read by pages)."""
        wanted = {"after_id": "", "made_by": fingerprint, "now_s": now_s}
        while rows := self._rows(_VECTORS, wanted):
            for row in rows:
                vector = vector_of(row.vector)
                assert vector is not None
                yield IndexEntry(id=row.id, space=Space(row.tenant, row.scope), vector=vector)
            wanted["after_id"] = rows[-1].id

    def counts(self) -> Mapping[str, int]:
        """Numbers of rows: "live", "revoked"."""
        now = {"now_s": self._database.clock()}
        live, revoked = (self._rows(count, now)[0][0] for count in (_COUNT_LIVE, _COUNT_REVOKED))
        return {"live": live, "revoked": revoked}

    def _rows(self, statement: Select[Any], values: Mapping[str, object]) -> Sequence[Row[Any]]:
        """Committed rows, and whatever this process wrote before."""
        self._database.catch_up(TOPIC)
        return self._database.read(lambda sql: sql.execute(statement, values).all())


def _place(space: Space, key: str) -> dict[str, str]:
    return {
        "at_tenant": plain(space.tenant),
        "at_scope": plain(space.scope),
        "at_key": plain(key),
    }


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    """No database takes a list of any length."""
    return [ids[start : start + CHUNK_IDS] for start in range(0, len(ids), CHUNK_IDS)]
