"""An entry store in memory, for tests that need no database."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sls_plugins.types import CacheEntry, IndexEntry, Space, Vector

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
            self._rows[entry_id] = replace(row, good=row.good + good, bad=row.bad + bad)
            return self._rows[entry_id]

    def revoke(self, ids: Sequence[str]) -> None:
        """Make rows unservable when this returns."""
        with self._lock:
            for entry_id in ids:
                if entry_id in self._rows:
                    self._rows[entry_id] = replace(self._rows[entry_id], revoked=True)

    def vectors(self, fingerprint: str, now_s: float) -> Iterator[IndexEntry]:
        """Vectors of all live rows made with this encoder, to rebuild an index."""
        with self._lock:
            rows = [self._live(entry_id, now_s) for entry_id in self._vectors]
            found = [(row, *self._vectors[row.id]) for row in rows if row is not None]
        for row, vector, encoder in found:
            if encoder == fingerprint:
                yield IndexEntry(id=row.id, space=row.space, vector=vector)

    def counts(self) -> Mapping[str, int]:
        """Numbers of rows: "live", "revoked"."""
        with self._lock:
            revoked = sum(row.revoked for row in self._rows.values())
            return {"live": len(self._rows) - revoked, "revoked": revoked}

    def _live(self, entry_id: str, now_s: float) -> CacheEntry | None:
        row = self._rows.get(entry_id)
        if row is None or row.revoked or (row.expires_s is not None and row.expires_s <= now_s):
            return None
        return row
