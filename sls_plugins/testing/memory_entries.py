"""An entry store in memory, for tests that need no database."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sls_plugins.types import CacheEntry, IndexEntry, Resident, Selection, Space, Vector

__all__ = ["MemoryEntryStore"]


class MemoryEntryStore:
    """An `EntryStore` that lives in this process and keeps nothing. Threads may share it."""

    def __init__(self) -> None:
        self._rows: dict[str, CacheEntry] = {}
        self._vectors: dict[str, tuple[Vector, str]] = {}
        self._keys: dict[tuple[Space, str], str] = {}
        self._lock = threading.Lock()

    def find_key(self, space: Space, key: str, now_s: float) -> CacheEntry | None:
        """The live row with this exact key, if any."""
        with self._lock:
            return self._live(self._keys.get((space, key), ""), now_s)

    def find_ids(self, ids: Sequence[str], now_s: float) -> Mapping[str, CacheEntry]:
        """The live rows among these ids."""
        with self._lock:
            rows = (self._live(entry_id, now_s) for entry_id in ids)
            return {row.id: row for row in rows if row is not None}

    def add(self, entry: CacheEntry, vector: Vector | None, fingerprint: str) -> None:
        """Write a row; the same space and key replaces."""
        with self._lock:
            old = self._keys.get((entry.space, entry.key))
            if old is not None:
                self._rows.pop(old, None)
                self._vectors.pop(old, None)
            self._rows[entry.id] = entry
            self._keys[entry.space, entry.key] = entry.id
            if vector is not None:
                self._vectors[entry.id] = (vector.copy(), fingerprint)

    def grade(self, entry_id: str, good: float, bad: float) -> CacheEntry | None:
        """Add to a row's record and return the row, also when revoked; None if unknown."""
        with self._lock:
            row = self._rows.get(entry_id)
            if row is None:
                return None
            row = self._rows[entry_id] = replace(row, good=row.good + good, bad=row.bad + bad)
            return self._answered(row)

    def revoke(self, ids: Sequence[str]) -> None:
        """Make rows (and their aliases) unservable when this returns."""
        with self._lock:
            for entry_id in ids:
                if entry_id in self._rows:
                    self._rows[entry_id] = replace(self._rows[entry_id], revoked=True)

    def erase(self, ids: Sequence[str]) -> None:
        """Delete rows (and their aliases)."""
        with self._lock:
            for row in [*self._rows.values()]:
                if row.id in ids or row.alias_of in ids:
                    del self._rows[row.id]
                    del self._keys[row.space, row.key]
                    self._vectors.pop(row.id, None)

    def sweep(self, long_ago_s: float) -> None:
        """Delete what cannot be served any more, if it was made or ended before that time."""
        with self._lock:
            ended = [row.id for row in self._rows.values() if self._is_over(row, long_ago_s)]
        self.erase(ended)

    def _is_over(self, row: CacheEntry, long_ago_s: float) -> bool:
        expired = row.expires_s is not None and row.expires_s <= long_ago_s
        revoked = row.revoked and row.created_s <= long_ago_s
        return expired or revoked or (row.alias_of is not None and row.alias_of not in self._rows)

    def use(self, counts: Mapping[str, int]) -> None:
        """Add to how often rows were served."""
        with self._lock:
            for entry_id, count in counts.items():
                if entry_id in self._rows:
                    row = self._rows[entry_id]
                    self._rows[entry_id] = replace(row, uses=row.uses + count)

    def vectors(self, fingerprint: str, now_s: float) -> Iterator[IndexEntry]:
        """Vectors of all live rows made with this encoder, to rebuild an index."""
        with self._lock:
            rows = [self._live(entry_id, now_s) for entry_id in self._vectors]
            found = [(row, *self._vectors[row.id]) for row in rows if row is not None]
        for row, vector, encoder in found:
            if encoder == fingerprint:
                yield IndexEntry(id=row.id, space=row.space, vector=vector)

    def residents(self, now_s: float) -> Iterator[Resident]:
        """All live rows, the oldest first."""
        with self._lock:
            rows = [row for each in self._rows if (row := self._live(each, now_s))]
        for row in sorted(rows, key=lambda one: (one.created_s, one.id)):
            yield Resident(
                id=row.id,
                cost_usd=0.0 if row.alias_of else row.answer.cost_usd or 0.0,
                bytes=row.bytes,
                uses=row.uses,
                good=row.good,
                bad=row.bad,
                alias_of=row.alias_of,
            )

    def select(self, wanted: Selection) -> Sequence[str]:
        """Ids of the rows that are meant, also of those not live, and of their aliases."""
        with self._lock:
            found = [row.id for row in self._rows.values() if _is_meant(row, wanted)]
            return [
                row.id for row in self._rows.values() if row.id in found or row.alias_of in found
            ]

    def counts(self) -> Mapping[str, int]:
        """Numbers of rows: "live", "revoked"."""
        with self._lock:
            revoked = sum(row.revoked for row in self._rows.values())
            return {"live": len(self._rows) - revoked, "revoked": revoked}

    def _live(self, entry_id: str, now_s: float) -> CacheEntry | None:
        row = self._rows.get(entry_id)
        if row is None or not _is_live(row, now_s):
            return None
        root = self._rows.get(row.alias_of) if row.alias_of else row
        return self._answered(row) if root is not None and _is_live(root, now_s) else None

    def _answered(self, row: CacheEntry) -> CacheEntry:
        """The row; an alias with the answer that it shares."""
        root = self._rows.get(row.alias_of) if row.alias_of else None
        return row if root is None else replace(row, answer=root.answer, query_id=root.query_id)


def _is_live(row: CacheEntry, now_s: float) -> bool:
    return not row.revoked and (row.expires_s is None or row.expires_s > now_s)


def _is_meant(row: CacheEntry, wanted: Selection) -> bool:
    return (
        (wanted.ids is None or row.id in wanted.ids)
        and (wanted.tenant is None or row.space.tenant == wanted.tenant)
        and (wanted.scope is None or row.space.scope.startswith(wanted.scope))
        and (wanted.key is None or row.key == wanted.key)
        and (wanted.before_s is None or row.created_s <= wanted.before_s)
    )
