"""One database: reads from many threads, writes in order."""

from __future__ import annotations

import importlib
import os
import weakref
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from sls_plugins.errors import StorageError
from sls_plugins.protocols import Clock
from sls_plugins.storage.access import DirectAccess, QueuedAccess
from sls_plugins.storage.dialect import Place, locate, make_engine, prepare, storage_error
from sls_plugins.storage.tables import METADATA, SCHEMA_VERSION, meta
from sls_plugins.storage.transactor import Losses, Operation, Transactor

__all__ = ["Database"]

T = TypeVar("T")

UPGRADES = "sls_plugins.storage.upgrades"
"""Imported by name when an older database is met: Alembic is slow to import."""


class Database:
    """Rows in SQLite (a file, or memory for `url=None`) or PostgreSQL. Threads may share it.

    Writes are queued for one thread, which commits all that are waiting at once: what `write`
    returned, and what was queued before it, survives the death of this process (on SQLite with
    `synchronous=NORMAL`, the newest commits may be lost if the whole machine loses its power).
    Several processes may use one file. Raises StorageError if the database cannot be used.
    """

    def __init__(self, url: str | None, clock: Clock) -> None:
        self.clock = clock
        self._place = locate(url)
        self._pid = os.getpid()
        self._losses = Losses(self._place)
        engine = make_engine(self._place)
        transactor = Transactor(engine, self._place)
        with ExitStack() as undo:
            undo.callback(transactor.close)
            _create(transactor, self._place)
            undo.pop_all()
        self._access = self._share(transactor)
        self._finalizer = weakref.finalize(self, _close, self._pid, self._access, engine)

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self._place.shown

    @property
    def in_memory(self) -> bool:
        """Nothing outlives the process, and no other sees it."""
        return self._place.in_memory

    @property
    def losses(self) -> Losses:
        """Writes behind that were lost since it was opened: how many, and the newest failures."""
        return self._losses

    @property
    def held(self) -> int:
        """How many writes are kept in memory until the database can write again."""
        return self._access.waiting[0] if self._access.waiting else 0

    def exchange(self, name: str, value: str) -> str | None:
        """Keep a text under a name, and return the one before; all processes see the same."""

        def swap(sql: Connection) -> str | None:
            known = sql.execute(select(meta.c.value).where(meta.c.key == name)).scalar()
            if known is None:
                sql.execute(meta.insert(), {"key": name, "value": value})
            elif known != value:
                sql.execute(meta.update().where(meta.c.key == name).values(value=value))
            return None if known is None else str(known)

        return self.write(swap)

    def secret(self, name: str) -> bytes:
        """Random bytes of this database's own, made once and the same for every process."""
        made = os.urandom(32).hex()

        def keep(sql: Connection) -> str:
            wanted = select(meta.c.value).where(meta.c.key == name)
            known = sql.execute(wanted).scalar()
            if known is None:
                sql.execute(meta.insert(), {"key": name, "value": made})
            return str(known or made)

        return bytes.fromhex(self.write(keep))

    def read(self, operation: Operation[T]) -> T:
        """Run it on committed rows, in the caller's thread."""
        self._check_usable()
        try:
            return self._access.read(operation)
        except SQLAlchemyError as error:
            raise storage_error(self._place, error) from error

    def write(self, operation: Operation[T], *, keep: bool = False) -> T:
        """Run it in a transaction; returns its result when that is committed.

        If it raises, nothing of it is kept; with `keep`, what failed because the database is away
        (a restart, a full disk) is written when it is back. It may be run twice (again on its own,
        when another operation of the same transaction failed). Raises StorageError without running
        it, once, if the database lost writes behind before.
        """
        self._check_usable()
        self._losses.report()
        try:
            return self._access.write(operation, keep=keep)
        except SQLAlchemyError as error:
            raise storage_error(self._place, error) from error

    def write_later(self, operation: Operation[object], topic: str = "") -> None:
        """Queue it behind all earlier writes; `topic` is a word for `catch_up`.

        While the database is away it is kept in memory, up to 10,000 of them. What fails is logged,
        and counted in `losses`.
        """
        self._check_usable()
        self._access.write_later(operation, topic)

    def catch_up(self, topic: str) -> None:
        """Return when the writes behind of this topic are committed (or lost)."""
        self._check_usable()
        self._access.catch_up(topic)

    def flush(self) -> None:
        """Return when all queued writes are committed.

        Raises StorageError if some were lost, or wait until the database can write again.
        """
        self._check_usable()
        self._access.flush()
        self._losses.report()
        if waiting := self._access.waiting:
            count, error = waiting
            problem = f"{count} writes wait in memory until it can write again: {error}"
            raise StorageError(self.url, problem, retryable=True) from error

    def close(self) -> None:
        """Write what is queued, then let go of all connections. May be called again."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _share(self, transactor: Transactor) -> DirectAccess | QueuedAccess:
        if self._place.in_memory:
            return DirectAccess(transactor, self._losses)
        return QueuedAccess(transactor, self._losses, self._place)

    def _check_usable(self) -> None:
        if os.getpid() != self._pid:
            problem = (
                "it was opened before this process was forked; open it in the child, after the fork"
            )
            raise StorageError(self.url, problem)
        if not self._finalizer.alive:
            raise StorageError(self.url, "it is closed; open it again")


def _create(transactor: Transactor, place: Place) -> None:
    """Make the tables, or bring older ones up; refuse those of a newer version."""
    try:
        prepare(transactor.connection)
        found = _stored_version(transactor.connection)
        if found is None or found < SCHEMA_VERSION:
            [found] = transactor.run([_bring_up])
    except SQLAlchemyError as error:
        raise storage_error(place, error) from error
    if found != SCHEMA_VERSION:
        problem = (
            f"its tables have version {found}, this program knows version {SCHEMA_VERSION}: "
            "upgrade sls-plugins, or use another database"
        )
        raise StorageError(place.shown, problem)


def _stored_version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(meta.name):
        return None
    stored = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
    return None if stored is None else int(stored)


def _bring_up(connection: Connection) -> int:
    """In one excluding transaction, so that several processes may start at the same time."""
    found = _stored_version(connection)
    if found is None:
        METADATA.create_all(connection)
        values = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
        connection.execute(meta.insert(), values)
        return SCHEMA_VERSION
    if found < SCHEMA_VERSION:
        importlib.import_module(UPGRADES).upgrade(connection, found, SCHEMA_VERSION)
        stamp = meta.update().where(meta.c.key == "schema_version")
        connection.execute(stamp.values(value=str(SCHEMA_VERSION)))
    return max(found, SCHEMA_VERSION)


def _close(pid: int, access: DirectAccess | QueuedAccess, engine: Engine) -> None:
    """Run by `close`, by the garbage collector or at the interpreter's exit, whichever is first."""
    if os.getpid() != pid:
        return  # the thread and the connections belong to the process that we were forked from
    access.close()
    engine.dispose()
