"""What differs between databases: how to connect, how to lock, how they word their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, StaticPool

from sls_plugins.errors import MissingExtraError, StorageError

__all__ = [
    "BEGIN",
    "Place",
    "locate",
    "make_engine",
    "overwrite_deleted",
    "prepare",
    "storage_error",
]

CONNECT_S = 5
"""Seconds that a request waits at most for a server that does not answer."""

BUSY_TIMEOUT_MS = 10_000

BEGIN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sqlite": ("BEGIN IMMEDIATE",),
        # One writing transaction at a time, as in SQLite: `seq` then grows in the order of commits,
        # so that a reader of the log never skips a line, and sums of money cannot race.
        "postgresql": ("BEGIN", "SELECT pg_advisory_xact_lock(7303014)"),
    }
)
"""Statements that begin a transaction which excludes all other writers, by dialect."""

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "unable to open database file": "see that the file and its folder may be read and written",
        "readonly database": "give this user the right to write the file and its folder",
        "disk is full": "make room on the disk; what is in memory goes on working meanwhile",
        "disk i/o error": "check the disk; SQLite needs a local file system, not a network share",
        "not a database": "it is another kind of file, or damaged: move it away, or name another",
        "malformed": "the file is damaged: restore a copy, or move it away and start anew",
        "locked": "another process has been writing for very long; a retry may help",
        "could not connect": "check host, port and that the server is running; a retry may help",
        "connection failed": "check host, port, user and that the server runs; a retry may help",
    }
)

_SECRETS = ("password", "passwd", "sslpassword")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database is: its URL, the same without a password, and whether it is in memory."""

    url: URL
    shown: str
    in_memory: bool

    @property
    def begin(self) -> tuple[str, ...]:
        """The statements that begin an excluding transaction here."""
        return BEGIN[self.url.get_backend_name()]


def locate(url: str | None) -> Place:
    """Read a database URL; None is a database in memory.

    Raises StorageError if the URL or its folder cannot be used, MissingExtraError without driver.
    """
    try:
        parsed = make_url(url or "sqlite://")
    except ArgumentError as error:
        problem = "this is no database URL; for a file write sqlite:///folder/name.db"
        raise StorageError(str(url), problem) from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    place = Place(url=parsed, shown=_masked(parsed), in_memory=_is_memory(parsed))
    if parsed.get_backend_name() not in BEGIN:
        raise StorageError(place.shown, f"not supported; these are: {', '.join(BEGIN)}")
    if parsed.drivername == "postgresql+psycopg" and find_spec("psycopg") is None:
        raise MissingExtraError("a PostgreSQL database", "psycopg", "postgres")
    _check_folder(place)
    return place


def make_engine(place: Place) -> Engine:
    """Connections that commit by themselves; transactions are begun and ended in plain words."""
    sqlite = place.url.get_backend_name() == "sqlite"
    engine = create_engine(
        place.url,
        poolclass=StaticPool if place.in_memory else NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False} if sqlite else {"connect_timeout": CONNECT_S},
        hide_parameters=True,
    )
    if sqlite:
        event.listen(engine, "connect", _set_pragmas)
    return engine


def prepare(connection: Connection) -> None:
    """Set what lasts: write-ahead logging on SQLite, so that readers never wait for writers."""
    if connection.dialect.name != "sqlite":
        return
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def overwrite_deleted(connection: Connection) -> None:
    """From now on overwrite what this connection deletes, where a database offers that."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON").close()


def storage_error(place: Place, error: SQLAlchemyError) -> StorageError:
    """The same error in this project's words: which database, what is wrong, what to do."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    problem = str(cause).strip() or type(cause).__name__
    lowered = problem.lower()
    hint = next((hint for words, hint in _HINTS.items() if words in lowered), "")
    dropped = isinstance(error, DBAPIError) and error.connection_invalidated
    retryable = dropped or "a retry may help" in hint
    return StorageError(place.shown, f"{problem}: {hint}" if hint else problem, retryable=retryable)


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _is_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _masked(url: URL) -> str:
    hidden = {key: "***" for key in url.query if key.lower() in _SECRETS}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _check_folder(place: Place) -> None:
    """SQLite says the same of every file it cannot open; say what is missing."""
    name = place.url.database
    if place.in_memory or place.url.get_backend_name() != "sqlite" or name is None:
        return
    folder = Path(name.removeprefix("file:")).parent
    if not folder.is_dir():
        raise StorageError(place.shown, f"there is no folder {str(folder)!r}: create it first")
