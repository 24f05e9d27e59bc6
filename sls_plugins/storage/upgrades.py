"""Brings an older database to the present schema, version by version (Alembic revisions).

Imported only when an older database is met. The version is kept in the table `meta`, so that a
program of any age can tell whether it knows the tables.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

__all__ = ["upgrade"]

FOLDER = Path(__file__).parent / "migrations"

_one_at_a_time = Lock()  # Alembic's `op`, by which revisions speak, is one for the whole process


def upgrade(connection: Connection, found: int, wanted: int) -> None:
    """Apply the revisions after version `found` (0: nothing is there) up to `wanted`, in order.

    The caller has begun a transaction that excludes all other writers, and ends it.
    """
    scripts = ScriptDirectory(str(FOLDER))
    lower = f"{found:04}" if found else "base"
    steps = list(scripts.iterate_revisions(f"{wanted:04}", lower))
    with _one_at_a_time, Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
