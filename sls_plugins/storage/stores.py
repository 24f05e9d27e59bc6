"""All stores of one database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

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
from sls_plugins.storage.erasure import SeveralErasers, SqlEraser
from sls_plugins.storage.events import SqlEventStore
from sls_plugins.storage.log import SqlOutcomeLog
from sls_plugins.storage.opinions import SqlFeedbackStore
from sls_plugins.storage.reports import SqlCacheReports
from sls_plugins.storage.retention import SqlRetention
from sls_plugins.storage.snapshots import SqlSnapshotStore
from sls_plugins.types import StoreText, Texts

__all__ = ["Stores", "make", "open_stores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What keeps rows. Whoever opened it closes `database`."""

    database: Database
    entries: EntryStore
    log: OutcomeLog
    accounts: Accounts
    eraser: SqlEraser | SeveralErasers
    reports: SqlCacheReports
    snapshots: SqlSnapshotStore
    feedback: SqlFeedbackStore
    events: SqlEventStore
    retention: SqlRetention
    texts: Texts


def open_stores(url: str | None, clock: Clock, store_text: StoreText = "full") -> Stores:
    """Open a database (None: in memory) and all stores in it. Raises StorageError.

    Where texts must not be kept (`store_text="none"`), the cache's rows stay in memory.
    """
    database = Database(url, clock)
    salt = database.secret("text_salt") if store_text == "hash" else b""
    texts = Texts(mode=store_text, salt=salt)
    rows = Database(None, clock) if store_text == "none" else database
    erasers = [SqlEraser(one) for one in {id(rows): rows, id(database): database}.values()]
    return Stores(
        database=database,
        entries=SqlEntryStore(rows, Texts() if rows is not database else texts),
        log=SqlOutcomeLog(database, texts),
        accounts=SqlAccounts(database),
        snapshots=SqlSnapshotStore(database),
        eraser=erasers[0] if len(erasers) == 1 else SeveralErasers(erasers),
        texts=texts,
        feedback=SqlFeedbackStore(database, texts),
        reports=SqlCacheReports(database),
        events=SqlEventStore(database),
        retention=SqlRetention(database),
    )


def make(context: Context, options: Mapping[str, object]) -> Stores:
    """The stores at the URL of the option `url` (None or missing: in memory).

    Raises SettingsError for other options, StorageError if the database cannot be used.
    """
    for key in options:
        if key not in {"url", "store_text"}:
            problem = "Options are url and store_text."
            raise SettingsError("store options", key, "unknown", problem)
    url = options.get("url")
    if not (url is None or isinstance(url, str)):
        hint = "Write sqlite:///folder/name.db"
        raise SettingsError("store options", "url", f"{url!r} is not a text", hint)
    mode = options.get("store_text", "full")
    if mode not in get_args(StoreText):
        raise SettingsError(
            "store options", "store_text", f"{mode!r} is no mode", "Write full, hash or none"
        )
    return open_stores(url, context.clock, cast("StoreText", mode))
