"""The rows of the cache in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select

from sls_plugins.storage import entry_statements as statements
from sls_plugins.storage.codec import plain, vector_of, vector_values
from sls_plugins.storage.database import Database
from sls_plugins.storage.entry_codec import entry_of, entry_values
from sls_plugins.storage.row_memo import RowMemo
from sls_plugins.types import (
    CacheEntry,
    IndexEntry,
    Query,
    Resident,
    Selection,
    Space,
    Texts,
    Vector,
)

__all__ = ["SqlEntryStore"]

TOPIC = "entries"
CHUNK_IDS = 500

_ROOMS = ((1, statements.FRESH_ONE), (10, statements.FRESH_FEW), (500, statements.FRESH_MANY))
"""Statements by how many ids they take."""

Fresh: TypeAlias = tuple[Any, ...]
"""What changes in a row: id, good, bad, when it expires."""


class SqlEntryStore:
    """An `EntryStore` in a database. Threads and processes may share it.

    Rows that were read lately are remembered; of these only what changes is read again. So
    whatever any process committed is seen by the next look-up in every other one.
    """

    def __init__(self, database: Database, texts: Texts | None = None) -> None:
        """`texts` says what is kept of queries' texts: all, where nothing is said."""
        self._texts = texts or Texts()
        self._database = database
        self._memo = RowMemo()

    def find_key(self, space: Space, key: str, now_s: float) -> CacheEntry | None:
        """The live row with this exact key, if any."""
        wanted = {**_place(space, key), "now_s": now_s}
        self._database.catch_up(TOPIC)
        fresh = self._database.read(partial(statements.FRESH_KEY.rows, values=wanted))
        return self._whole(fresh, now_s).get(fresh[0][0]) if fresh else None

    def find_ids(self, ids: Sequence[str], now_s: float) -> Mapping[str, CacheEntry]:
        """The live rows among these ids."""
        found: dict[str, CacheEntry] = {}
        self._database.catch_up(TOPIC)
        for chunk in _chunks(ids):
            room, quick = next(one for one in _ROOMS if len(chunk) <= one[0])
            padded = [*chunk, *[chunk[-1]] * (room - len(chunk))]
            wanted: dict[str, object] = {f"id_{at}": each for at, each in enumerate(padded)}
            wanted["now_s"] = now_s
            fresh = self._database.read(partial(quick.rows, values=wanted))
            found.update(self._whole(fresh, now_s))
        return found

    def add(self, entry: CacheEntry, vector: Vector | None, fingerprint: str) -> None:
        """Write a row behind, durable when the next outcome is; the same space and key replaces."""
        values = entry_values(entry, vector_values(vector), fingerprint)
        values["text"] = self._texts.query(Query(text=values["text"], id=entry.query_id)).text
        at = {**_place(entry.space, entry.key), "entry_id": entry.id}
        self._memo.drop([entry.id])
        if entry.alias_of is None:  # else its answer is another row's
            self._memo.put(entry_of(SimpleNamespace(**values)))

        def insert(sql: Connection) -> None:
            statements.REPLACED.run(sql, at)
            statements.ADD.run(sql, values)

        self._database.write_later(insert, TOPIC)

    def grade(self, entry_id: str, good: float, bad: float) -> CacheEntry | None:
        """Add to a row's record and return the row, also when revoked; None if unknown."""
        more = {"entry_id": entry_id, "more_good": float(good), "more_bad": float(bad)}

        def grade(sql: Connection) -> Any:
            sql.execute(statements.GRADE, more)
            return sql.execute(statements.FIND_ID, {"entry_id": entry_id}).first()

        row = self._database.write(grade)
        return None if row is None else entry_of(row)

    def revoke(self, ids: Sequence[str]) -> None:
        """Make rows (and their aliases) unservable, in every process, when this returns."""
        chunks = _chunks(ids)
        self._database.write(
            lambda sql: [sql.execute(statements.REVOKE, {"ids": chunk}) for chunk in chunks]
        )

    def erase(self, ids: Sequence[str]) -> None:
        """Delete rows (and their aliases)."""
        chunks = _chunks(ids)
        self._database.write(
            lambda sql: [sql.execute(statements.ERASE, {"ids": chunk}) for chunk in chunks]
        )
        self._memo.clear()

    def sweep(self, long_ago_s: float) -> None:
        """Delete, behind, what cannot be served any more, if it was made or ended before."""
        wanted = {"long_ago_s": long_ago_s}
        self._database.write_later(lambda sql: sql.execute(statements.SWEEP, wanted), TOPIC)

    def use(self, counts: Mapping[str, int]) -> None:
        """Add to how often rows were served (written behind)."""
        more = [{"entry_id": each, "more": count} for each, count in counts.items()]
        if more:
            self._memo.use(counts)
            self._database.write_later(lambda sql: sql.execute(statements.USE, more), TOPIC)

    def vectors(self, fingerprint: str, now_s: float) -> Iterator[IndexEntry]:
        """Vectors of all live rows made with this encoder, to rebuild an index (read by pages)."""
        wanted = {"after_id": "", "made_by": fingerprint, "now_s": now_s}
        while rows := self._rows(statements.VECTORS, wanted):
            for row in rows:
                vector = vector_of(row.vector)
                assert vector is not None
                yield IndexEntry(id=row.id, space=Space(row.tenant, row.scope), vector=vector)
            wanted["after_id"] = rows[-1].id

    def residents(self, now_s: float) -> Iterator[Resident]:
        """All live rows, the oldest first."""
        for row in self._rows(statements.RESIDENTS, {"now_s": now_s}):
            yield Resident(
                id=row.id,
                cost_usd=row.cost_usd or 0.0,
                bytes=row.bytes,
                uses=row.uses,
                good=row.good,
                bad=row.bad,
                alias_of=row.alias_of,
            )

    def select(self, wanted: Selection) -> Sequence[str]:
        """Ids of the rows that are meant, also of those not live, and of their aliases."""
        found = [row.id for row in self._rows(*statements.selected(wanted))]
        aliases: list[str] = []
        for chunk in _chunks(found):
            aliases += [row.id for row in self._rows(statements.ALIASES, {"ids": chunk})]
        return [*found, *sorted(set(aliases).difference(found))]

    def counts(self) -> Mapping[str, int]:
        """Numbers of rows: "live", "revoked"."""
        now = {"now_s": self._database.clock()}
        live = self._rows(statements.COUNT_LIVE, now)[0][0]
        revoked = self._rows(statements.COUNT_REVOKED, {})[0][0]
        return {"live": live, "revoked": revoked}

    def _whole(self, fresh: Sequence[Fresh], now_s: float) -> dict[str, CacheEntry]:
        """Rows with what was just read of them; those not remembered are read in full."""
        known = {row[0]: self._memo.get(row[0]) for row in fresh}
        missing = [entry_id for entry_id, entry in known.items() if entry is None]
        if missing:
            wanted = {"ids": missing, "now_s": now_s}
            for row in self._rows(statements.FIND_IDS, wanted):
                known[row.id] = read = entry_of(row)
                self._memo.put(read)
        whole: dict[str, CacheEntry] = {}
        for entry_id, good, bad, expires_s in fresh:
            entry = known[entry_id]
            if entry is not None:  # it may have gone between two reads
                if (good, bad, expires_s) != (entry.good, entry.bad, entry.expires_s):
                    entry = replace(entry, good=good, bad=bad, expires_s=expires_s)
                    self._memo.put(entry)
                whole[entry_id] = entry
        return whole

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
