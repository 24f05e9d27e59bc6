"""What the updater noticed and did, in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, text

from sls_plugins.storage.codec import dumped, plain
from sls_plugins.storage.database import Database
from sls_plugins.storage.tables import events
from sls_plugins.types import Event

__all__ = ["SqlEventStore"]

_ADD = text(
    "INSERT INTO events (id, kind, candidate, task, text, facts, created_s) "
    "VALUES (:id, :kind, :candidate, :task, :text, :facts, :created_s) "
    "ON CONFLICT (id) DO NOTHING"
)
_NEWEST = select(events).order_by(events.c.seq.desc()).limit(bindparam("most"))


class SqlEventStore:
    """An `EventStore` in a database; an event that several processes notice is kept once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: Event) -> bool:
        """Keep an event; False if it is known."""
        row = {
            "id": plain(event.id),
            "kind": event.kind,
            "candidate": plain(event.candidate),
            "task": plain(event.task),
            "text": plain(event.text),
            "facts": dumped(dict(event.facts)),
            "created_s": event.created_s,
        }

        def insert(sql: Connection) -> bool:
            return sql.execute(_ADD, row).rowcount > 0

        return self._database.write(insert)

    def newest(self, limit: int) -> Sequence[Event]:
        """The newest events, newest first."""
        rows = self._database.read(lambda sql: sql.execute(_NEWEST, {"most": limit}).all())
        return [
            Event(
                id=row.id,
                kind=row.kind,
                text=row.text,
                candidate=row.candidate,
                task=row.task,
                facts=json.loads(row.facts),
                created_s=row.created_s,
            )
            for row in rows
        ]
