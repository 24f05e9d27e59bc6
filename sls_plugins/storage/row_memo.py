"""Remembers rows of the cache, so that only what changes in them is read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sls_plugins.types import CacheEntry

__all__ = ["RowMemo"]


class RowMemo:
    """The rows that were looked at last, by id. Bounded in rows and in characters.

    It is never the truth: whether a row may be served, and its record, are read every time.
    """

    def __init__(self, rows: int = 4096, characters: int = 16_000_000) -> None:
        self._rows: OrderedDict[str, tuple[CacheEntry, int]] = OrderedDict()
        self._most_rows = rows
        self._most_characters = characters
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, entry_id: str) -> CacheEntry | None:
        """The row as it was when it was put."""
        with self._lock:
            found = self._rows.get(entry_id)
            if found is None:
                return None
            self._rows.move_to_end(entry_id)
            return found[0]

    def put(self, entry: CacheEntry) -> None:
        """Keep a row; the longest unused ones make room."""
        size = len(entry.text) + len(entry.answer.text) + len(entry.answer.payload or "")
        with self._lock:
            self._drop(entry.id)
            self._rows[entry.id] = (entry, size)
            self._characters += size
            while len(self._rows) > self._most_rows or self._characters > self._most_characters:
                self._drop(next(iter(self._rows)))

    def use(self, counts: Mapping[str, int]) -> None:
        """Rows were served so often; unknown ids are ignored."""
        with self._lock:
            for entry_id, count in counts.items():
                if (found := self._rows.get(entry_id)) is not None:
                    entry, size = found
                    self._rows[entry_id] = (replace(entry, uses=entry.uses + count), size)

    def drop(self, ids: Iterable[str]) -> None:
        """Forget rows; unknown ids are ignored."""
        with self._lock:
            for entry_id in ids:
                self._drop(entry_id)

    def clear(self) -> None:
        """Forget all rows."""
        with self._lock:
            self._rows.clear()
            self._characters = 0

    def __len__(self) -> int:
        return len(self._rows)

    def _drop(self, entry_id: str) -> None:
        _, size = self._rows.pop(entry_id, (None, 0))
        self._characters -= size
