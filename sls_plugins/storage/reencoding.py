"""Gives stored texts the vectors of another encoder than the one they were stored with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, bindparam, delete, func, or_, select, update

from sls_plugins.storage.codec import vector_values
from sls_plugins.storage.database import Database
from sls_plugins.storage.tables import cache_entries, decisions, snapshots
from sls_plugins.types import Matrix, Texts

__all__ = ["encode_anew"]

PAGE_ROWS = 256

Encode: TypeAlias = Callable[[Sequence[str]], Matrix]
Page: TypeAlias = Sequence[Any]

_LEARNT = "learnt"
_other = snapshots.c.fingerprint != bindparam("made_by")
_FOREIGN = (
    select(func.count()).where(snapshots.c.name == _LEARNT, _other),
    select(func.count()).where(cache_entries.c.fingerprint != bindparam("made_by")),
)
_FORGET = delete(snapshots).where(snapshots.c.name == _LEARNT, _other)
_stale = or_(
    cache_entries.c.fingerprint != bindparam("made_by"),
    cache_entries.c.vector.is_(None),
)


def encode_anew(
    database: Database,
    fingerprint: str,
    encode: Encode,
    advance: Callable[[int], None] = lambda _done: None,
) -> int:
    """Encode what other encoders have encoded, and have the log learnt anew; returns how many.

    Rows of the cache, and, where these or what was learnt are another encoder's, the log's
    decisions. Where a text is not kept, its vector is dropped: such a row serves exact repeats
    only. How similar a stored neighbour was is dropped, too: acceptance must not count one
    encoder's similarities as evidence for another's. What was learnt is thrown away last, so that
    who is interrupted may begin again. No engine may use the database meanwhile. `advance` is told
    how many are done.
    Raises StorageError.
    """
    done = 0

    def rows(table: Table, wanted: Any) -> None:
        nonlocal done
        after = ""
        while page := _page(database, table, wanted, fingerprint, after):
            vectors = _vectors(page, encode)
            _write(database, table, page, vectors, fingerprint)
            after, done = page[-1].id, done + sum(vector is not None for vector in vectors)
            advance(done)

    made_by = {"made_by": fingerprint}
    database.flush()
    foreign = database.read(lambda sql: [sql.execute(one, made_by).scalar() for one in _FOREIGN])
    if any(foreign):
        rows(decisions, decisions.c.vector.is_not(None))
    rows(cache_entries, _stale)
    database.write(lambda sql: sql.execute(_FORGET, made_by))
    return done


def _page(database: Database, table: Table, wanted: Any, fingerprint: str, after: str) -> Page:
    """The next rows in the order of their ids."""
    statement = (
        select(table.c.id, table.c.text)
        .where(table.c.id > bindparam("after_id"), wanted)
        .order_by(table.c.id)
        .limit(PAGE_ROWS)
    )
    values = {"after_id": after, "made_by": fingerprint}
    database.flush()
    page: Page = database.read(lambda sql: sql.execute(statement, values).all())
    return page


def _vectors(page: Page, encode: Encode) -> list[bytes | None]:
    """The vector of each text, None where only a stand-in is kept."""
    texts = [row.text for row in page if not Texts.stands_in(row.text)]
    vectors = iter(encode(texts) if texts else ())
    return [None if Texts.stands_in(row.text) else vector_values(next(vectors)) for row in page]


def _write(
    database: Database,
    table: Table,
    page: Page,
    vectors: Sequence[bytes | None],
    fingerprint: str,
) -> None:
    changed: dict[str, Any] = {"vector": bindparam("new_vector")}
    if table is cache_entries:
        changed["fingerprint"] = fingerprint
    else:
        changed["nearest_similarity"] = None
    statement = update(table).where(table.c.id == bindparam("row_id")).values(changed)
    values = [
        {"row_id": row.id, "new_vector": vector} for row, vector in zip(page, vectors, strict=True)
    ]

    def write(sql: Connection) -> None:
        sql.execute(statement, values)

    database.write(write)
