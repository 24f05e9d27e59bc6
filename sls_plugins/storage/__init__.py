"""Rows in SQL: the cache's entries, decisions, their outcomes, money, learnt state."""

from __future__ import annotations

from sls_plugins.storage.accounts import SqlAccounts
from sls_plugins.storage.database import Database
from sls_plugins.storage.entries import SqlEntryStore
from sls_plugins.storage.erasure import SeveralErasers, SqlEraser
from sls_plugins.storage.events import SqlEventStore
from sls_plugins.storage.log import SqlOutcomeLog
from sls_plugins.storage.opinions import SqlFeedbackStore
from sls_plugins.storage.snapshots import SqlSnapshotStore
from sls_plugins.storage.stores import Stores, make, open_stores

__all__ = [
    "Database",
    "SeveralErasers",
    "SqlAccounts",
    "SqlEntryStore",
    "SqlEraser",
    "SqlEventStore",
    "SqlFeedbackStore",
    "SqlOutcomeLog",
    "SqlSnapshotStore",
    "Stores",
    "make",
    "open_stores",
]
