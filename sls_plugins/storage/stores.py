"""All stores of one database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sls_plugins.errors import SettingsError
from sls_plugins.protocols import (
    Accounts,
    Clock,
    Context,
    EntryStore,
    OutcomeLog,
)
from sls_plugins.storage.accounts import SqlAccounts
from sls_plugins.storage.database import Database
from sls_plugins.storage.entries import SqlEntryStore
from sls_plugins.storage.erasure import SqlEraser
from sls_plugins.storage.events import SqlEventStore
from sls_plugins.storage.log import SqlOutcomeLog
from sls_plugins.storage.opinions import SqlFeedbackStore
from sls_plugins.storage.reports import SqlCacheReports
from sls_plugins.storage.retention import SqlRetention
from sls_plugins.storage.snapshots import SqlSnapshotStore

__all__ = ["Stores", "make", "open_stores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What keeps rows. Whoever opened it closes `database`."""

    database: Database
    entries: EntryStore
    log: OutcomeLog
    accounts: Accounts
    eraser: SqlEraser
    reports: SqlCacheReports
    snapshots: SqlSnapshotStore
    feedback: SqlFeedbackStore
    events: SqlEventStore
    retention: SqlRetention


def open_stores(url: str | None, clock: Clock) -> Stores:
    """Open a database (None: in memory) and all stores in it. Raises StorageError."""
    database = Database(url, clock)
    return Stores(
        database=database,
        entries=SqlEntryStore(database),
        log=SqlOutcomeLog(database),
        accounts=SqlAccounts(database),
        snapshots=SqlSnapshotStore(database),
        eraser=SqlEraser(database),
        reports=SqlCacheReports(database),
        feedback=SqlFeedbackStore(database),
        events=SqlEventStore(database),
        retention=SqlRetention(database),
    )


def make(context: Context, options: Mapping[str, object]) -> Stores:
    """The stores at the URL of the option `url` (None or missing: in memory).

    Raises SettingsError for other options, StorageError if the database cannot be used.
    """
    for key in options:
        if key != "url":
            raise SettingsError("store options", key, "unknown", "The only option is url.")
    url = options.get("url")
    if not (url is None or isinstance(url, str)):
        hint = "Write sqlite:///folder/name.db"
        raise SettingsError("store options", "url", f"{url!r} is not a text", hint)
    return open_stores(url, context.clock)
