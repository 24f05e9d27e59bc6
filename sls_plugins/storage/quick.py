"""Runs small statements without what SQLAlchemy does for every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Executable, Table, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

__all__ = ["Quick", "QuickChange", "QuickInsert", "run_words"]

Compiled: TypeAlias = tuple[str, tuple[str, ...] | None]


class _Compiled:
    """A statement, compiled once for each kind of database."""

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._known: dict[str, Compiled] = {}

    def _run(self, sql: Connection, values: Mapping[str, object]) -> Any:
        text, names = self._compiled(sql.dialect)
        given = values if names is None else [values[name] for name in names]
        return _execute(sql, text, given)

    def _compiled(self, dialect: Dialect) -> Compiled:
        known = self._known.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(
                dialect=dialect, compile_kwargs={"render_postcompile": True}
            )
            names = compiled.positiontup if compiled.positional else None
            known = str(compiled), None if names is None else tuple(names)
            self._known[dialect.name] = known
        return known


class Quick(_Compiled):
    """One `select`, or a change with `returning`; gives plain tuples.

    Its values must be ones that need no conversion: texts, numbers and bytes.
    """

    def rows(self, sql: Connection, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """All rows. Raises DBAPIError, as SQLAlchemy does."""
        rows: Sequence[tuple[Any, ...]] = self._run(sql, values).fetchall()
        return rows


class QuickChange(_Compiled):
    """One statement that changes rows and gives none; its values need no conversion."""

    def run(self, sql: Connection, values: Mapping[str, object]) -> int:
        """Change rows; returns how many. Raises DBAPIError, as SQLAlchemy does."""
        return int(self._run(sql, values).rowcount)


class QuickInsert(QuickChange):
    """Adds a row of texts, numbers and bytes; every column must be given."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.insert().values({c.name: bindparam(c.name) for c in table.columns}))


def run_words(sql: Connection, text: str) -> None:
    """Run a statement without values or rows, such as COMMIT. Raises DBAPIError."""
    _execute(sql, text, ())


def _execute(sql: Connection, text: str, given: Any) -> Any:
    raw: Any = sql.connection.driver_connection
    error_type = sql.dialect.loaded_dbapi.Error
    try:
        return raw.execute(text, given)
    except error_type as error:
        raise DBAPIError.instance(text, None, error, error_type, hide_parameters=True) from error
