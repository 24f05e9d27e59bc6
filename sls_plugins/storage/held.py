"""Writes that the database could not take for the moment, kept in memory until it can."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from itertools import islice
from typing import Any

from sqlalchemy.exc import DBAPIError

from sls_plugins.storage.transactor import (
    CannotBeginError,
    Losses,
    Operation,
    Transactor,
    was_cut_off,
)

__all__ = ["Held", "is_away"]

MOST_OPERATIONS = 10_000
"""What is kept at most: some 40 MB where every decision has a vector."""

TOGETHER = 256

SQLITE_AWAY = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    )
)
POSTGRES_AWAY = ("08", "25006", "40", "53", "57P")
"""Connection, read-only server, deadlock, resources (a full disk), shutdown."""

_log = logging.getLogger(__name__)


def is_away(error: Exception) -> bool:
    """Whether the database could not write at all: the same write may succeed later."""
    if isinstance(error, CannotBeginError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in SQLITE_AWAY
    return was_cut_off(error) or str(getattr(error.orig, "sqlstate", "")).startswith(POSTGRES_AWAY)


class Held:
    """Operations in order. For the writing thread alone, but `len` may be asked by all."""

    def __init__(
        self,
        transactor: Transactor,
        losses: Losses,
        may_end: tuple[type[Exception], ...],
    ) -> None:
        """`may_end` are the errors an operation may end with."""
        self._transactor = transactor
        self._losses = losses
        self._may_end = may_end
        self._operations: deque[Operation[Any]] = deque()
        self.error: Exception | None = None
        """Why the newest was kept."""

    def __len__(self) -> int:
        return len(self._operations)

    def add(self, operation: Operation[Any], error: Exception) -> None:
        """Keep it; beyond `MOST_OPERATIONS` it is lost, and that is told."""
        if len(self._operations) >= MOST_OPERATIONS:
            self._losses.add(error)
            return
        if not self._operations:
            _log.error("the database cannot write, so writes are kept in memory: %s", error)
        self._operations.append(operation)
        self.error = error

    def retry(self) -> None:
        """Write what is kept, oldest first, until the database refuses again."""
        kept, together = len(self._operations), TOGETHER
        while self._operations:
            count = min(together, len(self._operations))
            error = self._refused(count)
            if error is None:
                together = TOGETHER
            elif count > 1:
                together = 1  # there may be room for some, or one of them may be at fault
                continue
            elif is_away(error):
                self.error = error
                return
            else:
                self._losses.add(error)
            for _ in range(count):
                self._operations.popleft()
        if kept:
            _log.warning("the database writes again; %d writes were kept until now", kept)

    def give_up(self) -> None:
        """Nobody will write any more: what is still kept is lost, and that is told."""
        while self._operations:
            self._operations.popleft()
            self._losses.add(self.error or RuntimeError("never written"))

    def _refused(self, count: int) -> Exception | None:
        try:
            self._transactor.run(list(islice(self._operations, count)))
        except self._may_end as error:
            return error
        return None
