"""Writes changes behind the caller's back, in batches, in one thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sls_chroma.shelves import CHROMA_ERRORS
from sls_plugins.errors import StorageError
from sls_plugins.types import IndexEntry

__all__ = ["Changes", "Place", "Writer"]

Place: TypeAlias = tuple[str, str]
"""A tenant and an id."""

Changes: TypeAlias = Mapping[Place, IndexEntry | None]
"""What becomes of a place: an entry is written, or (None) what is there is erased."""

_log = logging.getLogger(__name__)


class Writer:
    """A queue of changes, newest per place, and the thread that hands them on.

    A batch that fails stays in the queue: it is tried again with the next change; `flush` tells.
    """

    def __init__(
        self, write: Callable[[Changes], None], place: str, batch: int, linger_s: float
    ) -> None:
        """The first change waits `linger_s` seconds for others, or until there are `batch`."""
        self._write = write
        self._place = place
        self._batch = batch
        self._linger_s = linger_s
        self._waiting: dict[Place, IndexEntry | None] = {}
        self._busy = False
        self._urgent = False
        self._closed = False
        self._ended = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sls-chroma-writer", daemon=True)
        self._thread.start()

    def put(self, changes: Changes) -> None:
        """Queue changes; the newest for an id counts. Raises StorageError once closed."""
        with self._changed:
            if self._closed:
                raise StorageError(self._place, "the index is closed")
            self._waiting.update(changes)
            self._error = None
            self._changed.notify_all()

    def flush(self) -> None:
        """Return when all that was queued is written. Raises StorageError if it cannot be."""
        with self._changed:
            self._error = None
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(self._is_settled)
            self._urgent = False
            if self._ended and (self._waiting or self._busy):
                raise StorageError(self._place, "the thread that writes changes has stopped")
            if self._error is not None:
                raise StorageError(
                    self._place, f"changes were not written: {self._error}", retryable=True
                ) from self._error

    def close(self) -> None:
        """Flush, then end the thread, also when the flush fails; a second call does nothing."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # whatever ended it: nobody may wait for it
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._closed:
                    return
                self._changed.wait_for(self._is_due, self._linger_s)
                changes, self._waiting = self._waiting, {}
                self._busy = True
            error = self._hand_on(changes)
            with self._changed:
                self._busy = False
                if error is not None:
                    self._waiting = {**changes, **self._waiting}
                    self._error = error
                self._changed.notify_all()

    def _has_work(self) -> bool:
        return self._closed or (bool(self._waiting) and self._error is None)

    def _is_settled(self) -> bool:
        return self._error is not None or self._ended or not (self._waiting or self._busy)

    def _is_due(self) -> bool:
        return self._urgent or self._closed or len(self._waiting) >= self._batch

    def _hand_on(self, changes: Changes) -> Exception | None:
        try:
            self._write(changes)
        except CHROMA_ERRORS as error:
            _log.warning("index at %s: %d changes wait: %s", self._place, len(changes), error)
            return error
        return None
