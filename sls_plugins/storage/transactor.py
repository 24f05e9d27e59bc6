"""One transaction at a time on one connection, with a memory for what was lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from sls_plugins.errors import StorageError
from sls_plugins.storage.dialect import Place, storage_error
from sls_plugins.storage.quick import run_words

__all__ = ["CannotBeginError", "Losses", "Operation", "Transactor", "was_cut_off"]

T = TypeVar("T")
Operation: TypeAlias = Callable[[Connection], T]
"""Statements of one caller. It may be run again after a rollback, so it keeps nothing outside."""

_logger = logging.getLogger(__name__)


def was_cut_off(error: SQLAlchemyError) -> bool:
    """Has the server closed the connection (a restart)? Then nothing of this was done."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


class CannotBeginError(StorageError):
    """No transaction could be begun: it is nobody's operation that is at fault."""


class Losses:
    """Remembers writes behind that failed, and whether the disk was to blame."""

    def __init__(self, place: Place, keep: int = 100) -> None:
        self._place = place
        self._newest: deque[Exception] = deque(maxlen=keep)
        self._unreported = 0
        self.count = 0

    @property
    def newest(self) -> tuple[Exception, ...]:
        """The newest failures, oldest first."""
        return tuple(self._newest)

    def add(self, error: Exception) -> None:
        """Take note of one lost write."""
        _logger.error("a write behind to %s was lost: %s", self._place.shown, error)
        self._newest.append(error)
        self.count += 1
        if isinstance(error, (OperationalError, StorageError)):
            self._unreported += 1

    def report(self) -> None:
        """Raise StorageError, once, if the database lost writes since the last report."""
        lost, self._unreported = self._unreported, 0
        if lost:
            problem = f"{lost} earlier writes were lost; the last failure was: {self._newest[-1]}"
            raise StorageError(self._place.shown, problem, retryable=True) from self._newest[-1]


class Transactor:
    """One connection that writes. Not for two threads at the same time."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self.engine = engine
        self._place = place
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, opened when it is needed."""
        if self._connection is None:
            self._connection = self.engine.connect()
        return self._connection

    def run(self, operations: Sequence[Operation[Any]]) -> list[Any]:
        """Run them in one transaction, all or none. Raises what the first failing one raises."""
        committed = False
        try:
            connection = self._begin()
            results = [operation(connection) for operation in operations]
            run_words(connection, "COMMIT")
            committed = True
        finally:
            if not committed:
                self._roll_back()
        return results

    def close(self) -> None:
        """Let go of the connection; the next `run` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _begin(self, *, again: bool = False) -> Connection:
        """Begin; once more on a new connection if the server had cut this one off meanwhile."""
        try:
            for statement in self._place.begin:
                run_words(self.connection, statement)
        except SQLAlchemyError as error:
            served = self._place.url.get_backend_name() != "sqlite"
            if served and isinstance(error, OperationalError) and not again:
                self.close()
                return self._begin(again=True)
            told = storage_error(self._place, error)
            raise CannotBeginError(told.url, told.problem, retryable=told.retryable) from error
        return self.connection

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError:
            # Rolled back by the database itself, or no longer connected: start afresh.
            self.close()
