"""Forgets one tenant: its cached answers, decisions and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from sls_plugins.storage.codec import plain
from sls_plugins.storage.database import Database
from sls_plugins.storage.dialect import overwrite_deleted
from sls_plugins.storage.tables import cache_entries, decisions, outcomes

__all__ = ["Erased", "forget_tenant"]

_tenants = select(decisions.c.id).where(decisions.c.tenant == bindparam("erased"))
_OUTCOMES = delete(outcomes).where(outcomes.c.decision_id.in_(_tenants))
_DECISIONS = delete(decisions).where(decisions.c.tenant == bindparam("erased"))
_ENTRIES = delete(cache_entries).where(cache_entries.c.tenant == bindparam("erased"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows were forgotten."""

    entries: int
    decisions: int
    outcomes: int


def forget_tenant(database: Database, tenant: str) -> Erased:
    """Delete all rows that hold texts or vectors of a tenant; sums of money remain.

    What was learnt from them remains as numbers. An index that holds their vectors is cleaned by
    rebuilding it from the remaining rows. SQLite overwrites what was deleted.
    """
    erased = {"erased": plain(tenant)}

    def forget(sql: Connection) -> Erased:
        overwrite_deleted(sql)
        return Erased(
            outcomes=sql.execute(_OUTCOMES, erased).rowcount,
            decisions=sql.execute(_DECISIONS, erased).rowcount,
            entries=sql.execute(_ENTRIES, erased).rowcount,
        )

    return database.write(forget)
